"""Events as ATNA audit messages (ITI-20, DICOM PS3.15 A.5) and as FHIR R4 AuditEvent.

Both are made of what the trail keeps and of nothing else: who, when, what was attempted, about
which patients and objects, how it ended and by which rule. The text of a query is not kept, so its
object carries the request id and the query's name. A refusal's code is a second event type, as
`security.md` section 5 numbers it.
"""

from base64 import b64encode
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

import orjson
from lxml import etree
from sqlalchemy import Connection

from gateway.model.audit import EventKind
from gateway.store import audit as rows
from gateway.store.audit import StoredEvent
from gateway.store.work import Community

__all__ = ["Span", "StoredEvent", "atna", "events", "fhir", "span"]

_DICOM = {
    "110100": "Application Activity", "110101": "Audit Log Used", "110106": "Export",
    "110107": "Import", "110110": "Patient Record", "110112": "Query", "110113": "Security Alert",
    "110114": "User Authentication", "110129": "Security Configuration",
}  # fmt: skip
"Event ids and types of DICOM CID 400 and 401 that are used here."
_IHE = {
    EventKind.PATIENT_FEED: "Patient Identity Feed HL7v3",
    EventKind.PIX_QUERY: "PIXV3 Query",
    EventKind.PIX_UPDATE: "PIXV3 Update Notification",
    EventKind.DEMOGRAPHICS_QUERY: "Patient Demographics Query HL7v3",
    EventKind.DISCOVERY: "Cross Gateway Patient Discovery",
    EventKind.GATEWAY_QUERY: "Cross Gateway Query",
    EventKind.GATEWAY_RETRIEVE: "Cross Gateway Retrieve",
    EventKind.STORED_QUERY: "Registry Stored Query",
    EventKind.RETRIEVE: "Retrieve Document Set",
    EventKind.PROVIDE: "Provide and Register Document Set-b",
}
"Names of the IHE transactions, for their event type."
_EVENTS: Final[Mapping[EventKind, tuple[str, str]]] = {
    EventKind.PATIENT_FEED: ("110110", "U"),
    EventKind.PIX_QUERY: ("110112", "E"),
    EventKind.PIX_UPDATE: ("110110", "U"),
    EventKind.DEMOGRAPHICS_QUERY: ("110112", "E"),
    EventKind.DISCOVERY: ("110112", "E"),
    EventKind.GATEWAY_QUERY: ("110112", "E"),
    EventKind.GATEWAY_RETRIEVE: ("110106", "R"),
    EventKind.STORED_QUERY: ("110112", "E"),
    EventKind.RETRIEVE: ("110106", "R"),
    EventKind.PROVIDE: ("110107", "C"),
    EventKind.UPLOAD: ("110107", "C"),
    EventKind.INTAKE: ("110107", "C"),
    EventKind.RECEIPT_READ: ("110112", "E"),
    EventKind.DOCUMENT_FILED: ("110107", "C"),
    EventKind.VIEW: ("110110", "R"),
    EventKind.ENROL: ("110110", "C"),
    EventKind.LINK: ("110110", "U"),
    EventKind.UNLINK: ("110110", "U"),
    EventKind.MERGE: ("110110", "U"),
    EventKind.CONSENT_GRANT: ("110110", "U"),
    EventKind.CONSENT_EXCLUDE: ("110110", "U"),
    EventKind.CONSENT_WITHDRAW: ("110110", "U"),
    EventKind.ERASE: ("110110", "D"),
    EventKind.ADMIN: ("110113", "E"),
    EventKind.AUDIT_READ: ("110101", "R"),
    EventKind.LOGIN: ("110114", "E"),
    EventKind.SECURITY_ALERT: ("110113", "E"),
    EventKind.JOB: ("110100", "E"),
    EventKind.BACKUP: ("110106", "R"),
    EventKind.RESTORE: ("110107", "C"),
}
"DICOM event id and action of each kind (`../shared/ihe/README.md`, ITI-20)."
_QUERIES = frozenset(kind for kind, (code, _) in _EVENTS.items() if code == "110112")
_DOCUMENTS = frozenset(
    {EventKind.GATEWAY_RETRIEVE, EventKind.RETRIEVE, EventKind.PROVIDE, EventKind.DOCUMENT_FILED}
)
"Kinds whose objects are documents (RFC 3881: report number)."
_OWN = "urn:x-regional-gateway:audit"
"Code system of event types and object kinds that no standard names."
_TYPES = "http://terminology.hl7.org/CodeSystem/audit-entity-type"
_ROLES = "http://terminology.hl7.org/CodeSystem/object-role"
_SOURCES = "http://terminology.hl7.org/CodeSystem/security-source-type"
_DCM = "http://dicom.nema.org/resources/ontology/DCM"
_IHE_SYSTEM = "urn:ihe:event-type-code"
_ACT_REASON = "http://terminology.hl7.org/CodeSystem/v3-ActReason"
_REASONS = {"TREATMENT": "TREAT", "EMERGENCY": "ETREAT", "OPERATIONS": "HOPERAT"}
"Purposes of use (XSPA, ITI-40) as FHIR says them (value set PurposeOfUse)."
_PAGE = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """Which events are exported: from one moment to before another, and no newer than `last`."""

    since: str = ""
    "RFC 3339 in UTC, as stored; empty for all from the first."
    until: str = ""
    last: int
    "The newest event there was when the export began, so that it ends."
    count: int


