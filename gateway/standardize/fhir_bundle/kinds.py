"""What a resource is for here: a statement of its own, support beside one, or neither.

Categories are those of `requirements.md` 5.3: what a network shares, and a facility withholds.
"""

from gateway.model.batch import Resource
from gateway.model.category import Category

_MAIN = {
    "AllergyIntolerance": Category.ALLERGY,
    "CarePlan": Category.CARE,
    "Communication": Category.MEDICAL,
    "Condition": Category.DIAGNOSIS,
    "Consent": Category.CONSENT_FORM,
    "Coverage": Category.DEMOGRAPHICS,
    "DeviceUseStatement": Category.MEDICAL,
    "DocumentReference": Category.MEDICAL,
    "FamilyMemberHistory": Category.MEDICAL,
    "Flag": Category.MEDICAL,
    "Goal": Category.CARE,
    "ImagingStudy": Category.MEDICAL,
    "Immunization": Category.MEDICAL,
    "Media": Category.MEDICAL,
    "MedicationAdministration": Category.DISPENSING,
    "MedicationDispense": Category.DISPENSING,
    "MedicationRequest": Category.PRESCRIPTION,
    "MedicationStatement": Category.DISPENSING,
    "NutritionOrder": Category.MEDICAL,
    "Procedure": Category.MEDICAL,
    "QuestionnaireResponse": Category.MEDICAL,
    "RiskAssessment": Category.MEDICAL,
}
"Types that state something about a patient, with their category."

SUPPORT = frozenset(
    {
        "BodyStructure", "Device", "Encounter", "Endpoint", "HealthcareService", "Location",
        "Medication", "Organization", "Practitioner", "PractitionerRole", "RelatedPerson",
        "ResearchStudy", "Specimen", "Substance",
    }
)  # fmt: skip
"Types that stand beside what refers to them."

_ALONE = {"Encounter": Category.VISIT_HISTORY, "Specimen": Category.LAB_RESULT}
"Support that is a statement where nothing refers to it."

_LABORATORY = frozenset({"laboratory", "LAB", "LP29693-6", "MB", "CH", "HM", "11502-2", "18725-2"})
_OBSERVED = {
    "laboratory": Category.LAB_RESULT,
    "vital-signs": Category.NURSING,
    "body-measurement": Category.NURSING,
    "social-history": Category.DAILY_LIVING,
}
_LAB_PROFILES = ("_LabResult", "_Microbiology", "_LabResult_eCS")


def category(resource: Resource) -> Category | None:
    """The category of a statement; None for what is none."""
    kind = resource["resourceType"]
    if kind == "Observation":
        for word in _categories(resource):
            if word in _OBSERVED:
                return _OBSERVED[word]
        return Category.LAB_RESULT if _is_laboratory(resource) else Category.MEDICAL
    if kind in ("DiagnosticReport", "ServiceRequest"):
        return Category.LAB_RESULT if _is_laboratory(resource) else Category.MEDICAL
    return _MAIN.get(kind)


def alone(resource: Resource) -> Category | None:
    """The category of support that nothing refers to; None where it states nothing by itself."""
    return _ALONE.get(resource["resourceType"])


def _categories(resource: Resource) -> list[str]:
    found = resource.get("category", [])
    several = found if isinstance(found, list) else [found]
    return [code.get("code", "") for one in several for code in one.get("coding", []) if code]


def _is_laboratory(resource: Resource) -> bool:
    profiles = resource.get("meta", {}).get("profile", [])
    return not _LABORATORY.isdisjoint(_categories(resource)) or any(
        one.partition("|")[0].endswith(_LAB_PROFILES) for one in profiles if one
    )
