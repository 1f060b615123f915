"""FHIR from outside: whose it is, what becomes of every entry, and what is refused."""

import json
from decimal import Decimal

import pytest

from gateway.errors import Invalid, Malformed, OverLimit, Unsupported
from gateway.model.category import Category
from gateway.model.identifiers import Oid, PatientId
from gateway.standardize import Upload, read, recognise
from gateway.wire import fhir
from tests.standardize.conftest import SAMPLES

HOSPITAL = Oid("2.999.30.1")
CHART = "00000123"
FHIR = SAMPLES / "fhir"
CHARTS = "urn:oid:1.2.392.100495.20.3.51.1"


def sample(name):
    return fhir.loads((FHIR / name).read_bytes())


def upload(value, *, patient="", institution="", domain=HOSPITAL, path="x.json"):
    content = value if isinstance(value, bytes) else fhir.dumps(value)
    return Upload(path=path, content=content, domain=domain, patient=patient,
                  institution=institution)  # fmt: skip


def took(value, **more):
    return read(upload(value, **more))


def codes(batch):
    return {finding.code for finding in batch.findings}


def observation(**more):
    return {
        "resourceType": "Observation", "status": "final", "code": {"text": "x"},
        "subject": {"reference": "Patient/p"}, **more,
    }  # fmt: skip


def patient(identity="p", system="urn:oid:2.999.30.1", value=CHART):
    return {"resourceType": "Patient", "id": identity,
            "identifier": [{"system": system, "value": value}]}  # fmt: skip


def bundle(*resources, kind="collection", **more):
    entries = [one if "resource" in one or "request" in one else {"resource": one}
               for one in resources]  # fmt: skip
    return {"resourceType": "Bundle", "type": kind, "entry": entries, **more}


def test_a_bundle_becomes_items_with_what_stands_beside_them():
    batch = read(upload((FHIR / "jp-core-collection.json").read_bytes()))
    assert batch.patient == PatientId(HOSPITAL, CHART)
    result = batch.items[0]
    assert result.category is Category.LAB_RESULT
    assert result.resource["valueQuantity"]["value"] == Decimal("7.10")
    assert b'"value":7.10' in fhir.dumps(result.resource)
    assert result.resource["code"]["coding"][0]["system"].endswith("master-JLAC10-17digits")
    assert result.resource["meta"]["profile"] == [fhir.PROFILES + "JP_Observation_LabResult"]
    assert result.resource["extension"][0]["url"] == "http://example.org/own-extension"
    kinds = {one["resourceType"] for one in result.companions}
    assert kinds == {"Specimen", "Practitioner", "Encounter", "Organization"}
    known = {one["id"] for one in result.companions} | {batch.patient_resource["id"]}
    for to in _references(result.resource):
        assert to.removeprefix("urn:uuid:") in known
    assert "value-absent" in codes(batch)
    wrong = batch.items[2]
    assert (wrong.resource["resourceType"], wrong.cancelled) == ("AllergyIntolerance", True)


def _references(value):
    if isinstance(value, dict):
        if "reference" in value and isinstance(value["reference"], str):
            yield value["reference"]
        for part in value.values():
            yield from _references(part)
    elif isinstance(value, list):
        for part in value:
            yield from _references(part)


def test_positions_are_the_bytes_of_the_entry():
    content = (FHIR / "jp-core-collection.json").read_bytes()
    written = json.loads(content)["entry"]
    for item in read(upload(content)).items:
        number = int(item.source.at.removeprefix("entry[").removesuffix("]"))
        found = json.loads(content[item.source.start : item.source.end])
        assert found == written[number]


def test_positions_of_lines():
    content = b"\xef\xbb\xbf" + (FHIR / "resources.ndjson").read_bytes()
    batch = read(upload(content))
    for item in batch.items:
        found = json.loads(content[item.source.start : item.source.end])
        assert found["resourceType"] == item.resource["resourceType"]
    assert batch.account["line 4"] == "not-fhir"


