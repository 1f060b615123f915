"""OMP-11 and OMP-12, what was given (処方実施, 注射実施): RAS^O17.

OMP-11 gives one JP_MedicationAdministration an RXA. In OMP-12 the RXA of one ORC, one time and one
state are one injection: a JP_Medication of several parts and one
JP_MedicationAdministration_Injection. A part that was refused or taken back was not given with it.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from gateway.model.batch import Resource
from gateway.model.category import Category
from gateway.standardize import allergies, codes, encounters, medication, persons, values
from gateway.standardize.message import HEADER, MessageReading
from gateway.standardize.ssmix2 import prescriptions
from gateway.wire import fhir
from gateway.wire.hl7v2 import Segment

_ORC = persons.ORC - {10, 21, 22, 23}
_RXA = frozenset({1, 2, 3, 4, 5, 6, 7, 9, 10, 11, 12, 18, 20, 21})
_SAID_ONCE = (10, 11, 12, 18)
"Fields of RXA that an injection of several parts has once: nurse, place, rate, reason."
_RXR = frozenset({1, 2, 3, 4})
_NTE = frozenset({1, 2, 3})
_EXTENSION = fhir.EXTENSIONS + "JP_MedicationAdministration_"
_STATUS: Mapping[str, str] = {
    # HL7 table 0322 to MedicationAdministration.status
    "CP": "completed",
    "PA": "stopped",
    "RE": "not-done",
    "NA": "not-done",
}
_RATE = re.compile(r"([0-9]+(?:\.[0-9]+)?) ?([A-Za-zμ]+/[A-Za-z]+)")


@dataclass(slots=True)
class _Given:
    """The RXA that are one administration, with their ORC and RXR."""

    orc: Segment | None
    parts: list[Segment]
    route: Segment | None = None
    notes: list[Segment] = field(default_factory=list)


def read_prescribed(reading: MessageReading) -> None:
    """OMP-11: every drug apart."""
    _read(reading, mixed=False)


def read_injected(reading: MessageReading) -> None:
    """OMP-12: what was given together is one."""
    _read(reading, mixed=True)


def _read(reading: MessageReading, *, mixed: bool) -> None:
    message = reading.message
    reading.take(message.header, HEADER)
    pid = message.first("PID")
    if pid:
        persons.describe(reading, pid)
    prefix = "injected" if mixed else "administered"
    for al1 in message.all("AL1"):
        allergies.read_al1(reading, al1, f"{prefix}-al1|")
    visit = encounters.beside(reading, message.first("PV1"))
    numbers: set[str] = set()
    counts: dict[tuple[str, str], int] = {}
    for given in _groups(reading, mixed=mixed):
        number, rp, place = _order(reading, given)
        count = counts[number, rp] = counts.get((number, rp), 0) + 1
        numbers.add(number)
        _read_given(
            reading, given, visit, prefix=prefix, number=number, rp=rp,
            place=place or str(count),
        )  # fmt: skip
    if len(numbers) == 1:
        reading.scope = f"{prefix}|{numbers.pop()}|"


def _groups(reading: MessageReading, *, mixed: bool) -> list[_Given]:
    """RXA by ORC and, for injections, by time; RXR follows what it is about."""
    found: list[_Given] = []
    orc: Segment | None = None
    since = 0
    for segment in reading.message.segments:
        match segment.name:
            case "ORC":
                orc, since = segment, len(found)
                reading.take(segment, _ORC)
            case "RXA" if not segment.raw(5) and any(segment.fields[1:]):
                reading.leave(segment, "field-missing")
            case "RXA" if segment.raw(5):
                last = found[-1] if len(found) > since and mixed else None
                if last and _given(segment) == _given(last.parts[0]):
                    last.parts.append(segment)
                else:
                    found.append(_Given(orc, [segment]))
            case "RXR":
                named = [one for one in found[since:] if one.route is None]
                for one in named:
                    one.route = segment
                reading.take(segment, _RXR if named else frozenset())
            case "NTE" if len(found) > since:
                found[-1].notes.append(segment)
                reading.take(segment, _NTE)
    return found


def _given(rxa: Segment) -> tuple[str, ...]:
    """When a part was given, whether it was, and whether that still holds."""
    return tuple(rxa.value(field) for field in (3, 4, 20, 21))


def _order(reading: MessageReading, given: _Given) -> tuple[str, str, str]:
    """Order number, RP and place in it."""
    if given.orc is None:
        return f"message-{reading.message.control_id}", "", ""
    return (prescriptions.number(reading, given.orc), *prescriptions.rp(given.orc))


def _read_given(
    reading: MessageReading,
    given: _Given,
    visit: Sequence[Resource],
    *,
    prefix: str,
    number: str,
    rp: str,
    place: str,
) -> None:
    """One administration."""
    first, last = given.parts[0], given.parts[-1]
    injected = prefix == "injected"
    key = reading.key(f"{prefix}|{number}|{rp}|{place}|{first.value(3)}")
    made = fhir.resource(
        "MedicationAdministration",
        "JP_MedicationAdministration_Injection" if injected else "JP_MedicationAdministration",
        reading.identity("MedicationAdministration", key),
    )
    companions: list[Resource] = list(visit)
    extensions = _asked(reading, given, companions)
    place_given = persons.location(reading, first, 11)
    if place_given:
        companions.append(place_given)
        where = fhir.reference(place_given["id"], place_given["name"])
        extensions.append(fhir.extension(_EXTENSION + "Location", "Reference", where))
    if extensions:
        made["extension"] = extensions
    made["identifier"] = medication.rp_identifiers(rp, "" if injected else place)
    if injected:
        del made["identifier"][1:]  # the profile has no place in the RP: a mixture has one
    system = codes.local_identifiers(reading.domain, "order")
    made["identifier"].append(fhir.identifier(system, number))
    withdrawn = reading.cancelled or first.value(21) == "D"
    made["status"] = "entered-in-error" if withdrawn else _STATUS.get(first.value(20), "unknown")
    if first.value(18):
        made["statusReason"] = [reading.concept(first, 18, wanted=False)]
    kind = reading.coded(given.orc, 29)[0] if given.orc else {}
    if kind:
        made["category"] = kind
    _what(reading, given, made, companions, injected=injected, key=f"{number}|{rp}|{place}")
    made["subject"] = reading.subject
    encounters.refer(made, visit, "context")
    _when(reading, first, made)
    nurse = persons.staff(reading, first, 10)
    if nurse:
        companions.append(nurse)
        made["performer"] = [{"actor": fhir.reference(nurse["id"])}]
    said = [codes.text_of(rxa.split(one)) for rxa in given.parts for one in rxa.repetitions(9)]
    notes = list(dict.fromkeys(said))
    notes += [note.value(3) for note in given.notes]
    notes += [
        prescriptions.as_text(rxa, 6, 7, codes.text_of(rxa.components(5)))
        for rxa in given.parts
        if rxa.raw(6) and values.decimal(rxa.value(6)) is None
    ]
    if given.route and given.route.raw(3):
        notes.append(codes.text_of(given.route.components(3)))
    if any(notes):
        made["note"] = [{"text": text} for text in notes if text]
    dosage = _dosage(reading, given, injected=injected)
    if dosage:
        made["dosage"] = dosage
    for rxa in given.parts:
        apart = {field for field in _SAID_ONCE if rxa.raw(field) != first.raw(field)}
        reading.take(rxa, _RXA - apart, "item MedicationAdministration")
    reading.add(
        Category.PRESCRIPTION,
        made,
        key,
        first,
        end=last.end,
        companions=tuple(companions),
        cancelled=withdrawn,
    )


def _asked(
    reading: MessageReading, given: _Given, companions: list[Resource]
) -> list[dict[str, Any]]:
    """Who ordered it, in which department, when (ORC-12, 17, 9)."""
    if given.orc is None:
        return []
    found = []
    department = reading.concept(given.orc, 17, wanted=False)
    if department:
        url = _EXTENSION + "RequestDepartment"
        found.append(fhir.extension(url, "CodeableConcept", department))
    doctor = persons.staff(reading, given.orc, 12, doctor=True)
    if doctor:
        companions.append(doctor)
        reference = fhir.reference(doctor["id"])
        found.append(fhir.extension(_EXTENSION + "Requester", "Reference", reference))
    ordered = reading.time(given.orc, 9)
    if ordered:
        found.append(fhir.extension(_EXTENSION + "RequestAuthoredOn", "DateTime", ordered))
    return found


def _what(
    reading: MessageReading,
    given: _Given,
    made: Resource,
    companions: list[Resource],
    *,
    injected: bool,
    key: str,
) -> None:
    """RXA-5: the drug, or the parts of what was injected."""
    if not injected:
        made["medicationCodeableConcept"] = reading.concept(given.parts[0], 5) or fhir.absent()
        return
    parts = [
        medication.ingredient(
            reading.concept(rxa, 5), prescriptions.amount(reading, rxa, 6, 7), place
        )
        for place, rxa in enumerate(given.parts, start=1)
    ]
    mixture = medication.mixture(reading.identity("Medication", reading.key(f"given|{key}")), parts)
    companions.append(mixture)
    made["medicationReference"] = fhir.reference(mixture["id"])


def _when(reading: MessageReading, rxa: Segment, made: Resource) -> None:
    """RXA-3 and RXA-4; where they are the same, it is a moment."""
    start, end = reading.time(rxa, 3), reading.time(rxa, 4)
    if end and end != start:
        period = {name: value for name, value in (("start", start), ("end", end)) if value}
        made["effectivePeriod"] = period
    elif start:
        made["effectiveDateTime"] = start


def _dosage(reading: MessageReading, given: _Given, *, injected: bool) -> dict[str, Any]:
    """Route, site, method, amount and rate; FHIR wants one of the last two (mad-1)."""
    made: dict[str, Any] = {}
    if given.route:
        made.update(prescriptions.route(reading, given.route))
    first = given.parts[0]
    rate = first.value(12)
    if rate:
        made["text"] = rate
        found = _RATE.fullmatch(rate)
        unit = dict(values.unit(found[2], found[2])) if found else {}
        number = values.decimal(found[1]) if found else None
        if number is not None:
            made["rateQuantity"] = fhir.quantity(number, **unit)
    if not injected:
        amount = prescriptions.amount(reading, first, 6, 7)
        if amount:
            made["dose"] = amount
    if made and "dose" not in made and "rateQuantity" not in made:
        made["dose"] = fhir.absent()
    return made
