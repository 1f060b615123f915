"""OMD meals (食事オーダ): OMD^O03 as NutritionOrder (plain R4: JP Core has no profile for it)."""

from collections.abc import Sequence
from typing import Any

from gateway.model.batch import Resource
from gateway.model.category import Category
from gateway.standardize import codes, encounters, medication, persons
from gateway.standardize.message import HEADER, MessageReading
from gateway.standardize.ssmix2 import prescriptions
from gateway.wire import fhir
from gateway.wire.hl7v2 import Segment

_ORC = persons.ORC - {10, 29}
_TQ1 = frozenset({1, 3, 7, 8, 11})
_ODS = frozenset({1, 2, 3, 4})
_NTE = frozenset({1, 2, 3})
_TOLERATED = frozenset({"D", "S", "P"})
"ODS-1 (HL7 table 0159): diet, supplement, preference."


def read(reading: MessageReading) -> None:
    """Read every order of the message."""
    message = reading.message
    reading.take(message.header, HEADER)
    pid = message.first("PID")
    if pid:
        persons.describe(reading, pid)
    visit = encounters.beside(reading, message.first("PV1"))
    orc: Segment | None = None
    group: list[Segment] = []
    for segment in message.segments:
        if segment.name == "ORC":
            if orc:
                _read_order(reading, orc, group, visit)
            orc, group = segment, []
        elif segment.name in ("TQ1", "ODS", "NTE") and orc:
            group.append(segment)
    if orc:
        _read_order(reading, orc, group, visit)


def _read_order(
    reading: MessageReading, orc: Segment, group: list[Segment], visit: Sequence[Resource]
) -> None:
    """One ORC with its TQ1 and ODS."""
    number = prescriptions.number(reading, orc)
    key = reading.key(f"nutrition|{number}")
    made = fhir.resource("NutritionOrder", "", reading.identity("NutritionOrder", key))
    system = codes.local_identifiers(reading.domain, "order")
    made["identifier"] = [fhir.identifier(system, number)]
    status = prescriptions.status(reading, orc)
    made["status"] = {"cancelled": "revoked", "stopped": "revoked"}.get(status, status)
    made["intent"] = "order"
    made["patient"] = reading.subject
    companions: list[Resource] = []
    encounters.refer(made, visit)
    companions.extend(visit)
    ordered = reading.time(orc, 9)
    if ordered:
        made["dateTime"] = ordered
    else:
        made["_dateTime"] = fhir.absent()
        reading.find("value-absent", f"{orc.at}.9")
    orderer, parties = persons.orderer(reading, orc)
    if orderer:
        made["orderer"] = orderer
    companions.extend(parties)
    _diet(reading, made, group)
    reading.take(orc, _ORC, "item NutritionOrder")
    last = group[-1] if group else orc
    reading.add(
        Category.MEDICAL,
        made,
        key,
        orc,
        end=last.end,
        companions=tuple(companions),
        cancelled=made["status"] in ("revoked", "entered-in-error"),
    )


def _diet(reading: MessageReading, made: Resource, group: list[Segment]) -> None:
    """ODS as oral diet and supplements, TQ1 as their schedule."""
    schedule: list[dict[str, Any]] = []
    diet: dict[str, Any] = {}
    supplements: list[dict[str, Any]] = []
    notes: list[str] = []
    for segment in group:
        if segment.name == "TQ1":
            reading.take(segment, _TQ1)
            schedule.append(_timing(reading, segment))
            notes.append(segment.value(11))
        elif segment.name == "NTE":
            reading.take(segment, _NTE)
            notes.append(segment.value(3))
        elif segment.value(1) not in _TOLERATED:
            reading.leave(segment, "field-table")
        else:
            reading.take(segment, _ODS)
            kind = reading.concept(segment, 3)
            if segment.value(1) == "S":
                supplements.append({"type": kind, "instruction": segment.value(4)})
            else:
                diet.setdefault("type", []).append(kind)
                if segment.value(4):
                    notes.append(segment.value(4))
    times = [one for one in schedule if one]
    for one in [diet] if diet else supplements:
        if times:
            one["schedule"] = times
    if diet:
        made["oralDiet"] = diet
    if supplements:
        made["supplement"] = [
            {name: value for name, value in one.items() if value} for one in supplements
        ]
    if any(notes):
        made["note"] = [{"text": text} for text in notes if text]


def _timing(reading: MessageReading, tq1: Segment) -> dict[str, Any]:
    """TQ1-3 as a code, TQ1-7 and 8 as the bounds."""
    made: dict[str, Any] = {}
    start, end = reading.time(tq1, 7), reading.time(tq1, 8)
    period = {name: value for name, value in (("start", start), ("end", end)) if value}
    if period:
        made["repeat"] = {"boundsPeriod": period}
    for repetition in tq1.repetitions(3):
        parts = [*tq1.subcomponents(repetition, 1), "", "", ""]
        if parts[2] == "JAMISDP01":
            return made | medication.usage(parts[0], parts[1])
        made["code"] = codes.concept(parts[:3], reading.domain)[0]
    return made
