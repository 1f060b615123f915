"""ITI-38: what a neighbour finds, how it is told, and what looks absent."""

from dataclasses import replace
from datetime import UTC, date, datetime

import pytest

from conformance import messages
from gateway import errors
from gateway.audit import report as audit_report
from gateway.consent import ledger
from gateway.dispatch import DispatchFault
from gateway.errors import Refusal
from gateway.model.audit import EventKind
from gateway.model.category import Category, ExclusionGroup
from gateway.model.document import Availability, Code
from gateway.model.identifiers import HomeCommunityId, Oid, PatientId
from gateway.model.person import Demographics, Gender, PersonName, Script
from gateway.transaction import Stamp
from gateway.wire import ebxml, xml
from gateway.xca import iti38, metadata
from tests.record.house import CHARTS, HOSPITAL, SHARED, House
from tests.xca.conftest import HOME, Region, outcome, root, unique_ids
from tests.xca.test_metadata import ENTRY

LOCATION = f"urn:oid:{HOME}"
STAMP = Stamp(
    id="00000000-0000-4000-8000-000000000000",
    at=datetime(2026, 11, 24, tzinfo=UTC),
    home=HomeCommunityId(HOME),
    repository=Oid("2.999.40.1"),
)
TARO = Demographics(
    names=(PersonName("例示", "太郎"), PersonName("レイジ", "タロウ", Script.KANA)),
    birth=date(1962, 3, 4),
    gender=Gender.MALE,
)
DEPRECATED = Availability.DEPRECATED.value


def ids(region: Region, **options: object) -> list[str]:
    """The entry UUIDs that FindDocuments finds."""
    return [
        str(entry.get("id"))
        for entry in root(region.query(**options)).iter(xml.clark("rim:ExtrinsicObject"))
    ]


def get(region: Region, wanted: list[str], by: str = "UniqueId", **options: str) -> list[str]:
    answer = region.ask(messages.get_documents(wanted, home=HOME, by=by, **options))
    assert outcome(answer) == ("SUCCESS", [])
    return unique_ids(answer)


def test_a_neighbour_finds_documents_with_everything_a_strict_peer_wants(region: Region) -> None:
    answer = region.query()
    assert outcome(answer) == ("SUCCESS", [])
    (element,) = root(answer).iter(xml.clark("rim:ExtrinsicObject"))
    entry = metadata.read(element, category=Category.LAB_RESULT)
    (unique_id,) = region.contents
    assert entry.unique_id == unique_id
    assert entry.patient == region.house.shared
    assert entry.home == HOME
    assert entry.repository == "2.999.40.1"
    assert entry.size == len(region.contents[unique_id])
    assert len(entry.hash_sha1) == 40
    assert answer.action == "urn:ihe:iti:2007:CrossGatewayQueryResponse"


def test_references_are_the_same_objects(region: Region) -> None:
    answer = region.query(returns="ObjectRef")
    found = list(root(answer).iter(xml.clark("rim:ObjectRef")))
    assert [item.get("id") for item in found] == ids(region)
    assert {item.get("home") for item in found} == {LOCATION}


def test_documents_are_got_by_either_id(region: Region) -> None:
    (unique_id,), (uuid,) = region.contents, ids(region)
    assert get(region, [unique_id]) == [unique_id]
    assert get(region, [uuid], by="EntryUUID") == [unique_id]
    assert get(region, [unique_id, "2.25.1"]) == [unique_id]
    assert get(region, ["2.25.1"]) == []


def test_a_long_list_of_ids_in_one_value_is_read(region: Region) -> None:
    (unique_id,) = region.contents
    wanted = [f"2.25.{number:030}" for number in range(20)]
    assert get(region, [*wanted, unique_id]) == [unique_id]


def test_get_all_and_documents_and_associations_are_the_entries(region: Region) -> None:
    (unique_id,) = region.contents
    patient = region.house.shared
    approved = f"('{messages.APPROVED}')"
    everything = messages.stored_query(
        "urn:uuid:10b545ea-725c-446d-9b95-8aeb444eddf3",
        [
            ("$patientId", [f"'{patient.value}^^^&{patient.domain}&ISO'"]),
            ("$XDSDocumentEntryStatus", [approved]),
            ("$XDSSubmissionSetStatus", [approved]),
            ("$XDSFolderStatus", [approved]),
        ],
    )
    assert unique_ids(region.ask(everything)) == [unique_id]
    related = messages.get_documents([unique_id], home=HOME).replace(
        messages.GET_DOCUMENTS, "urn:uuid:bab9529a-4a10-40b3-a01f-f68a615d247a"
    )
    assert unique_ids(region.ask(related)) == [unique_id]