def span(db: Connection, since: str, until: str) -> Span:
    """What an export of these moments will hold."""
    last, count = rows.count_between(db, since, until)
    return Span(since=since, until=until, last=last, count=count)


def events(
    read: Callable[[Callable[[Connection], list[StoredEvent]]], list[StoredEvent]], chosen: Span
) -> Iterator[StoredEvent]:
    """The events of an export, oldest first; `read` runs a look-up, one for each page."""
    after = 0
    while True:
        start = after

        def page(db: Connection, start: int = start) -> list[StoredEvent]:
            return rows.select_between(
                db, chosen.since, chosen.until, after=start, last=chosen.last, limit=_PAGE
            )

        found = read(page)
        if not found:
            return
        yield from found
        after = found[-1].id


# --- ATNA -----------------------------------------------------------------------------------------


def atna(event: StoredEvent, community: Community) -> bytes:
    """One audit message: UTF-8, one line, no XML declaration."""
    content, kind = orjson.loads(event.content), EventKind(event.kind)
    actor = content["actor"]
    root = etree.Element("AuditMessage")
    code, action = _EVENTS[kind]
    head = etree.SubElement(
        root, "EventIdentification", EventActionCode=action, EventDateTime=event.at,
        EventOutcomeIndicator=str(event.outcome),
    )  # fmt: skip
    _coded(head, "EventID", code, "DCM", _DICOM[code])
    for type_code, system, text in _event_types(kind, content):
        _coded(head, "EventTypeCode", type_code, system, text)
    described = _description(content)
    if described:
        etree.SubElement(head, "EventOutcomeDescription").text = described
    if content["purpose"]:
        _coded(head, "PurposeOfUse", content["purpose"], _OWN, content["purpose"])
    asks = code != "110107" or bool(actor["address"])
    _participant(root, actor, requestor=asks)
    own = etree.SubElement(
        root, "ActiveParticipant", UserID=f"urn:oid:{community.home}", UserIsRequestor="false"
    )
    _coded(own, "RoleIDCode", "110152", "DCM", "Destination Role ID")
    source = etree.SubElement(
        root, "AuditSourceIdentification", AuditEnterpriseSiteID=str(community.home),
        AuditSourceID=str(community.home),
    )  # fmt: skip
    etree.SubElement(
        source, "AuditSourceTypeCode", {"csd-code": "4", "codeSystemName": "DCM",
                                        "originalText": "Application Server process"},
    )  # fmt: skip
    for patient in content["patients"]:
        number = f"{patient['value']}^^^&{patient['domain']}&ISO"
        found = _object(root, number, "1", "1")
        _coded(found, "ParticipantObjectIDTypeCode", "2", "RFC-3881", "Patient Number")
    if kind in _QUERIES:
        found = _object(root, event.request or event.key, "2", "24")
        system, text = ("IHE Transactions", _IHE[kind]) if kind in _IHE else (_OWN, kind.value)
        _coded(found, "ParticipantObjectIDTypeCode", kind.value, system, text)
        _details(found, content)
    first = kind not in _QUERIES
    for name in _objects(event, kind, content):
        found = _object(root, name, "2", "3" if kind in _DOCUMENTS else "4")
        _coded(found, "ParticipantObjectIDTypeCode", *_object_type(kind))
        if first:
            _details(found, content)
        first = False
    return etree.tostring(root, encoding="utf-8")


def _coded(parent: etree._Element, name: str, code: str, system: str, text: str) -> None:
    etree.SubElement(
        parent, name, {"csd-code": code, "codeSystemName": system, "originalText": text}
    )


def _participant(root: etree._Element, actor: Mapping[str, Any], *, requestor: bool) -> None:
    """Who asked: the person where one is known, else the machine, with its facility and address."""
    who = etree.SubElement(
        root, "ActiveParticipant", UserID=actor["subject"] or actor["certificate"] or "unknown",
        UserIsRequestor="true" if requestor else "false",
    )  # fmt: skip
    if actor["facility"]:
        who.set("AlternativeUserID", actor["facility"])
    if actor["tls_subject"]:
        who.set("UserName", actor["tls_subject"])
    if actor["address"]:
        who.set("NetworkAccessPointID", actor["address"])
        who.set("NetworkAccessPointTypeCode", "2")
    _coded(who, "RoleIDCode", "110153", "DCM", "Source Role ID")
    if actor["role"]:
        _coded(who, "RoleIDCode", actor["role"], _OWN, actor["role"])


def _object(root: etree._Element, name: str, kind: str, role: str) -> etree._Element:
    return etree.SubElement(
        root, "ParticipantObjectIdentification", ParticipantObjectID=name,
        ParticipantObjectTypeCode=kind, ParticipantObjectTypeCodeRole=role,
    )  # fmt: skip


