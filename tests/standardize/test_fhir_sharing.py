"""FHIR from outside: the national sharing service, accounts of entries, and odd values anywhere."""

import json
import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gateway.errors import Invalid, Refusal
from gateway.model.category import Category
from gateway.standardize import read
from gateway.wire import fhir
from tests.standardize.test_fhir_bundle import (
    FHIR,
    bundle,
    observation,
    patient,
    sample,
    took,
    upload,
)


@pytest.mark.parametrize(("name", "kind", "category"), [
    ("condition", "Condition", Category.DIAGNOSIS),
    ("allergy", "AllergyIntolerance", Category.ALLERGY),
    ("contraindication", "AllergyIntolerance", Category.ALLERGY),
    ("lab", "Observation", Category.LAB_RESULT),
    ("infection", "Observation", Category.LAB_RESULT),
    ("prescription", "MedicationRequest", Category.PRESCRIPTION),
])  # fmt: skip
def test_the_six_kinds_of_the_sharing_service(name, kind, category):
    batch = read(upload((FHIR / f"clins-{name}.json").read_bytes()))
    assert batch.format == "fhir/clins"
    assert {one.resource["resourceType"] for one in batch.items} == {kind}
    assert {one.category for one in batch.items} == {category}


@pytest.mark.parametrize("name", [
    "clins-condition", "clins-allergy", "clins-contraindication", "clins-lab", "clins-infection",
    "sharing-prescription",
])  # fmt: skip
def test_a_whole_delivery_of_each_kind_lacks_nothing(name):
    batch = read(upload((FHIR / f"{name}.json").read_bytes()))
    assert {one.code for one in batch.findings} <= {"patient-uninformed"}


@pytest.mark.parametrize(("name", "code", "kind"), [
    ("referral", "57133-1", "Condition"),
    ("discharge", "18842-5", "Condition"),
    ("checkup", "53576-5", "Observation"),
])  # fmt: skip
def test_the_three_documents_of_the_sharing_service(name, code, kind):
    batch = read(upload((FHIR / f"document-{name}.json").read_bytes()))
    assert batch.format == "fhir/document"
    (paper,) = batch.papers
    assert (paper.type_code.code, paper.content) == (code, None)  # filed as it came
    assert [one.resource["resourceType"] for one in batch.items] == [kind]


@pytest.mark.parametrize(("change", "at"), [
    (lambda made: made.pop("timestamp"), "Bundle.timestamp"),
    (lambda made: made["identifier"].update(value="x"), "Bundle.identifier"),
    (lambda made: made["entry"][1]["resource"]["code"].pop("text"), "entry[1] Condition.code.text"),
    (lambda made: made["entry"][1]["resource"].pop("identifier"), "entry[1] Condition.identifier"),
    (lambda made: made["entry"][1]["resource"]["meta"].pop("lastUpdated"),
     "entry[1] Condition.meta.lastUpdated"),
    (lambda made: made["entry"][0]["resource"].pop("address"), "entry[0] Patient.address"),
    (lambda made: made["entry"].append({"resource": {
        "resourceType": "AllergyIntolerance", "patient": {"reference": "Patient/p1"}}}),
     "Bundle.entry"),
])  # fmt: skip
def test_what_the_sharing_service_demands_is_found(change, at):
    made = sample("clins-condition.json")
    change(made)
    batch = took(made)
    assert at in {one.at for one in batch.findings if one.code == "clins-missing"}


def test_a_bundle_of_the_sharing_service_needs_its_patient():
    made = sample("clins-condition.json")
    del made["entry"][0]
    with pytest.raises(Invalid):
        took(made, patient="1")


def test_findings_never_carry_a_value():
    secret = "SECRET-VALUE"
    batch = took(bundle(patient(), observation(**{secret.lower(): secret}),
                        observation(valueQuantity={"value": secret})))  # fmt: skip
    assert secret not in "".join(one.at + one.text for one in batch.findings)


@pytest.mark.parametrize("path", sorted(FHIR.iterdir()), ids=lambda path: path.name)
def test_every_entry_is_accounted_for(path: Path):
    content = path.read_bytes()
    batch = read(upload(content))
    try:
        number = len(json.loads(content)["entry"])
    except ValueError:
        number = len(content.splitlines())
    assert len(batch.account) == number


def test_a_refusal_names_no_value():
    with pytest.raises(Refusal) as found:
        took(bundle(patient(), observation(status="SECRET"), kind="transaction"))
    assert "SECRET" not in found.value.english + found.value.at


ODD = [
    None,
    "",
    "x",
    0,
    -1,
    1.5,
    True,
    [],
    {},
    [None],
    [[]],
    [{}],
    {"reference": 3},
    "#",
    "Patient/p",
    {"coding": [None]},
    {"extension": [{"url": "x"}]},
    "9999-99-99",
    "urn:uuid:",
    "\u202e",
    10**18,
]
"What stands where it should not."


def _places(value, path=()):
    yield path
    parts = (
        value.items()
        if isinstance(value, dict)
        else (enumerate(value) if isinstance(value, list) else ())
    )
    for name, part in parts:
        yield from _places(part, (*path, name))


def _change(value, path, odd):
    if not path:
        return odd
    copy = dict(value) if isinstance(value, dict) else list(value)
    copy[path[0]] = _change(copy[path[0]], path[1:], odd)
    return copy


@pytest.mark.parametrize("name", [one.name for one in sorted(FHIR.glob("*.json"))])
@settings(
    max_examples=int(os.environ.get("FUZZ", "60")),
    deadline=None,
    suppress_health_check=list(HealthCheck),
)
@given(st.data())
def test_an_odd_value_anywhere_never_crashes(name, data):
    made = sample(name)
    for _ in range(data.draw(st.integers(1, 3))):
        path = data.draw(st.sampled_from([one for one in _places(made) if one]))
        try:
            made = _change(made, path, data.draw(st.sampled_from(ODD)))
        except (KeyError, IndexError, TypeError):
            continue
    try:
        batch = took(made, patient="1")
    except Refusal:
        return
    for item in batch.items:
        fhir.loads(fhir.dumps(item.resource))
    assert all(batch.account.values())
