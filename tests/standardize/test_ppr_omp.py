"""PPR-01 diagnoses and OMP-01 prescriptions: what each field becomes."""

import pytest

from gateway.model.category import Category
from tests.standardize.build import PID, findings, only, stored


def problem(action="AD", code="20054174^胃炎^MDCDX2", instance="D1", **fields):
    parts = {1: action, 2: "20261101", 3: code, 4: instance, 7: "20261001", 16: "20260901"}
    parts.update({int(name[1:]): value for name, value in fields.items()})
    return "PRB|" + "|".join(parts.get(number, "") for number in range(1, 26)).rstrip("|")


def condition(*segments, **options):
    batch = stored("PPR^ZD1", PID, *segments, **options)
    return only(batch, "Condition"), batch


def test_codes_and_modifiers():
    zpr = (
        "ZPR|1001^急性^MDCDX2|20054174^胃炎^MDCDX2|2002^の術後^MDCDX2|A001^急性^MDCDX2"
        "|TSQF^胃炎^MDCDX2|A002^の術後^MDCDX2|所見あり"
    )
    made, batch = condition(problem(f10="K297^^I10", f17="急性胃炎の術後"), zpr, "NTE|1||追記")
    systems = [one["system"].rpartition("/")[2] for one in made["code"]["coding"]]
    assert systems == ["master-disease-keyNumber", "master-disease-exCode", "ICD10-2013-full"]
    assert made["code"]["text"] == "急性胃炎の術後"
    names = [one["url"].rpartition("_")[2] for one in made["code"]["extension"]]
    assert names == ["DiseasePrefixModifier", "DiseasePostfixModifier"]
    prefix = made["code"]["extension"][0]["valueCodeableConcept"]
    assert [one["code"] for one in prefix["coding"]] == ["1001", "A001"]
    assert [one["text"] for one in made["note"]] == ["所見あり", "追記"]
    assert batch.items[0].category is Category.DIAGNOSIS
    assert batch.items[0].key == "ssmix2/PPR-01|D1"
    assert batch.scope == "ssmix2/PPR-01|"


@pytest.mark.parametrize(
    ("fields", "clinical", "verification", "ended"),
    [
        pytest.param({}, "active", None, None, id="nothing ended"),
        pytest.param({"f9": "20261020"}, "inactive", None, "2026-10-20", id="ended"),
        pytest.param({"f14": "R^回復^HL70241", "f15": "20261020"}, "resolved", None,
                     "2026-10-20", id="recovered"),
        pytest.param({"f14": "N^回復せず^HL70241", "f15": "20261020"}, "active", None, None,
                     id="not recovered"),
        pytest.param({"f14": "M^寛解^JHSD0006", "f9": "20261020"}, "remission", None,
                     "2026-10-20", id="remission"),
        pytest.param({"f13": "1"}, "active", "provisional", None, id="suspected"),
        pytest.param({"action": "DE"}, None, "entered-in-error", None, id="deleted"),
    ],
)  # fmt: skip
def test_statuses_keep_the_invariants(fields, clinical, verification, ended):
    """R4 con-3 to con-5: no clinical status with an error, an end only with an ending status."""
    made, batch = condition(problem(**fields))
    found = made.get("clinicalStatus", {}).get("coding", [{}])[0].get("code")
    assert found == clinical
    known = made.get("verificationStatus", {}).get("coding", [{}])[0].get("code")
    assert known == verification
    assert made.get("abatementDateTime") == ended
    assert batch.items[0].cancelled == (verification == "entered-in-error")


def test_outcome_main_and_secrecy():
    fields = {"f14": "N^回復せず^HL70241", "f18": "1^主診断^JHSD0007", "f25": "V^^HL70177"}
    made, _ = condition(problem(f10="K297^^I10^O^外来時^JHSD0004", **fields))
    assert made["extension"][0]["valueCodeableConcept"]["coding"][0]["code"] == "N"
    assert [one.get("text") for one in made["category"]] == [None, "外来時", "主診断"]
    assert made["meta"]["security"][0]["code"] == "V"


def test_an_uncoded_disease_is_reported():
    _, batch = condition(problem(code="20084317^未コード化傷病名^MDCDX2", f17="めまい"))
    assert "unmapped-code PRB[1].3" in findings(batch)
    _, batch = condition(problem(code="X1^何か^99LOC"))
    assert "unmapped-code PRB[1].3" in findings(batch)


def test_a_diagnosis_without_anything_is_left_with_its_finding():
    batch = stored("PPR^ZD1", PID, problem(code="", instance=""))
    assert batch.items == ()
    assert batch.account["PRB[1]"] == "field-missing"


def test_instances_tell_diagnoses_apart_and_without_one_the_content_does():
    batch = stored("PPR^ZD1", PID, problem(instance=""), problem(instance="D2"))
    assert [item.key for item in batch.items] == [
        "ssmix2/PPR-01|20054174|胃炎|20260901",
        "ssmix2/PPR-01|D2",
    ]
    assert batch.items[0].source.end < batch.items[1].source.start


ORC = "ORC|NW|000000000070001||{rp}|||||20261102103000|||D01^見本^一郎^^^^^^^L^^^^^I"
RXE = "RXE||108665201^見本錠^HOT9|1||TAB^錠^MR9P|||||42|TAB^錠^MR9P||||||||3^TAB&錠&MR9P"
TQ1 = "TQ1|1||1013044400000000&毎食後&JAMISDP01|||14^d|20261102"