def test_the_same_bundle_again_has_the_same_keys_and_ids():
    content = (FHIR / "jp-core-collection.json").read_bytes()
    first, again = read(upload(content)), read(upload(content, path="other.json"))
    assert [one.key for one in first.items] == [one.key for one in again.items]
    assert [one.resource for one in first.items] == [one.resource for one in again.items]


def test_a_correction_is_a_newer_version_of_the_same_item():
    old = sample("clins-lab.json")
    new = sample("clins-lab.json")
    new["entry"][1]["resource"]["meta"]["lastUpdated"] = "2026-11-21T00:00:00+09:00"
    new["entry"][1]["resource"]["status"] = "corrected"
    new["entry"][1]["fullUrl"] = "urn:uuid:00000000-0000-4000-8000-000000000099"
    one, two = took(old).items[0], took(new).items[0]
    assert (one.key, one.resource["id"]) == (two.key, two.resource["id"])
    assert one.version < two.version


def test_results_under_one_number_stay_two():
    number = [{"system": "http://example.org/order", "value": "7"}]
    first = observation(identifier=number, code={"coding": [{"system": "s", "code": "a"}]})
    second = observation(identifier=number, code={"coding": [{"system": "s", "code": "b"}]})
    batch = took(bundle(patient(), first, second))
    assert len({one.key for one in batch.items}) == 2


@pytest.mark.parametrize(("system", "institution", "domain", "found"), [
    ("urn:oid:2.999.30.1", "", HOSPITAL, CHART),
    (CHARTS + "2119999999", "2119999999", HOSPITAL, CHART),
    (CHARTS + "1310000000", "2119999999", HOSPITAL, None),
    (CHARTS + "2119999999", "", HOSPITAL, None),
    (CHARTS + "2119999999", "", None, CHART),
    ("urn:oid:2.999.30.2", "", HOSPITAL, None),
    ("http://example.org/mrn", "", HOSPITAL, None),
])  # fmt: skip
def test_whose_chart_id(system, institution, domain, found):
    batch = took(bundle(patient(system=system), observation()), institution=institution,
                 domain=domain)  # fmt: skip
    assert (batch.patient.value if batch.patient else None) == found
    if found is None:
        assert codes(batch) == {"patient-not-stated"}
        assert batch.items == ()
        stated = took(bundle(patient(system=system), observation()), institution=institution,
                      domain=domain, patient="77")  # fmt: skip
        assert stated.patient.value == "77"
        assert {"system": system, "value": CHART} in stated.patient_resource["identifier"]


@pytest.mark.parametrize("value", [
    bundle(patient(), patient("q", value="9"), observation()),
    bundle(patient(), observation(subject={"reference": "Patient/q"})),
    bundle(patient(), observation(subject={"reference": "urn:uuid:elsewhere"})),
    bundle(patient(), observation(subject={"identifier": {"system": "s", "value": "2"}})),
    bundle(observation(), observation(subject={"reference": "Patient/q"})),
    {**bundle(patient(), observation()), "entry": [
        {"resource": {**patient(), "identifier": [
            {"system": "urn:oid:2.999.30.1", "value": "1"},
            {"system": "urn:oid:2.999.30.1", "value": "2"}]}},
    ]},
])  # fmt: skip
def test_two_patients_in_one_file_are_refused(value):
    with pytest.raises(Invalid):
        took(value, patient="1")


def test_a_subject_by_identifier_is_the_patient():
    logical = {"identifier": {"system": "urn:oid:2.999.30.1", "value": CHART}}
    assert len(took(bundle(patient(), observation(subject=logical))).items) == 1
    alone = took(observation(subject=logical))
    assert alone.patient.value == CHART


def test_a_resource_without_a_patient_needs_a_stated_one():
    assert took(observation()).patient is None
    batch = took(observation(), patient="5")
    assert batch.patient.value == "5"
    assert batch.items[0].resource["subject"]["reference"].startswith("urn:uuid:")
    support = took({"resourceType": "Organization", "name": "x"})
    assert (support.patient, codes(support)) == (None, {"support-alone"})


