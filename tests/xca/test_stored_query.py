"""Stored queries: which are answered, which parameters they want, what they ask for."""

from datetime import UTC, datetime

import pytest

from gateway.errors import Invalid, MissingParameter, ParameterCount, UnknownQuery
from gateway.model.document import Availability, Code, DocumentQuery, TimeRange
from gateway.model.identifiers import Oid, PatientId
from gateway.wire import ebxml
from gateway.wire.ebxml import AdhocQuery
from gateway.xca import stored_query
from gateway.xca.stored_query import ON_DEMAND, STABLE, Asked

PATIENT = PatientId(Oid("2.999.20.1"), "9000000000000001")
CX = "'9000000000000001^^^&2.999.20.1&ISO'"
APPROVED, DEPRECATED = (f"'{status.value}'" for status in Availability)
FIND = "14d4debf-8f97-4251-9a74-a90016b0af0d"
GET = "5c4f972b-d56b-40ac-a5fc-c8ca9b40b9d4"
GET_ALL = "10b545ea-725c-446d-9b95-8aeb444eddf3"

Given = dict[str, list[list[str]]]


def ask(uuid: str, given: Given) -> Asked:
    """Read a query; every parameter is a list of slots, a slot a list of values."""
    parameters = {
        name: tuple(ebxml.read_literals(slot, at=name) for slot in slots)
        for name, slots in given.items()
    }
    query = AdhocQuery(
        id=f"urn:uuid:{uuid}", home=None, return_type="LeafClass", parameters=parameters
    )
    return stored_query.read(query)[1]


def find(**more: list[list[str]]) -> Given:
    given = {"$XDSDocumentEntryPatientId": [[CX]], "$XDSDocumentEntryStatus": [[APPROVED]]}
    return given | {f"$XDSDocumentEntry{name}": slots for name, slots in more.items()}


def moment(day: int) -> datetime:
    return datetime(2026, 11, day, tzinfo=UTC)


@pytest.mark.parametrize(
    ("given", "asked"),
    [
        pytest.param(find(), {}, id="nothing more"),
        pytest.param(
            find(Status=[[f"({APPROVED},{DEPRECATED})"]]),
            {"statuses": frozenset(Availability)},
            id="both statuses",
        ),
        pytest.param(
            find(Status=[[f"({APPROVED},'urn:unknown')"]]), {}, id="an unknown status is ignored"
        ),
        pytest.param(find(Status=[["('Approved')"]]), {}, id="a status as a word"),
        pytest.param(
            find(ClassCode=[["('A^^1.2','B^^1.2')"]]),
            {"class_codes": (Code("A", "1.2"), Code("B", "1.2"))},
            id="codes are alternatives",
        ),
        pytest.param(
            find(TypeCode=[["('A^^1.2')", "('B^^1.2')"]]),
            {"type_codes": (Code("A", "1.2"), Code("B", "1.2"))},
            id="codes in several values",
        ),
        pytest.param(
            find(ConfidentialityCode=[["('N^^1.2','R^^1.2')"], ["('V^^1.2')"]]),
            {"confidentialities": ((Code("N", "1.2"), Code("R", "1.2")), (Code("V", "1.2"),))},
            id="slots of a multi-valued attribute are demands",
        ),
        pytest.param(
            find(EventCodeList=[["('E^^1.2')"]]),
            {"event_codes": ((Code("E", "1.2"),),)},
            id="events",
        ),
        pytest.param(
            find(CreationTimeFrom=[["20261101"]], CreationTimeTo=[["'20261102'"]]),
            {"created": TimeRange(start=moment(1), end=moment(2))},
            id="times, quoted or not",
        ),
        pytest.param(
            find(ServiceStartTimeFrom=[["20261101"]]),
            {"service_start": TimeRange(start=moment(1))},
            id="an open range",
        ),
        pytest.param(find(AuthorPerson=[["('%山田%')"]]), {"authors": ("%山田%",)}, id="an author"),
        pytest.param(find(Type=[[f"('{STABLE}')"]]), {}, id="stable"),
        pytest.param(
            find(Type=[[f"('{STABLE}','{ON_DEMAND}')"]]), {"on_demand": True}, id="both types"
        ),
        pytest.param(
            find(Type=[[f"('{ON_DEMAND}')"]]), {"stable": False, "on_demand": True}, id="on demand"
        ),
        pytest.param(find() | {"$unheardOf": [["'x'"]]}, {}, id="an extra parameter is ignored"),
    ],
)  # fmt: skip
def test_find_documents_asks_for(given: Given, asked: dict[str, object]) -> None:
    query = DocumentQuery(patient=PATIENT, **asked)  # type: ignore[arg-type]
    assert ask(FIND, given) == Asked(patient=PATIENT, find=query)


@pytest.mark.parametrize(
    "given",
    [find(Status=[["'urn:unknown'"]]), find(Type=[["'urn:uuid:00000000'"]])],
    ids=["no known status", "no known type"],
)
def test_what_can_match_nothing_reads_nothing(given: Given) -> None:
    assert ask(FIND, given) == Asked(patient=PATIENT)


