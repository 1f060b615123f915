"""HL7 FHIR Japan's draft maps of SS-MIX2 against what we do, row by row: `docs/ssmix2-to-fhir.md`.

The page is written by this test (`GOLDEN=1 python -m pytest tests/standardize/test_ssmix2_maps.py`)
and holds nothing that running the mapper did not show, but the reasons.
"""

import os
from collections import Counter

import pytest

from tests.shared import needs_shared
from tests.standardize.conftest import REPOSITORY
from tests.standardize.ssmix2_maps import Found, Row, examine, rows

PAGE = REPOSITORY / "docs" / "ssmix2-to-fhir.md"
_TAKEN_BACK = (
    "an event that is taken back never was; what stood before stands again by its own file"
)
_SLIP = "no such element in R4; the draft's slip"
_ENVELOPE = "no message Bundle is made: uploads have receipts, documents a Provenance"
_MIXED = "what is injected together is one JP_Medication with parts, and each part has its amount"

REASONS: dict[tuple[str, str], str] = {
    # (source, target of the draft): why it is not the same
    ("MSH", "MessageHeader"): _ENVELOPE,
    ("DB1", "JP_Patient"): "JP Core 1.2.0 has no element for disability (finding `no-element`)",
    ("EVN", "Encounter"): "EVN-6 says when a leave or a move was; an admission has PV1-44",
    ("ORC", "JP_Observation_LabResult"): "results name their order by basedOn",
    ("RXA", "Immunization"): "under discussion in the draft; given drugs stay administrations",
    ("PID-3", "Coverage.subject"): "R4 calls it beneficiary",
    ("IN1-3", "Coverage.class.value"): "a payer is an Organization with its national number",
    ("IN1-4", "Coverage.class.name"): "the name of the payer's Organization",
    ("IN1-10", "Coverage.dependent"): "no text says where in IN1-10 a branch number stands",
    ("OBX-4", "Observation.identifier"): "part of the item's key and id, no identifier of its own",
    ("IAM-5", "AllergyIntolerance.reaction.description"): "said once, as the manifestation",
    ("IAM-18", "AllergyIntolerance.assester"): "R4 calls it asserter",
    ("PV1-36", "Encounter.diagnostics.condition.identifier"): _SLIP
    + "; a disposition is no diagnosis",
    ("PV1-36", "Encounter.diagnostics.condition.display"): _SLIP
    + "; a disposition is no diagnosis",
    ("MSH-10", "Bundle.id"): _ENVELOPE,
    ("MSH-3", "MessageHeader.source.name"): _ENVELOPE,
    ("MSH-5", "MessageHeader.destination.name"): _ENVELOPE,
    ("MSH-9", "MessageHeader.eventCoding"): _ENVELOPE + "; it chooses the reader",
    ("MSH-24", "MessageHeader.source.endpoint"): _ENVELOPE,
    ("MSH-25", "MessageHeader.destination.endpoint"): _ENVELOPE,
    ("OBR-4", "DiagnosticReport.category"): "JP Core fixes the category",
    ("ORC-2", "Observation.identifier"): "results name their order by basedOn",
    ("ORC-4", "ServiceRequest.identifier"): "an RP number; laboratory orders have none",
    ("OBR-7", "ServiceRequest.occurrencePeriod.start"): "when it was done, so the report's time",
    ("OBR-8", "ServiceRequest.occurrencePeriod.end"): "when it was done, so the report's time",
    (
        "RXE-4",
        "MedicationRequest.dosageInstruction.doseAndRate.doseQuantity.value",
    ): "least and most that differ are a range",
    (
        "RXE-7",
        "MedicationRequest.dispenseRequest.extension.valueCodeableConcept",
    ): "senders put advice for the patient there too, so it stands with the dosage",
    ("RXE-13", "MedicationRequest.requester"): "no text says of what form the licence number is",
    (
        "RXE-21",
        "MedicationRequest.dispenseRequest.extension.valueCodeableConcept",
    ): "the kind of prescription is a category; the draft names both",
    (
        "RXR-4",
        "MedicationRequest.dosageInstruction.method",
    ): "where a JAMI usage code names the method, that one is taken",
    ("RXA-5", "MedicationAdministration.medicationCodeableConcept"): _MIXED,
    ("RXA-6", "MedicationAdministration.dosage.dose.value"): _MIXED,
    ("RXA-7", "MedicationAdministration.dosage.dose.code"): _MIXED,
    ("RXA-7", "MedicationAdministration.dosage.dose.unit"): _MIXED,
    ("RXR-3", "MedicationAdministration.device"): "a code of a kind of device, kept as a note",
    ("DB1-2", "Patient.extension"): "JP Core 1.2.0 has no element for disability",
    ("DB1-4", "Patient.extension"): "JP Core 1.2.0 has no element for disability",
    ("PRB-14", "Condition.hospitalization"): _SLIP + "; JP Core has an extension for the outcome",
    ("PRB-15", "Condition.clinicalStatus"): "the outcome (PRB-14) says the status, this its day",
    ("PRB-17", "Condition.text"): "Condition.text is narrative; the name is code.text",
    ("ORN", ""): "another number at home is a home number",
    ("SPM-8", "Specimen.bodySite"): "R4 has it in the collection",
    **dict.fromkeys(
        (
            ("A55", "in-progress"), ("A11", "cancelled"), ("A52", "in-progress"),
            ("A53", "onleave"), ("A26", "in-progress"), ("A12", "in-progress"),
            ("A25", "in-progress"), ("A13", "in-progress"), ("A13", "active"),
        ),
        _TAKEN_BACK,
    ),
}  # fmt: skip

