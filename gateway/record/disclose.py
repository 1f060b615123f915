"""The only way out of the record (G-03): every reading asks the policy, every row needs a Permit.

What is withheld leaves no trace in an answer (XCA-04, EXC-04); it is counted in the trail alone.
To a neighbour, denied and absent look the same (G8).
"""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from gateway.consent import explain, ledger, policy
from gateway.consent.policy import Request
from gateway.errors import NotPermitted, UnknownDocument, UnknownDomain, UnknownPatient
from gateway.identity import crossref, domains, matching
from gateway.model.attestation import Attestation
from gateway.model.audit import Outcome
from gateway.model.caller import Caller, CallerKind
from gateway.model.category import Category
from gateway.model.consent import Denial, Permit, Purpose
from gateway.model.document import (
    DocumentEntry,
    DocumentQuery,
    DocumentRequest,
    Retrieved,
)
from gateway.model.identifiers import Oid, PatientId, PersonId
from gateway.model.network import Expiry
from gateway.model.periods import is_expired
from gateway.model.person import Demographics
from gateway.record import entries, reports, twins
from gateway.record.matches import matches
from gateway.record.promotion import newest
from gateway.store.record import documents as document_rows
from gateway.store.record import items as item_rows
from gateway.store.record.documents import DocumentRow
from gateway.store.work import Work


@dataclass(frozen=True, slots=True, kw_only=True)
class Discovered:
    """One person who was found and may be told of."""

    patient: PatientId
    "The shared patient id."
    demographics: Demographics
    other_ids: tuple[PatientId, ...] = ()
    "Chart ids, for our own facilities only."


@dataclass(frozen=True, slots=True, kw_only=True)
class ViewedItem:
    """One item of the shared record as a user sees it (REC-01)."""

    category: Category
    resource: dict[str, Any]
    facility: str
    source_system: str
    registered: datetime
    posted: datetime
    version: str
    source: dict[str, Any]
    "The bytes it came from."
    reference_copy: bool = True
    "It is a copy for reference; the original is the facility's."
    signatures: tuple[Attestation, ...] = ()
    "Who signed the file that it was made of, and what verification said (SIG-06)."


@dataclass(frozen=True, slots=True, kw_only=True)
class Viewed:
    """What one user sees of one person."""

    items: tuple[ViewedItem, ...] = ()
    documents: tuple[DocumentEntry, ...] = ()


def identifiers(
    work: Work, patient: PatientId, wanted: tuple[Oid, ...] = ()
) -> tuple[PatientId, ...]:
    """The other identifiers of one patient (ITI-45); empty where there are none to tell (PIX-04).

    Raises `UnknownDomain` for asked domains that are not declared, and `UnknownPatient` for an
    unknown patient and for one the caller may not ask about, alike.
    """
    if wanted:
        unknown = domains.undeclared(work, wanted)
        if unknown:
            raise UnknownDomain("domain not declared", "未登録のIDドメインです", positions=unknown)
    work.trail.patients.add(patient)
    person = crossref.person_of(work, patient)
    if work.caller.kind is CallerKind.NEIGHBOUR:
        # Chart ids are for our own facilities; neighbours discover by XCPD.
        work.trail.rule = "PIX-02"
        raise _unknown(work)
    permit = _decide(work, Purpose.IDENTIFIERS, person, patient)
    if isinstance(permit, Denial):
        raise _unknown(work)
    return tuple(crossref.resolve(work, permit, wanted))


def discover(
    work: Work, demographics: Demographics, ids: tuple[PatientId, ...] = ()
) -> tuple[Discovered, ...]:
    """Persons who match and may be told of (ITI-55, 47); a denied one is absent.

    Shared ids must match. Ids of other domains are the asker's own business (FN-205): with name
    and birth date they are passed over, without them nobody matches.
    """
    shared = [one for one in ids if one.domain == work.policy.shared_id.domain]
    described = bool(demographics.names) and demographics.birth is not None
    found: list[Discovered] = []
    withheld = 0
    for person in _candidates(work, demographics, shared, described=described):
        patient = crossref.shared_id(work, person)
        permit = None if patient is None else _decide(work, Purpose.IDENTIFIERS, person, patient)
        if patient is None or not isinstance(permit, Permit) or permit.own_only:
            withheld += 1
            continue
        work.trail.patients.add(patient)
        own = work.caller.kind is not CallerKind.NEIGHBOUR
        found.append(
            Discovered(
                patient=patient,
                demographics=crossref.demographics(work, permit),
                other_ids=tuple(crossref.resolve(work, permit, ())) if own else (),
            )
        )
    if withheld:
        work.trail.detail["withheld"] = withheld
    return tuple(found)


