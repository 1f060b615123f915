"""The published FHIR resources: all taken in; and the faults that a published validator names."""

import json
from collections import Counter

import pytest

from gateway.standardize import Upload, attempt
from gateway.wire import fhir
from tests.shared import SHARED, needs_shared, shared

VISIBLE = ("japan", "samples", "visible")
STATED = "00000010"
NOT_SEEN = {
    "extensions": 15,
    "fhir-base": 26,
    "jp-core": 6,
    "positive-controls": 3,
    "terminology": 18,
}
"""How many of the published faults are left to HL7's engine: contents of extensions, slices,
invariants between elements, and every question about a code system or value set."""
JUDGED = {"not-fhir", "value-absent", "malformed", "no-subject", "invalid"}


def _paths(*parts, pattern="*.json"):
    if SHARED is None:
        return [pytest.param(None, marks=needs_shared)]
    return [
        pytest.param(path, id=path.stem) for path in sorted(shared(*VISIBLE, *parts).glob(pattern))
    ]


def taken(path, patient=STATED):
    return attempt(Upload(path=path.name, content=path.read_bytes(), patient=patient))


@pytest.mark.parametrize("path", [
    *_paths("jp-core-1.2.0-examples"), *_paths("eprescription-fhir", "package"),
])  # fmt: skip
def test_a_published_resource_is_taken_whole(path):
    batch = taken(path)
    assert batch.format.startswith("fhir/")
    written = json.loads(path.read_bytes())
    number = len(written["entry"]) if written["resourceType"] == "Bundle" else 1
    assert len(batch.account) == number
    assert "not-fhir" not in {one.code for one in batch.findings}
    assert "value-absent" not in {one.code for one in batch.findings}
    if not batch.items and written["resourceType"] != "Patient":
        assert batch.findings
    for item in batch.items:
        fhir.loads(fhir.dumps(item.resource))
        if item.source.at == "resource":
            assert _shape(item.resource) == _shape(fhir.loads(path.read_bytes()))


def _shape(value):
    """Everything that a resource says, but for what is renamed here: systems, ids, references."""
    if isinstance(value, dict):
        return {
            name: _shape(part) for name, part in value.items()
            if name not in ("id", "reference", "system", "url", "language", "type", "identifier")
        }  # fmt: skip
    return [_shape(part) for part in value] if isinstance(value, list) else value


@needs_shared
def test_how_many_of_the_examples_become_what():
    kinds = Counter()
    for path in shared(*VISIBLE, "jp-core-1.2.0-examples").glob("*.json"):
        batch = taken(path)
        kinds["item" if batch.items else ",".join(sorted({f.code for f in batch.findings}))] += 1
    assert kinds["item"] == 60
    assert kinds[""] == 1  # the Patient
    assert kinds["support-alone"] + kinds["reference-unresolved,support-alone"] == 15


@needs_shared
def test_without_a_stated_patient_an_example_says_so():
    for path in shared(*VISIBLE, "jp-core-1.2.0-examples").glob("*.json"):
        batch = taken(path, patient="")
        codes = {one.code for one in batch.findings}
        assert batch.items == () or path.name.startswith("Patient")
        assert batch.patient is not None or codes & {"patient-not-stated", "support-alone"}


@needs_shared
def test_an_e_prescription_document():
    path = shared(*VISIBLE, "eprescription-fhir", "package",
                  "Bundle-Bundle-for-JP-MedReq-ePreBundleExample01.json")  # fmt: skip
    batch = taken(path)
    (paper,) = batch.papers
    assert paper.type_code.code == "57833-6"
    assert paper.unique_id.startswith("2.25.")
    text = b"".join(fhir.dumps(item.resource) for item in batch.items).decode()
    assert "urn:oid:1.2.392.100495.20.2" not in text
    assert "urn:oid:1.2.392.200250" not in text
    assert "DosageInstruction_UsageDuration" not in text
    assert Counter(item.resource["resourceType"] for item in batch.items) == {
        "Coverage": 2, "MedicationRequest": 2}  # fmt: skip


@needs_shared
def test_the_faults_of_a_published_validator():
    """Each file names its fault; this counts those that we do not see ourselves on the way in."""
    missed = Counter()
    for path in shared(*VISIBLE, "fhir-jp-validator", "test-cases").glob("*/*.ndjson"):
        batch = taken(path, patient="1")
        if not {one.code for one in batch.findings} & JUDGED:
            missed[path.parent.name] += 1
    assert dict(missed) == NOT_SEEN
