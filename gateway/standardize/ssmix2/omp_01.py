"""OMP-01 prescription orders (処方): RDE^O11, one file a whole order.

One JP_MedicationRequest an RXE. RP number and place in the RP come from ORC-4, which is a plain
number or `order_RP_seq`.
"""

import re
from dataclasses import dataclass, field
from typing import Any

from gateway.model.batch import Resource
from gateway.model.category import Category
from gateway.standardize import allergies, codes, medication, persons, values
from gateway.standardize.message import HEADER, MessageReading
from gateway.wire import fhir
from gateway.wire.hl7v2 import Segment

_RXE = frozenset({2, 3, 4, 5, 7, 10, 11, 12, 15, 19, 21, 31, 32})
_TQ1 = frozenset({1, 3, 6, 7, 8, 11})
_RXR = frozenset({1, 2, 4})
_NTE = frozenset({1, 2, 3})
_RP = re.compile(r".*_([0-9]{1,6})_([0-9]{1,6})")
_CANCELLED = frozenset({"CA", "OC", "CR", "UA"})
_STOPPED = frozenset({"DC", "OD", "DR"})
_HELD = frozenset({"HD", "OH", "HR"})


@dataclass(slots=True)
class _Order:
    """One ORC with its RXE and what belongs to them."""

    orc: Segment
    rxe: Segment | None = None
    timings: list[Segment] = field(default_factory=list)
    routes: list[Segment] = field(default_factory=list)
    notes: list[Segment] = field(default_factory=list)
    end: int = 0


def read(reading: MessageReading) -> None:
    """Read every drug of the order."""
    message = reading.message
    reading.take(message.header, HEADER)
    pid = message.first("PID")
    if pid:
        persons.describe(reading, pid)
    for al1 in message.all("AL1"):
        allergies.read_al1(reading, al1, "ssmix2/OMP-01|")
    encounter = persons.encounter(reading, message.first("PV1"))
    places: dict[tuple[str, str], int] = {}
    placed: set[tuple[str, str, str]] = set()
    numbers = set()
    for order in _orders(reading):
        numbers.add(_number(reading, order))
        if order.rxe is None:
            reading.take(order.orc, persons.ORC)
            continue
        rp, place = _rp(order.orc)
        group = (_number(reading, order), rp)
        count = places[group] = places.get(group, 0) + 1
        if not place or (*group, place) in placed:
            place = str(count)
        placed.add((*group, place))
        _read_order(reading, order, rp, place, encounter)
    if len(numbers) == 1:
        reading.scope = f"prescription|{numbers.pop()}|"


def _orders(reading: MessageReading) -> list[_Order]:
    """ORC groups. A second RXE under one ORC is another drug of the same order."""
    found: list[_Order] = []
    for segment in reading.message.segments:
        if segment.name == "ORC":
            found.append(_Order(segment))
        elif not found:
            continue
        elif segment.name == "RXE":
            if found[-1].rxe is not None:
                found.append(_Order(found[-1].orc))
            found[-1].rxe = segment
        elif segment.name == "TQ1":
            found[-1].timings.append(segment)
        elif segment.name == "RXR":
            found[-1].routes.append(segment)
        elif segment.name == "NTE":
            found[-1].notes.append(segment)
        else:
            continue
        found[-1].end = segment.end
    return found


def _number(reading: MessageReading, order: _Order) -> str:
    return order.orc.value(2) or order.orc.value(3) or f"message-{reading.message.control_id}"


def _rp(orc: Segment) -> tuple[str, str]:
    """RP number and place in it, from ORC-4; leading zeros are no part of a number."""
    found = _RP.fullmatch(orc.value(4))
    if found:
        return found[1].lstrip("0"), found[2].lstrip("0")
    return orc.value(4).lstrip("0"), ""


