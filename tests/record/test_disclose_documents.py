"""Documents on their way out: entries, bytes, and what must leave no trace."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from gateway.consent import ledger
from gateway.errors import UnknownPatient
from gateway.model.audit import Outcome
from gateway.model.category import Category, ExclusionGroup, FacilityType
from gateway.model.document import Code, DocumentEntry, DocumentQuery, DocumentRequest, TimeRange
from gateway.model.identifiers import HomeCommunityId, Oid, PatientId
from gateway.record import disclose, documents, erase
from tests.conftest import Clock
from tests.record.house import (
    CHARTS,
    SHARED,
    House,
    document,
    item,
    unsigned,
)

LAB, RX, CARE = Category.LAB_RESULT, Category.PRESCRIPTION, Category.CARE
EVERYBODY = ("hospital-a", "clinic-b", "pharmacy-c")


def identifiers(house: House, who: str, patient: PatientId, *wanted: Oid) -> tuple[PatientId, ...]:
    with house.work(who, reading=True) as work:
        return disclose.identifiers(work, patient, wanted)


def found(house: House, who: str = "neighbour-n", **query: object) -> tuple[DocumentEntry, ...]:
    with house.work(who, reading=True) as work:
        asked = DocumentQuery(**{"patient": house.shared, **query})  # type: ignore[arg-type]
        return disclose.find_documents(work, asked)


def categories(house: House, who: str = "neighbour-n") -> set[str]:
    return {entry.category.value for entry in found(house, who)}


def fill(house: House) -> None:
    """One consented patient with data of two categories from two facilities."""
    house.enrol(*EVERYBODY)
    house.upload("hospital-a", item(LAB, "h1"), item(RX, "h2"))
    house.upload("pharmacy-c", item(Category.DISPENSING, "p1"))


def exclude(house: House, **what: object) -> None:
    person = house.person()
    with house.work() as work:
        ledger.exclude(work, person, **what)  # type: ignore[arg-type]


# --- documents (ITI-38, ITI-39)


def test_a_neighbour_sees_what_the_agreement_and_the_policy_give(house: House) -> None:
    fill(house)
    assert categories(house) == {"lab_result", "prescription", "dispensing"}
    with house.work("neighbour-n", categories=frozenset({LAB})) as work:
        asked = DocumentQuery(patient=house.shared)
        assert [e.category for e in disclose.find_documents(work, asked)] == [LAB]


@pytest.mark.parametrize(
    "patient",
    [
        pytest.param(lambda house: PatientId(SHARED, "1" * 16), id="unknown"),
        pytest.param(lambda house: CHARTS["hospital-a"], id="a chart id"),
        pytest.param(lambda house: PatientId(Oid("2.999.7"), "1"), id="another domain"),
    ],
)
def test_to_a_neighbour_absent_looks_like_nothing(
    house: House, patient: Callable[[House], PatientId]
) -> None:
    fill(house)
    assert found(house, patient=patient(house)) == ()


def test_to_our_own_an_unknown_patient_is_unknown(house: House) -> None:
    with pytest.raises(UnknownPatient):
        found(house, "hospital-a", patient=PatientId(SHARED, "1" * 16))


@pytest.mark.parametrize(
    ("what", "hidden"),
    [
        pytest.param({"items": [LAB]}, {"lab_result"}, id="an item"),
        pytest.param({"items": [RX]}, {"prescription", "dispensing"}, id="prescription (RD-04)"),
        pytest.param({"pairs": [(LAB, ExclusionGroup.HOSPITAL)]}, {"lab_result"}, id="a pair"),
        pytest.param({"pairs": [(LAB, ExclusionGroup.CLINIC)]}, set(), id="another's pair"),
        pytest.param(
            {"groups": [ExclusionGroup.HOSPITAL]}, {"lab_result", "prescription", "dispensing"},
            id="the asker's group",
        ),
        pytest.param({"groups": [ExclusionGroup.PHARMACY]}, set(), id="another group"),
    ],
)  # fmt: skip
def test_what_is_excluded_leaves_no_trace(
    house: House, what: dict[str, object], hidden: set[str]
) -> None:
    fill(house)
    before = found(house)
    exclude(house, **what)
    after = found(house)
    assert {entry.category.value for entry in before} - {e.category.value for e in after} == hidden
    assert after == tuple(entry for entry in before if entry.category.value not in hidden)


def test_a_neighbour_of_unknown_type_is_hit_by_every_exclusion(house: House) -> None:
    fill(house)
    exclude(house, pairs=[(LAB, ExclusionGroup.CARE_ANY)])
    with house.work("neighbour-n", facility_type=FacilityType.OTHER) as work:
        seen = disclose.find_documents(work, DocumentQuery(patient=house.shared))
    assert {entry.category.value for entry in seen} == {"prescription", "dispensing"}


def test_two_questions_that_differ_in_facility_type_only_differ(house: House) -> None:
    house.enrol("hospital-a")
    house.upload("hospital-a", item(LAB, "1"), item(CARE, "2"))
    seen = {}
    for kind in (FacilityType.HOSPITAL, FacilityType.PHARMACY):
        with house.work("neighbour-n", facility_type=kind) as work:
            answers = disclose.find_documents(work, DocumentQuery(patient=house.shared))
        seen[kind] = {entry.category for entry in answers}
    assert seen == {FacilityType.HOSPITAL: {LAB, CARE}, FacilityType.PHARMACY: {LAB}}


def test_own_data_are_seen_whatever_is_excluded(house: House) -> None:
    fill(house)
    exclude(house, items=[LAB, RX], groups=[ExclusionGroup.PHARMACY])
    assert categories(house, "hospital-a") == {"lab_result", "prescription"}
    assert categories(house, "pharmacy-c") == {"dispensing"}
    assert categories(house, "clinic-b") == set()


def test_documents_are_found_by_their_ids_for_those_who_may(house: House) -> None:
    fill(house)
    entries = found(house)
    ids = tuple(entry.unique_id for entry in entries)
    uuids = tuple(entry.entry_uuid for entry in entries)
    with house.work("neighbour-n") as work:
        assert disclose.get_documents(work, unique_ids=(*ids, "2.25.1")) == entries
        assert disclose.get_documents(work, entry_uuids=(*uuids, "urn:uuid:none")) == entries
    exclude(house, items=[LAB])
    with house.work("neighbour-n") as work:
        told = disclose.get_documents(work, entry_uuids=uuids, unique_ids=ids)
        assert told == tuple(entry for entry in entries if entry.category is not LAB)
        assert work.trail.detail["withheld"] == 2


def request(entry: DocumentEntry, **changes: object) -> DocumentRequest:
    made = DocumentRequest(
        home=HomeCommunityId("2.999.10.1"), repository=entry.repository, unique_id=entry.unique_id
    )
    return replace(made, **changes)  # type: ignore[arg-type]


def test_bytes_leave_with_the_hash_that_was_told(house: House) -> None:
    fill(house)
    first, *_ = entries = found(house)
    absent = request(first, unique_id="2.25.7")
    with house.work("neighbour-n") as work:
        given = disclose.retrieve(work, (request(first), absent, request(first, repository="2.9")))
    assert isinstance(given[0], disclose.Retrieved)
    assert given[0].path.stat().st_size == entries[0].size
    assert given[1:] == (absent, request(first, repository="2.9"))
    assert work.trail.objects == [f"{first.unique_id} sha256:{first.sha256}"]


def test_an_excluded_document_cannot_be_fetched_by_its_id(house: House) -> None:
    fill(house)
    asked = tuple(request(entry) for entry in found(house))
    exclude(house, groups=[ExclusionGroup.HOSPITAL])
    with house.work("neighbour-n") as work:
        assert disclose.retrieve(work, asked) == asked


def test_changed_bytes_are_never_served(house: House) -> None:
    fill(house)
    first, *_ = found(house)
    with house.work("neighbour-n") as work:
        path = work.blobs.path(first.sha256)
        content = path.read_bytes()
        path.write_bytes(b"X" + content[1:])
        assert disclose.retrieve(work, (request(first),)) == (request(first),)
        assert (work.trail.code, work.trail.outcome) == ("DOC-HASH", Outcome.MAJOR)


def test_deprecated_entries_are_decided_like_all_others(house: House) -> None:
    house.enrol("hospital-a")
    house.upload("hospital-a", item(LAB, version="1"))
    (old,) = found(house)
    house.upload("hospital-a", item(LAB, version="2"))
    exclude(house, items=[LAB])
    with house.work("neighbour-n") as work:
        assert disclose.get_documents(work, entry_uuids=(old.entry_uuid,)) == ()
        assert disclose.retrieve(work, (request(old),)) == (request(old),)


@pytest.mark.parametrize(
    ("query", "matches"),
    [
        pytest.param({}, True, id="everything"),
        pytest.param({"type_codes": (Code("x", "2.999.1"),)}, True, id="its type"),
        pytest.param({"type_codes": (Code("x", "2.999.2"),)}, False, id="another scheme"),
        pytest.param(
            {"class_codes": (Code("y", "2.999.1"), Code("x", "2.999.1"))}, True, id="either"
        ),
        pytest.param({"event_codes": ((Code("x", "2.999.1"),),)}, False, id="an event code"),
        pytest.param({"authors": ("佐藤%",)}, True, id="author with wildcard"),
        pytest.param({"authors": ("佐藤.*",)}, False, id="a regular expression is text"),
        pytest.param({"authors": ("佐藤_一郎",)}, True, id="one character"),
        pytest.param({"stable": False, "on_demand": True}, False, id="on-demand ones"),
        pytest.param({"statuses": frozenset()}, False, id="no status"),
        pytest.param(
            {"created": TimeRange(start=datetime(2026, 11, 1, tzinfo=UTC))}, True, id="from"
        ),
        pytest.param({"created": TimeRange(end=datetime(2026, 11, 1, tzinfo=UTC))}, False, id="to"),
        pytest.param(
            {"service_start": TimeRange(end=datetime(1990, 1, 1, tzinfo=UTC))}, True,
            id="a time the entry has not",
        ),
    ],
)  # fmt: skip
def test_parameters_of_a_stored_query(
    house: House, query: dict[str, object], matches: bool
) -> None:
    house.enrol("hospital-a")
    made = document()
    with house.work("hospital-a") as work:
        documents.file(work, made, unsigned(made.content))
    assert (len(found(house, **query)) == 1) is matches


def test_what_is_past_its_period_is_hidden_and_later_deleted(house: House, clock: Clock) -> None:
    house.enrol("hospital-a", "clinic-b")
    house.upload("hospital-a", item())
    clock.now = datetime(2031, 11, 21, 14, 59, tzinfo=UTC)
    assert len(found(house)) == 1
    clock.now = datetime(2031, 11, 21, 15, 0, tzinfo=UTC)
    assert found(house) == ()
    with house.work("clinic-b") as work:
        assert disclose.view(work, house.shared) == disclose.Viewed()
    with house.work() as work:
        assert erase.expire(work, dry_run=True).items == 1
        assert erase.expire(work).items == 1
        assert erase.expire(work).items == 0