def find_documents(work: Work, query: DocumentQuery) -> tuple[DocumentEntry, ...]:
    """FindDocuments: entries of one patient that this caller may see."""
    work.trail.patients.add(query.patient)
    abroad = work.caller.kind is CallerKind.NEIGHBOUR
    if abroad and query.patient.domain != work.policy.shared_id.domain:
        return ()
    try:
        person = crossref.person_of(work, query.patient)
    except UnknownPatient:
        if abroad:
            return ()
        raise
    permit = _decide(work, Purpose.DOCUMENTS, person, query.patient)
    if isinstance(permit, Denial):
        if abroad:
            return ()
        raise _unknown(work)
    shown = _shown(work, permit, document_rows.select_documents(work.db, permit))
    told = (entries.to_entry(row, work.community.home, query.patient) for row in shown)
    return _ordered(entry for entry in told if matches(entry, query))


def get_documents(
    work: Work, *, entry_uuids: tuple[str, ...] = (), unique_ids: tuple[str, ...] = ()
) -> tuple[DocumentEntry, ...]:
    """GetDocuments: the entries of these ids that this caller may see; the others are absent."""
    found = document_rows.select_documents_named(
        work.db, entry_uuids=entry_uuids, unique_ids=unique_ids
    )
    return _ordered(_entries(work, found).values())


def retrieve(
    work: Work, requests: tuple[DocumentRequest, ...]
) -> tuple[Retrieved | DocumentRequest, ...]:
    """Documents about to leave, in the order asked; a request comes back where nothing leaves.

    The bytes of each are read and compared with their hash before a path is given (M-02).
    """
    named = document_rows.select_documents_named(
        work.db, unique_ids=tuple({request.unique_id for request in requests})
    )
    told = _entries(work, named)
    answers: list[Retrieved | DocumentRequest] = []
    for request in requests:
        entry = told.get(request.unique_id)
        if entry is None or request.repository != entry.repository:
            answers.append(request)
        elif not work.blobs.verify(entry.sha256):
            work.trail.code, work.trail.outcome = "DOC-HASH", Outcome.MAJOR
            work.trail.detail["damaged"] = entry.sha256
            answers.append(request)
        else:
            work.trail.objects.append(f"{entry.unique_id} sha256:{entry.sha256}")
            answers.append(Retrieved(entry=entry, path=work.blobs.path(entry.sha256)))
    return tuple(answers)


def view(work: Work, patient: PatientId) -> Viewed:
    """What a user of a facility sees of one person; nothing where nothing may be seen."""
    work.trail.patients.add(patient)
    try:
        person = crossref.person_of(work, patient)
    except UnknownPatient:
        return Viewed()
    permit = _decide(work, Purpose.RECORD, person, patient)
    if isinstance(permit, Denial):
        work.trail.outcome = Outcome.SERIOUS
        return Viewed()
    shown = _shown(work, permit, document_rows.select_documents(work.db, permit))
    listed = [
        row
        for row in newest(item_rows.select_items(work.db, permit.person)).values()
        if not row.cancelled
    ]
    items = [row for row in listed if _may_see(work, permit, row.facility, row.category, row)]
    _count(work, len(listed) - len(items))
    single = list(twins.shown(items))
    signed = reports.attested(work.db, (row.file for row in single))
    told = [_viewed(row, signed.get(row.file, ())) for row in single]
    return Viewed(
        items=tuple(sorted(told, key=lambda item: (item.registered, item.version))),
        documents=_ordered(
            entries.to_entry(row, work.community.home, patient)
            for row in shown
            if not row.deprecated
        ),
    )


def document(work: Work, patient: PatientId, unique_id: str) -> DocumentEntry:
    """One document of what a user sees of one person.

    Raises `UnknownDocument`, for one that is not there and one that may not be seen alike (G8).
    """
    found = [one for one in view(work, patient).documents if one.unique_id == unique_id]
    if not found:
        raise UnknownDocument("no such document", "文書が見つかりません", at="document")
    work.trail.objects.append(f"{found[0].unique_id} sha256:{found[0].sha256}")
    return found[0]


def opened(work: Work, entry: DocumentEntry) -> Path:
    """The file of a document about to be shown; its bytes are compared with their hash (M-02).

    Raises `UnknownDocument` where they are not as they were, which the trail tells.
    """
    if not work.blobs.verify(entry.sha256):
        work.trail.code, work.trail.outcome = "DOC-HASH", Outcome.MAJOR
        work.trail.detail["damaged"] = entry.sha256
        raise UnknownDocument("no such document", "文書が見つかりません", at="document")
    return work.blobs.path(entry.sha256)