_MORE = "the draft maps nothing; the value is of use, so it is taken over"
_HEAD = """# SS-MIX2 to FHIR: HL7 FHIR Japan's draft maps and this gateway

Source of the first three columns: the draft maps of the SS-MIX working group of HL7 FHIR Japan for
SS-MIX2 1.2g (2023-01, not approved). The fourth is what the mapper does: for every row two messages
that differ in this element only are read, and these are the paths in which the resources differ
(of a table, the code that comes out). Written by `tests/standardize/test_ssmix2_maps.py`.

| verdict | meaning |
| --- | --- |
| same | the element goes where the draft says, or also elsewhere |
| different | it goes elsewhere |
| not mapped | it changes no resource; the original is kept |
| ours only | the draft maps nothing, we do |
| neither | neither maps it |
"""


def why(row: Row, found: Found) -> str:
    """The reason of a difference; empty where there is none to give."""
    if found.verdict in ("same", "neither"):
        return ""
    source = row.source.rpartition(".")[2]
    reason = REASONS.get((source, row.target), "")
    return reason or (_MORE if found.verdict == "ours only" else "")


def page() -> str:
    """The whole page."""
    made = [(row, examine(row)) for row in rows()]
    counts = Counter(found.verdict for _, found in made)
    lines = [_HEAD]
    lines += [f"- {verdict}: {number}" for verdict, number in counts.most_common()]
    current = ""
    for row, found in made:
        if row.map != current:
            current = row.map
            lines += ["", f"## {current}", ""]
            lines += [
                "| element | draft | ours | verdict | why |",
                "| --- | --- | --- | --- | --- |",
            ]
        shown = [f"`{path}`" for path in found.paths[:4]]
        if len(found.paths) > 4:
            shown.append(f"and {len(found.paths) - 4} more")
        target = f"`{row.target}`" if row.target else ""
        cells = (row.source, target, ", ".join(shown), found.verdict, why(row, found))
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


@needs_shared
def test_the_page_is_what_the_mapper_does():
    text = page()
    if os.environ.get("GOLDEN"):
        PAGE.write_text(text, encoding="utf-8")
    assert text == PAGE.read_text(encoding="utf-8")


@needs_shared
def test_every_difference_has_its_reason_and_every_reason_its_difference():
    used = set()
    for row in rows():
        found = examine(row)
        assert found.verdict in ("same", "neither") or why(row, found), row
        if found.verdict in ("different", "not mapped"):
            used.add((row.source.rpartition(".")[2], row.target))
    assert used == set(REASONS)


@needs_shared
def test_every_row_of_the_draft_is_there():
    assert len(rows()) > 420
    assert {row.map.partition("-")[0] for row in rows()} == {"message", "segment", "table"}


@needs_shared
@pytest.mark.parametrize(
    ("source", "target", "verdict"),
    [
        ("PID-8", "Patient.gender", "same"),
        ("PID-8", "Patient.birthDate", "different"),
        ("PID-33", "Patient.meta", "not mapped"),
        ("PID-33", "", "neither"),
        ("PID-8", "", "ours only"),
    ],
)
def test_the_verdicts_can_be_each_of_them(source, target, verdict):
    """A row that the draft does not have shows that the examination tells them apart."""
    assert examine(Row("segment-pid-to-patient", source, "", target)).verdict == verdict
