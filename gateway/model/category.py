"""Data categories (`requirements.md` section 5.3) and facility types (section 5.2)."""

from enum import Enum


class Category(Enum):
    """Kind of information, as the networks' rules divide it."""

    DIAGNOSIS = "diagnosis"
    PRESCRIPTION = "prescription"
    DISPENSING = "dispensing"
    LAB_RESULT = "lab_result"
    ALLERGY = "allergy"
    NURSING = "nursing"
    CARE = "care"
    MEDICAL = "medical"
    MEDICATION = "medication"
    PROGRESS = "progress"
    VISIT_HISTORY = "visit_history"
    CHECKUP = "checkup"
    WATCH_OVER = "watch_over"
    DAILY_LIVING = "daily_living"
    BIOMETRIC = "biometric"
    USER_NOTE = "user_note"
    CONSENT_FORM = "consent_form"
    DEMOGRAPHICS = "demographics"
    DIRECT_DOCUMENT = "direct_document"


class FacilityType(Enum):
    """Kind of facility (FAC-01)."""

    HOSPITAL = "hospital"
    CLINIC = "clinic"
    DENTAL_CLINIC = "dental_clinic"
    PHARMACY = "pharmacy"
    VISITING_NURSE = "visiting_nurse"
    CARE_SUPPORT = "care_support"
    CARE_SERVICE = "care_service"
    COMMUNITY_SUPPORT_CENTRE = "community_support_centre"
    PUBLIC_ADMINISTRATION = "public_administration"
    LAB = "lab"
    OTHER = "other"


class ExclusionGroup(Enum):
    """Groups of facilities a patient may exclude (EXC-02; membership of the last two: RD-05)."""

    HOSPITAL = "hospital"
    CLINIC = "clinic"
    DENTAL_CLINIC = "dental_clinic"
    PHARMACY = "pharmacy"
    MEDICAL_OTHER = "medical_other"
    CARE_ANY = "care_any"


class Source(Enum):
    """Where an upload comes from (STG-03)."""

    EMR = "emr"
    ACCOUNTING = "accounting"
    DISPENSING = "dispensing"
    CARE = "care"
    LAB = "lab"
    OTHER = "other"
