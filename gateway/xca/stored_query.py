"""Stored queries: their ids, their parameters, and what each asks for.

ITI TF-2: 3.18.4.1.2.3.7, in the order of its table; ITI TF-2: 3.38.4.1.2 for a community's part.
A community without submission sets, folders and associations answers the queries for them with
zero elements; FindDocumentsByReferenceId needs an option that is not declared here.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TypeVar

from gateway.errors import Invalid, MissingParameter, ParameterCount, UnknownQuery
from gateway.model.document import Availability, Code, DocumentQuery, TimeRange
from gateway.model.identifiers import PatientId
from gateway.wire import ebxml
from gateway.wire.ebxml import AdhocQuery, Literal

_Value = TypeVar("_Value")

STABLE = "urn:uuid:7edca82f-054d-47f2-a032-9b2a5b5186c1"
ON_DEMAND = "urn:uuid:34268e47-fdf5-41a6-ba33-82133c465248"

_STATUSES = {status.value: status for status in Availability} | {
    status.value.rpartition(":")[2]: status for status in Availability
}
"URNs, and the short words that partners send for them (FN-612)."


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What a stored query asks of the record; nothing at all for the queries without elements."""

    patient: PatientId | None = None
    "Whom it is about, where the query names a patient."
    find: DocumentQuery | None = None
    entry_uuids: tuple[str, ...] = ()
    unique_ids: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredQuery:
    """One stored query: its name, whether it needs a homeCommunityId, and how it is read."""

    name: str
    needs_home: bool
    read: Callable[["Parameters"], Asked]


@dataclass(frozen=True, slots=True)
class Parameters:
    """The parameters of one query, asked for by the rules of the table."""

    slots: dict[str, tuple[tuple[Literal, ...], ...]]

    def many(self, name: str) -> tuple[Literal, ...]:
        """The values of a parameter of a single-valued attribute: one slot, ORed; maybe none."""
        found = self.slots.get(name, ())
        if len(found) > 1:
            raise ParameterCount("the parameter is there twice", "引数が重複しています", at=name)
        return found[0] if found else ()

    def required(self, name: str) -> tuple[Literal, ...]:
        """At least one value."""
        found = self.many(name)
        if not found:
            raise MissingParameter("the parameter is required", "必須の引数です", at=name)
        return found

    def maybe(self, name: str) -> Literal | None:
        """At most one value."""
        found = self.many(name)
        if len(found) > 1:
            raise ParameterCount("one value is allowed", "値は一つだけです", at=name)
        return found[0] if found else None

    def patient(self, name: str) -> PatientId:
        """The one patient id, in quotes."""
        self.required(name)
        literal = self.maybe(name)
        if literal is None or not literal.quoted:
            raise Invalid("the value is not in quotes", "値に引用符がありません", at=name)
        return ebxml.read_cx(literal.text, at=name)

    def statuses(self, name: str) -> frozenset[Availability]:
        """Availability statuses; unknown ones are ignored (ITI TF-2: 3.18.4.1.2.3.6.1)."""
        texts = _texts(self.required(name), name)
        return frozenset(_STATUSES[text] for text in texts if text in _STATUSES)

    def texts(self, name: str) -> tuple[str, ...]:
        """Quoted strings."""
        return _texts(self.many(name), name)

    def codes(self, name: str) -> tuple[Code, ...]:
        """Codes of a single-valued attribute."""
        return tuple(ebxml.read_code(literal, at=name) for literal in self.many(name))

    def code_slots(self, name: str) -> tuple[tuple[Code, ...], ...]:
        """Codes of a multi-valued attribute: slots are ANDed, the values in one ORed."""
        return tuple(
            tuple(ebxml.read_code(literal, at=name) for literal in slot)
            for slot in self.slots.get(name, ())
        )

    def range(self, name: str) -> TimeRange:
        """A pair `…From` (inclusive) and `…To` (exclusive); quoted or not (FN-601)."""
        start, end = (self.maybe(name + side) for side in ("From", "To"))
        return TimeRange(
            start=ebxml.read_time(start.text, at=name + "From") if start else None,
            end=ebxml.read_time(end.text, at=name + "To") if end else None,
        )

    def one_of(self, first: str, second: str, *, single: bool = False) -> Asked:
        """Exactly one of two parameters (3.18.4.1.2.3.7: "either or"), by UUID or unique id."""
        uuids, ids = self.texts(first), self.texts(second)
        if first in self.slots and second in self.slots:
            raise ParameterCount(
                "the two parameters exclude each other", "二つの引数は併用できません", at=second
            )
        if not uuids and not ids:
            raise MissingParameter("the parameter is required", "必須の引数です", at=first)
        if single and len(uuids) + len(ids) > 1:
            raise ParameterCount("one value is allowed", "値は一つだけです", at=first)
        return Asked(entry_uuids=uuids, unique_ids=ids)


def _texts(literals: tuple[Literal, ...], name: str) -> tuple[str, ...]:
    if not all(literal.quoted for literal in literals):
        raise Invalid("the value is not in quotes", "値に引用符がありません", at=name)
    return tuple(literal.text for literal in literals)


def read(query: AdhocQuery) -> tuple[StoredQuery, Asked]:
    """The query's row and what it asks for; raises the refusals of ITI TF-3: 4.2.4."""
    row = QUERIES.get(query.id)
    if row is None:
        raise UnknownQuery("the stored query is not answered here", "この問合せには応じません")
    return row, row.read(Parameters(query.parameters))


_ENTRY = "$XDSDocumentEntry"


