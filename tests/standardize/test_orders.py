"""OML-01, OMG-01 to OMG-13, OMD: orders, examinations done, meals."""

import pytest

from gateway.model.category import Category
from tests.standardize.build import PID, findings, only, stored

PV1 = "PV1|1|O|01^^^^^C||||D1^医師^太郎^^^^^^^L^^^^^I"
TQ1 = "TQ1|1||||||||R^^HL70485"


def orc(control="NW", number="000000000090001", parent=""):
    return f"ORC|{control}|{number}||||||{parent}|20261104100000|||D1^医師^太郎^^^^^^^L^^^^^I"


def obr(number="000000000090001", code="1000^Ｘ線単純撮影^JJ1017", day=""):
    return f"OBR||{number}||{code}|||{day}"


def resources(batch, kind):
    return [one.resource for one in batch.items if one.resource["resourceType"] == kind]


def test_a_laboratory_order():
    batch = stored(
        "OML^O33", PID, PV1, "SPM|1|S1||023^血清^JC10", orc(number="000000000080001"),
        obr("000000000080001", "E002^生化学^99O03"),
        "OBX|1||3A010000002327101^総蛋白^JC10||||||||O",
        "OBX|2||3B035000002327201^AST^JC10||||||||O", "SPM|2|S2||022^血漿^JC10",
        orc(number="000000000080001"), obr("000000000080001", "E001^血液学^99O03"),
    )  # fmt: skip
    first, second = resources(batch, "ServiceRequest")
    assert [one["text"] for one in first["orderDetail"]] == ["総蛋白", "AST"]
    assert first["code"]["text"] == "生化学"
    assert first["specimen"] != second["specimen"]
    assert batch.items[0].category is Category.LAB_RESULT
    assert batch.scope == "order|000000000080001|"


def test_the_order_and_its_results_speak_of_one_request():
    ordered = stored(
        "OML^O33", PID, "SPM|1|S1||023^血清^JC10", orc(number="000000000080001"),
        obr("000000000080001", "E002^生化学^99O03"),
    )  # fmt: skip
    result = stored(
        "OUL^R22", PID, "SPM|1|S1||023^血清^JC10|||||||||||||20261104",
        obr("000000000080001", "E002^生化学^99O03"), orc(number="000000000080001"),
        "OBX|1|NM|3A010000002327101^総蛋白^JC10||7.1|g/dL|||||F",
    )  # fmt: skip
    request = only(ordered, "ServiceRequest")["id"]
    observation = only(result, "Observation")
    assert observation["basedOn"][0]["reference"] == f"urn:uuid:{request}"


def test_parent_and_children_of_a_radiology_order():
    batch = stored(
        "OMG^O19", PID, PV1, orc(), TQ1, obr(), orc("PA"), TQ1, obr(),
        "OBX||NM|01-02^体重^JSHR001||62|kg^kg^ISO+|||||F",
        orc("CH", "000000000090002", "000000000090001"), TQ1,
        obr("000000000090002", "10^胸部^JJ1017"),
    )  # fmt: skip
    parent, child = resources(batch, "ServiceRequest")
    assert parent["note"] == [{"text": "体重: 62kg"}]
    assert parent["priority"] == "routine"
    assert child["requisition"]["value"] == "000000000090001"
    assert child["code"]["text"] == "胸部"
    assert batch.items[0].category is Category.MEDICAL
    assert batch.scope == "order|000000000090001|"


@pytest.mark.parametrize(
    ("control", "flag", "status"),
    [
        ("NW", "1", "active"),
        ("CA", "1", "revoked"),
        ("DC", "1", "revoked"),
        ("HD", "1", "on-hold"),
        ("NW", "0", "entered-in-error"),
    ],
)
def test_the_status_of_an_order(control, flag, status):
    batch = stored("OMG^O19", PID, PV1, orc(control), TQ1, obr(), flag=flag)
    assert only(batch, "ServiceRequest")["status"] == status
    assert batch.items[0].cancelled == (status in ("revoked", "entered-in-error"))


def test_an_examination_done():
    ipc = "IPC|A1|P1|1.2.392.1114.1||US^^DCM"
    batch = stored(
        "OMI^Z23", PID, PV1, orc(), TQ1, obr(day="20261104"), ipc, orc("PA"), TQ1,
        obr(day="20261104"), ipc, orc("CH", "000000000090002", "000000000090001"), TQ1,
        obr("000000000090002", "99A^胎児エコー^JJ1017", "20261104"),
        "ZE1|1|RS|99A^胎児エコー^JJ1017||||N1^助産師^愛子^^^^^^^L^^^^^I", ipc,
    )  # fmt: skip
    study, done = only(batch, "ImagingStudy"), only(batch, "Procedure")
    assert study["identifier"][0]["value"] == "urn:oid:1.2.392.1114.1"
    assert [one["code"] for one in study["modality"]] == ["US"]
    assert study["started"] == "2026-11-04"
    assert done["code"]["text"] == "胎児エコー"
    assert done["performedDateTime"] == "2026-11-04"
    assert len(done["performer"]) == 1
    assert batch.scope == "examination|000000000090001|"