def why(
    work: Work, caller: Caller, purpose: Purpose, patient: PatientId
) -> tuple[explain.Step, ...]:
    """Why another caller sees what it sees of one patient; discloses nothing of the record.

    For the secretariat's help desk (ACC-12). Raises `NotPermitted` for others, `UnknownPatient`.
    """
    if work.caller.kind is not CallerKind.OPERATOR:
        raise NotPermitted("only the secretariat asks why", "事務局のみが照会できます",
                           rule="ACC-12", log="AUTHZ-DENY")  # fmt: skip
    work.trail.patients.add(patient)
    person = crossref.person_of(work, patient)
    request = _request(work, caller, purpose, person, patient)
    return explain.explain(work.policy, request, ledger.standing(work, person))


def _request(
    work: Work, caller: Caller, purpose: Purpose, person: PersonId, patient: PatientId
) -> Request:
    owns = patient.domain in caller.domains
    related = owns or (bool(caller.domains) and crossref.has_chart(work, person, caller.domains))
    return Request(
        caller=caller, purpose=purpose, person=person, patient=patient, owns=owns, related=related
    )


def _decide(work: Work, purpose: Purpose, person: PersonId, patient: PatientId) -> Permit | Denial:
    """Ask the policy, and name in the trail the rule that decided (ACC-02)."""
    request = _request(work, work.caller, purpose, person, patient)
    decision = policy.decide(work.policy, request, ledger.standing(work, person))
    work.trail.rule = decision.rule
    if isinstance(decision, Denial):
        work.trail.code = "CONSENT-DENY"
    return decision


def _unknown(work: Work) -> UnknownPatient:
    """The refusal of a denied caller: the words an unknown patient gets (G8)."""
    work.trail.outcome = Outcome.SERIOUS
    return crossref.unknown()


def _candidates(
    work: Work, demographics: Demographics, shared: list[PatientId], *, described: bool
) -> Iterable[PersonId]:
    """Persons who may match, each once."""
    if not shared:
        return crossref.discover(work, demographics) if described else ()
    persons = set()
    for patient in shared:
        try:
            persons.add(crossref.person_of(work, patient))
        except UnknownPatient:
            return ()
    if len(persons) != 1:
        return ()
    (person,) = persons
    stated = crossref.stated(work, shared[0])
    fits = stated is not None and not matching.contradicts(stated, demographics)
    return (person,) if fits else ()


def _entries(work: Work, found: list[DocumentRow]) -> dict[str, DocumentEntry]:
    """Unique id to entry of those documents that this caller may see, decided person by person."""
    by_person: dict[PersonId, list[DocumentRow]] = defaultdict(list)
    for row in found:
        if row.person is not None:
            by_person[row.person].append(row)
    told: dict[str, DocumentEntry] = {}
    for person, group in by_person.items():
        patient = crossref.shared_id(work, person)
        permit = None if patient is None else _decide(work, Purpose.DOCUMENTS, person, patient)
        if patient is None or not isinstance(permit, Permit):
            _count(work, len(group))
            continue
        for row in _shown(work, permit, group):
            work.trail.patients.add(patient)
            told[row.unique_id] = entries.to_entry(row, work.community.home, patient)
    return told


def _shown(work: Work, permit: Permit, found: Iterable[DocumentRow]) -> list[DocumentRow]:
    """Of these documents, those that the permit shows."""
    listed = list(found)
    shown = [row for row in listed if _may_see(work, permit, row.facility, row.category, row)]
    _count(work, len(listed) - len(shown))
    return shown


def _may_see(work: Work, permit: Permit, facility: str, category: str, row: Any) -> bool:
    """Whether a permit shows one row: own data always, others' by category, expired never."""
    if facility == permit.own_facility:
        return True
    if permit.own_only or Category(category) not in permit.categories:
        return False
    rule = work.policy.retention
    if rule.on_expiry is not Expiry.HIDE_THEN_DELETE:
        return True
    since = row.registered if rule.since == "registered" else row.posted
    return since is None or not is_expired(rule, since, work.now, work.policy.timezone)


def _count(work: Work, withheld: int) -> None:
    """Count what is withheld, in the trail and nowhere else."""
    if withheld:
        work.trail.detail["withheld"] = work.trail.detail.get("withheld", 0) + withheld


def _ordered(found: Iterable[DocumentEntry]) -> tuple[DocumentEntry, ...]:
    """A stable order that says nothing about what is hidden (G-14)."""
    return tuple(sorted(found, key=lambda entry: (entry.created, entry.entry_uuid)))


def _viewed(row: item_rows.ItemRow, signatures: tuple[Attestation, ...]) -> ViewedItem:
    shared = item_rows.read_content(row)
    return ViewedItem(
        category=shared.category,
        resource=shared.resource,
        facility=row.facility,
        source_system=row.source,
        registered=row.registered or row.posted,
        posted=row.posted,
        version=row.version,
        source=shared.source,
        signatures=signatures,
    )
