"""ITI-45 PIXV3 Query: the other identifiers of one patient.

ITI TF-2: 3.45; the six cases of the answer are in 3.45.4.2.2.
"""

from dataclasses import dataclass

from lxml import etree

from gateway import errors
from gateway.errors import Invalid, Refusal, UnknownDomain, UnknownPatient
from gateway.model.audit import EventKind
from gateway.model.identifiers import Oid, PatientId
from gateway.record import disclose
from gateway.store.work import Work
from gateway.transaction import Payload, Stamp, Transaction
from gateway.wire import hl7v3, xml
from gateway.wire.hl7v3 import Asked, Detail
from gateway.wire.xml import EMPTY, Template

_REQUEST, _ANSWER = "PRPA_IN201309UV02", "PRPA_IN201310UV02"
_SCHEMAS = "HL7V3/NE2008/multicacheschemas/"
_PARAMETERS = f"/{_REQUEST}/controlActProcess/queryByParameter/parameterList"
_AT_PATIENT = f"{_PARAMETERS}/patientIdentifier/value"
_MOST_DOMAINS = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class Query:
    """Which patient, and in which domains; no domain means all that the caller may see."""

    patient: PatientId
    domains: tuple[Oid, ...]
    asked: Asked


def decode(body: etree._Element) -> Query:
    """Read PRPA_IN201309UV02."""
    parameters = xml.one(body, "hl7:controlActProcess/hl7:queryByParameter/hl7:parameterList")
    return Query(
        patient=_patient(parameters),
        domains=_domains(parameters),
        asked=hl7v3.read_asked(body),
    )


def _patient(parameters: etree._Element) -> PatientId:
    """The one identifier asked about; one that cannot exist is not known (case 4)."""
    value = xml.one(parameters, "hl7:patientIdentifier/hl7:value")
    try:
        return hl7v3.read_ii(value)
    except Invalid as error:
        raise UnknownPatient("patient identifier not known", at=_AT_PATIENT) from error


def _domains(parameters: etree._Element) -> tuple[Oid, ...]:
    """The domains asked for; those that cannot exist are not known (case 5)."""
    sources = xml.many(parameters, "hl7:dataSource")
    if len(sources) > _MOST_DOMAINS:
        raise errors.OverLimit("too many domains", "ドメインが多すぎます", rule="A-09", log="LIMIT")
    domains: list[Oid] = []
    unknown: list[int] = []
    for position, source in enumerate(sources, start=1):
        try:
            domains.append(hl7v3.read_oid(xml.one(source, "hl7:value")))
        except Invalid:
            unknown.append(position)
    if unknown:
        raise UnknownDomain("domain not known", "未登録のドメインです", positions=tuple(unknown))
    return tuple(domains)


def handle(work: Work, query: Query) -> tuple[PatientId, ...]:
    """The identifiers this caller may see, the one asked about left out."""
    found = disclose.identifiers(work, query.patient, query.domains)
    work.trail.detail["found"] = len(found)
    return found


_SUBJECT = Template(
    """<subject typeCode="SUBJ"><registrationEvent classCode="REG" moodCode="EVN">
    <id nullFlavor="NA"/><statusCode code="active"/>
    <subject1 typeCode="SBJ"><patient classCode="PAT">{ids}<statusCode code="active"/>
    <patientPerson classCode="PSN" determinerCode="INSTANCE"><name nullFlavor="NA"/></patientPerson>
    </patient></subject1>
    <custodian typeCode="CST"><assignedEntity classCode="ASSIGNED"><id root="{home}"/>
    </assignedEntity></custodian></registrationEvent></subject>"""
)


def encode(query: Query, found: tuple[PatientId, ...], stamp: Stamp) -> Payload:
    """PRPA_IN201310UV02 with every identifier in `patient/id`; none found is NF (case 3)."""
    subjects = EMPTY
    if found:
        ids = xml.join(
            hl7v3.write_patient_id(patient, stamp.authorities.get(patient.domain, ""))
            for patient in found
        )
        subjects = _SUBJECT.fill(ids=ids, home=stamp.home)
    return Payload(
        hl7v3.write_query_answer(
            _ANSWER,
            query.asked,
            id=stamp.id,
            at=stamp.at,
            code="AA",
            response="OK" if found else "NF",
            subjects=subjects,
        )
    )


_UNKNOWN_KEY = ("204", "Unknown key identifier")
_REFUSED = ("NS200", "The query is not supported")

_ANSWERS: dict[type[Refusal], tuple[str, str] | None] = {
    # kind: detail code and text of an AE/AE answer; None: said as a SOAP fault.
    # Unknown, foreign and forbidden are one answer (security.md 2.1, G8).
    errors.Busy: None,
    errors.Gone: _UNKNOWN_KEY,
    errors.Inconsistent: _UNKNOWN_KEY,
    errors.Invalid: _UNKNOWN_KEY,
    errors.Malformed: None,
    errors.MissingCommunity: _REFUSED,
    errors.MissingParameter: _REFUSED,
    errors.NotFound: _UNKNOWN_KEY,
    errors.NotOwner: _UNKNOWN_KEY,
    errors.NotPermitted: _UNKNOWN_KEY,
    errors.OverLimit: None,
    errors.ParameterCount: _REFUSED,
    errors.SeveralPatients: _UNKNOWN_KEY,
    errors.TooManyResults: _REFUSED,
    errors.Unauthenticated: None,
    errors.UnknownCommunity: _UNKNOWN_KEY,
    errors.UnknownDocument: _UNKNOWN_KEY,
    errors.UnknownDomain: _UNKNOWN_KEY,
    errors.UnknownPatient: _UNKNOWN_KEY,
    errors.UnknownQuery: _REFUSED,
    errors.UnknownRepository: _UNKNOWN_KEY,
    errors.Unsupported: _REFUSED,
    errors.UntrustedSignature: _REFUSED,
}


def refuse(body: etree._Element, refusal: Refusal, stamp: Stamp) -> Payload | None:
    """AE in the acknowledgement and in the query response; 204 where the key is (cases 4, 5)."""
    answer = _ANSWERS[type(refusal)]
    if answer is None:
        return None
    code, text = answer
    places = [_AT_PATIENT]
    if isinstance(refusal, UnknownDomain) and refusal.positions:
        places = [f"{_PARAMETERS}/dataSource[{n}]/value" for n in refusal.positions]
    elif code != _UNKNOWN_KEY[0]:
        places = [""]
    try:
        asked = hl7v3.read_asked(body)
    except Refusal:
        return None
    return Payload(
        hl7v3.write_query_answer(
            _ANSWER,
            asked,
            id=stamp.id,
            at=stamp.at,
            code="AE",
            response="AE",
            details=[Detail(code=code, text=text, location=place) for place in places],
        )
    )


_ROOT = hl7v3.tag(_REQUEST)

ITI_45 = Transaction(
    number="ITI-45",
    endpoint="/pix",
    actions={"urn:hl7-org:v3:PRPA_IN201309UV02": "urn:hl7-org:v3:PRPA_IN201310UV02"},
    roots={"urn:hl7-org:v3:PRPA_IN201309UV02": _ROOT},
    decode=decode,
    handle=handle,
    encode=encode,
    refuse=refuse,
    audit=EventKind.PIX_QUERY,
    request_schemas={_ROOT: f"{_SCHEMAS}{_REQUEST}.xsd"},
    response_schema={"urn:hl7-org:v3:PRPA_IN201310UV02": f"{_SCHEMAS}{_ANSWER}.xsd"},
    reading=True,
)