@pytest.mark.parametrize(
    ("home", "codes"),
    [
        pytest.param(HOME, [], id="ours"),
        pytest.param("", [], id="none where a patient is named"),
        pytest.param("2.999.10.2", ["XDSUnknownCommunity"], id="the neighbour's"),
        pytest.param("2.999.10.99", ["XDSUnknownCommunity"], id="nobody's"),
        pytest.param(f"{HOME} ", ["XDSUnknownCommunity"], id="ours and a blank"),
    ],
)
def test_the_community_must_be_ours(region: Region, home: str, codes: list[str]) -> None:
    status, found = outcome(region.query(home=home))
    assert found == [(code, LOCATION) for code in codes]
    assert status == ("FAILURE" if codes else "SUCCESS")


def test_a_community_without_its_urn_is_not_ours(region: Region) -> None:
    payload = messages.find_documents(SHARED, region.house.shared.value, home=HOME)
    answer = region.ask(payload.replace("urn:oid:" + HOME, HOME))
    assert outcome(answer) == ("FAILURE", [("XDSUnknownCommunity", LOCATION)])


def test_queries_by_id_need_the_community(region: Region) -> None:
    answer = region.ask(messages.get_documents(list(region.contents), home=""))
    assert outcome(answer) == ("FAILURE", [("XDSMissingHomeCommunityId", LOCATION)])
    assert not unique_ids(answer)


def test_the_status_that_was_asked_for_is_given(region: Region) -> None:
    assert len(ids(region, statuses=DEPRECATED)) == 0
    assert len(ids(region, statuses=f"{DEPRECATED}','{Availability.APPROVED.value}")) == 1


def test_filters_narrow_the_answer(region: Region) -> None:
    other = Code("other", "2.999.1", "other")
    kept = region.file(b"%PDF-1.7 b", type_code=other, title="別の文書")
    patient = region.house.shared
    payload = messages.stored_query(
        messages.FIND_DOCUMENTS,
        [
            ("$XDSDocumentEntryPatientId", [f"'{patient.value}^^^&{patient.domain}&ISO'"]),
            ("$XDSDocumentEntryStatus", [f"('{messages.APPROVED}')"]),
            ("$XDSDocumentEntryTypeCode", ["('other^^2.999.1')"]),
        ],
    )
    assert unique_ids(region.ask(payload)) == [kept]


def test_denied_and_unknown_patients_read_the_same(region: Region, house: House) -> None:
    unknown = region.query(PatientId(SHARED, "9" * 16))
    person = house.person()
    with house.work() as work:
        ledger.exclude(work, person, groups=[ExclusionGroup.HOSPITAL])
    answers = [
        unknown,
        region.query(),
        region.query(CHARTS["hospital-a"]),
        region.query(PatientId(Oid("2.999.77"), "1")),
    ]
    assert {answer.payload.xml for answer in answers} == {unknown.payload.xml}
    assert outcome(unknown) == ("SUCCESS", [])
    assert get(region, list(region.contents)) == []


def test_a_category_outside_the_agreement_leaves_no_trace(region: Region) -> None:
    before = region.query()
    hidden = region.file(b"%PDF-1.7 c", category=Category.CARE)
    payload = messages.find_documents(SHARED, region.house.shared.value, home=HOME)
    narrow = region.ask(payload, categories=frozenset({Category.LAB_RESULT}))
    assert narrow.payload.xml == before.payload.xml
    assert len(unique_ids(region.ask(payload))) == 2
    by_id = messages.get_documents([hidden], home=HOME)
    assert unique_ids(region.ask(by_id, categories=frozenset({Category.LAB_RESULT}))) == []


def test_an_assertion_about_another_patient_opens_nothing(region: Region) -> None:
    other = PatientId(SHARED, "9" * 16)
    payload = messages.find_documents(SHARED, region.house.shared.value, home=HOME)
    assert unique_ids(region.ask(payload, about=other)) == []
    assert unique_ids(region.ask(payload, about=region.house.shared)) == list(region.contents)
    assert unique_ids(region.ask(payload, about=PatientId(Oid("2.999.77"), "x"))) == list(
        region.contents
    )
    by_id = messages.get_documents(list(region.contents), home=HOME)
    assert unique_ids(region.ask(by_id, about=other)) == []