def test_an_endoscopy_says_who_when_and_with_what():
    batch = stored(
        "OMI^Z23", PID, PV1, orc("CH", "000000000090002", "000000000090001"), TQ1,
        obr("000000000090002", "110^上部内視鏡^LENDO", "20261104"), "ZE1|1|RS|110^上部内視鏡^LENDO",
        "OBX|1|XCN|DR-02.EM-01^実施医師^JSHR||1^大江^信^^^^^^^L^^^^^I||||||F",
        "OBX|2|TS|TM-P1^開始時間^JSHR||20261104144512||||||F",
        "OBX|3|TS|TM-P2^終了時間^JSHR||20261104151056||||||F",
        "OBX|4|CWE|DE-06^内視鏡^JSHR||4953^GIF-1^JAN||||||F",
        "OBX|5|ZRD|DE-02^薬品^JSHR||1^薬^HOT9^1^AMP&管&MR9P||||||F",
        "IPC|A1|P1|1.2.3||ES^^DCM", data_type="OMG-12",
    )  # fmt: skip
    done = only(batch, "Procedure")
    assert done["performer"][0]["function"] == {"text": "実施医師"}
    assert done["performedPeriod"]["start"] == "2026-11-04T14:45:12+09:00"
    assert done["usedCode"][0]["coding"][0]["code"] == "4953"
    assert done["note"][1]["text"] == "薬品: 1 薬 HOT9 1 AMP 管 MR9P"
    assert only(batch, "ImagingStudy")["meta"]["profile"][0].endswith("Endoscopy")


def test_a_deleted_examination_is_an_error():
    batch = stored(
        "OMI^Z23", PID, PV1, orc("CH"), TQ1, obr(day="20261104"), "IPC|A1|P1|1.2.3||US^^DCM",
        flag="0",
    )  # fmt: skip
    assert {one.resource["status"] for one in batch.items} == {"entered-in-error"}
    assert all(one.cancelled for one in batch.items)


def test_results_of_physiology():
    batch = stored(
        "ORU^R01", PID, PV1,
        "OBR|1|000000000090001||9A110^心電図^JC10|||20261104" + "|" * 15 + "20261104152000|||F",
        "OBX|1|NM|32769^心拍数^99MFR||67|bpm|||||F",
    )  # fmt: skip
    made = only(batch, "Observation")
    assert made["meta"]["profile"][0].endswith("JP_Observation_Common")
    assert made["category"][0]["coding"][0]["code"] == "procedure"
    assert "specimen" not in made
    report = only(batch, "DiagnosticReport")
    assert report["meta"]["profile"][0].endswith("JP_DiagnosticReport_Common")
    assert report["code"]["text"] == "心電図"
    assert {one.category for one in batch.items} == {Category.MEDICAL}
    assert batch.scope == "physiology|000000000090001|"


def test_a_meal():
    batch = stored(
        "OMD^O03", PID, PV1, orc(number="000000000060001"),
        "TQ1|1||TID&１日３回&HL70335||||2026110207", "ODS|D||001^常食^99XY3|塩分控えめ",
        "ODS|S||002^補食^99XY3|牛乳",
    )  # fmt: skip
    made = only(batch, "NutritionOrder")
    assert made["oralDiet"]["type"][0]["text"] == "常食"
    assert made["oralDiet"]["schedule"][0]["code"]["text"] == "１日３回"
    assert made["supplement"][0]["instruction"] == "牛乳"
    assert made["note"] == [{"text": "塩分控えめ"}]


@pytest.mark.parametrize(
    ("kind", "segments", "finding"),
    [
        pytest.param("OMG^O19", [orc(), TQ1], "segment-order OBR[1]", id="an order of nothing"),
        pytest.param("OMG^O19", [orc(), TQ1, obr(code="")], "field-missing OBR[1].4",
                     id="an order without its code"),
        pytest.param("OML^O33", [orc(), obr()], "segment-order SPM[1]", id="no specimen"),
        pytest.param("OMI^Z23", [orc("CH"), TQ1, obr(day="20261341")], "bad-date OBR[1].7",
                     id="no such day"),
        pytest.param("OMI^Z23", [orc(), TQ1, obr()], "segment-order IPC[1]", id="no image"),
        pytest.param("OMD^O03", [orc(), "ODS|X||1^x^99"], "field-table ODS[1]",
                     id="no kind of meal"),
        pytest.param("OMD^O03", ["ORC|NW|1"], "value-absent ORC[1].9", id="nobody says when"),
    ],
)  # fmt: skip
def test_bad_input(kind, segments, finding):
    assert finding in findings(stored(kind, PID, PV1, *segments))
