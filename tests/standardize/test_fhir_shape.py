"""What is FHIR in its structure and what is not, where a library would let it pass or break."""

import pytest

from gateway.errors import Malformed
from gateway.standardize.fhir_bundle import shape
from tests.standardize.test_fhir_bundle import bundle, codes, observation, patient, took


@pytest.mark.parametrize("kind", [None, 1, [], {}, "", "Nothing"])
def test_what_is_contained_and_of_no_type_is_not_fhir(kind: object) -> None:
    made = {"resourceType": "Observation", "status": "final", "code": {"text": "x"},
            "contained": [{"resourceType": kind}]}  # fmt: skip
    assert shape.problems(made)


@pytest.mark.parametrize(
    ("element", "value"),
    [
        ("managingOrganization", '{"reference":"#o"}'),
        ("name", ['{"family":"x"}']),
        ("_birthDate", '{"extension":[{"url":"http://x","valueString":"y"}]}'),
        ("_birthDate", "1"),
        ("maritalStatus", "1"),
    ],
)
def test_a_text_with_json_inside_is_no_object(element: str, value: object) -> None:
    """The library that judges reads what is inside; nobody else does."""
    told = shape.problems({**patient(), "birthDate": "2000-01-01", element: value})
    assert len(told) == 1
    assert told[0].startswith("Patient")


def test_a_text_with_json_inside_may_be_a_text() -> None:
    note = [{"text": '{"a": 1}'}]
    assert shape.problems(observation(note=note)) == ()
    assert took(bundle(patient(), observation(note=note))).items


@pytest.mark.parametrize("method", [["PUT"], {}, None, 1])
def test_a_request_whose_method_is_no_text(method: object) -> None:
    entry = {"resource": observation(), "request": {"method": method, "url": "Observation"}}
    with pytest.raises(Malformed, match="whole or not at all"):
        took(bundle(patient(), entry, kind="transaction"))
    batch = took(bundle(patient(), entry))
    assert [one.resource["resourceType"] for one in batch.items] == ["Observation"]


def test_a_faulty_statement_of_nobody_is_set_aside() -> None:
    batch = took({**observation(category=["x"]), "subject": {"display": "x"}})
    assert batch.patient is None
    assert codes(batch) == {"patient-not-stated"}
