"""What moves into the shared record when, as which documents, and what the ledger says of it."""

from datetime import timedelta

import orjson
import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from gateway.audit.door import Door
from gateway.consent import ledger
from gateway.identity import crossref
from gateway.model.batch import Batch
from gateway.model.category import Category, Source
from gateway.model.document import Availability, DocumentEntry, DocumentQuery
from gateway.model.identifiers import PatientId
from gateway.record import consistency, disclose, provision, staging
from gateway.record.staging import ReceivedFile
from gateway.store.database import Database
from gateway.store.record import items as rows
from tests.conftest import Clock
from tests.record.house import CHARTS, HOSPITAL, House, item

LAB, RX = Category.LAB_RESULT, Category.PRESCRIPTION
EVERY_STATUS = frozenset(Availability)


def entries(house: House, **query: object) -> tuple[DocumentEntry, ...]:
    with house.work("neighbour-n") as work:
        asked = DocumentQuery(patient=house.shared, **query)  # type: ignore[arg-type]
        return disclose.find_documents(work, asked)


def test_linking_moves_what_waited_and_later_files_move_at_once(house: House) -> None:
    house.custody("hospital-a")
    house.feed("hospital-a")
    for key in ("k1", "k2", "k3"):
        house.upload("hospital-a", item(key=key))
    house.enrol("clinic-b")
    assert entries(house) == ()
    assert house.link("hospital-a") == staging.Promoted(items=3)
    assert len(entries(house)) == 3
    house.upload("hospital-a", item(key="k4"))
    assert len(entries(house)) == 4
    assert house.link("hospital-a") == staging.Promoted()


def test_each_file_and_category_is_one_document_of_its_facility(house: House) -> None:
    house.enrol("hospital-a")
    house.upload("hospital-a", item(LAB, "k1"), item(LAB, "k2"), item(RX, "k3"))
    found = {entry.category: entry for entry in entries(house)}
    assert set(found) == {LAB, RX}
    made = found[LAB]
    assert (made.facility, made.source_system) == ("hospital-a", "emr")
    assert (made.patient, made.source_patient) == (house.shared, CHARTS["hospital-a"])
    assert made.mime_type == "application/fhir+json"
    assert made.unique_id.startswith("2.25.")
    assert "山田" not in made.title
    with house.work() as work:
        content = work.blobs.read(made.sha256)
    bundle = orjson.loads(content)
    assert made.size == len(content)
    kinds = [part["resource"]["resourceType"] for part in bundle["entry"]]
    assert kinds == [
        "Composition", "Patient", "Organization", "Observation", "Observation", "Provenance",
    ]  # fmt: skip
    provenance = bundle["entry"][-1]["resource"]
    assert provenance["meta"]["tag"][0]["code"] == "SUBSETTED"
    observations = [part["fullUrl"] for part in bundle["entry"][3:5]]
    assert [one["reference"] for one in provenance["target"]] == observations
    assert provenance["entity"][0]["what"]["display"] == "test"
    assert provenance["agent"][1]["who"]["display"] == "hospital-a"


def test_a_message_has_one_provenance_whose_copies_tell_of_their_own_document_alone(
    house: House,
) -> None:
    house.enrol("hospital-a")
    house.upload("hospital-a", item(LAB, "k1"), item(RX, "k2"))
    house.upload("hospital-a", item(LAB, "k3"))
    found: dict[str, list[frozenset[str]]] = {}
    listed = entries(house)
    with house.work() as work:
        contents = [work.blobs.read(entry.sha256) for entry in listed]
    for content in contents:
        parts = [part["resource"] for part in orjson.loads(content)["entry"]]
        (made,) = [one for one in parts if one["resourceType"] == "Provenance"]
        # What only one category was made of looks the same as what is one of two (XCA-04).
        assert made["meta"] == {"tag": [{
            "system": "http://terminology.hl7.org/CodeSystem/v3-ObservationValue",
            "code": "SUBSETTED",
        }]}  # fmt: skip
        targets = frozenset(one["reference"] for one in made["target"])
        assert targets <= {f"urn:uuid:{one['id']}" for one in parts}
        found.setdefault(made["id"], []).append(targets)
    assert sorted(map(len, found.values())) == [1, 2]
    (both,) = (one for one in found.values() if len(one) == 2)
    assert both[0].isdisjoint(both[1])


def test_a_newer_version_replaces_the_document_of_the_older(house: House) -> None:
    house.enrol("hospital-a")
    house.upload("hospital-a", item(text="old"))
    (before,) = entries(house)
    house.upload("hospital-a", item(version="2", text="new"))
    (after,) = entries(house)
    assert after.entry_uuid != before.entry_uuid
    both = entries(house, statuses=EVERY_STATUS)
    assert {entry.entry_uuid: entry.status for entry in both} == {
        before.entry_uuid: Availability.DEPRECATED,
        after.entry_uuid: Availability.APPROVED,
    }


def test_undoing_the_link_takes_the_data_back(house: House) -> None:
    house.custody("hospital-a")
    house.enrol("hospital-a", "clinic-b")
    receipt, _ = house.upload("hospital-a", item())
    with house.work() as work:
        staging.promote(work, crossref.unlink(work, CHARTS["hospital-a"]))
    assert entries(house, statuses=EVERY_STATUS) == ()
    (file,) = house.receipt("hospital-a", receipt)["files"]
    assert file["items"] == {"staged": 1, "promoted": 0}
    with house.work() as work:
        assert consistency.check(work) == ()
    assert house.link("hospital-a").items == 1