def _read_order(
    reading: MessageReading, order: _Order, rp: str, place: str, encounter: Resource | None
) -> None:
    """One drug."""
    orc, rxe = order.orc, order.rxe
    assert rxe is not None  # noqa: S101
    number = _number(reading, order)
    key = reading.key(f"prescription|{number}|{rp}|{place}")
    made = fhir.resource(
        "MedicationRequest", "JP_MedicationRequest", reading.identity("MedicationRequest", key)
    )
    made["identifier"] = medication.rp_identifiers(rp, place)
    made["identifier"].append(
        fhir.identifier(codes.local_identifiers(reading.domain, "order"), number)
    )
    if rxe.value(15):
        system = codes.local_identifiers(reading.domain, "prescription")
        made["identifier"].append(fhir.identifier(system, rxe.value(15)))
    status = _status(reading, orc)
    made["status"] = status
    made["intent"] = "order"
    categories = _categories(reading, orc, rxe)
    if categories:
        made["category"] = categories
    made["medicationCodeableConcept"] = _drug(reading, rxe)
    made["subject"] = reading.subject
    if encounter:
        made["encounter"] = fhir.reference(encounter["id"])
    ordered = reading.time(orc, 9) or reading.time(rxe, 32)
    if ordered:
        made["authoredOn"] = ordered
    requester, companions = persons.orderer(reading, orc)
    if requester:
        made["requester"] = requester
    clerk = persons.staff(reading, orc, 10)
    if clerk:
        made["recorder"] = fhir.reference(clerk["id"])
    notes = [note.value(3) for note in order.notes if note.value(3)]
    if notes:
        made["note"] = [{"text": text} for text in notes]
    dosage = _dosage(reading, order, rxe)
    if dosage:
        made["dosageInstruction"] = dosage
    supply = _supply(reading, order, rxe)
    if supply:
        made["dispenseRequest"] = supply
    reading.take(orc, persons.ORC)
    reading.take(rxe, _RXE, "item MedicationRequest")
    taken = ((order.timings, _TQ1), (order.routes, _RXR), (order.notes, _NTE))
    for segments, fields in taken:
        for segment in segments:
            reading.take(segment, fields)
    reading.add(
        Category.PRESCRIPTION,
        made,
        key,
        rxe,
        end=order.end,
        companions=tuple(one for one in (encounter, clerk, *companions) if one),
        cancelled=status in ("cancelled", "entered-in-error"),
    )


def _status(reading: MessageReading, orc: Segment) -> str:
    """ORC-1 as status; a deleted file says that the order never stood."""
    control = orc.value(1)
    if reading.cancelled:
        return "entered-in-error" if control not in _CANCELLED else "cancelled"
    if control in _CANCELLED:
        return "cancelled"
    if control in _STOPPED:
        return "stopped"
    return "on-hold" if control in _HELD else "active"


def _categories(reading: MessageReading, orc: Segment, rxe: Segment) -> list[dict[str, Any]]:
    """RXE-21 (kind of prescription, MERIT-9) and ORC-29 (in- or outpatient)."""
    found = []
    for repetition in rxe.repetitions(21):
        parts = rxe.split(repetition)
        if parts[2:3] == ["MR9P"]:
            coding = fhir.coding(parts[0], codes.MERIT9_CATEGORY, parts[1])
            found.append(fhir.concept(coding, text=parts[1]))
        else:
            found.append(codes.concept(parts, reading.domain)[0])
    kind, _ = codes.concept(orc.components(29), reading.domain)
    return [one for one in (*found, kind) if one]


def _drug(reading: MessageReading, rxe: Segment) -> dict[str, Any]:
    """RXE-2 with the second code of RXE-31."""
    first, standard = codes.concept(rxe.components(2), reading.domain)
    second, also = codes.concept(rxe.components(31), reading.domain)
    if first and not (standard or also):
        reading.find("unmapped-code", f"{rxe.at}.2")
    codings = [*first.get("coding", ()), *second.get("coding", ())]
    text = first.get("text", "") or second.get("text", "")
    return fhir.concept(*codings, text=text) or fhir.absent()


def _amount(
    reading: MessageReading, segment: Segment, field: int, unit: int
) -> dict[str, Any] | None:
    """A number field with its unit field as a quantity."""
    text = segment.value(field)
    value = values.decimal(text) if text else None
    if value is None:
        if text:
            reading.find("not-a-number", f"{segment.at}.{field}")
        return None
    return _in_unit(reading, segment, unit, value, segment.components(unit))


def _in_unit(
    reading: MessageReading, segment: Segment, field: int, value: Any, parts: list[str]
) -> dict[str, Any]:
    code, name, system = (*parts, "", "", "")[:3]
    known = code if system == "MR9P" else codes.dose_unit_code(name or code)
    if not known and (name or code):
        reading.find("unmapped-unit", f"{segment.at}.{field}")
    return medication.dose(value, name or code, known)


