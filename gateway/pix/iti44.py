"""ITI-44 Patient Identity Feed HL7 V3: add, revise, and duplicates resolved.

ITI TF-2: 3.44; answered by an accept acknowledgement (Appendix O.1.2).
"""

from dataclasses import dataclass
from datetime import datetime

from lxml import etree

from gateway import errors
from gateway.errors import Invalid, Refusal
from gateway.identity import crossref
from gateway.model.audit import EventKind
from gateway.model.identifiers import PatientId, PersonId
from gateway.model.person import Demographics
from gateway.pix import person
from gateway.record import staging
from gateway.store.work import Work
from gateway.transaction import Payload, Stamp, Transaction
from gateway.wire import hl7v3, xml
from gateway.wire.hl7v3 import Detail, Wrapper

_ADD, _REVISE, _MERGE = "PRPA_IN201301UV02", "PRPA_IN201302UV02", "PRPA_IN201304UV02"
_ANSWER = "MCCI_IN000002UV01"
_SCHEMAS = "HL7V3/NE2008/multicacheschemas/"
_MOST_IDS = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Feed:
    """Add or revise: what a source says about one of its patients."""

    patient: PatientId
    others: tuple[PatientId, ...]
    "Further identifiers of the same role; the sender must own their domains too (G-01)."
    demographics: Demographics
    revise: bool
    wrapper: Wrapper
    written: datetime | None = None
    "creationTime, by which a feed that was overtaken is known (E-05)."


@dataclass(frozen=True, slots=True, kw_only=True)
class Merge:
    """Duplicates resolved: `subsumed` gives way to `survivor`."""

    survivor: PatientId
    subsumed: PatientId
    wrapper: Wrapper


def decode(body: etree._Element) -> Feed | Merge:
    """Read PRPA_IN201301UV02, 302 or 304: one message, one patient (FN-302)."""
    wrapper = hl7v3.read_wrapper(body)
    event = _event(body)
    patient = xml.one(event, "hl7:subject1/hl7:patient")
    ids = _patient_ids(patient)
    replaced = xml.many(event, "hl7:replacementOf")
    if etree.QName(body).localname == _MERGE:
        if len(ids) != 1 or len(replaced) != 1:
            raise _wrong("one surviving and one replaced identifier are expected", event)
        return Merge(survivor=ids[0], subsumed=_subsumed(replaced[0]), wrapper=wrapper)
    if replaced:
        raise _wrong("replacementOf is for merges only", replaced[0])
    return Feed(
        patient=ids[0],
        others=ids[1:],
        demographics=person.read_person(xml.one(patient, "hl7:patientPerson")),
        revise=etree.QName(body).localname == _REVISE,
        wrapper=wrapper,
        written=hl7v3.read_moment(xml.one(body, "hl7:creationTime")),
    )


def _event(body: etree._Element) -> etree._Element:
    """The one registration event; it must be active (ITI TF-2: Table 3.44.4.1.2-1)."""
    process = xml.one(body, "hl7:controlActProcess")
    subjects = xml.many(process, "hl7:subject")
    if len(subjects) != 1:
        raise _wrong("a feed is about one patient", process)
    event = xml.one(subjects[0], "hl7:registrationEvent")
    status = xml.maybe(event, "hl7:statusCode")
    if status is not None and status.get("code") != "active":
        raise _wrong("the registration is not active", status)
    return event


def _patient_ids(patient: etree._Element) -> tuple[PatientId, ...]:
    """The identifiers of the patient role, null ones left out; one at least."""
    found = person.filled(xml.many(patient, "hl7:id"))
    if not found:
        raise _wrong("a patient identifier is expected", patient)
    if len(found) > _MOST_IDS:
        raise errors.OverLimit("too many identifiers", "IDが多すぎます", rule="A-09", log="LIMIT")
    return tuple(map(hl7v3.read_ii, found))


def _subsumed(replaced: etree._Element) -> PatientId:
    """The one identifier that is replaced (FN-301)."""
    prior = xml.one(replaced, "hl7:priorRegistration")
    status = xml.maybe(prior, "hl7:statusCode")
    if status is not None and status.get("code") != "obsolete":
        raise _wrong("the replaced registration is not obsolete", status)
    ids = xml.many(prior, "hl7:subject1/hl7:priorRegisteredRole/hl7:id")
    if len(ids) != 1:
        raise _wrong("one replaced identifier is expected", prior)
    return hl7v3.read_ii(ids[0])


