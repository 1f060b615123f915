"""Why a resource is as it is: versions, files, places, lines."""

import pytest

from gateway.errors import NotFound
from gateway.identity import crossref
from gateway.model.category import Category
from gateway.record import staging, trace
from gateway.store.record import items
from tests.record.house import CHARTS, House, item


def traced(house: House, resource: str) -> trace.Traced:
    with house.work() as work:
        return trace.trace(work, resource)


def test_every_version_with_its_file_and_place(house: House) -> None:
    house.enrol("hospital-a")
    first = item(key="k1")
    house.upload("hospital-a", first, path="a.hl7", content=b"MSH|1\rOBX|1|NM|x\r", version="1")
    house.upload("hospital-a", first._replace(version="2"), path="b.hl7", version="2")
    identity = first.resource["id"]
    for name in (identity, f"urn:uuid:{identity}", f"Observation/{identity}"):
        found = traced(house, name)
        assert (found.kind, found.id, found.beside) == ("Observation", identity, "")
        assert found.patient == CHARTS["hospital-a"]
        assert [one.path for one in found.versions] == ["a.hl7", "b.hl7"]
        assert all(one.shared for one in found.versions)
        assert found.versions[0].format == "test"
        assert len(found.versions[0].sha256) == 64


def test_a_staged_one_is_said_to_be(house: House) -> None:
    house.custody("hospital-a")
    house.feed("hospital-a")
    one = item(Category.DIAGNOSIS, key="k1")
    house.upload("hospital-a", one)
    assert [version.shared for version in traced(house, one.resource["id"]).versions] == [False]


@pytest.mark.parametrize(
    "resource", ["", "x", "Observation/x", "00000000-0000-0000-0000-000000000000"]
)
def test_what_is_not_there_is_not_found(house: House, resource: str) -> None:
    with pytest.raises(NotFound):
        traced(house, resource)


def test_looking_at_it_is_in_the_trail(house: House) -> None:
    house.enrol("hospital-a")
    one = item(key="k1")
    house.upload("hospital-a", one)
    with house.work() as work:
        trace.trace(work, one.resource["id"])
        assert work.trail.patients == {CHARTS["hospital-a"]}


def test_what_several_items_refer_to_is_with_each(house: House) -> None:
    """Stored once, shared, returned to custody: each item is read whole."""
    house.custody("hospital-a")
    house.enrol("hospital-a")
    order = {"resourceType": "ServiceRequest", "id": "1" * 36, "code": {"text": "x"}}
    several = [item(key=f"k{n}", companions=(order,)) for n in range(3)]
    house.upload("hospital-a", *several)
    for shared in (True, False):
        if not shared:
            with house.work() as work:
                staging.promote(work, crossref.unlink(work, CHARTS["hospital-a"]))
        found = [
            row for one in several for row in _stored(house, one.resource["id"]) if row[1] is shared
        ]
        assert [items.read_content(row).companions for row, _ in found] == [(order,)] * 3
        assert traced(house, order["id"]).beside == "Observation"


def _stored(house: House, resource: str) -> list[tuple[items.ItemRow, bool]]:
    with house.work() as work:
        return items.select_versions_of_resource(work.db, resource)