@pytest.mark.parametrize("content", [
    b'{"resourceType": "Patient", "resourceType": "Patient"}',
    b'{"resourceType": "Observation", "valueInteger": NaN}',
    b'{"resourceType": "Observation", "valueInteger": ' + b"1" * 5000 + b"}",
    b'{"resourceType": "Observation", "valueDecimal": 1e999999999}',
    b'{"resourceType": "Observation", "valueDecimal": 1.' + b"1" * 60 + b"}",
    b'{"resourceType": "Observation", "note": [' + b"[" * 200 + b"]" * 200 + b"]}",
    b'{"resourceType": "Observation", "note": ' + b"[" * 100_000 + b"]" * 100_000 + b"}",
    b'{"resourceType": "Observation", "valueString": "\\ud800"}',
    b'{"resourceType": "Observation", "valueString": "\\u0000"}',
    b'{"resourceType": "Observation", "valueString": "\xff"}',
    b'{"resourceType": "Observation", "valueString": "x"',
    b'{"resourceType": "Observation"} {"resourceType": "Observation"}',
    b'{"resourceType": "Bundle", "type": "collection", "entry": {}}',
    b'{"resourceType": "Bundle", "type": "collection", "entry": [1]}',
    b'{"resourceType": "Bundle", "type": "collection", "\\u0065ntry": [{"resource": {}}]}',
])  # fmt: skip
def test_json_that_nobody_could_hold_is_refused(content):
    with pytest.raises((Malformed, OverLimit)) as found:
        read(upload(content))
    assert found.value.at


@pytest.mark.parametrize("kind", ["history", "transaction-response", "batch-response", "x", 5])
def test_other_bundles_are_refused(kind):
    with pytest.raises(Unsupported):
        took(bundle(kind=kind))


@pytest.mark.parametrize("content", [
    b'<Bundle xmlns="http://hl7.org/fhir"><type value="collection"/></Bundle>',
    b"<?xml version='1.0'?>\n<Patient xmlns='http://hl7.org/fhir'/>",
])  # fmt: skip
def test_fhir_as_xml_is_told_what_to_send(content):
    with pytest.raises(Unsupported) as found:
        recognise(upload(content, path="x.xml"))
    assert "JSON" in found.value.english
    assert "JSON" in found.value.japanese


@pytest.mark.parametrize(("kind", "resources"), [
    ("document", [patient(), observation()]),
    ("document", []),
    ("transaction", [patient(), observation()]),
    ("transaction", [{"resource": observation(status="x"), "request": {"method": "POST"}}]),
])  # fmt: skip
def test_a_document_and_a_transaction_are_whole_or_refused(kind, resources):
    with pytest.raises(Malformed):
        took(bundle(*resources, kind=kind), patient="1")


def test_of_a_collection_a_faulty_resource_is_left_out_alone():
    batch = took(bundle(patient(), observation(), observation(status="done"),
                        observation(component="x"), {"resourceType": "Foo"}))  # fmt: skip
    assert len(batch.items) == 1
    assert [at for at, became in batch.account.items() if became == "not-fhir"] == [
        "entry[2]", "entry[3]", "entry[4]"]  # fmt: skip
    assert any(one.at == "entry[2] Observation.status" for one in batch.findings)


@pytest.mark.parametrize("more", [
    {"modifierExtension": [{"url": "http://x", "valueBoolean": True}]},
    {"implicitRules": "http://x"},
    {"component": [{"code": {"text": "x"},
                    "modifierExtension": [{"url": "http://x", "valueBoolean": True}]}]},
    {"valueQuantity": {"value": 1, "comparator": "~"}},
])  # fmt: skip
def test_a_meaning_that_is_not_understood_is_left_out(more):
    batch = took(bundle(patient(), observation(**more)))
    assert batch.items == ()
    assert "not-fhir" in codes(batch)


def test_a_narrative_that_acts_goes_and_another_stays():
    def told(div):
        text = {
            "status": "generated",
            "div": f'<div xmlns="http://www.w3.org/1999/xhtml">{div}</div>',
        }
        batch = took(bundle(patient(), observation(text=text)))
        return "text" in batch.items[0].resource, "narrative-left-out" in codes(batch)

    assert told("<p>所見</p>") == (True, False)
    assert told("<script>x()</script>") == (False, True)
    assert told('<p onclick="x()">a</p>') == (False, True)


