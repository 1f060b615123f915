"""The document Bundle: self-contained, deterministic, and about one patient."""

import uuid
from datetime import UTC, datetime

import pytest
from fhir.resources.R4B.bundle import Bundle

from gateway.model.batch import Item, SourcePosition
from gateway.model.category import Category
from gateway.model.identifiers import Oid, PatientId
from gateway.model.person import Demographics, PersonName
from gateway.wire import fhir
from gateway.wire.fhir_document import SECTIONS, document_bundle
from tests.standardize.conftest import FILES, sample_batches

PATIENT = fhir.patient_resource(
    Demographics(names=(PersonName("架空", "花子"),)), [PatientId(Oid("2.999.20.1"), "1" * 16)]
)
CREATED = datetime(2026, 11, 21, 9, tzinfo=UTC)


def items():
    return [
        item
        for name in sorted(FILES)
        for batch in sample_batches(name)
        for item in batch.items
        if not item.cancelled
    ]


def bundle(contents, **changes):
    arguments = {
        "patient": PATIENT,
        "items": contents,
        "author": "見本 一郎",
        "facility": "hospital-a",
        "title": "診療情報",
        "created": CREATED,
        "identifier": "urn:uuid:00000000-0000-4000-8000-000000000001",
    }
    return document_bundle(**{**arguments, **changes})


def references(value):
    if isinstance(value, dict):
        if not value.get("reference", "#").startswith("#"):  # `#…` is in the resource itself
            yield value["reference"]
        for part in value.values():
            yield from references(part)
    elif isinstance(value, list):
        for part in value:
            yield from references(part)


def test_a_document_of_everything():
    content = bundle(items())
    Bundle.model_validate_json(content)
    whole = fhir.loads(content)
    assert whole["type"] == "document"
    assert whole["entry"][0]["resource"]["resourceType"] == "Composition"
    urls = [entry["fullUrl"] for entry in whole["entry"]]
    assert len(urls) == len(set(urls))
    assert set(references(whole)) <= set(urls)
    patients = [one for one in whole["entry"] if one["resource"]["resourceType"] == "Patient"]
    assert [one["resource"] for one in patients] == [PATIENT]
    subjects = {
        entry["resource"].get("subject", {}).get("reference") for entry in whole["entry"]
    } - {None}
    assert subjects == {"urn:uuid:" + PATIENT["id"]}
    composition = whole["entry"][0]["resource"]
    titles = [one["title"] for one in composition["section"]]
    assert set(titles) <= {title for title, _ in SECTIONS.values()}
    assert b'"value":7.10' in content


def test_equal_input_gives_equal_bytes():
    assert bundle(items()) == bundle(items())
    assert bundle(items()) != bundle(items(), identifier="urn:oid:2.999.1")


def test_what_is_not_in_it_leaves_no_trace():
    everything = items()
    hidden = next(one for one in everything if one.resource["resourceType"] == "Observation")
    content = bundle([one for one in everything if one is not hidden])
    assert hidden.resource["id"].encode() not in content


@pytest.mark.parametrize(
    ("category", "code"),
    [(None, "34133-9"), (Category.LAB_RESULT, "11502-2"), (Category.DIAGNOSIS, "34133-9")],
)
def test_type(category, code):
    whole = fhir.loads(bundle([], category=category))
    composition = whole["entry"][0]["resource"]
    assert composition["type"]["coding"][0]["code"] == code
    assert "section" not in composition


def test_author_is_the_facility_where_nobody_is_named():
    whole = fhir.loads(bundle([], author="hospital-a"))
    kinds = [entry["resource"]["resourceType"] for entry in whole["entry"]]
    assert kinds == ["Composition", "Patient", "Organization"]


def test_items_are_not_changed_by_filing_them():
    contents = items()
    before = [fhir.dumps(one.resource) for one in contents]
    bundle(contents)
    assert [fhir.dumps(one.resource) for one in contents] == before


@pytest.mark.parametrize(
    ("change", "left"),
    [
        pytest.param({"note": None, "value": []}, {}, id="nothing and empty lists go"),
        pytest.param({"text": "null"}, {"text": "null"}, id="a text of that name stays"),
        pytest.param({"seen": {"reference": "urn:uuid:" + "0" * 36}}, {}, id="leads nowhere"),
        pytest.param({"seen": {"reference": "urn:uuid:short"}}, {}, id="no UUID"),
        pytest.param({"seen": {"reference": "urn:uuid:\"x"}}, {}, id="a quote inside"),
        pytest.param({"seen": {"reference": "Patient/1"}}, {"seen": {"reference": "Patient/1"}},
                     id="of elsewhere"),
        pytest.param({"subject": {"reference": "urn:uuid:" + "1" * 36}},
                     {"subject": {"reference": "urn:uuid:" + PATIENT["id"]}}, id="another chart"),
        pytest.param({"text": '"reference":"urn:uuid:x"'}, {"text": '"reference":"urn:uuid:x"'},
                     id="only said in a text"),
    ],
)  # fmt: skip
def test_each_resource_is_bound_to_the_document(change, left):
    own = {"resourceType": "Observation", "id": str(uuid.UUID(int=5)), "status": "final"}
    one = Item(
        category=Category.LAB_RESULT, resource={**own, **change}, key="k",
        source=SourcePosition("f", "OBX[1]"),
    )  # fmt: skip
    other = next(one for one in items() if one.resource["resourceType"] == "Observation")
    found = [entry["resource"] for entry in fhir.loads(bundle([one, other]))["entry"]]
    assert {**own, **left} in found
    (beside,) = [one for one in found if one["id"] == other.resource["id"]]
    assert fhir.dumps(beside).replace(PATIENT["id"].encode(), b"") == fhir.dumps(
        other.resource
    ).replace(other.resource["subject"]["reference"].removeprefix("urn:uuid:").encode(), b"")