def _dosage(reading: MessageReading, order: _Order, rxe: Segment) -> list[dict[str, Any]]:
    """One Dosage a TQ1, all with the same dose and route."""
    doses = _doses(reading, rxe)
    route = _route(reading, order.routes[0]) if order.routes else {}
    comments = [codes.text_of(rxe.split(one)) for one in rxe.repetitions(7)]
    made = []
    timings = [_timing(reading, tq1) for tq1 in order.timings]
    for dosage in timings or [{}]:
        extra = [fhir.concept(text=text) for text in comments if text]
        if extra:
            dosage.setdefault("additionalInstruction", []).extend(extra)
        for name, value in route.items():
            dosage.setdefault(name, value)
        if doses:
            dosage["doseAndRate"] = [doses]
        if dosage:
            made.append(dosage)
    return made


def _doses(reading: MessageReading, rxe: Segment) -> dict[str, Any]:
    """RXE-3 to 5 (at one time) and RXE-19 (a day)."""
    made: dict[str, Any] = {}
    least, most = _amount(reading, rxe, 3, 5), _amount(reading, rxe, 4, 5)
    if least and most and least != most:
        made["doseRange"] = {"low": least, "high": most}
    elif least:
        made["doseQuantity"] = least
    number = rxe.value(19)
    value = values.decimal(number) if number else None
    if value is not None:
        parts = rxe.subcomponents(rxe.raw(19), 2)
        made["rateRatio"] = medication.per_day(_in_unit(reading, rxe, 19, value, parts))
    elif number:
        reading.find("not-a-number", f"{rxe.at}.19")
    return made


def _timing(reading: MessageReading, tq1: Segment) -> dict[str, Any]:
    """TQ1: usage code and text, period, days."""
    made: dict[str, Any] = {}
    start, end = reading.time(tq1, 7), reading.time(tq1, 8)
    extensions = []
    if start or end:
        period = {name: value for name, value in (("start", start), ("end", end)) if value}
        extensions.append(fhir.extension(medication.PERIOD_OF_USE, "Period", period))
    duration = _duration(reading, tq1)
    if duration:
        extensions.append(fhir.extension(medication.USAGE_DURATION, "Duration", duration))
    if extensions:
        made["extension"] = extensions
    extra: list[dict[str, Any]] = []
    for repetition in tq1.repetitions(3):
        parts = [*tq1.subcomponents(repetition, 1), "", "", ""]
        code, text, system = parts[:3]
        if medication.is_supplement(code):
            coding = fhir.coding(code, medication.USAGE_ADDITIONAL, text)
            extra.append(fhir.concept(coding, text=text))
        elif system == "JAMISDP01":
            made["text"] = text
            made["timing"] = medication.usage(code, text)
            method = codes.usage_method(code)
            if method:
                made["method"] = fhir.concept(*method)
        else:
            concept, _ = codes.concept(parts, reading.domain)
            made.setdefault("text", text or code)
            made.setdefault("timing", {"code": concept})
            reading.find("unmapped-code", f"{tq1.at}.3")
    if tq1.value(11):
        extra.append(fhir.concept(text=tq1.value(11)))
        made.setdefault("text", tq1.value(11))
    if extra:
        made["additionalInstruction"] = extra
    return made


def _duration(reading: MessageReading, tq1: Segment) -> dict[str, Any] | None:
    """TQ1-6 in days: `5^d` or `3^D&日&ISO+`; another unit is kept in no field of ours."""
    number = tq1.value(6)
    value = values.decimal(number) if number else None
    if value is None:
        if number:
            reading.find("not-a-number", f"{tq1.at}.6")
        return None
    if tq1.subcomponents(tq1.raw(6), 2)[0].casefold() not in ("d", "day", "日", ""):
        reading.find("unmapped-unit", f"{tq1.at}.6")
        return None
    return medication.days(value)


def _route(reading: MessageReading, rxr: Segment) -> dict[str, Any]:
    """RXR-1, 2, 4 as route, site and method."""
    made = {
        "site": reading.concept(rxr, 2, wanted=False),
        "route": reading.concept(rxr, 1),
        "method": reading.concept(rxr, 4, wanted=False),
    }
    return {name: value for name, value in made.items() if value}


def _supply(reading: MessageReading, order: _Order, rxe: Segment) -> dict[str, Any]:
    """RXE-10 to 12 and the days of TQ1-6."""
    made: dict[str, Any] = {}
    repeats = rxe.value(12)
    if repeats.isascii() and repeats.isdigit() and len(repeats) < 4:
        made["numberOfRepeatsAllowed"] = int(repeats)
    whole = _amount(reading, rxe, 10, 11)
    if whole:
        made["quantity"] = whole
    duration = _duration(reading, order.timings[0]) if order.timings else None
    if duration:
        made["expectedSupplyDuration"] = duration
    return made