def test_requests_that_are_not_followed():
    gone = {"request": {"method": "DELETE", "url": "Observation/1"}}
    asked = {"resource": observation(), "request": {"method": "PATCH", "url": "Observation/1"}}
    batch = took(bundle(patient(), gone, asked, kind="batch"))
    assert batch.items == ()
    assert set(batch.account.values()) == {"used", "request-not-followed"}


def test_references_that_two_entries_answer_lead_nowhere():
    doctor = {"resourceType": "Practitioner", "id": "d", "name": [{"text": "a"}]}
    other = {"resourceType": "Practitioner", "id": "d", "name": [{"text": "b"}]}
    to = [{"reference": "Practitioner/d", "display": "a"}]
    batch = took(bundle(patient(), doctor, other, observation(performer=to)))
    (item,) = batch.items
    assert item.companions == ()
    assert item.resource["performer"][0]["identifier"]["value"] == "Practitioner/d"
    assert {"reference-unresolved", "support-alone"} <= codes(batch)


def test_contained_resources_stay_inside():
    inside = {"resourceType": "Organization", "id": "o", "name": "x"}
    batch = took(
        bundle(patient(), observation(contained=[inside], performer=[{"reference": "#o"}]))
    )
    assert batch.items[0].resource["performer"] == [{"reference": "#o"}]


def test_a_statement_of_nobody_is_left():
    batch = took(bundle(patient(), {"resourceType": "Observation", "status": "final",
                                    "code": {"text": "x"}}))  # fmt: skip
    assert batch.account["entry[1]"] == "no-subject"


def test_a_document_is_filed_as_it_came_and_its_statements_are_items():
    batch = read(upload((FHIR / "document-discharge.json").read_bytes()))
    (paper,) = batch.papers
    assert paper.content is None
    assert (paper.type_code.code, paper.mime_type) == ("18842-5", "application/fhir+json")
    assert (paper.author, paper.author_institution) == ("例示 医師", "見本病院")
    assert paper.created.isoformat() == "2026-11-20T10:00:00+09:00"
    assert [one.resource["resourceType"] for one in batch.items] == ["Condition"]
    assert "bundle-signature" in codes(batch)


def test_a_document_that_is_taken_back_is_not_filed():
    made = sample("document-discharge.json")
    made["entry"][0]["resource"]["status"] = "entered-in-error"
    batch = took(made)
    assert batch.papers == ()
    assert all(item.cancelled for item in batch.items)


def test_a_pdf_inside_a_document_reference_is_a_document():
    made = {
        "resourceType": "DocumentReference",
        "status": "current",
        "subject": {"reference": "Patient/p"},
        "description": "看護サマリ",
        "content": [{"attachment": {"contentType": "application/pdf", "data": "JVBERi0x"}}],
    }
    batch = took(bundle(patient(), made))
    assert batch.items == ()
    (paper,) = batch.papers
    assert (paper.content, paper.mime_type) == (b"%PDF-1", "application/pdf")
    assert paper.category is Category.NURSING
    assert batch.account["entry[1]"] == "item document"


def test_another_type_of_a_choice_satisfies_a_profile():
    drug = {"resourceType": "Medication", "id": "m", "code": {"text": "x"}}
    made = {
        "resourceType": "MedicationRequest",
        "meta": {"profile": [fhir.PROFILES + "JP_MedicationRequest"]},
        "status": "active",
        "intent": "order",
        "medicationReference": {"reference": "Medication/m"},
        "subject": {"reference": "Patient/p"},
    }
    batch = took(bundle(patient(), drug, made))
    (item,) = batch.items
    assert "medicationCodeableConcept" not in item.resource
    assert [one["resourceType"] for one in item.companions] == ["Medication"]
    absent = {one.at for one in batch.findings if one.code == "value-absent"}
    assert "entry[2] MedicationRequest.authoredOn" in absent
