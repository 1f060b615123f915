"""What orders of prescriptions and injections share (RDE^O11): grouping, amounts, timing, route.

One JP_MedicationRequest an RXE; a data type says what drug and dose are in it.

RP number and place in the RP come from ORC-4, which is a plain number or `order_RP_seq`.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from functools import lru_cache
from typing import Any

from gateway.model.batch import Resource
from gateway.model.category import Category
from gateway.standardize import (
    allergies,
    codes,
    encounters,
    insurances,
    medication,
    persons,
    usage,
    values,
)
from gateway.standardize.message import HEADER, MessageReading
from gateway.wire import fhir, hl7v2_field, memo
from gateway.wire.hl7v2 import Segment

RXE = frozenset({2, 3, 4, 5, 7, 10, 11, 12, 15, 19, 21, 31, 32})
TQ1 = frozenset({1, 3, 6, 7, 8, 11})
RXR = frozenset({1, 2, 3, 4})
_DEVICE = frozenset({3})
"Of a second route: a Dosage has one."
NTE = frozenset({1, 2, 3})
_NO_USAGE = usage.Supplement("", "")
_UNITS = {"d": 1, "day": 1, "日": 1, "": 1, "w": 7, "wk": 7, "week": 7, "週": 7}
"Days of a unit of TQ1-6."
_RP = re.compile(r".*_([0-9]{1,6})_([0-9]{1,6})")
_CANCELLED = frozenset({"CA", "OC", "CR", "UA"})
_STOPPED = frozenset({"DC", "OD", "DR"})
_HELD = frozenset({"HD", "OH", "HR"})


@dataclass(slots=True)
class Order:
    """One ORC with its RXE and what belongs to them."""

    orc: Segment
    rxe: Segment | None = None
    timings: list[Segment] = field(default_factory=list)
    routes: list[Segment] = field(default_factory=list)
    parts: list[Segment] = field(default_factory=list)
    "RXC, the parts of a mixture."
    notes: list[Segment] = field(default_factory=list)
    number: str = ""
    "The order's number wherever it is delivered: placer's, else filler's."
    rp: str = ""
    place: str = ""
    "Of the drug in its RP."
    unread: tuple[str, ...] = ()
    "Amounts that are no numbers, as people read them."
    end: int = 0


Fill = Callable[[MessageReading, Order, Segment, Resource], tuple[Resource, ...]]
"Adds drug, dose and supply of an RXE to a resource; what these refer to is returned."


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """What tells prescriptions and injections apart."""

    prefix: str
    "Of keys and scope."
    profile: str
    fill: Fill
    fields: frozenset[int] = RXE
    "Fields of RXE that are taken."


def read(reading: MessageReading, kind: Kind) -> None:
    """Read every drug of the order."""
    message = reading.message
    reading.take(message.header, HEADER)
    pid = message.first("PID")
    if pid:
        persons.describe(reading, pid)
    for al1 in message.all("AL1"):
        allergies.read_al1(reading, al1, f"{kind.prefix}-al1|")
    visit = encounters.beside(reading, message.first("PV1"))
    places: dict[tuple[str, str], int] = {}
    placed: set[tuple[str, str, str]] = set()
    numbers = set()
    for order in orders(reading):
        order.number = number(reading, order.orc)
        numbers.add(order.number)
        if order.rxe is None:
            reading.take(order.orc, persons.ORC)
            continue
        order.rp, order.place = rp(order.orc)
        group = (order.number, order.rp)
        count = places[group] = places.get(group, 0) + 1
        if not order.place or (*group, order.place) in placed:
            order.place = str(count)
        placed.add((*group, order.place))
        _read_order(reading, kind, order, order.rxe, visit)
    if len(numbers) == 1:
        reading.scope = f"{kind.prefix}|{numbers.pop()}|"


def number(reading: MessageReading, orc: Segment) -> str:
    """The order's number wherever it is delivered: placer's, else filler's."""
    return orc.value(2) or orc.value(3) or f"message-{reading.message.control_id}"