def _details(parent: etree._Element, content: Mapping[str, Any]) -> None:
    """Small facts; every value in Base64, as the schema asks."""
    for name, value in sorted(content["detail"].items()):
        etree.SubElement(
            parent, "ParticipantObjectDetail", type=name,
            value=b64encode(_written(value).encode()).decode(),
        )  # fmt: skip


# --- FHIR -----------------------------------------------------------------------------------------


def fhir(event: StoredEvent, community: Community) -> dict[str, Any]:
    """One R4 AuditEvent."""
    content, kind = orjson.loads(event.content), EventKind(event.kind)
    actor = content["actor"]
    code, action = _EVENTS[kind]
    who: dict[str, Any] = {
        "who": {
            "identifier": {"value": actor["subject"] or actor["certificate"] or "unknown"},
            "display": actor["facility"] or "unknown",
        },
        "requestor": True,
    }
    if actor["role"]:
        who["role"] = [{"coding": [{"system": _OWN, "code": actor["role"]}]}]
    if actor["address"]:
        who["network"] = {"address": actor["address"], "type": "2"}
    home = {"system": "urn:ietf:rfc:3986", "value": f"urn:oid:{community.home}"}
    made: dict[str, Any] = {
        "resourceType": "AuditEvent",
        "id": event.key,
        "type": {"system": _DCM, "code": code, "display": _DICOM[code]},
        "subtype": [
            {"system": _SYSTEMS.get(system, system), "code": type_code, "display": text}
            for type_code, system, text in _event_types(kind, content)
        ],
        "action": action,
        "recorded": event.at,
        "outcome": str(event.outcome),
        "agent": [who, {"who": {"identifier": home}, "requestor": False}],
        "source": {
            "observer": {"identifier": home},
            "type": [{"system": _SOURCES, "code": "4", "display": "Application Server"}],
        },
        "entity": list(_entities(event, kind, content)),
    }
    if described := _description(content):
        made["outcomeDesc"] = described
    if purpose := content["purpose"]:
        codings = [{"system": _OWN, "code": purpose}]
        if reason := _REASONS.get(purpose):
            codings.insert(0, {"system": _ACT_REASON, "code": reason})
        made["purposeOfEvent"] = [{"coding": codings}]
    if not made["entity"]:
        del made["entity"]
    return made


_SYSTEMS = {"DCM": _DCM, "IHE Transactions": _IHE_SYSTEM}


def _entities(
    event: StoredEvent, kind: EventKind, content: Mapping[str, Any]
) -> Iterator[dict[str, Any]]:
    """The patients, then the question or the objects, with the small facts."""
    for patient in content["patients"]:
        identifier = {"system": f"urn:oid:{patient['domain']}", "value": patient["value"]}
        yield _entity(identifier, "1", "1")
    detail = [
        {"type": name, "valueString": _written(value)}
        for name, value in sorted(content["detail"].items())
    ]
    things = [(event.request or event.key, "24")] if kind in _QUERIES else []
    role_of_objects = "3" if kind in _DOCUMENTS else "4"
    things += [(name, role_of_objects) for name in _objects(event, kind, content)]
    for name, role in things:
        made = _entity({"value": name}, "2", role)
        if detail:
            made["detail"], detail = detail, []
        yield made


def _entity(identifier: dict[str, str], kind: str, role: str) -> dict[str, Any]:
    return {
        "what": {"identifier": identifier},
        "type": {"system": _TYPES, "code": kind},
        "role": {"system": _ROLES, "code": role},
    }


# --- both -----------------------------------------------------------------------------------------


def _event_types(kind: EventKind, content: Mapping[str, Any]) -> Iterator[tuple[str, str, str]]:
    """Code, system and text of each event type: the transaction's, then the refusal's."""
    if kind in _IHE:
        yield kind.value, "IHE Transactions", _IHE[kind]
    elif kind is EventKind.ADMIN:
        yield "110129", "DCM", _DICOM["110129"]
    else:
        yield kind.value, _OWN, kind.value
    if content["code"]:
        yield content["code"], _OWN, content["code"]


def _description(content: Mapping[str, Any]) -> str:
    """Rule and incident; what a person looks up first."""
    parts = [f"rule {content['rule']}"] if content["rule"] else []
    parts += [f"incident {content['incident']}"] if content["incident"] else []
    return ", ".join(parts)


def _objects(event: StoredEvent, kind: EventKind, content: Mapping[str, Any]) -> list[str]:
    """The ids of the objects; where there is none to carry the small facts, the event's own."""
    named = list(dict.fromkeys(content["objects"]))
    return [event.key] if not named and content["detail"] and kind not in _QUERIES else named


def _object_type(kind: EventKind) -> tuple[str, str, str]:
    """Code, system and text of what an object's id is."""
    return ("9", "RFC-3881", "Report Number") if kind in _DOCUMENTS else (kind.value, _OWN, "id")


def _written(value: object) -> str:
    return value if isinstance(value, str) and value else orjson.dumps(value).decode()