def test_without_a_custody_contract_an_undone_link_leaves_nothing(house: House) -> None:
    house.enrol("hospital-a", "clinic-b")
    receipt, _ = house.upload("hospital-a", item())
    with house.work() as work:
        staging.promote(work, crossref.unlink(work, CHARTS["hospital-a"]))
    (file,) = house.receipt("hospital-a", receipt)["files"]
    assert file["items"] == {"staged": 0, "promoted": 0}


def test_a_merged_charts_data_are_found_under_the_survivor(house: House) -> None:
    house.custody("hospital-a")
    house.enrol("hospital-a")
    old = PatientId(HOSPITAL, "00002")
    with house.work("hospital-a") as work:
        crossref.register(work, old, crossref.stated(work, CHARTS["hospital-a"]))  # type: ignore[arg-type]
    house.upload("hospital-a", item(), patient=old)
    assert entries(house) == ()
    with house.work("hospital-a") as work:
        for person in crossref.merge(work, CHARTS["hospital-a"], old):
            staging.promote(work, person)
    (found,) = entries(house)
    assert found.source_patient == old
    receipt, _ = house.upload("hospital-a", item(key="late"), patient=old)
    assert house.receipt("hospital-a", receipt)["files"][0]["items"]["promoted"] == 1


@pytest.mark.parametrize("custody", [False, True], ids=["consented only", "custody"])
def test_the_ledger_says_when_provision_came_about(
    house: House, clock: Clock, custody: bool
) -> None:
    if custody:
        house.custody("hospital-a")
        house.feed("hospital-a")
        house.upload("hospital-a", item())
        clock.advance(days=3)
        house.enrol("hospital-a")
    else:
        house.enrol("hospital-a")
        house.upload("hospital-a", item())
    person = house.person()
    with house.work() as work:
        (line,) = provision.ledger(work, person)
    assert line["occasion"] == ("migration" if custody else "storage")
    assert line["at"] == clock.now
    assert (line["facility"], line["content"]) == ("hospital-a", {"items": 1, "documents": 0})


def test_storage_counts_from_the_upload_not_from_the_work(house: House, clock: Clock) -> None:
    house.enrol("hospital-a")
    began = clock.now
    original = staging.stage

    def later(*arguments: object, **more: object) -> staging.Staged:
        clock.advance(hours=2)
        return original(*arguments, **more)  # type: ignore[arg-type]

    staging.stage = later  # type: ignore[assignment]
    try:
        house.upload("hospital-a", item())
    finally:
        staging.stage = original
    person = house.person()
    with house.work() as work:
        (line,) = provision.ledger(work, person)
    assert line["at"] == began
    assert clock.now == began + timedelta(hours=2)


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE item SET version = '9'", "UPDATE document SET category = 'care'",
        "UPDATE document_item SET item = 0", "UPDATE provision SET occasion = 'x'",
        "DELETE FROM provision",
    ],
)  # fmt: skip
def test_shared_rows_never_change(house: House, database: Database, change: str) -> None:
    house.enrol("hospital-a")
    house.upload("hospital-a", item())
    with pytest.raises(DBAPIError, match="append-only"), database.writing() as db:
        db.execute(text(change))


def test_promoting_a_stranger_moves_nothing(house: House, door: Door) -> None:
    house.feed("hospital-a")
    person = house.person(CHARTS["hospital-a"])
    with house.work() as work:
        assert staging.promote(work, person) == staging.Promoted()


def test_what_arrives_is_written_where_it_belongs_and_nowhere_else(house: House) -> None:
    """What may be shared is never staged; what nobody may have yet is not shared."""
    house.enrol("hospital-a")
    history = Category.VISIT_HISTORY  # not shared in this network
    batch = Batch(
        path="x", format="test", patient=CHARTS["hospital-a"], version="1",
        items=(item(LAB, "k1"), item(history, "k2")),
    )  # fmt: skip
    file, person = received(house), house.person()
    with house.work() as work:
        staged = staging.stage(work, file, batch, at_once=True)
        assert rows.select_staged(work.db, person) == []
        assert staging.promote(work, person, staged.arrived).items == 1
        assert [row.key for row in rows.select_staged(work.db, person)] == ["k2"]
        assert [row.key for row in rows.select_items(work.db, person)] == ["k1"]


def test_what_arrives_waits_where_the_person_withdrew_meanwhile(house: House) -> None:
    house.custody("hospital-a")
    house.enrol("hospital-a")
    file = received(house)
    batch = Batch(path="x", format="test", patient=CHARTS["hospital-a"], items=(item(),))
    person = house.person()
    with house.work() as work:
        staged = staging.stage(work, file, batch, at_once=True)
        ledger.withdraw(work, person, reason="patient_withdrawal", form="2026-1")
        assert staging.promote(work, person, staged.arrived) == staging.Promoted()
        assert rows.select_items(work.db, person) == []
        assert [row.key for row in rows.select_staged(work.db, person)] == ["k1"]


def received(house: House) -> str:
    with house.work("hospital-a") as work:
        blob = work.blobs.put_bytes(b"content")
        files = [ReceivedFile(path="x", sha256=blob.sha256, size=blob.size)]
        made = staging.receive(work, facility="hospital-a", source=Source.EMR, files=files)
    return made.files[0][0]