def _read_order(
    reading: MessageReading, kind: Kind, order: Order, rxe: Segment, visit: Sequence[Resource]
) -> None:
    """One RXE."""
    orc = order.orc
    key = reading.key(f"{kind.prefix}|{order.number}|{order.rp}|{order.place}")
    made = fhir.resource(
        "MedicationRequest", kind.profile, reading.identity("MedicationRequest", key)
    )
    made["identifier"] = medication.rp_identifiers(order.rp, order.place)
    system = codes.local_identifiers(reading.domain, "order")
    made["identifier"].append(fhir.identifier(system, order.number))
    if rxe.value(15):
        system = codes.local_identifiers(reading.domain, "prescription")
        made["identifier"].append(fhir.identifier(system, rxe.value(15)))
    made["status"] = status(reading, orc)
    made["intent"] = "order"
    found = _categories(reading, orc, rxe)
    if found:
        made["category"] = found
    companions = list(kind.fill(reading, order, rxe, made))
    made["subject"] = reading.subject
    encounters.refer(made, visit)
    companions[:0] = visit
    insured, payers = insurances.beside(reading, reading.message.all("IN1"), order.number)
    if insured:
        made["insurance"] = insured
    companions.extend(payers)
    ordered = reading.time(orc, 9) or reading.time(rxe, 32)
    if ordered:
        made["authoredOn"] = ordered
    requester, parties = persons.orderer(reading, orc)
    if requester:
        made["requester"] = requester
    clerk = persons.staff(reading, orc, 10)
    if clerk:
        made["recorder"] = fhir.reference(clerk["id"])
        companions.append(clerk)
    notes = [note.value(3) for note in order.notes if note.value(3)]
    notes += order.unread
    if notes:
        made["note"] = [{"text": text} for text in notes]
    reading.take(orc, persons.ORC)
    reading.take(rxe, kind.fields, "item MedicationRequest")
    taken = ((order.timings, TQ1), (order.routes, RXR), (order.notes, NTE))
    for segments, fields in taken:
        for segment in segments:
            reading.take(segment, fields)
    for segment in order.routes[1:]:
        reading.take(segment, _DEVICE)
    reading.add(
        Category.PRESCRIPTION,
        made,
        key,
        rxe,
        end=order.end,
        companions=(*companions, *parties),
        cancelled=made["status"] in ("cancelled", "entered-in-error"),
    )


def orders(reading: MessageReading) -> list[Order]:
    """ORC groups. A second RXE under one ORC is another drug of the same order."""
    found: list[Order] = []
    for segment in reading.message.segments:
        if segment.name == "ORC":
            found.append(Order(segment))
        elif not found:
            continue
        elif segment.name == "RXE":
            if found[-1].rxe is not None:
                found.append(Order(found[-1].orc))
            found[-1].rxe = segment
        elif segment.name == "TQ1":
            found[-1].timings.append(segment)
        elif segment.name == "RXR":
            found[-1].routes.append(segment)
        elif segment.name == "RXC":
            found[-1].parts.append(segment)
        elif segment.name == "NTE":
            found[-1].notes.append(segment)
        else:
            continue
        found[-1].end = segment.end
    return found


def rp(orc: Segment) -> tuple[str, str]:
    """RP number and place in it, from ORC-4; leading zeros are no part of a number."""
    found = _RP.fullmatch(orc.value(4))
    if found:
        return found[1].lstrip("0"), found[2].lstrip("0")
    return orc.value(4).lstrip("0"), ""


def status(reading: MessageReading, orc: Segment) -> str:
    """ORC-1 as status (HL7 table 0119); a deleted file says that the order never stood."""
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
    kind, _ = reading.coded(orc, 29)
    return [one for one in (*found, kind) if one]


def amount(
    reading: MessageReading, segment: Segment, field: int, unit: int
) -> dict[str, Any] | None:
    """A number field with its unit field as a quantity."""
    text = segment.value(field)
    if not text:
        return None
    made = _amount(text, segment.first(unit), segment.delimiters)
    if made is None:
        reading.find("not-a-number", f"{segment.at}.{field}")
    elif _is_odd(made):
        reading.find("unmapped-unit", f"{segment.at}.{unit}")
    return made


def as_text(segment: Segment, field: int, unit: int, name: str) -> str:
    """An amount that is no number, as people read it: what it is of, as written, its unit."""
    said = (name, segment.value(field), codes.text_of(segment.components(unit)))
    return " ".join(one for one in said if one)


def in_unit(
    reading: MessageReading, segment: Segment, field: int, value: Decimal, parts: list[str]
) -> dict[str, Any]:
    """A number in a unit; one that MERIT-9 does not have is kept as text and found."""
    made = _in_unit(value, parts)
    if _is_odd(made):
        reading.find("unmapped-unit", f"{segment.at}.{field}")
    return made


@memo.by_texts(8192)
def _amount(text: str, unit: str, delimiters: str) -> dict[str, Any] | None:
    """A number in a unit as sent; None where it is none. Drugs have the same ones: not changed."""
    value = values.decimal(text)
    return None if value is None else _in_unit(value, hl7v2_field.components(unit, delimiters))


def _in_unit(value: Decimal, parts: list[str]) -> dict[str, Any]:
    code, name, system = (*parts, "", "", "")[:3]
    known = code if system == "MR9P" else codes.dose_unit_code(name or code)
    return medication.dose(value, name or code, known)


def _is_odd(amount: dict[str, Any]) -> bool:
    """Whether an amount has a unit that MERIT-9 does not have."""
    return "unit" in amount and "code" not in amount


