"""Code masters as rows: versions side by side, which is in force, whose map, what is altered."""

from datetime import date

import pytest
from sqlalchemy import update

from gateway.errors import Inconsistent, Invalid, NotFound, NotPermitted
from gateway.members import codes
from gateway.model.codebook import JLAC10, SYSTEMS, Code, CodeBook, line
from gateway.store.codes import PAGE
from tests.record.conftest import house as house
from tests.record.house import House

ICD = SYSTEMS["icd10"]


def text(*entries: tuple[str, str]) -> bytes:
    return "".join(sorted(line(code, name, "", "", ()) for code, name in entries)).encode()


def load(
    house: House, *entries: tuple[str, str], version: str = "1", starts: str = "2026-11-01",
    kind: str = "icd10", facility: str = "", content: bytes = b"",
) -> codes.Loaded:  # fmt: skip
    with house.work() as work:
        return codes.load(
            work, kind=kind, name=kind, version=version, text=content or text(*entries),
            count=len(entries), starts=date.fromisoformat(starts), facility=facility,
        )  # fmt: skip


def book(house: House, facility: str = "hospital-a", today: str = "2026-11-21") -> CodeBook:
    house.door.forget_snapshots()
    return codes.Shelf(house.door, lambda: date.fromisoformat(today)).of(facility)


def test_a_version_takes_over_on_its_first_day_and_the_one_before_stays_behind_it(
    house: House,
) -> None:
    load(house, ("A00", "古い名"), ("A09", "廃止された名"), version="1", starts="2026-04-01")
    load(house, ("A00", "新しい名"), version="2", starts="2026-12-01")
    assert book(house).display(ICD, "A00") == "古い名"
    later = book(house, today="2026-12-01")
    assert later.display(ICD, "A00") == "新しい名"
    assert later.display(ICD, "A09") == "廃止された名"
    assert not book(house, today="2026-03-31")


def test_of_three_versions_the_last_two_are_looked_up(house: House) -> None:
    for number in (1, 2, 3):
        load(house, (f"A0{number}", "名"), version=str(number), starts=f"2026-0{number}-01")
    found = book(house)
    assert [found.display(ICD, f"A0{number}") for number in (1, 2, 3)] == ["", "名", "名"]
    with house.work() as work:
        assert len(codes.masters(work)) == 3


def test_an_ended_version_is_not_looked_up_after_its_last_day(house: House) -> None:
    loaded = load(house, ("A00", "名"))
    with house.work() as work:
        codes.end(work, loaded.id, date(2026, 11, 20))
    assert book(house, today="2026-11-20").display(ICD, "A00") == "名"
    assert not book(house)
    with house.work() as work, pytest.raises(Inconsistent):
        codes.end(work, loaded.id, date(2026, 11, 20))
    with house.work() as work, pytest.raises(NotFound):
        codes.end(work, 99, date(2026, 11, 20))


def test_a_map_is_of_its_facility_and_earlier_ones_hold_beside_it(house: House) -> None:
    for version, code in (("1", "TP"), ("2", "ALB")):
        made = line(f"99\x1f{code}", code, "", "", [Code("jlac10", "3A990000002399901")])
        load(house, kind="map", facility="hospital-a", version=version, content=made.encode())
    own, other = book(house), book(house, "clinic-b")
    for code in ("TP", "ALB"):
        found = own.mapped("99", code)
        assert found is not None
        assert found.related[0].system == JLAC10
        assert other.mapped("99", code) is None


def test_a_shelf_takes_over_what_is_loaded_while_it_stands(house: House) -> None:
    shelf = codes.Shelf(house.door, lambda: date(2026, 11, 21))
    assert not shelf.of("hospital-a")
    load(house, ("A00", "名"))
    house.door.forget_snapshots()
    first = shelf.of("hospital-a")
    assert first.display(ICD, "A00") == "名"
    assert shelf.of("hospital-a") is first, "one book for one state"


def test_a_master_that_was_altered_is_not_used(
    house: House, caplog: pytest.LogCaptureFixture
) -> None:
    load(house, ("A00", "名"))
    with house.work() as work:
        work.db.execute(update(PAGE).values(content=text(("A00", "別の名")).decode()))
    assert not book(house)
    assert "altered" in caplog.text


def test_a_large_one_is_kept_in_pages_of_whole_lines(house: House) -> None:
    load(house, *((f"A{number:05}", f"病名{number}") for number in range(5000)))
    found = book(house)
    assert [found.display(ICD, f"A{number:05}") for number in (0, 2500, 4999)] == [
        "病名0", "病名2500", "病名4999",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("change", "refusal"),
    [
        ({"version": ""}, Invalid),
        ({"version": "1:2"}, Invalid),
        ({"version": "a" * 65}, Invalid),
        ({"version": "1\n"}, Invalid),
        ({"facility": "hospital-a"}, Invalid),
        ({"kind": "map"}, Invalid),
        ({"kind": "map", "facility": "nobody"}, NotFound),
    ],
)
def test_what_cannot_be_told_apart_later_is_refused(
    house: House, change: dict[str, str], refusal: type[Exception]
) -> None:
    with pytest.raises(refusal):
        load(house, ("A00", "名"), **change)


def test_masters_are_the_operators(house: House) -> None:
    with house.work("hospital-a") as work, pytest.raises(NotPermitted):
        codes.masters(work)
    with house.work("hospital-a") as work, pytest.raises(NotPermitted):
        codes.show(work, "A00")


def test_the_same_again_adds_nothing_and_other_content_is_refused(house: House) -> None:
    first = load(house, ("A00", "名"))
    again = load(house, ("A00", "名"))
    assert (again.id, again.was_there) == (first.id, True)
    with pytest.raises(Inconsistent):
        load(house, ("A00", "別の名"))
