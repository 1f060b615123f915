"""FHIR JSON: decimals, strict reading, builders."""

import uuid
from datetime import date
from decimal import Decimal

import pytest
from fhir.resources.R4B import get_fhir_model_class
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.errors import Malformed
from gateway.model.identifiers import Oid, PatientId
from gateway.model.person import Address, Demographics, Gender, PersonName, Script, Telecom
from gateway.wire import fhir

PATIENT = PatientId(Oid("2.999.30.1"), "0012345")
PERSON = Demographics(
    names=(
        PersonName("架空", "花子"),
        PersonName("カクウ", "ハナコ", Script.KANA),
        PersonName("", "", Script.ROMAN, text="KAKU"),
    ),
    birth=date(1962, 11, 3),
    gender=Gender.FEMALE,
    addresses=(Address(text="見本県試験市", postal_code="999-0001", country="JPN", use="H"),),
    telecoms=(Telecom("000-1111-2222", "H"), Telecom("mailto:a@example.org", "WP")),
    deceased=True,
)


@pytest.mark.parametrize("written", ["7.10", "0.0", "-1.50", "1E+3", "7", "100", "0.000001"])
def test_decimals_keep_their_written_precision(written):
    assert fhir.dumps({"v": Decimal(written)}) == b'{"v":' + written.encode() + b"}"
    assert fhir.dumps(fhir.loads(b'{"v":' + written.encode() + b"}")) == fhir.dumps(
        {"v": Decimal(written)}
    )


@settings(max_examples=200, deadline=None)
@given(
    st.recursive(
        st.none()
        | st.booleans()
        | st.integers(-(10**17), 10**17)
        | st.decimals(allow_nan=False, allow_infinity=False, places=3)
        | st.text(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
        max_leaves=20,
    )
)
def test_what_is_written_is_read_back(value):
    assert fhir.loads(fhir.dumps({"v": value})) == {"v": value}


@pytest.mark.parametrize(
    "text",
    [
        "[]",
        "1",
        "",
        "{",
        '{"a":1,"a":2}',
        '{"a":{"b":1,"b":1}}',
        '{"a":NaN}',
        '{"a":Infinity}',
        '{"a":1234567890123456789012}',
        '{"a":1e99999999999999999999}',
        '{"a":-0.1E-' + "9" * 400 + "}",
        '{"a":' + "[" * 100_000 + "]" * 100_000 + "}",
    ],
    ids=lambda text: text[:24],
)
def test_what_is_not_sound_json_is_refused(text):
    with pytest.raises(Malformed) as caught:
        fhir.loads(text)
    assert caught.value.rule == "E-13"


def test_what_has_no_json_is_a_defect():
    for value in (Decimal("NaN"), Decimal("Infinity"), object()):
        with pytest.raises(TypeError):
            fhir.dumps({"v": value})


def test_patient():
    one = fhir.patient_resource(PERSON, [PATIENT, PatientId(Oid("2.999.20.1"), "1")])
    get_fhir_model_class("Patient").model_validate_json(fhir.dumps(one))
    assert one["meta"]["profile"] == [fhir.PROFILES + "JP_Patient"]
    assert one["id"] == fhir.patient_resource_id(PATIENT)
    assert one["identifier"][0] == {"system": "urn:oid:2.999.30.1", "value": "0012345"}
    assert [name["text"] for name in one["name"]] == ["架空 花子", "カクウ ハナコ", "KAKU"]
    assert [name["extension"][0]["valueCode"] for name in one["name"]] == ["IDE", "SYL", "ABC"]
    assert "family" not in one["name"][2]
    assert one["telecom"][1] == {"system": "email", "value": "a@example.org", "use": "work"}
    assert one["address"][0]["postalCode"] == "999-0001"
    assert (one["gender"], one["birthDate"], one["deceasedBoolean"]) == (
        "female",
        "1962-11-03",
        True,
    )
    assert fhir.patient_resource(Demographics(), [PATIENT], identity="x")["id"] == "x"


def test_organization_and_practitioner():
    one = fhir.organization(
        fhir.resource_id("o"),
        "見本薬局",
        prefecture="99",
        fee_table="4",
        number="9999999",
        addresses=[Address(text="町", line="1")],
        telecoms=[Telecom("03")],
    )
    get_fhir_model_class("Organization").model_validate_json(fhir.dumps(one))
    assert one["identifier"][0]["value"] == "9949999999"
    assert len(one["extension"]) == 3
    bare = fhir.organization("x", "名")
    assert set(bare) == {"resourceType", "id", "meta", "language", "name"}
    doctor = fhir.practitioner("x", PERSON.names, system="urn:x", number="D01")
    get_fhir_model_class("Practitioner").model_validate_json(fhir.dumps(doctor))
    assert doctor["identifier"] == [{"system": "urn:x", "value": "D01"}]
    assert fhir.practitioner("x", (), number="1")["identifier"] == [{"value": "1"}]


def test_small_parts():
    assert fhir.reference("x", "名") == {"reference": "urn:uuid:x", "display": "名"}
    assert fhir.coding("a") == {"code": "a"}
    assert fhir.concept() == {}
    assert fhir.quantity(Decimal("1"), comparator="<") == {"value": 1, "comparator": "<"}
    assert fhir.absent()["extension"][0]["valueCode"] == "unknown"
    assert fhir.contact_point(Telecom("https://example.org"))["system"] == "url"
    assert fhir.contact_point(Telecom("03:1"))["value"] == "03:1"
    assert fhir.read_gender("female") is Gender.FEMALE
    assert fhir.read_gender("x") is None


def test_ids_are_made_of_what_they_are_about():
    assert fhir.resource_id("a", "b") == fhir.resource_id("a", "b")
    assert fhir.resource_id("a", "b") != fhir.resource_id("ab", "")


@given(st.lists(st.text(alphabet="a山|\x1f", max_size=8), min_size=1, max_size=4))
def test_an_id_is_the_uuid_of_its_parts(parts):
    space = uuid.UUID("6f1f4a0e-2c0f-5c8e-9a58-5d0b0c0f7a11")
    assert fhir.resource_id(*parts) == str(uuid.uuid5(space, "\x1f".join(parts)))