def dosage(
    reading: MessageReading, order: Order, rxe: Segment, doses: dict[str, Any]
) -> list[dict[str, Any]]:
    """One Dosage a TQ1, all with the same dose and route."""
    how = route(reading, order.routes[0]) if order.routes else {}
    comments = [codes.text_of(rxe.split(one)) for one in rxe.repetitions(7)]
    made = []
    for one in [timing(reading, tq1) for tq1 in order.timings] or [{}]:
        extra = [fhir.concept(text=text) for text in comments if text]
        extra += [device(reading, rxr) for rxr in order.routes if rxr.raw(3)]
        if extra:
            one["additionalInstruction"] = [*one.get("additionalInstruction", ()), *extra]
        for name, value in how.items():
            one.setdefault(name, value)
        if doses:
            one["doseAndRate"] = [doses]
        if one:
            made.append(one)
    return made


def device(reading: MessageReading, rxr: Segment) -> dict[str, Any]:
    """RXR-3, what it is given with."""
    return reading.concept(rxr, 3, wanted=False)


def timing(reading: MessageReading, tq1: Segment) -> dict[str, Any]:
    """TQ1: usage code and text, period, days."""
    made: dict[str, Any] = {}
    start, end = reading.time(tq1, 7), reading.time(tq1, 8)
    extensions = []
    if start or end:
        period = {name: value for name, value in (("start", start), ("end", end)) if value}
        extensions.append(fhir.extension(medication.PERIOD_OF_USE, "Period", period))
    days = duration(reading, tq1)
    main = _NO_USAGE
    supplements = []
    if days:
        extensions.append(fhir.extension(medication.USAGE_DURATION, "Duration", days))
    if extensions:
        made["extension"] = extensions
    for repetition in tq1.repetitions(3):
        parts = [*tq1.subcomponents(repetition, 1), "", "", ""]
        code, text, system = parts[:3]
        if medication.is_supplement(code):
            supplements.append(usage.Supplement(code, text))
        elif system == "JAMISDP01" and main != _NO_USAGE:
            supplements.append(usage.Supplement("", text or code))
        elif system == "JAMISDP01":
            main = usage.Supplement(code, text)
        else:
            concept, _ = codes.concept(parts, reading.domain)
            made.setdefault("text", text or code)
            made.setdefault("timing", {"code": concept})
            reading.unmapped(concept, f"{tq1.at}.3")
    if tq1.value(11):
        supplements.append(usage.Supplement("", tq1.value(11)))
    told, problems = _usage(main, tuple(supplements))
    for problem in problems:
        reading.find(problem, f"{tq1.at}.3")
    if tq1.value(11) and not main.text:
        made.setdefault("text", tq1.value(11))
    made |= told
    if days is None and tq1.value(6):
        unit = codes.text_of(tq1.subcomponents(tq1.raw(6), 2))
        said = fhir.concept(text=f"期間 {tq1.value(6)}{unit}")
        made["additionalInstruction"] = [*made.get("additionalInstruction", ()), said]
    return made


def _usage(
    main: usage.Supplement, supplements: tuple[usage.Supplement, ...]
) -> tuple[dict[str, Any], tuple[str, ...]]:
    """What a usage says; the common ones are remembered, so nobody changes the inside of it."""
    stated = sum(len(one.code) + len(one.text) for one in (main, *supplements))
    told = _remembered if stated <= memo.LONGEST else _remembered.__wrapped__
    return told(main, supplements)


@lru_cache(maxsize=4096)
def _remembered(
    main: usage.Supplement, supplements: tuple[usage.Supplement, ...]
) -> tuple[dict[str, Any], tuple[str, ...]]:
    return usage.dosage(main.code, main.text, supplements=supplements)


def duration(reading: MessageReading, tq1: Segment) -> dict[str, Any] | None:
    """TQ1-6 in days: `5^d` or `3^D&日&ISO+`; weeks are seven; another unit stays text."""
    number = tq1.value(6)
    value = values.decimal(number) if number else None
    if value is None:
        if number:
            reading.find("not-a-number", f"{tq1.at}.6")
        return None
    days = _UNITS.get(tq1.subcomponents(tq1.raw(6), 2)[0].casefold())
    if days is None:
        reading.find("unmapped-unit", f"{tq1.at}.6")
        return None
    return medication.days(value * days)


def route(reading: MessageReading, rxr: Segment) -> dict[str, Any]:
    """RXR-1, 2, 4 as route, site and method."""
    made = {
        "site": reading.concept(rxr, 2, wanted=False),
        "route": reading.concept(rxr, 1),
        "method": reading.concept(rxr, 4, wanted=False),
    }
    return {name: value for name, value in made.items() if value}
