"""Names of receipt codes: the one place that looks them up.

The published masters of diseases, modifiers, acts, drugs and materials are not shipped. What the
operator loads of them gives a name; without it a code stands alone.
"""

from gateway.model.codebook import SYSTEMS, CodeBook

DISEASE = SYSTEMS["receipt-disease"]
MODIFIER = SYSTEMS["receipt-modifier"]
PROCEDURE = SYSTEMS["receipt-procedure"]
DENTAL_PROCEDURE = SYSTEMS["receipt-dental"]
DRUG = SYSTEMS["receipt-drug"]
ICD10 = SYSTEMS["icd10"]
OUTCOME = "http://jpfhir.jp/fhir/core/CodeSystem/JP_ConditionDiseaseOutcomeReceipt_CS"
"Systems that JP Core or its drug lists name."

MATERIAL = SYSTEMS["receipt-material"]
UNIT = "urn:x-regional-gateway:code:receipt:unit"
IDENTIFICATION = "urn:x-regional-gateway:code:receipt:identification"
DENTAL_IDENTIFICATION = "urn:x-regional-gateway:code:receipt:dental-identification"
USAGE = "urn:x-regional-gateway:code:receipt:usage"
FORM = "urn:x-regional-gateway:code:receipt:form"
COMMENT = "urn:x-regional-gateway:code:receipt:comment"
GROUP = "urn:x-regional-gateway:code:receipt:diagnosis-group"
DISEASE_CLASS = "urn:x-regional-gateway:code:receipt:disease-class"
"Codes of claims that mean the same everywhere and have no system in JP Core."

UNCODED = "0000999"
"未コード化傷病名: the disease has a name and no code."
FREE_TEXT = "8100000"
"First digits of the codes of comments that are all text."
SUSPECTED = "8002"
"の疑い."

_KNOWN = {(MODIFIER, SUSPECTED): "の疑い"}


def name(book: CodeBook, system: str, code: str) -> str:
    """The name of a code, or empty where no master that has it is loaded."""
    return book.display(system, code) or _KNOWN.get((system, code), "")
