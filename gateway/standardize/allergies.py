"""Allergies: AL1 (and later IAM) to JP_AllergyIntolerance."""

from typing import Any

from gateway.model.batch import Resource
from gateway.model.category import Category
from gateway.standardize.message import MessageReading
from gateway.wire import fhir
from gateway.wire.hl7v2 import Segment

AL1 = frozenset({1, 2, 3, 4, 5, 6})
_CLINICAL = "http://terminology.hl7.org/CodeSystem/allergyintolerance-clinical"
_VERIFICATION = "http://terminology.hl7.org/CodeSystem/allergyintolerance-verification"
_CATEGORIES = {
    # HL7 table 0127 to category; MA and MC have none
    "DA": "medication",
    "FA": "food",
    "EA": "environment",
    "AA": "biologic",
    "PA": "environment",
    "LA": "environment",
}
_SEVERITIES = {"MI": "mild", "MO": "moderate", "SV": "severe"}


def read_al1(reading: MessageReading, al1: Segment, prefix: str) -> None:
    """One AL1: on the list it stands on, it holds."""
    code = reading.concept(al1, 3)
    if not code:
        reading.leave(al1, "field-missing")
        return
    kind = al1.value(2)
    key = reading.key(f"{prefix}allergy|{kind}|{al1.value(3) or al1.value(3, 2)}")
    made = allergy(reading.identity("AllergyIntolerance", key), cancelled=reading.cancelled)
    if kind in _CATEGORIES:
        made["category"] = [_CATEGORIES[kind]]
    made["code"] = code
    made["patient"] = reading.subject
    recorded = reading.time(al1, 6)
    if recorded:
        made["recordedDate"] = recorded
    text = "、".join(al1.split(one)[0] for one in al1.repetitions(5))
    severity = _SEVERITIES.get(al1.value(4))
    if text or severity:
        made["reaction"] = [reaction(text, severity or "")]
    reading.take(al1, AL1, "item AllergyIntolerance")
    reading.add(Category.ALLERGY, made, key, al1)


def allergy(identity: str, *, cancelled: bool) -> Resource:
    """The head of a JP_AllergyIntolerance (invariants ait-1 and ait-2)."""
    made = fhir.resource("AllergyIntolerance", "JP_AllergyIntolerance", identity)
    if cancelled:
        error = fhir.coding("entered-in-error", _VERIFICATION)
        made["verificationStatus"] = fhir.concept(error)
    else:
        made["clinicalStatus"] = fhir.concept(fhir.coding("active", _CLINICAL))
    return made


def reaction(text: str, severity: str) -> dict[str, Any]:
    """A reaction; its manifestation is required wherever there is one."""
    made: dict[str, Any] = {"manifestation": [fhir.concept(text=text) if text else fhir.absent()]}
    if severity:
        made["severity"] = severity
    return made
