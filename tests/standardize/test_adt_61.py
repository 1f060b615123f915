"""ADT-61: the whole list of allergies of one patient."""

import pytest

from gateway.model.category import Category
from tests.standardize.build import PID, findings, only, stored

EVN = "EVN||20261101"


def iam(code="J9FA00000000^そば^JFAGY", kind="FA", action="A", **fields):
    parts = {1: "1", 2: f"{kind}^^HL70127", 3: code, 6: f"{action}^^HL70323"}
    parts.update({int(name[1:]): value for name, value in fields.items()})
    return "IAM|" + "|".join(parts.get(number, "") for number in range(1, 21)).rstrip("|")


def allergy(*segments, **options):
    batch = stored("ADT^A60", EVN, PID, *segments, **options)
    return only(batch, "AllergyIntolerance"), batch


def test_an_allergy():
    made, batch = allergy(iam(f4="MO^中等度^HL70128", f5="湿疹", f11="199601", f13="20261001"))
    assert made["category"] == ["food"]
    assert made["clinicalStatus"]["coding"][0]["code"] == "active"
    assert made["onsetDateTime"] == "1996-01"
    assert made["recordedDate"] == "2026-10-01"
    assert made["reaction"] == [{"manifestation": [{"text": "湿疹"}], "severity": "moderate"}]
    assert batch.items[0].category is Category.ALLERGY
    assert batch.scope == "ssmix2/ADT-61|"


def test_an_onset_in_words():
    made, _ = allergy(iam(f12="小学校低学年の頃"))
    assert made["onsetString"] == "小学校低学年の頃"
    made, _ = allergy(iam(f11="1996", f12="小学校低学年の頃"))
    assert (made["onsetDateTime"], made["note"]) == ("1996", [{"text": "小学校低学年の頃"}])


@pytest.mark.parametrize(
    ("fields", "status", "cancelled"),
    [
        pytest.param({}, None, False, id="nothing is said"),
        pytest.param({"f17": "C"}, "confirmed", False, id="confirmed"),
        pytest.param({"f17": "I"}, "refuted", False, id="refuted"),
        pytest.param({"f17": "E"}, "entered-in-error", True, id="wrong"),
        pytest.param({"action": "D"}, "entered-in-error", True, id="taken off the list"),
    ],
)
def test_verification(fields, status, cancelled):
    made, batch = allergy(iam(**fields))
    found = made.get("verificationStatus", {}).get("coding", [{}])[0].get("code")
    assert found == status
    assert batch.items[0].cancelled is cancelled
    assert ("clinicalStatus" in made) is not cancelled


def test_who_confirmed_it():
    made, batch = allergy(iam(f17="C", f18="D1^医師^一郎^^^^^^^L^^^^^I"))
    assert made["asserter"]["reference"] == "urn:uuid:" + batch.items[0].companions[0]["id"]


@pytest.mark.parametrize(
    ("segment", "finding"),
    [
        pytest.param(iam(code=""), "field-missing IAM[1]", id="no allergen"),
        pytest.param(iam(kind="XX"), "unmapped-code IAM[1].2", id="an unknown kind"),
        pytest.param(iam(code="A1^何か^99LOC"), "unmapped-code IAM[1].3", id="a local code"),
        pytest.param(iam(f11="20261341"), "bad-date IAM[1].11", id="no such day"),
    ],
)
def test_bad_input(segment, finding):
    assert finding in findings(stored("ADT^A60", EVN, PID, segment))
