"""FHIR from outside: what stands twice, claims of foreign profiles, a Patient that is contained."""

import pytest

from gateway.errors import Invalid
from tests.standardize.test_fhir_bundle import bundle, codes, observation, patient, took

CORE = "http://jpfhir.jp/fhir/core/StructureDefinition/"
NUMBER = "http://jpfhir.jp/fhir/core/IdSystem/resourceInstance-identifier"


def numbered(text, number="1"):
    return observation(code={"text": text}, identifier=[{"system": NUMBER, "value": number}])


def inside(value="00000123", text="x"):
    whose = {**patient(value=value), "birthDate": "1962-11-03"}
    return observation(contained=[whose], subject={"reference": "#p"}, code={"text": text})


def test_the_same_resource_twice_is_taken_once():
    batch = took(bundle(patient(), numbered("a"), numbered("a"), numbered("b", "2")))
    assert [one.resource["code"]["text"] for one in batch.items] == ["a", "b"]
    assert batch.account["entry[2]"] == "entry-repeated"
    assert "number-repeated" not in codes(batch)


def test_other_resources_of_one_number_are_both_taken():
    batch = took(bundle(patient(), numbered("a"), numbered("b")))
    first, second = batch.items
    assert first.key != second.key
    assert [one.at for one in batch.findings if one.code == "number-repeated"] == ["entry[2]"]


def test_a_result_may_name_the_specimen_that_stands_twice():
    serum = {"resourceType": "Specimen", "id": "s", "subject": {"reference": "Patient/p"},
             "identifier": [{"system": NUMBER, "value": "9"}]}  # fmt: skip
    result = observation(specimen={"reference": "Specimen/s"})
    batch = took(bundle(patient(), serum, serum, result))
    (item,) = [one for one in batch.items if one.resource["resourceType"] == "Observation"]
    assert [one["resourceType"] for one in item.companions] == ["Specimen"]
    assert item.resource["specimen"]["reference"].endswith(item.companions[0]["id"])


@pytest.mark.parametrize(
    ("claimed", "left"),
    [
        (["JP_Condition"], None),
        (["JP_Condition", "JP_Observation_Common"], [f"{CORE}JP_Observation_Common"]),
        (["JP_Observation_Common"], [f"{CORE}JP_Observation_Common"]),
    ],
)
def test_a_profile_of_another_type_is_no_claim(claimed, left):
    meta = {"profile": [CORE + one for one in claimed]}
    batch = took(bundle(patient(), observation(meta=meta)))
    (item,) = batch.items
    assert item.resource["meta"].get("profile") == left
    assert ("profile-wrong" in codes(batch)) == ("JP_Condition" in claimed)
    assert "subject" in item.resource
    assert "clinicalStatus" not in item.resource


def test_a_contained_patient_says_whose_it_is():
    batch = took(inside())
    assert batch.patient.value == "00000123"
    assert batch.demographics.birth.isoformat() == "1962-11-03"
    (item,) = batch.items
    assert "contained" not in item.resource
    assert item.resource["subject"]["reference"] == f"urn:uuid:{batch.patient_resource['id']}"


def test_contained_patients_who_differ_are_refused():
    with pytest.raises(Invalid):
        took(bundle(inside("1", "a"), inside("2", "b")), patient="1")
    with pytest.raises(Invalid):
        took(bundle(patient(), inside("2")))


def test_a_contained_patient_like_the_one_of_the_file_is_that_one():
    batch = took(bundle(patient(), inside()))
    assert len(batch.items) == 1
    assert batch.patient.value == "00000123"
