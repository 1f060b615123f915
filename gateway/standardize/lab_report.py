"""JP_DiagnosticReport_LabResult: what every laboratory report of ours has."""

from collections.abc import Sequence
from typing import Any

from gateway.model.batch import Resource
from gateway.standardize.reading import Reading
from gateway.wire import fhir

_LOINC = "http://loinc.org"
_DOCUMENTS = "http://jpfhir.jp/fhir/core/CodeSystem/JP_DocumentCodes_CS"
_CATEGORY = [fhir.concept(fhir.coding("LP29693-6", _LOINC))]
_CODE = fhir.coding("11502-2", _DOCUMENTS, "検体検査報告書")
_DONE = ("final", "corrected")

GIVEN_UP = frozenset({"cancelled", "entered-in-error"})
"Statuses of results that a report no longer names."


def make(
    reading: Reading,
    numbers: list[dict[str, Any]],
    *,
    status: str,
    panel: Resource,
    request: dict[str, Any] | None = None,
) -> Resource:
    """The head of a report: the document's own code first, then the panel as the sender says."""
    made = fhir.resource("DiagnosticReport", "JP_DiagnosticReport_LabResult", "")
    if numbers:
        made["identifier"] = numbers
    if request:
        made["basedOn"] = [request]
    made["status"] = status
    made["category"] = _CATEGORY
    made["code"] = fhir.concept(_CODE, *panel.get("coding", ()), text=panel.get("text", ""))
    made["subject"] = reading.subject
    return made


def status_of(statuses: Sequence[str]) -> str:
    """What the results say of the report where the sender does not."""
    done = [status for status in statuses if status not in GIVEN_UP]
    if statuses and not done:
        return "cancelled"
    if done and all(status in _DONE for status in done):
        return "corrected" if "corrected" in done else "final"
    return "partial" if any(status in _DONE for status in done) else "unknown"