def _wrong(reason: str, element: etree._Element) -> Invalid:
    return Invalid(reason, "フィードの内容が正しくありません", at=xml.location(element))


def handle(work: Work, feed: Feed | Merge) -> tuple[PersonId, ...]:
    """Register or merge; what waits for a person whose identifiers changed is promoted."""
    if isinstance(feed, Merge):
        changed = crossref.merge(work, feed.survivor, feed.subsumed)
    else:
        changed = tuple(
            who
            for patient in (feed.patient, *feed.others)
            for who in crossref.register(
                work, patient, feed.demographics, revise=feed.revise, at=feed.written
            )
        )
    for who in dict.fromkeys(changed):
        staging.promote(work, who)
    work.trail.detail["changed"] = len(changed)
    return changed


def encode(feed: Feed | Merge, found: tuple[PersonId, ...], stamp: Stamp) -> Payload:
    """MCCI_IN000002UV01 with CA: the message and its effect are kept (G4)."""
    return _acknowledge(feed.wrapper, "CA", (), stamp)


def _acknowledge(wrapper: Wrapper, code: str, details: tuple[Detail, ...], stamp: Stamp) -> Payload:
    return Payload(
        hl7v3.write_answer(_ANSWER, wrapper, id=stamp.id, at=stamp.at, code=code, details=details)
    )


_UNKNOWN_KEY = ("CE", "204", "Unknown key identifier")
_CONTENT = ("CE", "102", "")
_NOT_OURS = ("CR", "NS200", "The message is not processed here")

_ANSWERS: dict[type[Refusal], tuple[str, str, str] | None] = {
    # kind: acknowledgement, detail code, text (empty: the refusal's own); None: a SOAP fault.
    errors.Busy: None,
    errors.Gone: _UNKNOWN_KEY,
    errors.Inconsistent: ("CE", "205", ""),
    errors.Invalid: _CONTENT,
    errors.Malformed: None,
    errors.MissingCommunity: _NOT_OURS,
    errors.MissingParameter: _CONTENT,
    errors.NotFound: _UNKNOWN_KEY,
    errors.NotOwner: _UNKNOWN_KEY,
    errors.NotPermitted: ("CR", "NS260", "The sender is not known here"),
    errors.OverLimit: _CONTENT,
    errors.ParameterCount: _CONTENT,
    errors.SeveralPatients: _CONTENT,
    errors.TooManyResults: _NOT_OURS,
    errors.Unauthenticated: None,
    errors.UnknownCommunity: _NOT_OURS,
    errors.UnknownDocument: _UNKNOWN_KEY,
    errors.UnknownDomain: _UNKNOWN_KEY,
    errors.UnknownPatient: _UNKNOWN_KEY,
    errors.UnknownQuery: _NOT_OURS,
    errors.UnknownRepository: _NOT_OURS,
    errors.Unsupported: _NOT_OURS,
    errors.UntrustedSignature: _CONTENT,
}


def refuse(body: etree._Element, refusal: Refusal, stamp: Stamp) -> Payload | None:
    """CE for content, CR for what is not ours to process (`security.md` 2.1)."""
    answer = _ANSWERS[type(refusal)]
    if isinstance(refusal, errors.Malformed) and refusal.rule.startswith("DOM"):
        answer = _CONTENT  # a readable message whose identifier does not fit its domain (DOM-01)
    if answer is None:
        return None
    code, detail, text = answer
    try:
        wrapper = hl7v3.read_wrapper(body)
    except Refusal:
        return None
    place = refusal.at if refusal.at.startswith("/") else ""
    details = (Detail(code=detail, text=text or refusal.english, location=place),)
    return _acknowledge(wrapper, code, details, stamp)


_ACTION = "urn:hl7-org:v3:"
_ROOTS = {name: hl7v3.tag(name) for name in (_ADD, _REVISE, _MERGE)}

ITI_44 = Transaction(
    number="ITI-44",
    endpoint="/pix",
    actions={_ACTION + name: _ACTION + _ANSWER for name in _ROOTS},
    roots={_ACTION + name: root for name, root in _ROOTS.items()},
    decode=decode,
    handle=handle,
    encode=encode,
    refuse=refuse,
    audit=EventKind.PATIENT_FEED,
    request_schemas={root: f"{_SCHEMAS}{name}.xsd" for name, root in _ROOTS.items()},
    response_schema={_ACTION + _ANSWER: f"{_SCHEMAS}{_ANSWER}.xsd"},
)
