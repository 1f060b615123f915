"""OMP-01 prescription orders (処方): RDE^O11, one file a whole order."""

from typing import Any

from gateway.model.batch import Resource
from gateway.standardize import codes, medication, values
from gateway.standardize.message import MessageReading
from gateway.standardize.ssmix2 import prescriptions
from gateway.standardize.ssmix2.prescriptions import Kind, Order
from gateway.wire import fhir
from gateway.wire.hl7v2 import Segment


def read(reading: MessageReading) -> None:
    """Read every drug of the order."""
    prescriptions.read(reading, _KIND)


def _fill(
    reading: MessageReading, order: Order, rxe: Segment, made: Resource
) -> tuple[Resource, ...]:
    """The drug, how it is taken and how much is dispensed."""
    made["medicationCodeableConcept"] = _drug(reading, rxe)
    dosage = prescriptions.dosage(reading, order, rxe, _doses(reading, order, rxe))
    if dosage:
        made["dosageInstruction"] = dosage
    supply = _supply(reading, order, rxe)
    if supply:
        made["dispenseRequest"] = supply
    return ()


def _drug(reading: MessageReading, rxe: Segment) -> dict[str, Any]:
    """RXE-2 with the second code of RXE-31."""
    first, standard = reading.coded(rxe, 2)
    second, also = reading.coded(rxe, 31)
    codings = [*first.get("coding", ()), *second.get("coding", ())]
    text = first.get("text", "") or second.get("text", "")
    made = fhir.concept(*codings, text=text)
    if first and not (standard or also):
        reading.unmapped(made, f"{rxe.at}.2")
    return made or fhir.absent()


def _doses(reading: MessageReading, order: Order, rxe: Segment) -> dict[str, Any]:
    """RXE-3 to 5 (at one time) and RXE-19 (a day)."""
    made: dict[str, Any] = {}
    least, most = prescriptions.amount(reading, rxe, 3, 5), prescriptions.amount(reading, rxe, 4, 5)
    if least and most and least != most:
        made["doseRange"] = {"low": least, "high": most}
    elif least:
        made["doseQuantity"] = least
    elif most:
        made["doseRange"] = {"high": most}
    elif rxe.raw(3):
        order.unread += (prescriptions.as_text(rxe, 3, 5, "1回量"),)
    number = rxe.value(19)
    value = values.decimal(number) if number else None
    if value is not None:
        parts = rxe.subcomponents(rxe.raw(19), 2)
        made["rateRatio"] = medication.per_day(
            prescriptions.in_unit(reading, rxe, 19, value, parts)
        )
    elif number:
        reading.find("not-a-number", f"{rxe.at}.19")
        order.unread += (f"1日量 {codes.text_of(rxe.components(19))}",)
    return made


def _supply(reading: MessageReading, order: Order, rxe: Segment) -> dict[str, Any]:
    """RXE-10 to 12 and the days of TQ1-6."""
    made: dict[str, Any] = {}
    repeats = rxe.value(12)
    if repeats.isascii() and repeats.isdigit() and len(repeats) < 4:
        made["numberOfRepeatsAllowed"] = int(repeats)
    whole = prescriptions.amount(reading, rxe, 10, 11)
    if whole:
        made["quantity"] = whole
    elif rxe.raw(10):
        order.unread += (prescriptions.as_text(rxe, 10, 11, "全量"),)
    duration = prescriptions.duration(reading, order.timings[0]) if order.timings else None
    if duration:
        made["expectedSupplyDuration"] = duration
    return made


_KIND = Kind(prefix="prescription", profile="JP_MedicationRequest", fill=_fill)
