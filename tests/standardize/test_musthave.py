"""JP Core's required elements: our own check, and the published table of them."""

from decimal import Decimal

import pytest

from gateway.model.category import Category
from gateway.model.identifiers import Oid, PatientId
from gateway.standardize import Upload, musthave
from gateway.standardize.reading import Reading
from gateway.wire import fhir
from tests.shared import needs_shared, shared
from tests.standardize import jp_core
from tests.standardize.conftest import FILES, sample_batches

PLAIN = {"CareTeam", "Communication", "SupplyDelivery"}
"Resources that JP Core has no profile for, and that the samples become."


def resources():
    for name in FILES:
        for batch in sample_batches(name):
            if batch.patient_resource:
                yield name, batch.patient_resource
            for item in batch.items:
                yield name, item.resource
                for companion in item.companions:
                    yield name, companion


@needs_shared
def test_what_the_samples_become_has_every_required_element():
    faults = {
        (name, one["resourceType"], problem)
        for name, one in resources()
        if "meta" in one
        for problem in jp_core.problems(one)
    }
    assert not faults


@needs_shared
def test_the_judge_accepts_the_guides_own_examples():
    for path in shared("japan", "samples", "visible", "jp-core-1.2.0-examples").glob("*.json"):
        one = fhir.loads(path.read_bytes())
        if "meta" in one and one["resourceType"] in ("Patient", "Condition", "MedicationRequest"):
            assert not list(jp_core.problems(one)), path.name


@needs_shared
@pytest.mark.parametrize(
    ("kind", "profile", "drop"),
    [
        ("MedicationRequest", "JP_MedicationRequest", "authoredOn"),
        ("Observation", "JP_Observation_LabResult", "specimen"),
        ("Observation", "JP_Observation_LabResult", "effectiveDateTime"),
        ("Patient", "JP_Patient", "identifier"),
    ],
)
def test_the_judge_sees_a_missing_element(kind, profile, drop):
    for _, one in resources():
        if profile in one.get("meta", {"profile": [""]})["profile"][0]:
            broken = {name: value for name, value in one.items() if name != drop}
            assert any(drop.removesuffix("DateTime") in problem for problem in
                       jp_core.problems(broken))  # fmt: skip
            return
    pytest.fail(f"no {kind} among the samples")


@pytest.mark.parametrize(
    ("profile", "given", "missing"),
    [
        pytest.param("JP_Patient", {}, ("identifier",), id="a patient without identifier"),
        pytest.param(
            "JP_Observation_LabResult",
            {"status": "final", "category": [{}], "subject": {}, "specimen": {}, "code": {}},
            ("effectiveDateTime", "code.coding", "code.text"),
            id="a result without time and code",
        ),
        pytest.param(
            "JP_MedicationDispense",
            {"status": "completed", "subject": {}, "medicationCodeableConcept": {"text": "x"}},
            ("quantity", "whenHandedOver", "identifier.value", "identifier.value"),
            id="a dispense without quantity and day",
        ),
        pytest.param(
            "JP_MedicationRequest",
            {
                "status": "active",
                "intent": "order",
                "subject": {},
                "authoredOn": "2026",
                "medicationCodeableConcept": {"text": "x"},
                "identifier": [
                    {"system": musthave.RP_NUMBER, "value": "1"},
                    {"system": musthave.ORDER_IN_RP, "value": "1"},
                ],
                "dispenseRequest": {"quantity": {"value": Decimal(1), "unit": "箱"}},
            },
            ("quantity.code",),
            id="a quantity without unit code",
        ),
    ],
)
def test_what_is_missing_is_marked_and_named(profile, given, missing):
    one = {**fhir.resource(profile.split("_")[1], profile, "x"), **given}
    assert musthave.complete(one) == missing
    assert b"data-absent-reason" in fhir.dumps(one)
    assert musthave.complete(one) == ()


def test_every_profile_written_is_one_we_check():
    for name, one in resources():
        if name.startswith("fhir/"):
            continue  # others' claims: `fhir_bundle/profiles.py` knows every profile of JP Core
        if "meta" not in one:
            assert one["resourceType"] in PLAIN, name
            continue
        profile = one["meta"]["profile"][0].rpartition("/")[2]
        assert profile in musthave._ELEMENTS, name


_LISTS = frozenset(
    {
        "identifier", "class", "costToBeneficiary", "media", "statusHistory", "classHistory",
        "diagnosis", "location", "series", "instance", "performer", "ingredient", "note",
        "component", "communication", "link", "qualification", "notAvailable", "focalDevice",
        "reaction", "coding",
    }
)  # fmt: skip
_SINGLE = frozenset({"code", "exception", "position", "substitution", "dosage"})


