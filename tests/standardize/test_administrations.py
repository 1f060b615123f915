"""OMP-02, OMP-11, OMP-12: injections ordered, drugs given."""

from decimal import Decimal

import pytest

from gateway.model.category import Category
from tests.standardize.build import PID, findings, only, stored

ORC = (
    "ORC|NW|000000000070001||000000000070001_01_002|||||20261102100000|||D1^医師^一郎^^^^^^^L^^^^^I"
    "|||||01^内科^99XY1||||||||||||I^入院患者オーダ^HL70482"
)
DRUG = "108665201^テスト錠^HOT9"


def rxa(start="202611020830", end="202611020830", drug=DRUG, **fields):
    parts = {1: "0", 2: "1", 3: start, 4: end, 5: drug, 6: "1", 7: "TAB^錠^MR9P", 20: "CP"}
    parts.update({int(name[1:]): value for name, value in fields.items()})
    return "RXA|" + "|".join(parts.get(number, "") for number in range(1, 27)).rstrip("|")


def given(*segments, data_type="OMP-11"):
    return stored("RAS^O17", PID, *segments, data_type=data_type)


def test_a_drug_given():
    batch = given(ORC, rxa(f10="N1^看護^花子^^^^^^^L^^^^^I", f11="09A^021^4^^^N", f9="^食後^99"),
                  "RXR|PO^口^HL70162")  # fmt: skip
    made = only(batch, "MedicationAdministration")
    assert made["status"] == "completed"
    assert made["effectiveDateTime"] == "2026-11-02T08:30:00+09:00"
    assert [one["value"] for one in made["identifier"]][:2] == ["1", "2"]
    assert made["dosage"]["dose"]["value"] == Decimal(1)
    assert made["dosage"]["route"]["coding"][0]["code"] == "PO"
    assert made["note"] == [{"text": "食後"}]
    names = {one["url"].rpartition("_")[2] for one in made["extension"]}
    assert names == {"RequestDepartment", "Requester", "RequestAuthoredOn", "Location"}
    assert batch.items[0].category is Category.PRESCRIPTION
    assert batch.scope == "administered|000000000070001|"


@pytest.mark.parametrize(
    ("fields", "status"),
    [
        ({"f20": "CP"}, "completed"),
        ({"f20": "PA"}, "stopped"),
        ({"f20": "RE"}, "not-done"),
        ({"f20": "NA"}, "not-done"),
        ({"f20": ""}, "unknown"),
        ({"f21": "D"}, "entered-in-error"),
    ],
)
def test_status(fields, status):
    batch = given(ORC, rxa(**fields))
    assert only(batch, "MedicationAdministration")["status"] == status
    assert batch.items[0].cancelled == (status == "entered-in-error")


def test_drugs_apart_in_omp_11_and_together_in_omp_12():
    lines = (
        ORC,
        rxa(end="202611020930", drug="1^輸液^HOT9", f12="102ml/h"),
        rxa(end="202611020930", drug="2^薬^HOT9"),
        rxa(start="202611021300", end="202611021400", drug="1^輸液^HOT9"),
        "RXR|IV^静脈内^HL70162||IVP^点滴ポンプ^HL70164",
    )
    assert len(given(*lines).items) == 3
    batch = given(*lines, data_type="OMP-12")
    first, second = batch.items
    mixture = next(one for one in first.companions if one["resourceType"] == "Medication")
    assert [one["itemCodeableConcept"]["text"] for one in mixture["ingredient"]] == ["輸液", "薬"]
    assert first.resource["medicationReference"]["reference"].endswith(mixture["id"])
    assert first.resource["effectivePeriod"]["end"] == "2026-11-02T09:30:00+09:00"
    assert first.resource["dosage"]["rateQuantity"]["value"] == Decimal(102)
    assert first.resource["note"] == [{"text": "点滴ポンプ"}]
    assert "extension" in second.resource["dosage"]["dose"]  # nothing says how much (mad-1)
    profile = first.resource["meta"]["profile"][0]
    assert profile.endswith("JP_MedicationAdministration_Injection")


def test_an_injection_ordered():
    batch = stored(
        "RDE^O11", PID, ORC,
        "RXE||00^一般^99I02|510||ML^ミリリットル^MR9P" + "|" * 18 + "102|mL/h^毎時^ISO+",
        "TQ1|1||||||202611020800|202611021300", "RXR|IV^静脈内^HL70162||IVP^点滴ポンプ^HL70164",
        "RXC|B|1^輸液^HOT9|1|HON^本^MR9P", "RXC|A|2^薬^HOT9|2|AMP^アンプル^MR9P",
        data_type="OMP-02",
    )  # fmt: skip
    made = only(batch, "MedicationRequest")
    mixture = next(x for x in batch.items[0].companions if x["resourceType"] == "Medication")
    amounts = [one["strength"]["numerator"]["value"] for one in mixture["ingredient"]]
    assert amounts == [Decimal(1), Decimal(2)]
    numbers = [one["extension"][0]["valueInteger"] for one in mixture["ingredient"]]
    assert numbers == [1, 2]
    doses = made["dosageInstruction"][0]["doseAndRate"][0]
    assert doses["doseQuantity"]["value"] == Decimal(510)
    assert doses["rateQuantity"]["value"] == Decimal(102)
    assert {"text": "一般"}.items() <= made["category"][-1].items()
    assert batch.scope == "injection|000000000070001|"
    assert set(batch.account.values()) == {"used", "item MedicationRequest"}


def test_an_injection_without_parts_has_its_drug_in_rxe():
    batch = stored(
        "RDE^O11", PID, ORC, f"RXE||{DRUG}|1||AMP^アンプル^MR9P", "TQ1|1", "RXR|IV^静脈内^HL70162",
        data_type="OMP-02",
    )  # fmt: skip
    mixture = next(x for x in batch.items[0].companions if x["resourceType"] == "Medication")
    assert mixture["ingredient"][0]["itemCodeableConcept"]["text"] == "テスト錠"


@pytest.mark.parametrize(
    ("segments", "finding"),
    [
        pytest.param([ORC, rxa(drug="")], "field-missing RXA[1]", id="no drug"),
        pytest.param([ORC, rxa(start="20261341")], "bad-date RXA[1].3", id="no such day"),
        pytest.param([ORC, rxa(f6="少量")], "not-a-number RXA[1].6", id="no amount"),
        pytest.param([rxa()], "segment-order ORC[1]", id="no order"),
        pytest.param([ORC, rxa(f7="X1^何か^99LOC")], "unmapped-unit RXA[1].7", id="no unit"),
    ],
)
def test_bad_input(segments, finding):
    assert finding in findings(given(*segments))
