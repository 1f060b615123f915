"""OML-01, OMG-01, OMG-02, OMG-03, orders of examinations (検査オーダ): OML^O33 and OMG^O19.

One JP_ServiceRequest_Common an order number. A parent order (ORC-1 PA) repeats the number of the
new order (NW) before it, so the two are one; a child (CH) names its parent in ORC-8 or OBR-29.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from gateway.model.batch import Resource
from gateway.model.category import Category
from gateway.standardize import allergies, codes, encounters, insurances, persons
from gateway.standardize.laboratory import groups as laboratory
from gateway.standardize.message import HEADER, Mapper, MessageReading
from gateway.standardize.ssmix2 import prescriptions
from gateway.wire import fhir
from gateway.wire.hl7v2 import Segment

_ORC = persons.ORC - {10, 29} | {8}
_OBR = frozenset({1, 2, 3, 4, 7, 13, 16, 29})
_TQ1 = frozenset({1, 7, 8, 9, 11})
_OBX = frozenset({1, 2, 3, 4, 5, 6, 11})
_NTE = frozenset({1, 2, 3})
_PRIORITY = {"S": "stat", "A": "asap", "R": "routine"}
"TQ1-9 (HL7 table 0485)."


@dataclass(frozen=True, slots=True)
class _Kind:
    """What tells the kinds of order apart."""

    title: str
    category: Category


_KINDS: Mapping[str, _Kind] = {
    "OML-01": _Kind("検体検査オーダ", Category.LAB_RESULT),
    "OMG-01": _Kind("放射線検査オーダ", Category.MEDICAL),
    "OMG-02": _Kind("内視鏡検査オーダ", Category.MEDICAL),
    "OMG-03": _Kind("生理検査オーダ", Category.MEDICAL),
}


@dataclass(slots=True)
class _Order:
    """One order number with everything that is said under it."""

    number: str
    orc: Segment
    obr: Segment
    parent: str = ""
    specimen: Segment | None = None
    timings: list[Segment] = field(default_factory=list)
    items: list[Segment] = field(default_factory=list)
    notes: list[Segment] = field(default_factory=list)
    end: int = 0


def reader(data_type: str) -> Mapper:
    """The mapper of one data type."""
    return partial(_read, kind=_KINDS[data_type])


def _read(reading: MessageReading, *, kind: _Kind) -> None:
    message = reading.message
    reading.take(message.header, HEADER)
    pid = message.first("PID")
    if pid:
        persons.describe(reading, pid)
    for al1 in message.all("AL1"):
        allergies.read_al1(reading, al1, "order-al1|")
    visit = encounters.beside(reading, message.first("PV1"))
    orders = _orders(reading)
    roots = {one.parent or one.number for one in orders}
    for order in orders:
        _read_order(reading, kind, order, visit)
    if len(roots) == 1:
        reading.scope = f"order|{roots.pop()}|"


def _orders(reading: MessageReading) -> list[_Order]:
    """Orders by number, in the order in which they come."""
    found: dict[tuple[str, str], _Order] = {}
    current: _Order | None = None
    specimen: Segment | None = None
    pending: Segment | None = None
    before: list[Segment] = []
    "TQ1 between an ORC and its OBR, where OMG^O19 has them."
    for segment in reading.message.segments:
        match segment.name:
            case "SPM":
                specimen, current = segment, None
            case "ORC":
                reading.take(segment, _ORC)
                pending, current, before = segment, None, []
            case "OBR" if pending:
                number = prescriptions.number(reading, pending)
                # A laboratory order has one number for all of its panels.
                panel = segment.raw(4) if specimen else ""
                current = found.setdefault((number, panel), _Order(number, pending, segment))
                current.parent = pending.value(8) or segment.value(29)
                current.specimen = current.specimen or specimen
                current.timings.extend(before)
                before = []
                reading.take(segment, _OBR)
            case "TQ1" if current or pending:
                reading.take(segment, _TQ1)
                (current.timings if current else before).append(segment)
            case "OBX" if current:
                current.items.append(segment)
            case "NTE" if current:
                current.notes.append(segment)
            case _:
                continue
        if current:
            current.end = segment.end
    return list(found.values())


def _read_order(
    reading: MessageReading,
    kind: _Kind,
    order: _Order,
    visit: Sequence[Resource],
) -> None:
    """One order."""
    obr, root = order.obr, order.parent or order.number
    key = reading.key(f"order|{root}|{order.number}|{obr.value(4) or obr.value(4, 2)}")
    identity = laboratory.request_identity(reading, order.number, obr)
    made = fhir.resource("ServiceRequest", "JP_ServiceRequest_Common", identity)
    system = codes.local_identifiers(reading.domain, "order")
    made["identifier"] = [fhir.identifier(system, order.number)]
    if order.parent and order.parent != order.number:
        made["requisition"] = fhir.identifier(system, order.parent)
    made["status"] = prescriptions.status(reading, order.orc)
    if made["status"] in ("cancelled", "stopped"):
        made["status"] = "revoked"
    made["intent"] = "order"
    made["category"] = [fhir.concept(text=kind.title)]
    priority = _priority(reading, order)
    if priority:
        made["priority"] = priority
    made["code"] = reading.concept(obr, 4, wanted=False) or fhir.absent()
    companions: list[Resource] = []
    details, notes = _details(reading, order)
    if details:
        made["orderDetail"] = details
    made["subject"] = reading.subject
    encounters.refer(made, visit)
    companions.extend(visit)
    made.update(_when(reading, order))
    ordered = reading.time(order.orc, 9)
    if ordered:
        made["authoredOn"] = ordered
    requester, parties = persons.orderer(reading, order.orc, obr)
    if requester:
        made["requester"] = requester
    companions.extend(parties)
    insured, payers = insurances.beside(reading, reading.message.all("IN1"), order.number)
    if insured:
        made["insurance"] = insured
    companions.extend(payers)
    if order.specimen:
        specimen = laboratory.specimen(reading, order.specimen, order.number)
        made["specimen"] = [fhir.reference(specimen["id"])]
        companions.append(specimen)
    notes += [tq1.value(11) for tq1 in order.timings if tq1.value(11)]
    if obr.value(13):
        notes.append(obr.value(13))
    if notes:
        made["note"] = [{"text": text} for text in notes]
    reading.take(obr, _OBR, "item ServiceRequest")
    reading.add(
        kind.category,
        made,
        key,
        obr,
        end=order.end,
        companions=tuple(companions),
        cancelled=made["status"] in ("revoked", "entered-in-error"),
    )


def _priority(reading: MessageReading, order: _Order) -> str:
    """The first priority of TQ1-9 that FHIR has; another one is found."""
    for tq1 in order.timings:
        stated = tq1.value(9)
        if stated in _PRIORITY:
            return _PRIORITY[stated]
        if stated:
            reading.find("unmapped-code", f"{tq1.at}.9")
    return ""


def _when(reading: MessageReading, order: _Order) -> Resource:
    """TQ1-7 and 8, when it is to be done."""
    for tq1 in order.timings:
        start, end = reading.time(tq1, 7), reading.time(tq1, 8)
        if end and end != start:
            return {"occurrencePeriod": encounters.period(start, end)}
        if start:
            return {"occurrenceDateTime": start}
    return {}


def _details(reading: MessageReading, order: _Order) -> tuple[list[dict[str, Any]], list[str]]:
    """OBX without a value is an ordered item; one with a value is said about the patient."""
    details, notes = [], []
    for obx in order.items:
        if not obx.raw(5):
            details.append(reading.concept(obx, 3))
        else:
            name = codes.text_of(obx.components(3))
            text = codes.text_of(obx.components(5))
            unit = codes.text_of(obx.components(6))
            notes.append(f"{name}: {text}{unit}")
        reading.take(obx, _OBX)
    for note in order.notes:
        reading.take(note, _NTE)
        if note.value(3):
            notes.append(note.value(3))
    return [one for one in details if one], notes
