"""ADT-01 to ADT-52 visits and stays (来院・入退院・転棟): one JP_Encounter for each event.

A storage keeps one file an event and names no stay, so the events of one stay are not joined here:
each says what it states and no more. A cancellation (取消) takes back the event of the same data
type, patient and moment. Status by event follows the draft maps of HL7 FHIR Japan.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from gateway.model.batch import Resource
from gateway.model.category import Category
from gateway.standardize import dates, encounters, persons
from gateway.standardize.message import HEADER, Mapper, MessageReading
from gateway.wire import fhir
from gateway.wire.hl7v2 import Segment

_EVN = frozenset({1, 2, 4, 5, 6})
_PV1 = frozenset({1, 2, 3, 6, 7, 10, 17, 36, 44, 45})
_PV2 = frozenset({1, 8, 9, 47})
_DISCHARGED = "A03"


@dataclass(frozen=True, slots=True)
class _Event:
    """What a trigger event says about the stay and about the place."""

    status: str
    place: str
    "EncounterLocationStatus."
    cancels: bool = False


_EVENTS: Mapping[str, _Event] = {
    "A54": _Event("in-progress", "active"),
    "A55": _Event("in-progress", "active", cancels=True),
    "A04": _Event("arrived", "active"),
    "A14": _Event("planned", "planned"),
    "A27": _Event("planned", "planned", cancels=True),
    "A01": _Event("arrived", "active"),
    "A11": _Event("arrived", "active", cancels=True),
    "A21": _Event("onleave", "active"),
    "A52": _Event("onleave", "active", cancels=True),
    "A22": _Event("in-progress", "active"),
    "A53": _Event("in-progress", "active", cancels=True),
    "A15": _Event("in-progress", "planned"),
    "A26": _Event("in-progress", "planned", cancels=True),
    "A02": _Event("in-progress", "active"),
    "A12": _Event("in-progress", "active", cancels=True),
    "A16": _Event("in-progress", "planned"),
    "A25": _Event("in-progress", "planned", cancels=True),
    "A03": _Event("finished", "completed"),
    "A13": _Event("finished", "completed", cancels=True),
}
"Trigger event to what it means."

_PLANNED = frozenset({"A14", "A27", "A15", "A26", "A16", "A25"})
_MOMENTS: Mapping[str, tuple[str, int]] = {
    # data type: segment and field that give the day of care (SS-MIX2 1.2, care date)
    "ADT-12": ("PV1", 44),
    "ADT-21": ("PV2", 8),
    "ADT-22": ("PV1", 44),
    "ADT-31": ("EVN", 6),
    "ADT-32": ("EVN", 6),
    "ADT-41": ("PV2", 8),
    "ADT-42": ("EVN", 6),
    "ADT-51": ("PV2", 9),
    "ADT-52": ("PV1", 45),
}


DATA_TYPES: frozenset[str] = frozenset({"ADT-01", *_MOMENTS})


def reader(data_type: str) -> Mapper:
    """The mapper of one data type: a trigger alone does not say which (A11 is two)."""
    return partial(_read, data_type=data_type)


def _read(reading: MessageReading, *, data_type: str) -> None:
    """Read the event."""
    message = reading.message
    reading.take(message.header, HEADER)
    pid = message.first("PID")
    if pid:
        persons.describe(reading, pid)
    pv1 = message.first("PV1")
    if pv1 is None:
        return
    if not encounters.has_class(pv1):
        reading.leave(pv1, "field-table")
        return
    _read_event(reading, data_type, pv1)


def _read_event(reading: MessageReading, data_type: str, pv1: Segment) -> None:
    message = reading.message
    trigger = message.header.value(9, 2)
    event = _EVENTS[trigger]
    evn, pv2 = message.first("EVN"), message.first("PV2")
    moment = _moment(reading, data_type, trigger)
    department = pv1.value(10) if data_type == "ADT-12" else ""
    what = pv1.value(2) if data_type == "ADT-01" else moment
    key = reading.key("|".join(("ssmix2", data_type, what, department)).rstrip("|"))
    wrong = reading.cancelled or event.cancels
    status = _status(trigger, event, wrong=wrong)
    made, companions = encounters.head(reading, pv1, reading.identity("Encounter", key), status)
    period = _period(reading, trigger, evn, pv1, pv2)
    if period:
        made["period"] = period
    if trigger == _DISCHARGED and pv1.value(36):
        made["hospitalization"] = encounters.discharge(pv1)
    places = _places(reading, trigger, event, evn, pv1, pv2, companions)
    if places:
        made["location"] = places
    for segment, fields in ((evn, _EVN), (pv2, _PV2)):
        if segment:
            reading.take(segment, fields)
    reading.take(pv1, _PV1, "item Encounter")
    reading.add(
        Category.VISIT_HISTORY, made, key, pv1, companions=tuple(companions), cancelled=wrong
    )


def _moment(reading: MessageReading, data_type: str, trigger: str) -> str:
    """When it happened, as 17 digits; the same for an event and its cancellation."""
    place = _MOMENTS.get(data_type)
    if place is None:
        return ""
    name, field = ("PV2", 47) if trigger == "A53" else place
    segment = reading.message.first(name)
    text = segment.value(field) if segment else ""
    if not text and name == "EVN":
        # Senders leave EVN-6 out where EVN-2 says the same.
        segment, field = reading.message.first("EVN"), 2
        text = segment.value(field) if segment else ""
    moment = dates.order_of(text)
    if not moment:
        reading.find("value-absent", f"{name}[1].{field}")
    return moment or reading.version


def _status(trigger: str, event: _Event, *, wrong: bool) -> str:
    """A plan that is taken back was cancelled; an event that is taken back never happened."""
    if wrong:
        return "cancelled" if trigger in _PLANNED else "entered-in-error"
    return event.status


def _period(
    reading: MessageReading,
    trigger: str,
    evn: Segment | None,
    pv1: Segment,
    pv2: Segment | None,
) -> dict[str, str]:
    """From PV1-44 to PV1-45; of a plan, the admission it plans (PV2-8); of a leave, the leave."""
    start = reading.time(pv1, 44) if pv1.value(44) else ""
    end = reading.time(pv1, 45) if pv1.value(45) else ""
    if trigger in ("A14", "A27") and pv2:
        start, end = start or reading.time(pv2, 8), end or reading.time(pv2, 9)
    elif trigger in ("A21", "A52") and evn:
        start = reading.time(evn, 6) or start
    return encounters.period(start, end)


def _places(
    reading: MessageReading,
    trigger: str,
    event: _Event,
    evn: Segment | None,
    pv1: Segment,
    pv2: Segment | None,
    companions: list[Resource],
) -> list[dict[str, Any]]:
    """PV1-3 now, PV1-6 before, PV2-1 as planned, with the times that the event gives them."""
    happened = reading.time(evn, 6) if evn else ""
    planned = reading.time(pv2, 8) if pv2 else ""
    leaving = reading.time(pv2, 9) if pv2 else ""
    returning = reading.time(pv2, 47) if pv2 else ""
    start, end = "", ""
    match trigger:
        case "A01" | "A11":
            start = reading.time(pv1, 44)
        case "A03" | "A13":
            end = reading.time(pv1, 45)
        case "A02" | "A12" | "A22" | "A53":
            start = happened
        case "A21" | "A52":
            start, end = happened, returning
        case "A14" | "A27" | "A15" | "A26":
            start = planned
        case "A16" | "A25":
            end = leaving
    found = []
    moved = trigger in ("A02", "A12")
    for segment, field, status, first, last in (
        (pv1, 3, event.place, start, end),
        (pv1, 6, "completed", "", happened if moved else ""),
        (pv2, 1, "planned", planned, ""),
    ):
        place = persons.location(reading, segment, field) if segment else None
        if place is None:
            continue
        companions.append(place)
        one: dict[str, Any] = {"location": fhir.reference(place["id"], place["name"])}
        one["status"] = status
        during = encounters.period(first, last)
        if during:
            one["period"] = during
        found.append(one)
    return found