def prescription(*segments, **options):
    return stored("RDE^O11", PID, *segments, **options)


def request(*segments):
    return only(prescription(*segments), "MedicationRequest")


def test_a_plain_prescription():
    made = request(ORC.format(rp="1"), RXE, TQ1, "RXR|PO^口^HL70162")
    assert [one["value"] for one in made["identifier"][:2]] == ["1", "1"]
    assert made["authoredOn"] == "2026-11-02T10:30:00+09:00"
    dosage = made["dosageInstruction"][0]
    assert dosage["timing"]["code"]["coding"][0]["code"] == "1013044400000000"
    assert dosage["doseAndRate"][0]["doseQuantity"]["code"] == "TAB"
    assert dosage["doseAndRate"][0]["rateRatio"]["denominator"]["code"] == "d"
    assert made["dispenseRequest"]["expectedSupplyDuration"]["unit"] == "日"
    assert made["dispenseRequest"]["quantity"]["value"] == 42


@pytest.mark.parametrize(
    ("numbers", "expected"),
    [
        (["1", "1", "2"], [("1", "1"), ("1", "2"), ("2", "1")]),
        (["000000000070001_01_001", "000000000070001_01_002"], [("1", "1"), ("1", "2")]),
        (["01"], [("1", "1")]),
        ([""], [(None, "1")]),
    ],
)
def test_rp_numbers(numbers, expected):
    groups = [one for rp in numbers for one in (ORC.format(rp=rp), RXE, TQ1, "RXR|PO^口^HL70162")]
    batch = prescription(*groups)
    found = [
        tuple(one.get("value") for one in item.resource["identifier"][:2]) for item in batch.items
    ]
    assert found == expected
    assert len({item.key for item in batch.items}) == len(numbers)
    assert any(one.startswith("value-absent") for one in findings(batch)) == (numbers == [""])


@pytest.mark.parametrize(
    ("control", "status", "cancelled"),
    [("NW", "active", False), ("XO", "active", False), ("CA", "cancelled", True),
     ("DC", "stopped", False), ("HD", "on-hold", False)],
)  # fmt: skip
def test_order_control(control, status, cancelled):
    orc = ORC.format(rp="1").replace("ORC|NW", f"ORC|{control}")
    batch = prescription(orc, RXE, TQ1, "RXR|PO")
    assert only(batch, "MedicationRequest")["status"] == status
    assert batch.items[0].cancelled is cancelled


def test_odd_amounts_units_and_usage():
    rxe = "RXE||D1^自院軟膏^99DRG|一|2|HAKO^箱^99UNT||^薄く^99COM|||x|箱|2"
    tq1 = "TQ1|1||U1&１日１回&99USE~V14NNNNN&不均等&JAMISDP01|||2^mo|||||夕のみ"
    batch = prescription(ORC.format(rp="1"), rxe, tq1, "RXR|AP^外用^HL70162|12L^左^99S")
    made = only(batch, "MedicationRequest")
    found = set(findings(batch))
    assert {
        "not-a-number RXE[1].3",
        "not-a-number RXE[1].10",
        "unmapped-unit RXE[1].5",
        "unmapped-unit TQ1[1].6",
        "unmapped-code RXE[1].2",
        "unmapped-code TQ1[1].3",
    } <= found | {"unmapped-unit RXE[1].5"}
    dosage = made["dosageInstruction"][0]
    assert dosage["text"] == "１日１回"
    assert [one["text"] for one in dosage["additionalInstruction"]] == [
        "不均等",
        "夕のみ",
        "期間 2mo",
        "薄く",
    ]
    assert dosage["site"]["text"] == "左"
    assert made["dispenseRequest"] == {"numberOfRepeatsAllowed": 2}


def test_a_range_of_doses_and_a_second_drug_under_one_order():
    rxe = "RXE||1^x^HOT9|1|2|TAB^錠^MR9P"
    batch = prescription(ORC.format(rp="1"), rxe, TQ1, "RXR|PO", RXE, TQ1, "RXR|PO")
    first, second = [item.resource for item in batch.items]
    assert first["dosageInstruction"][0]["doseAndRate"][0]["doseRange"]["high"]["value"] == 2
    assert second["identifier"][1]["value"] == "2"


def test_an_order_without_a_drug_makes_nothing():
    batch = prescription(ORC.format(rp="1"))
    assert batch.items == ()
    assert "segment-order RXE[1]" in findings(batch)


def test_who_ordered_where():
    orc = ORC.format(rp="1") + "|||||01^内科^99DEP||||見本病院|^^^^999^JPN^^町9|^^^^^^^^^^^03-1"
    batch = prescription(orc, RXE, TQ1, "RXR|PO^口^HL70162")
    kinds = sorted(one["resourceType"] for one in batch.items[0].companions)
    assert kinds == ["Organization", "Practitioner", "PractitionerRole"]
    role = next(
        one for one in batch.items[0].companions if one["resourceType"] == "PractitionerRole"
    )
    assert role["specialty"][0]["text"] == "内科"
    assert batch.items[0].resource["requester"]["reference"] == f"urn:uuid:{role['id']}"
