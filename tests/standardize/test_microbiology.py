"""Bacteriology: organisms, their amounts and susceptibilities; reference ranges by sex."""

from decimal import Decimal

import pytest
from fhir.resources.R4B import get_fhir_model_class

from gateway.standardize import values
from gateway.wire import fhir
from tests.shared import needs_shared
from tests.standardize import jp_core
from tests.standardize.build import PID, findings, only, stored

SPM = "SPM|1|S1||061^喀痰^JC10|||||||||||||202611040905"
CULTURE = "OBR|1|80001|S1|6B010000006174149^培養同定^JC10|||20261104|||||||||||||||20261106|||F"
FIRST = "OBX|1|CWE|6B010000006174149^培養同定^JC10|1|1303^Staphylococcus aureus^99JANIS||||||F"
AMOUNT = "OBX|2|ST|9901^菌量^99L|1|2+||||||F"
SECOND = "OBX|3|CWE|6B010000006174149^培養同定^JC10|2|1131^S. pneumoniae^99JANIS||||||F"
FEW = "OBX|4|ST|9901^菌量^99L|2|少数||||||F"
CHILD = (
    "OBR|{n}|80001|S1|6C010000006174101^薬剤感受性^JC10|||20261104|||||||||||||||20261106|||F"
    "|6B010000006174149&培養同定^{sub}^x|||80001^S1"
)
PARENT = (SPM, CULTURE, FIRST, AMOUNT, SECOND, FEW)


def drug(code, value="8", flag="S", kind="NM"):
    return f"OBX|1|{kind}|{code}^{code}^99JANIS||{value}|ug/mL^ug/mL^ISO+||{flag}|||F"


def culture(*segments, **options):
    return stored("OUL^R22", PID, *PARENT, *segments, **options)


def by_text(batch):
    return {
        (one.resource["code"].get("text"), one.source.at): one.resource
        for one in batch.items
        if one.resource["resourceType"] == "Observation"
    }


def kinds(one):
    return [coding["code"] for category in one["category"] for coding in category["coding"]]


def members(batch, one):
    known = {f"urn:uuid:{item.resource['id']}": item.resource for item in batch.items}
    return [known[reference["reference"]] for reference in one.get("hasMember", ())]


def test_an_organism_names_its_amount_and_its_susceptibilities():
    batch = culture(
        CHILD.format(n=2, sub=1), drug("GM", flag="R"), drug("VCM", "<^2", kind="SN"),
        CHILD.format(n=3, sub=2), drug("GM"),
    )  # fmt: skip
    found = by_text(batch)
    first, second = found["培養同定", "OBX[1]"], found["培養同定", "OBX[3]"]
    assert kinds(first) == ["laboratory", "18725-2", "organism"]
    assert first["valueCodeableConcept"]["text"] == "Staphylococcus aureus"
    amount, panel = members(batch, first)
    assert amount["valueCodeableConcept"]["text"] == "2+"
    assert kinds(panel) == ["laboratory", "18725-2", "susceptibility-panels"]
    tested = members(batch, panel)
    assert [kinds(one)[2] for one in tested] == ["susceptibility-measurements"] * 2
    assert [one["interpretation"][0]["coding"][0]["code"] for one in tested] == ["R", "S"]
    assert tested[1]["valueQuantity"]["comparator"] == "<"
    few, other = members(batch, second)
    assert few["valueString"] == "少数"
    (gm,) = members(batch, other)
    # The same drug of two organisms is two results.
    assert gm["id"] != tested[0]["id"]
    assert batch.scope == "lab|80001|"
    assert all(item.key.startswith(batch.scope) for item in batch.items)
    assert "layout-unknown OBR[2].26" not in findings(batch)
    assert set(batch.account.values()) <= {"used", "item Observation", "item DiagnosticReport"}


def test_the_report_names_the_culture_and_not_the_susceptibilities():
    batch = culture(CHILD.format(n=2, sub=1), drug("GM"))
    report = only(batch, "DiagnosticReport")
    assert report["meta"]["profile"][0].endswith("JP_DiagnosticReport_Microbiology")
    assert report["category"][0]["coding"][0]["code"] == "LP7819-8"
    assert report["code"]["coding"][0]["display"] == "微生物学的検査報告書"
    assert len(report["result"]) == 4


def test_keys_do_not_depend_on_the_order_of_organisms():
    one = [CHILD.format(n=2, sub=1), drug("GM", flag="R")]
    other = [CHILD.format(n=3, sub=2), drug("GM", flag="S")]
    there, back = culture(*one, *other), culture(*other, *one)

    def flags(batch):
        return {
            item.key: item.resource["interpretation"][0]["text"]
            for item in batch.items
            if "interpretation" in item.resource
        }

    assert flags(there) == flags(back)
    assert len(flags(there)) == 2


