"""Allergies: AL1 and IAM to JP_AllergyIntolerance."""

from typing import Any

from gateway.model.batch import Resource
from gateway.model.category import Category
from gateway.standardize import persons
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
_KINDS = {"AL": "allergy", "AD": "intolerance", "AS": "intolerance"}
_VERIFIED = {
    # HL7 table 0438 to verificationStatus
    "U": "unconfirmed",
    "P": "unconfirmed",
    "S": "unconfirmed",
    "C": "confirmed",
    "I": "refuted",
    "E": "entered-in-error",
    "D": "unconfirmed",
}
IAM = frozenset({1, 2, 3, 4, 5, 6, 7, 9, 11, 12, 13, 17, 18})
_SEVERITIES = {"MI": "mild", "MO": "moderate", "SV": "severe"}


def read_al1(reading: MessageReading, al1: Segment, prefix: str) -> None:
    """One AL1: on the list it stands on, it holds."""
    code = reading.concept(al1, 3)
    if not code:
        if any(al1.fields[1:]):
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


def read_iam(reading: MessageReading, iam: Segment, prefix: str) -> None:
    """One IAM; IAM-6 says whether it is still on the list (HL7 table 0323)."""
    code = reading.concept(iam, 3)
    if not code:
        if any(iam.fields[1:]):
            reading.leave(iam, "field-missing")
        return
    kind, number = iam.value(2), iam.value(7) or iam.value(3) or iam.value(3, 2)
    key = reading.key(f"{prefix}allergy|{kind}|{number}")
    status = _VERIFIED.get(iam.value(17), "")
    deleted = reading.cancelled or iam.value(6) == "D"
    wrong = deleted or status == "entered-in-error"
    made = allergy(reading.identity("AllergyIntolerance", key), cancelled=wrong)
    if status and not wrong:
        made["verificationStatus"] = fhir.concept(fhir.coding(status, _VERIFICATION))
    if iam.value(9) in _KINDS:
        made["type"] = _KINDS[iam.value(9)]
    if kind in _CATEGORIES:
        made["category"] = [_CATEGORIES[kind]]
    elif kind:
        reading.find("unmapped-code", f"{iam.at}.2")
    made["code"] = code
    made["patient"] = reading.subject
    onset = reading.time(iam, 11)
    if onset:
        made["onsetDateTime"] = onset
    elif iam.value(12):
        made["onsetString"] = iam.value(12)
    recorded = reading.time(iam, 13)
    if recorded:
        made["recordedDate"] = recorded
    confirmed = persons.staff(reading, iam, 18)
    if confirmed:
        made["asserter"] = fhir.reference(confirmed["id"])
    if onset and iam.value(12):
        made["note"] = [{"text": iam.value(12)}]
    severity = _SEVERITIES.get(iam.value(4), "")
    if iam.value(5) or severity:
        made["reaction"] = [reaction(iam.value(5), severity)]
    reading.take(iam, IAM, "item AllergyIntolerance")
    companions = (confirmed,) if confirmed else ()
    reading.add(Category.ALLERGY, made, key, iam, companions=companions, cancelled=wrong)


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
