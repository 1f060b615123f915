"""OMP-02 injection orders (注射): RDE^O11, one file a whole order.

RXE says how much goes in how fast, RXC what is mixed; RXE-2 is only the kind of injection (JHSI
table 0002). The mixture is a JP_Medication beside the JP_MedicationRequest_Injection.
"""

from typing import Any

from gateway.model.batch import Resource
from gateway.standardize import codes, medication, values
from gateway.standardize.message import MessageReading
from gateway.standardize.ssmix2 import prescriptions
from gateway.standardize.ssmix2.prescriptions import Kind, Order
from gateway.wire import fhir
from gateway.wire.hl7v2 import Segment

_RXC = frozenset({2, 3, 4})


def read(reading: MessageReading) -> None:
    """Read every injection of the order."""
    prescriptions.read(reading, _KIND)


def _fill(
    reading: MessageReading, order: Order, rxe: Segment, made: Resource
) -> tuple[Resource, ...]:
    """The mixture, how fast it is given and how much of it."""
    parts: list[dict[str, Any]] = []
    for rxc in order.parts:
        reading.take(rxc, _RXC)
        amount = prescriptions.amount(reading, rxc, 3, 4)
        if amount is None and rxc.raw(3):
            order.unread += (prescriptions.as_text(rxc, 3, 4, codes.text_of(rxc.components(2))),)
        parts.append(medication.ingredient(reading.concept(rxc, 2), amount, len(parts) + 1))
    kind = reading.concept(rxe, 2, wanted=False)
    if not parts:
        # Without RXC the drug is where prescriptions have it.
        parts.append(medication.ingredient(reading.concept(rxe, 2), _amount(reading, rxe), 1))
        kind = {}
    elif kind:
        made.setdefault("category", []).append(kind)
    key = f"{order.number}|{order.rp}|{order.place}"
    mixture = medication.mixture(reading.identity("Medication", key), parts)
    made["medicationReference"] = fhir.reference(mixture["id"])
    dosage = prescriptions.dosage(reading, order, rxe, _doses(reading, order, rxe))
    if dosage:
        made["dosageInstruction"] = dosage
    return (mixture,)


def _amount(reading: MessageReading, rxe: Segment) -> dict[str, Any] | None:
    return prescriptions.amount(reading, rxe, 3, 5)


def _doses(reading: MessageReading, order: Order, rxe: Segment) -> dict[str, Any]:
    """RXE-3 and 5 (the whole volume), RXE-23 and 24 (the rate)."""
    made: dict[str, Any] = {}
    whole = _amount(reading, rxe)
    if whole:
        made["doseQuantity"] = whole
    elif rxe.raw(3):
        order.unread += (prescriptions.as_text(rxe, 3, 5, "投与量"),)
    number = rxe.value(23)
    value = values.decimal(number) if number else None
    if value is not None:
        parts = [*rxe.components(24), "", ""]
        unit = dict(values.unit(parts[0], parts[1]))
        if "code" not in unit:
            reading.find("unmapped-unit", f"{rxe.at}.24")
        made["rateQuantity"] = fhir.quantity(value, **unit)
    elif number:
        reading.find("not-a-number", f"{rxe.at}.23")
        order.unread += (prescriptions.as_text(rxe, 23, 24, "投与速度"),)
    return made


_KIND = Kind(
    prefix="injection",
    profile="JP_MedicationRequest_Injection",
    fill=_fill,
    fields=prescriptions.RXE | {23, 24},
)