@pytest.mark.parametrize(
    ("parent", "why"),
    [
        ("9&x^1|||80001^S1", "no result of that code"),
        ("6B010000006174149^3|||80001^S1", "no result of that sub-id"),
        ("6B010000006174149^1|||99999^9", "another order"),
        ("^|||80001^S1", "nothing named"),
    ],
)
def test_a_child_whose_parent_cannot_be_told(parent, why):
    child = CHILD.split("|6B0100")[0].format(n=2) + f"|{parent}"
    batch = culture(child, drug("GM"))
    assert "layout-unknown OBR[2].26" in findings(batch), why
    reports = [one for one in batch.items if one.resource["resourceType"] == "DiagnosticReport"]
    assert len(reports) == 2
    assert batch.account["OBR[2]"] == "item DiagnosticReport"


def test_two_results_that_a_child_could_mean():
    batch = stored("OUL^R22", PID, SPM, CULTURE, FIRST, FIRST, CHILD.format(n=2, sub=1), drug("GM"))
    assert "layout-unknown OBR[2].26" in findings(batch)


@pytest.mark.parametrize(
    ("obr", "results", "profile"),
    [
        (CULTURE, [FIRST], "JP_Observation_Microbiology"),
        ("OBR|1|80001|S1|B^細菌^99L" + "|" * 20 + "MB|F", [AMOUNT], "JP_Observation_Microbiology"),
        ("OBR|1|80001|S1|B^細菌^99L", [AMOUNT], "JP_Observation_LabResult"),
        ("OBR|1|80001|S1|B^細菌^99L", [FIRST, "OBX|2|NM|3A010000002327101^TP^JC10||7||||||F"],
         "JP_Observation_LabResult"),
        ("OBR|1|80001|S1|B^x^99L" + "|" * 20 + "CH|F", [FIRST], "JP_Observation_LabResult"),
        ("OBR|1|80001|S1|6^x^99L", ["OBX|1|NM|600^x^99L||7||||||F"], "JP_Observation_LabResult"),
    ],
)  # fmt: skip
def test_what_is_bacteriology(obr, results, profile):
    batch = stored("OUL^R22", PID, SPM, obr, *results)
    found = {
        one.resource["meta"]["profile"][0].rpartition("/")[2]
        for one in batch.items
        if one.resource["resourceType"] == "Observation"
    }
    assert found == {profile}


def test_a_withdrawn_susceptibility_is_no_member():
    batch = culture(CHILD.format(n=2, sub=1), drug("GM")[:-1] + "D", drug("VCM"))
    panel = by_text(batch)["薬剤感受性", "OBR[2]"]
    assert [one["code"]["text"] for one in members(batch, panel)] == ["VCM"]
    assert [item.cancelled for item in batch.items if item.resource["code"].get("text") == "GM"]


def test_a_deleted_culture():
    batch = culture(CHILD.format(n=2, sub=1), drug("GM"), flag="0")
    assert {one.resource["status"] for one in batch.items} == {"entered-in-error"}
    assert all(one.cancelled for one in batch.items)


@needs_shared
def test_the_judge_and_the_model_agree():
    batch = culture(CHILD.format(n=2, sub=1), drug("GM"), CHILD.format(n=3, sub=9), drug("GM"))
    for item in batch.items:
        for one in (item.resource, *item.companions):
            get_fhir_model_class(one["resourceType"]).model_validate_json(fhir.dumps(one))
            assert list(jp_core.problems(one)) == []


@pytest.mark.parametrize(
    ("text", "sex", "limits"),
    [
        ("M:13-17 F:12-15", "male", ("13", "17")),
        ("M:13-17 F:12-15", "female", ("12", "15")),
        ("男13.5～17.0、女11.5～15.0", "female", ("11.5", "15.0")),
        ("男性：40以上 女性：50以上", "male", ("40", None)),
        ("女12-15/男13-17", "male", ("13", "17")),
        ("Ｍ：１３－１７　Ｆ：１２－１５", "male", ("13", "17")),
        ("M:13-17 F:12-15", "", (None, None)),
        ("M:13-17 F:12-15", "other", (None, None)),
        ("M:13-17", "female", (None, None)),
        ("M:13-17 M:12-15", "male", (None, None)),
        ("M:13-17 F:12-15 小児", "male", (None, None)),
        ("13-17", "male", ("13", "17")),
        ("MF13-17", "male", (None, None)),
    ],
)
def test_reference_ranges_by_sex(text, sex, limits):
    made = values.reference_range(text, {}, sex)
    found = tuple(made.get(name, {}).get("value") for name in ("low", "high"))
    assert found == tuple(one and Decimal(one) for one in limits)
    assert made["text"] == text


def test_the_patients_sex_chooses_the_range():
    obx = "OBX|1|NM|2A030000001930101^Hb^JC10||12.5|g/dL^g/dL^ISO+|M:13-17 F:12-15||||F"
    made = only(stored("OUL^R22", PID, SPM, "OBR|1|80001||E1^x^99L", obx), "Observation")
    (limits,) = made["referenceRange"]
    assert (limits["low"]["value"], limits["text"]) == (Decimal(12), "M:13-17 F:12-15")
    assert limits["appliesTo"][0]["coding"][0]["code"] == "female"
    other = stored("OUL^R22", PID.replace("0012345", "9"), SPM, "OBR|1|80001||E1^x^99L", obx)
    assert "low" not in only(other, "Observation")["referenceRange"][0]
