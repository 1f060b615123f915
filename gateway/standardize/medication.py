"""Parts that prescriptions and dispenses share: drug codes, quantities, durations, dosage."""

from decimal import Decimal
from typing import Any

from gateway.model.batch import Resource
from gateway.standardize import codes
from gateway.standardize.musthave import ORDER_IN_RP, RP_NUMBER
from gateway.standardize.reading import Reading
from gateway.wire import fhir

PERIOD_OF_USE = fhir.EXTENSIONS + "JP_MedicationDosage_PeriodOfUse"
USAGE_DURATION = fhir.EXTENSIONS + "JP_MedicationDosage_UsageDuration"
STRENGTH_TYPE = (
    "http://jpfhir.jp/fhir/core/mhlw/CodeSystem/MedicationIngredientStrengthStrengthType"
)
_STRENGTH_TYPE = fhir.EXTENSIONS + "JP_Medication_IngredientStrength_StrengthType"
_DRUG_NUMBER = fhir.EXTENSIONS + "JP_Medication_Ingredient_DrugNo"
_SUPPLEMENT_LENGTH = 8
_DIGITS = 18
_PRICE_LIST = "urn:x-regional-gateway:code:nhi-price-list"
_GENERAL = "http://jpfhir.jp/fhir/core/mhlw/CodeSystem/MedicationGeneralOrderCode"
_SYSTEMS = {"2": codes.RECEIPT_DRUG, "3": _PRICE_LIST, "7": _GENERAL}
_HL7_NAMES = {"4": "YJ", "6": "HOT"}


def dose(value: Decimal, unit: str, code: str) -> dict[str, Any]:
    """A JP_MedicationSimpleQuantity: its unit is a MERIT-9 code where one is known."""
    return fhir.quantity(value, unit or codes.dose_unit(code), codes.MERIT9, code)


def days(value: Decimal) -> dict[str, Any]:
    """A duration in days, as JP Core fixes its unit."""
    return {"value": value, "unit": "日", "system": codes.UCUM, "code": "d"}


def per_day(numerator: dict[str, Any]) -> dict[str, Any]:
    """A JP_MedicationRatio_DosePerDay."""
    return {"numerator": numerator, "denominator": days(Decimal(1))}


def whole(dose: Decimal, count: Decimal | int) -> Decimal | None:
    """A dose times a count; none where the number is longer than JSON is read with."""
    found = dose * count
    return found if len(found.as_tuple().digits) <= _DIGITS else None


def usage(code: str, text: str) -> dict[str, Any]:
    """A JAMI usage as Timing: its code where there is one, the text always."""
    coding = [fhir.coding(code, codes.USAGE, text)] if code else []
    return {"code": fhir.concept(*coding, text=text)}


def is_supplement(code: str) -> bool:
    """Whether a usage code is a supplement (8 characters) to a main one (16)."""
    return len(code) == _SUPPLEMENT_LENGTH


def ingredient(drug: dict[str, Any], amount: dict[str, Any] | None, number: int) -> dict[str, Any]:
    """One part of a mixture: JP_Medication.ingredient, whose strength is the amount at one time."""
    once = {"value": 1, "unit": "回", "system": codes.MERIT9, "code": "TIME"}
    kind = fhir.concept(fhir.coding("1", STRENGTH_TYPE, "製剤量"))
    strength = {
        "extension": [fhir.extension(_STRENGTH_TYPE, "CodeableConcept", kind)],
        "numerator": amount or {"_value": fhir.absent()},
        "denominator": once,
    }
    return {
        "extension": [fhir.extension(_DRUG_NUMBER, "Integer", number)],
        "itemCodeableConcept": drug or fhir.absent(),
        "strength": strength,
    }


def mixture(identity: str, parts: list[dict[str, Any]]) -> Resource:
    """What is injected together, as a JP_Medication."""
    made = fhir.resource("Medication", "JP_Medication", identity)
    made["status"] = "active"
    made["ingredient"] = parts
    return made


def rp_identifiers(rp: str, order: str) -> list[dict[str, Any]]:
    """The two identifiers of every JP Core medication resource: RP number, order in the RP."""
    made = [{"system": RP_NUMBER}, {"system": ORDER_IN_RP}]
    for identifier, value in zip(made, (rp, order), strict=True):
        if value:
            identifier["value"] = value
    return made


def drug_coding(
    reading: Reading, at: str, kind: str, code: str, text: str
) -> dict[str, Any] | None:
    """A drug code of a JAHIS kind (1 none, 2 receipt, 3 price list, 4 YJ, 6 HOT, 7 general name).

    One of another kind is the sender's own; that, and no code at all, is found.
    """
    if not code:
        reading.find("unmapped-code", at)
        return None
    system = _SYSTEMS.get(kind) or codes.standard_system(_HL7_NAMES.get(kind, ""), code)
    made = fhir.coding(code, system or reading.local_system("drug"), text)
    if not system:
        reading.unmapped(fhir.concept(made), at)
    return made