def _find_documents(given: Parameters) -> Asked:
    patient = given.patient(_ENTRY + "PatientId")
    query = DocumentQuery(
        patient=patient,
        statuses=given.statuses(_ENTRY + "Status"),
        class_codes=given.codes(_ENTRY + "ClassCode"),
        type_codes=given.codes(_ENTRY + "TypeCode"),
        practice_settings=given.codes(_ENTRY + "PracticeSettingCode"),
        facility_types=given.codes(_ENTRY + "HealthcareFacilityTypeCode"),
        format_codes=given.codes(_ENTRY + "FormatCode"),
        event_codes=given.code_slots(_ENTRY + "EventCodeList"),
        confidentialities=given.code_slots(_ENTRY + "ConfidentialityCode"),
        authors=given.texts(_ENTRY + "AuthorPerson"),
        created=given.range(_ENTRY + "CreationTime"),
        service_start=given.range(_ENTRY + "ServiceStartTime"),
        service_stop=given.range(_ENTRY + "ServiceStopTime"),
    )
    return Asked(patient=patient, find=_of_types(query, given))


def _of_types(query: DocumentQuery, given: Parameters) -> DocumentQuery | None:
    """The query for the asked types of entry; None where it can match nothing."""
    types = given.texts(_ENTRY + "Type") or (STABLE,)
    stable, on_demand = STABLE in types, ON_DEMAND in types
    if not query.statuses or not (stable or on_demand):
        return None
    return replace(query, stable=stable, on_demand=on_demand)


def _get_all(given: Parameters) -> Asked:
    patient = given.patient("$patientId")
    given.statuses("$XDSSubmissionSetStatus")
    given.statuses("$XDSFolderStatus")
    query = DocumentQuery(
        patient=patient,
        statuses=given.statuses(_ENTRY + "Status"),
        format_codes=given.codes(_ENTRY + "FormatCode"),
        confidentialities=given.code_slots(_ENTRY + "ConfidentialityCode"),
    )
    return Asked(patient=patient, find=_of_types(query, given))


def _find_submission_sets(given: Parameters) -> Asked:
    given.statuses("$XDSSubmissionSetStatus")
    given.range("$XDSSubmissionSetSubmissionTime")
    return Asked(patient=given.patient("$XDSSubmissionSetPatientId"))


def _find_folders(given: Parameters) -> Asked:
    given.statuses("$XDSFolderStatus")
    given.range("$XDSFolderLastUpdateTime")
    given.code_slots("$XDSFolderCodeList")
    return Asked(patient=given.patient("$XDSFolderPatientId"))


def _get_documents(given: Parameters) -> Asked:
    return given.one_of(_ENTRY + "EntryUUID", _ENTRY + "UniqueId")


def _get_by_uuid(given: Parameters) -> Asked:
    _texts(given.required("$uuid"), "$uuid")
    return Asked()


def _get_folders(given: Parameters) -> Asked:
    given.one_of("$XDSFolderEntryUUID", "$XDSFolderUniqueId")
    return Asked()


def _get_submission_set(given: Parameters) -> Asked:
    given.one_of("$XDSSubmissionSetEntryUUID", "$XDSSubmissionSetUniqueId", single=True)
    return Asked()


def _get_folder(given: Parameters) -> Asked:
    given.one_of("$XDSFolderEntryUUID", "$XDSFolderUniqueId", single=True)
    return Asked()


def _get_folders_for_document(given: Parameters) -> Asked:
    given.one_of(_ENTRY + "EntryUUID", _ENTRY + "UniqueId", single=True)
    return Asked()


def _get_related_documents(given: Parameters) -> Asked:
    given.one_of(_ENTRY + "EntryUUID", _ENTRY + "UniqueId", single=True)
    given.required("$AssociationTypes")
    return Asked()


def _row(
    uuid: str, name: str, read: Callable[[Parameters], Asked], *, home: bool
) -> tuple[str, StoredQuery]:
    return f"urn:uuid:{uuid}", StoredQuery(name=name, needs_home=home, read=read)


QUERIES = dict(
    (
        _row("14d4debf-8f97-4251-9a74-a90016b0af0d", "FindDocuments", _find_documents, home=False),
        _row(
            "f26abbcb-ac74-4422-8a30-edb644bbc1a9",
            "FindSubmissionSets",
            _find_submission_sets,
            home=False,
        ),
        _row("958f3006-baad-4929-a4de-ff1114824431", "FindFolders", _find_folders, home=False),
        _row("10b545ea-725c-446d-9b95-8aeb444eddf3", "GetAll", _get_all, home=False),
        _row("5c4f972b-d56b-40ac-a5fc-c8ca9b40b9d4", "GetDocuments", _get_documents, home=True),
        _row("5737b14c-8a1a-4539-b659-e03a34a5e1e4", "GetFolders", _get_folders, home=True),
        _row("a7ae438b-4bc2-4642-93e9-be891f7bb155", "GetAssociations", _get_by_uuid, home=True),
        _row(
            "bab9529a-4a10-40b3-a01f-f68a615d247a",
            "GetDocumentsAndAssociations",
            _get_documents,
            home=True,
        ),
        _row("51224314-5390-4169-9b91-b1980040715a", "GetSubmissionSets", _get_by_uuid, home=True),
        _row(
            "e8e3cb2c-e39c-46b9-99e4-c12f57260b83",
            "GetSubmissionSetAndContents",
            _get_submission_set,
            home=True,
        ),
        _row(
            "b909a503-523d-4517-8acf-8e5834dfc4c7", "GetFolderAndContents", _get_folder, home=True
        ),
        _row(
            "10cae35a-c7f9-4cf5-b61e-fc3278ffb578",
            "GetFoldersForDocument",
            _get_folders_for_document,
            home=True,
        ),
        _row(
            "d90e5407-b356-4d91-a89f-873917b4b0e6",
            "GetRelatedDocuments",
            _get_related_documents,
            home=True,
        ),
    )
)
"The stored queries that are answered, by id."
