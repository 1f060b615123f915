"""PV1 as JP_Encounter: class, department, people and places, wherever a message carries it.

An order or result has a PV1 beside it that names no stay; what state that stay is in, nobody says.
"""

from collections.abc import Sequence
from typing import Any

from gateway.model.batch import Resource
from gateway.standardize import codes, persons
from gateway.standardize.message import MessageReading
from gateway.wire import fhir
from gateway.wire.hl7v2 import Segment

PV1 = frozenset({1, 2, 3, 7, 10, 17, 36, 44, 45})
"Fields that the mappings take."

_CLASSES = {"I": ("IMP", "inpatient encounter"), "O": ("AMB", "ambulatory")}
_CLASSES |= {"E": ("EMER", "emergency")}
_PARTICIPATION = "http://terminology.hl7.org/CodeSystem/v3-ParticipationType"
_DISPOSITION = "http://terminology.hl7.org/CodeSystem/v2-0112"
_V3_ACT = "http://terminology.hl7.org/CodeSystem/v3-ActCode"
_SAYS_SOMETHING = PV1 - {1, 2}


def has_class(pv1: Segment) -> bool:
    """Whether PV1-2 is one of inpatient, outpatient, emergency."""
    return pv1.value(2) in _CLASSES


def says_more(pv1: Segment) -> bool:
    """Whether a PV1 says more than in or out."""
    return any(pv1.value(field) for field in _SAYS_SOMETHING)


def head(
    reading: MessageReading, pv1: Segment, identity: str, status: str
) -> tuple[Resource, list[Resource]]:
    """Class, department, subject, participants, and who these are."""
    code, name = _CLASSES[pv1.value(2)]
    made = fhir.resource("Encounter", "JP_Encounter", identity)
    made["status"] = status
    made["class"] = fhir.coding(code, _V3_ACT, name)
    if pv1.value(10):
        made["serviceType"] = fhir.concept(codes.department(pv1.value(10), reading.domain))
    made["subject"] = reading.subject
    companions: list[Resource] = []
    participants = []
    for field, code, name in ((7, "ATND", "attender"), (17, "ADM", "admitter")):
        doctor = persons.staff(reading, pv1, field, doctor=True)
        if doctor:
            role = fhir.concept(fhir.coding(code, _PARTICIPATION, name))
            participants.append({"type": [role], "individual": fhir.reference(doctor["id"])})
            if all(one["id"] != doctor["id"] for one in companions):
                companions.append(doctor)
    if participants:
        made["participant"] = participants
    return made, companions


def period(start: str, end: str) -> dict[str, str]:
    """A Period of what is known of it."""
    return {name: value for name, value in (("start", start), ("end", end)) if value}


def discharge(pv1: Segment) -> dict[str, Any]:
    """PV1-36 as Encounter.hospitalization."""
    disposition = fhir.concept(fhir.coding(pv1.value(36), _DISPOSITION))
    return {"dischargeDisposition": disposition}


def stay(
    reading: MessageReading, pv1: Segment, identity: str, status: str
) -> tuple[Resource, tuple[Resource, ...]]:
    """All that PV1 alone says: also when (PV1-44, 45), where (3), and how it ended (36)."""
    made, companions = head(reading, pv1, identity, status)
    during = period(*(reading.time(pv1, field) if pv1.raw(field) else "" for field in (44, 45)))
    if during:
        made["period"] = during
    if pv1.value(36):
        made["hospitalization"] = discharge(pv1)
    place = persons.location(reading, pv1, 3)
    if place:
        made["location"] = [{"location": fhir.reference(place["id"], place["name"])}]
        companions.append(place)
    return made, tuple(companions)


def beside(reading: MessageReading, pv1: Segment | None) -> Sequence[Resource]:
    """The PV1 beside an order or result: the Encounter first, then what it leads to.

    Nothing where there is no PV1, or its class is none of ours. Its status is unknown: a copy of
    what the source knew when it wrote the message.
    """
    if pv1 is None or not any(pv1.fields[1:]):
        return ()
    if not has_class(pv1):
        reading.leave(pv1, "field-table")
        return ()
    reading.take(pv1, PV1)
    identity = reading.identity("Encounter", f"{pv1.value(2)}|{reading.version}")
    made, companions = stay(reading, pv1, identity, "unknown")
    return (made, *companions)


def refer(resource: Resource, visit: Sequence[Resource], element: str = "encounter") -> None:
    """Let a resource say which visit it belongs to."""
    if visit:
        resource[element] = fhir.reference(visit[0]["id"])