def test_get_all_is_the_document_entries() -> None:
    given: Given = {
        "$patientId": [[CX]],
        "$XDSDocumentEntryStatus": [[APPROVED]],
        "$XDSSubmissionSetStatus": [[APPROVED]],
        "$XDSFolderStatus": [[APPROVED]],
        "$XDSDocumentEntryFormatCode": [["('F^^1.2')"]],
    }
    query = DocumentQuery(patient=PATIENT, format_codes=(Code("F", "1.2"),))
    assert ask(GET_ALL, given) == Asked(patient=PATIENT, find=query)


@pytest.mark.parametrize("uuid", [GET, "bab9529a-4a10-40b3-a01f-f68a615d247a"])
def test_documents_are_asked_for_by_either_id(uuid: str) -> None:
    by_uuid: Given = {"$XDSDocumentEntryEntryUUID": [["('urn:uuid:a','urn:uuid:b')"]]}
    assert ask(uuid, by_uuid) == Asked(entry_uuids=("urn:uuid:a", "urn:uuid:b"))
    assert ask(uuid, {"$XDSDocumentEntryUniqueId": [["'1.2.3'"]]}) == Asked(unique_ids=("1.2.3",))


_UUID, _ENTRY = [["'urn:uuid:a'"]], "$XDSDocumentEntryEntryUUID"
_EMPTY = [
    ("f26abbcb-ac74-4422-8a30-edb644bbc1a9",
     {"$XDSSubmissionSetPatientId": [[CX]], "$XDSSubmissionSetStatus": [[APPROVED]]}),
    ("958f3006-baad-4929-a4de-ff1114824431",
     {"$XDSFolderPatientId": [[CX]], "$XDSFolderStatus": [[APPROVED]]}),
    ("5737b14c-8a1a-4539-b659-e03a34a5e1e4", {"$XDSFolderEntryUUID": _UUID}),
    ("a7ae438b-4bc2-4642-93e9-be891f7bb155", {"$uuid": _UUID}),
    ("51224314-5390-4169-9b91-b1980040715a", {"$uuid": _UUID}),
    ("e8e3cb2c-e39c-46b9-99e4-c12f57260b83", {"$XDSSubmissionSetEntryUUID": _UUID}),
    ("b909a503-523d-4517-8acf-8e5834dfc4c7", {"$XDSFolderUniqueId": [["'1.2.3'"]]}),
    ("10cae35a-c7f9-4cf5-b61e-fc3278ffb578", {_ENTRY: _UUID}),
    ("d90e5407-b356-4d91-a89f-873917b4b0e6", {_ENTRY: _UUID, "$AssociationTypes": [["('x')"]]}),
]  # fmt: skip


@pytest.mark.parametrize(("uuid", "given"), _EMPTY)
def test_queries_for_what_we_do_not_keep_ask_nothing(uuid: str, given: Given) -> None:
    asked = ask(uuid, given)
    assert asked == Asked(patient=asked.patient)
    for name in given:
        with pytest.raises(MissingParameter):
            ask(uuid, {key: value for key, value in given.items() if key != name})


@pytest.mark.parametrize(
    ("uuid", "given", "kind"),
    [
        pytest.param(FIND, find(Status=[]), MissingParameter, id="no status"),
        pytest.param(FIND, find(PatientId=[]), MissingParameter, id="no patient"),
        pytest.param(FIND, find(PatientId=[[CX, CX]]), ParameterCount, id="two patients"),
        pytest.param(FIND, find(PatientId=[[CX], [CX]]), ParameterCount, id="two patient slots"),
        pytest.param(FIND, find(PatientId=[["'x'"]]), Invalid, id="not a patient id"),
        pytest.param(FIND, find(PatientId=[["1"]]), Invalid, id="a patient id without quotes"),
        pytest.param(FIND, find(ClassCode=[["('A^^1.2')"], ["('B^^1.2')"]]), ParameterCount,
                     id="slots of a single-valued attribute"),
        pytest.param(FIND, find(ClassCode=[["('A^^')"]]), Invalid, id="a code without scheme"),
        pytest.param(FIND, find(CreationTimeFrom=[["'soon'"]]), Invalid, id="not a time"),
        pytest.param(FIND, find(CreationTimeFrom=[["2025", "2026"]]), ParameterCount,
                     id="two times"),
        pytest.param(FIND, find(Status=[["1"]]), Invalid, id="a status without quotes"),
        pytest.param(GET, {}, MissingParameter, id="neither id"),
        pytest.param(GET, {_ENTRY: _UUID, "$XDSDocumentEntryUniqueId": [["'1.2'"]]},
                     ParameterCount, id="both ids"),
        pytest.param("10cae35a-c7f9-4cf5-b61e-fc3278ffb578", {_ENTRY: [["('a','b')"]]},
                     ParameterCount, id="two ids for one document"),
        pytest.param("12941a89-e02e-4be5-967c-ce4bfc8fe492", find(), UnknownQuery,
                     id="by reference id: an option that is not declared"),
        pytest.param("4308b1df-36de-4bef-8e2e-ba91f593c435", find(), UnknownQuery,
                     id="a proposed query"),
        pytest.param(FIND.upper(), find(), UnknownQuery, id="an id in capitals"),
        pytest.param("", find(), UnknownQuery, id="no id"),
    ],
)  # fmt: skip
def test_other_questions_are_refused(uuid: str, given: Given, kind: type[Exception]) -> None:
    with pytest.raises(kind):
        ask(uuid, given)
