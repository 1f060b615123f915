"""JP_DiagnosticReport_LabResult and _Common: what every report of results has."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from gateway.model.batch import Resource
from gateway.model.category import Category
from gateway.standardize.laboratory import observation
from gateway.standardize.laboratory.observation import MICROBIOLOGY, SPECIMEN, Examination, LabItem
from gateway.standardize.reading import Place, Reading
from gateway.wire import fhir

_LOINC = "http://loinc.org"
_DOCUMENTS = "http://jpfhir.jp/fhir/core/CodeSystem/JP_DocumentCodes_CS"
_HEADS: Mapping[str, tuple[list[dict[str, Any]], dict[str, Any]]] = {
    SPECIMEN.report: (
        [fhir.concept(fhir.coding("LP29693-6", _LOINC))],
        fhir.coding("11502-2", _DOCUMENTS, "検体検査報告書"),
    ),
    MICROBIOLOGY.report: (
        [fhir.concept(fhir.coding("LP7819-8", _LOINC))],
        fhir.coding("18725-2", _DOCUMENTS, "微生物学的検査報告書"),
    ),
}
"Profile to its fixed category and the code of the document."
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
    examination: Examination = SPECIMEN,
) -> Resource:
    """The head of a report; a laboratory's has the document's own code before the panel's."""
    made = fhir.resource("DiagnosticReport", examination.report, "")
    if numbers:
        made["identifier"] = numbers
    if request:
        made["basedOn"] = [request]
    made["status"] = status
    head = _HEADS.get(examination.report)
    if head:
        made["category"] = head[0]
        text = panel.get("text", "")
        made["code"] = fhir.concept(head[1], *panel.get("coding", ()), text=text)
    else:
        made["code"] = panel or fhir.absent()
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


@dataclass(slots=True, kw_only=True)
class Sheet:
    """Results that came together without a report of their own: of one order, or of one day."""

    place: Place
    "Where the first of them stands."
    prefix: str
    "Order or moment, as the keys of its results begin."
    effective: str
    issued: str = ""
    numbers: list[dict[str, Any]] = field(default_factory=list)
    panel: str = ""
    request: dict[str, Any] | None = None
    results: list[Resource] = field(default_factory=list)
    companions: dict[str, Resource] = field(default_factory=dict)

    def take(self, reading: Reading, item: LabItem) -> None:
        """Add the result of one item."""
        found = observation.add(reading, item)
        self.results.extend(found)
        for one in reading.items[-len(found) :]:
            self.companions.update({str(part["id"]): part for part in one.companions})

    def close(self, reading: Reading) -> None:
        """Add the report that names the results; its key says which those are.

        So a result that comes later makes a report of its own, and takes none away.
        """
        if not self.results:
            return
        made = make(
            reading,
            self.numbers,
            status=status_of([one["status"] for one in self.results]),
            panel=fhir.concept(text=self.panel),
            request=self.request,
        )
        made["effectiveDateTime"] = self.effective
        if "T" in self.issued:
            made["issued"] = self.issued
        specimens = dict.fromkeys(
            one["specimen"]["reference"] for one in self.results if "reference" in one["specimen"]
        )
        if specimens:
            made["specimen"] = [{"reference": one} for one in specimens]
        named = [one for one in self.results if one["status"] not in GIVEN_UP]
        if named:
            made["result"] = [fhir.reference(one["id"]) for one in named]
        key = reading.digest_key(
            f"lab|{self.prefix}|report", self.panel, *sorted(str(one["id"]) for one in self.results)
        )
        made["id"] = reading.identity("DiagnosticReport", key)
        reading.add(
            Category.LAB_RESULT,
            made,
            key,
            self.place,
            companions=tuple(self.companions.values()),
            cancelled=made["status"] in GIVEN_UP,
        )