def second_patient(region: Region) -> str:
    """Another consented patient with a document; its unique id."""
    house = region.house
    kept, chart = house.shared, PatientId(HOSPITAL, "00002")
    CHARTS["hospital-a"], first = chart, CHARTS["hospital-a"]
    try:
        house.enrol("hospital-a", demographics=TARO)
        return region.file(b"%PDF-1.7 taro", patient=chart, source_patient=chart)
    finally:
        CHARTS["hospital-a"], house.shared = first, kept


def test_entries_of_two_patients_do_not_leave_together(region: Region) -> None:
    (first,) = region.contents
    both = [first, second_patient(region)]
    answer = region.ask(messages.get_documents(both, home=HOME))
    assert outcome(answer) == ("FAILURE", [("XDSResultNotSinglePatient", LOCATION)])
    assert not unique_ids(answer)
    references = region.ask(messages.get_documents(both, home=HOME, returns="ObjectRef"))
    assert len(list(root(references).iter(xml.clark("rim:ObjectRef")))) == 2


@pytest.mark.parametrize(("leaf", "most"), [(True, 1000), (False, 10_000)])
def test_too_many_results_are_an_error(
    monkeypatch: pytest.MonkeyPatch, region: Region, leaf: bool, most: int
) -> None:
    returns = "LeafClass" if leaf else "ObjectRef"
    name = "_MOST_ENTRIES" if leaf else "_MOST_REFERENCES"
    assert getattr(iti38, name) == most
    region.file(b"%PDF-1.7 d")
    monkeypatch.setattr(iti38, name, 2)
    assert outcome(region.query(returns=returns)) == ("SUCCESS", [])
    monkeypatch.setattr(iti38, name, 1)
    assert outcome(region.query(returns=returns)) == ("FAILURE", [("XDSTooManyResults", LOCATION)])


def test_a_return_type_of_another_standard_is_refused(region: Region) -> None:
    payload = messages.find_documents(SHARED, "1" * 16, home=HOME, returns="RepositoryItem")
    try:
        answer = region.ask(payload)
    except DispatchFault as refused:
        assert refused.fault.code == "env:Sender"  # noqa: PT017 - with the published schema
    else:
        assert outcome(answer) == ("FAILURE", [("XDSRegistryError", LOCATION)])


@pytest.mark.parametrize(
    "payload",
    [
        '<q:AdhocQueryRequest xmlns:q="urn:oasis:names:tc:ebxml-regrep:xsd:query:3.0"/>',
        messages.find_documents(SHARED, "1", home=HOME).replace("ResponseOption", "Other"),
        messages.find_documents(SHARED, "12", home=HOME).replace("12", "1<!-- -->2"),
    ],
)
def test_what_is_no_query_is_refused(payload: str) -> None:
    with pytest.raises(errors.Malformed) as caught:
        iti38.decode(xml.parse(payload.encode()))
    assert iti38.refuse(xml.parse(payload.encode()), caught.value, STAMP) is None


def test_every_kind_of_refusal_has_its_answer() -> None:
    assert set(iti38.CODES) == set(errors.kinds())


@pytest.mark.parametrize("kind", errors.kinds(), ids=lambda kind: kind.__name__)
def test_a_refusal_is_one_error_at_our_community(kind: type[Refusal]) -> None:
    body = xml.parse(messages.find_documents(SHARED, "1", home=HOME).encode())
    refusal = kind("reason", "理由")
    refusal.at = "$x"
    payload = iti38.refuse(body, refusal, STAMP)
    if iti38.CODES[kind] is None:
        assert payload is None
        return
    assert payload is not None
    found = ebxml.read_response(xml.parse(payload.xml))
    assert len(found.errors) == (1 if iti38.CODES[kind] else 0)
    for error in found.errors:
        assert (error.location, error.code) == (LOCATION, iti38.CODES[kind])
        assert error.context == "reason: $x"


def test_a_query_is_on_record_with_its_patient_and_rule(region: Region) -> None:
    region.query()
    with region.house.work(reading=True, kind=EventKind.AUDIT_READ) as work:
        rows = audit_report.who_saw(work, region.house.shared)
    assert "ITI-38" in str(rows)


def test_encoding_many_entries_fits_one_answer() -> None:
    found = tuple(replace(ENTRY, entry_uuid=f"urn:uuid:{number}") for number in range(50))
    question = iti38.decode(xml.parse(messages.find_documents(SHARED, "1", home=HOME).encode()))
    payload = iti38.encode(question, found, STAMP)
    assert len(list(xml.parse(payload.xml).iter(xml.clark("rim:ExtrinsicObject")))) == 50