def _judged(profile):
    return jp_core._rules().get(profile.replace("_", "-").lower(), [])


def _bare(profile):
    kind = {"JP_Patient": "Patient"}.get(profile, profile.split("_")[1])
    return fhir.resource(kind, profile, "x")


@needs_shared
@pytest.mark.parametrize("profile", musthave._ELEMENTS)
def test_a_bare_resource_of_each_profile_becomes_whole(profile):
    one = _bare(profile)
    missing = musthave.complete(one)
    assert list(jp_core.problems(one)) == []
    assert musthave.complete(one) == ()
    demanded = [element for element, least, _ in _judged(profile) if least and "." not in element
                and ":" not in element]  # fmt: skip
    assert not demanded or missing


@needs_shared
@pytest.mark.parametrize("profile", musthave._ELEMENTS)
def test_what_is_demanded_inside_a_parent_that_is_there(profile):
    """Each required row of the published table below the top, with its parents put there empty."""
    rows = [element for element, least, _ in _judged(profile)
            if least and "." in element and ":" not in element]  # fmt: skip
    for row in rows:
        *parents, last = row.split(".")
        one = _bare(profile)
        node = one
        for parent in parents:
            assert parent in _LISTS | _SINGLE, f"{row}: is {parent} a list?"
            inner = node.setdefault(parent, [{}] if parent in _LISTS else {})
            node = inner[0] if isinstance(inner, list) else inner
        musthave.complete(one)
        about = [problem for problem in jp_core.problems(one) if problem.startswith(f"{row}:")]
        assert about == [], row
        node = one
        for parent in parents:
            node = node[parent][0] if parent in _LISTS else node[parent]
        assert any(key.removeprefix("_").startswith(last.removesuffix("[x]")) for key in node), row


@needs_shared
def test_the_judge_would_see_it():
    """The same rows without completing: the judge names every one of them."""
    one = {"resourceType": "AllergyIntolerance", "reaction": [{}], "patient": {},
           "meta": {"profile": [fhir.PROFILES + "JP_AllergyIntolerance"]}}  # fmt: skip
    assert list(jp_core.problems(one)) == ["reaction.manifestation: 0 of 1"]


def test_a_nested_mark_is_found_once_and_absent_parents_are_left():
    one = _bare("JP_AllergyIntolerance")
    one["patient"] = {}
    one["reaction"] = [{"severity": "mild"}, {"manifestation": [{"text": "x"}]}, fhir.absent()]
    assert musthave.complete(one) == ("reaction.manifestation",)
    assert one["reaction"][0]["manifestation"] == [fhir.absent()]
    assert one["reaction"][2] == fhir.absent()


class Row7:
    at, start, end = "row 7", 0, 3


def _added(*beside):
    reading = Reading(Upload(path="x", content=b""), PatientId(Oid("2.999.0"), "1"))
    whole = {**fhir.resource("Procedure", "JP_Procedure", "p"), "status": "completed",
             "subject": reading.subject}  # fmt: skip
    for number in range(2):
        reading.add(Category.MEDICAL, dict(whole), f"k{number}", Row7(), companions=beside)
    return reading.batch("test")


def test_what_stands_beside_an_item_is_judged_like_it():
    medication = fhir.resource("Medication", "JP_Medication", "m")
    doctor = {**fhir.resource("Practitioner", "JP_Practitioner", "d"), "qualification": [{}]}
    plain = {"resourceType": "Device", "id": "x"}
    batch = _added(medication, doctor, plain)
    assert [(one.code, one.at) for one in batch.findings] == [
        ("value-absent", "row 7 Medication.status"),
        ("value-absent", "row 7 Practitioner.qualification.code"),
    ]
    for item in batch.items:
        assert [one["id"] for one in item.companions] == ["m", "d", "x"]
        assert item.companions[0]["_status"] == fhir.absent()
        assert fhir.is_absent(item.companions[1]["qualification"][0]["code"])


def test_nothing_is_found_of_what_is_whole_beside_an_item():
    whole = {**fhir.resource("Medication", "JP_Medication", "m"), "status": "active"}
    assert _added(whole).findings == ()


def test_what_the_samples_become_is_whole_by_our_own_check():
    """Every resource that leaves, companions too: nothing is left to mark."""
    for name, one in resources():
        if not name.startswith("fhir/") and "meta" in one:
            assert musthave.complete(one) == (), (name, one["resourceType"])
