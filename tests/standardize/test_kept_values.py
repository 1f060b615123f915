"""Values that have no place of their own: said as text or found, never dropped."""

import pytest

from gateway.standardize import Upload, dates, read
from tests.standardize import claims, prescriptions
from tests.standardize.build import PID, findings, hl7, only, stored
from tests.standardize.test_administrations import DRUG, ORC, rxa

RXE = "RXE||{drug}|{least}|{most}|TAB^錠^MR9P|||||{whole}|TAB^錠^MR9P"
TQ1 = "TQ1|1||1013044400000000&内服・経口・１日３回朝昼夕食後&JAMISDP01|||{days}"


def prescribed(*behind, least="1", most="", whole="", days="3^D"):
    rxe = RXE.format(drug=DRUG, least=least, most=most, whole=whole)
    return stored("RDE^O11", PID, ORC, rxe, TQ1.format(days=days), *behind)


def notes(made):
    return [one["text"] for one in made.get("note", ())]


@pytest.mark.parametrize(
    ("fields", "note", "at"),
    [
        ({"least": "適量"}, "1回量 適量 錠", "RXE[1].3"),
        ({"least": "1〜2"}, "1回量 1〜2 錠", "RXE[1].3"),
        ({"whole": "一式"}, "全量 一式 錠", "RXE[1].10"),
    ],
)
def test_an_amount_that_is_no_number_is_kept_as_text(fields, note, at):
    batch = prescribed(**fields)
    assert notes(only(batch, "MedicationRequest")) == [note]
    assert f"not-a-number {at}" in findings(batch)


def test_a_most_without_a_least_is_a_range():
    made = only(prescribed(least="", most="2"), "MedicationRequest")
    (rate,) = made["dosageInstruction"][0]["doseAndRate"]
    assert set(rate["doseRange"]) == {"high"}


@pytest.mark.parametrize(
    ("stated", "days", "text", "found"),
    [
        ("2^w", 14, "", ""),
        ("2^週", 14, "", ""),
        ("5^回", 0, "期間 5回", "unmapped-unit"),
        ("数^D", 0, "期間 数D", "not-a-number"),
    ],
)
def test_a_duration_in_other_units(stated, days, text, found):
    batch = prescribed(days=stated)
    made = only(batch, "MedicationRequest")
    supply = made.get("dispenseRequest", {})
    assert supply.get("expectedSupplyDuration", {}).get("value", 0) == days
    (dosage,) = made["dosageInstruction"]
    extra = [one["text"] for one in dosage.get("additionalInstruction", ())]
    assert extra == ([text] if text else [])
    assert [one for one in findings(batch) if found and one.startswith(found)] == (
        [f"{found} TQ1[1].6"] if found else []
    )


def test_a_second_usage_is_said_beside_the_first():
    usage = (
        "TQ1|1||1013044400000000&１日３回毎食後&JAMISDP01~1011000090000000&寝る前&JAMISDP01|||3^D"
    )
    batch = stored("RDE^O11", PID, ORC, f"RXE||{DRUG}|1||TAB^錠^MR9P", usage)
    (dosage,) = only(batch, "MedicationRequest")["dosageInstruction"]
    assert dosage["timing"]["code"]["coding"][0]["code"] == "1013044400000000"
    assert "寝る前" in [one["text"] for one in dosage["additionalInstruction"]]


def test_a_second_route_is_found():
    batch = prescribed("RXR|PO^口^HL70162", "RXR|SL^舌下^HL70162")
    made = only(batch, "MedicationRequest")
    assert made["dosageInstruction"][0]["route"]["text"] == "口"
    assert "unmapped-field RXR[2].1" in findings(batch)


def test_a_repetition_about_another_person_gives_the_first_no_name():
    first = "D1^医師^一郎^^^^^^^L^^^^^I"
    others = f"{first}~D1^イシ^イチロウ^^^^^^^L^^^^^P~D2^別^太郎"
    orc = ORC.replace(first, others)
    batch = stored("RDE^O11", PID, orc, RXE.format(drug=DRUG, least="1", most="", whole=""))
    kinds = {one["resourceType"]: one for one in batch.items[0].companions}
    doctor = kinds["Practitioner"]
    assert [one["family"] for one in doctor["name"]] == ["医師", "イシ"]
    assert "unmapped-field ORC[1].12" in findings(batch)


def test_a_part_that_was_refused_was_not_injected():
    batch = stored(
        "RAS^O17", PID, ORC, rxa(drug="1^輸液^HOT9"), rxa(drug="2^薬^HOT9", f20="RE"),
        "RXR|IV^静脈内^HL70162", data_type="OMP-12",
    )  # fmt: skip
    first, second = batch.items
    assert [one.resource["status"] for one in batch.items] == ["completed", "not-done"]
    assert first.key != second.key
    mixtures = [
        next(one for one in item.companions if one["resourceType"] == "Medication")
        for item in batch.items
    ]
    assert [[one["itemCodeableConcept"]["text"] for one in mixture["ingredient"]]
            for mixture in mixtures] == [["輸液"], ["薬"]]  # fmt: skip
    assert mixtures[0]["id"] != mixtures[1]["id"]


def test_what_each_part_of_an_injection_says():
    batch = stored(
        "RAS^O17", PID, ORC, rxa(f9="^左手^99", f10="N1^看護^花子", f15="L1"),
        rxa(f9="^右手^99", f10="N2^看護^次郎", f6="少量"), data_type="OMP-12",
    )  # fmt: skip
    made = only(batch, "MedicationAdministration")
    assert notes(made) == ["左手", "右手", "テスト錠 少量 錠"]
    assert {"unmapped-field RXA[2].10", "unmapped-field RXA[1].15"} <= {*findings(batch)}


def test_when_an_examination_is_to_be_done():
    orc = "ORC|NW|000000000090001|||||||20261104100000|||D1^医師^太郎"
    obr = "OBR||000000000090001||1000^心電図^99Z01"
    batch = stored("OMG^O19", PID, orc, "TQ1|1||||||20261105|20261107|A^^HL70485", obr)
    made = only(batch, "ServiceRequest")
    assert made["priority"] == "asap"
    assert made["occurrencePeriod"] == {"start": "2026-11-05", "end": "2026-11-07"}
    assert not [one for one in findings(batch) if "TQ1" in one]
    odd = stored("OMG^O19", PID, orc, "TQ1|1||||||||T^^HL70485", obr)
    assert "priority" not in only(odd, "ServiceRequest")
    assert "unmapped-code TQ1[1].9" in findings(odd)


def test_a_meal_is_said_whole():
    orc = "ORC|NW|000000000060001|||||||20261104100000|||D1^医師^太郎"
    batch = stored("OMD^O03", PID, orc, "TQ1|1||||||20261105||||昼から", "ODS|S||1^補助食^99Z1")
    made = only(batch, "NutritionOrder")
    assert made["note"] == [{"text": "昼から"}]
    (supplement,) = made["supplement"]
    assert supplement["schedule"][0]["repeat"]["boundsPeriod"]["start"] == "2026-11-05"


def test_who_asked_for_images():
    orc = "ORC|CH|000000000090001|||||||20261104100000|||D1^医師^太郎"
    obr = "OBR||000000000090001||1000^胸部^JJ1017|||20261104"
    study = "IPC|A1|P1|1.2.392.1|S1|CR^^DCM"
    batch = stored("OMI^Z23", PID, orc, obr, study)
    made = only(batch, "ImagingStudy")
    assert made["referrer"]["reference"].startswith("urn:uuid:")
    assert "unmapped-field ORC[1].9" in findings(batch)
    assert "unmapped-field ORC[1].12" not in findings(batch)
    without = stored("OMI^Z23", PID, orc, obr)
    assert "unmapped-field ORC[1].12" in findings(without)


def test_a_day_of_an_outcome_that_ends_nothing():
    prb = "PRB|AD|20261101|20054174^胃炎^MDCDX2|P1|||||||||0|C^継続^JHSD0006|20261102"
    batch = stored("PPR^ZD1", PID, prb, "ZPR||1^別^MDCDX2")
    assert {
        "unmapped-field PRB[1].13",
        "unmapped-field PRB[1].15",
        "unmapped-field ZPR[1].2",
    } <= {*findings(batch)}
    assert "abatementDateTime" not in only(batch, "Condition")


@pytest.mark.parametrize(
    ("form", "dose", "said"),
    [
        ("101,1,1,,十四", "3", ["調剤数量 十四"]),
        ("101,1,3,,9999999999999999", "3", ["調剤数量 9999999999999999", "用量 3錠"]),
        ("101,1,3,,1000", "3", ["調剤数量 1000", "用量 3錠"]),
        ("101,1,3,,14", "71428571428571437", ["用量 71428571428571437錠"]),
        ("101,1,3,,1", "適量", ["用量 適量錠"]),
        ("101,1,9,,", "2", ["用量 2錠"]),
        ("101,1,1,,14", "3", []),
    ],
)
def test_an_amount_of_a_prescription_without_an_element_is_a_note(form, dose, said):
    drug = prescriptions.DRUG.replace(",3,1,錠", f",{dose},1,錠")
    (made,) = prescriptions.requests(form, prescriptions.USAGE, drug)
    assert notes(made) == said


def test_lines_of_a_comment():
    result = "OBX|1|FT|3A010000002327101^総蛋白^JC10||上\\.br\\下|||||F"
    batch = stored(
        "OUL^R22", PID, "SPM|1|S1||023^血清^JC10|||||||||||||20261104", "OBR||80001||E1^生化^99O03",
        result, "NTE|1||乳び\\.br\\再検 \\E\\.br\\E\\",
    )  # fmt: skip
    made = only(batch, "Observation")
    assert made["valueString"] == "上\n下"
    assert notes(made)[0].startswith("乳び\n再検")


def test_a_coded_result_of_snomed_ct():
    result = "OBX|1|CNE|3A010000002327101^総蛋白^JC10||260385009^Negative^SCT||||||F"
    batch = stored("OUL^R22", PID, "SPM|1|S1", "OBR||80001||E1^生化^99O03", result)
    (coding,) = only(batch, "Observation")["valueCodeableConcept"]["coding"]
    assert coding["system"] == "http://snomed.info/sct"
    assert not [one for one in findings(batch) if one.startswith("unmapped-code")]


def test_what_a_claim_says_beside_the_care_is_found():
    pharmacy = claims.RE.replace("00000123", "") + "," * 21 + "C-001"
    batch = claims.read_one(
        "SH,1,1,,,", "CZ,,20261001,20261001,,7", "IY,1,620004422,3,,,,,,2",
        head=claims.YK + "0300000001", patient=pharmacy,
    )  # fmt: skip
    assert "billing-only" in {one.code for one in batch.findings}
    phones = [
        one["telecom"][0]["value"]
        for item in batch.items
        for one in item.companions
        if one["resourceType"] == "Organization" and "telecom" in one
    ]
    assert phones == ["0300000001"]


def test_a_stay_whose_group_names_no_day_begins_as_the_receipt_says():
    patient = "RE,1,1111,202610,架空　花子,2,19621103,,20261002,,,,,00000123"
    batch = claims.read_one("BU,040080x099x0xx,,,3,", patient=patient)
    assert only(batch, "Encounter")["period"] == {"start": "2026-10-02"}


def test_what_was_used_in_an_examination():
    orc = "ORC|CH|000000000090001|||||||20261104100000|||D1^医師^太郎"
    obr = "OBR||000000000090001||1000^胸部^JJ1017|||20261104"
    act = (
        "ZE1|1|RS|1000^造影CT^JJ1017|2|9^加算^99Z|NS-03^EM-01^放射線技師|R1^技師^花子|造影剤|"
        "7219415^造影剤300^99Z^100^ML&mL&MR9P^~7000001^針^99Z^1^本"
    )
    first, second = "IPC|A1||1.2.392.1||CT^^DCM", "IPC|A2|P1|1.2.392.1||CT^^DCM"
    batch = stored("OMI^Z23", PID, orc, obr, act, "ZE2|1|120^kV|200^mA", first, second)
    made = only(batch, "Procedure")
    assert [one["text"] for one in made["usedCode"]] == ["造影剤300", "針"]
    assert notes(made) == [
        "手技回数: 2", "使用物品: 造影剤 造影剤300 100mL",
        "使用物品: 針 1本", "撮影条件: 120kV 200mA",
    ]  # fmt: skip
    assert made["performer"][0]["function"]["text"] == "放射線技師"
    assert "unmapped-field ZE1[1].5" in findings(batch)
    study = only(batch, "ImagingStudy")
    assert [one["value"] for one in study["identifier"]] == ["urn:oid:1.2.392.1", "A1", "A2", "P1"]


@pytest.mark.parametrize(
    ("end", "found"),
    [(b"\r", []), (b"\r\n", []), (b"\r\x1c", []), (b"", ["end-missing PV1[1]"])],
)
def test_a_message_without_an_end_may_be_cut_off(end, found):
    content = hl7(
        "ADT^A01", PID, "PV1|1|I|W1^R2^B3|||||||||||||||||||||||||||||||||||||||||20261101"
    )
    upload = Upload(path="a.hl7", content=content.rstrip(b"\r") + end)
    assert [one for one in findings(read(upload)) if one.startswith("end-missing")] == found


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("2026110224", "2026-11-03T00:00:00+09:00"),
        ("20261231240000", "2027-01-01T00:00:00+09:00"),
        ("202402282400+0900", "2024-02-29T00:00:00+09:00"),
        ("20261102240001", ""),
        ("20261102250000", ""),
        ("20261302240000", ""),
        ("99991231240000", ""),
    ],
)
def test_the_end_of_a_day_is_the_beginning_of_the_next(text, shown):
    assert dates.fhir_time(text) == shown


@pytest.mark.parametrize(
    ("total", "repeats", "said"),
    [
        ("3", 2, []),
        ("1", 0, []),
        ("0", None, ["リフィル回数: 0"]),
        ("x", None, ["リフィル回数: x"]),
    ],
)
def test_how_often_a_prescription_may_be_used(total, repeats, said):
    rows = (f"64,{total}", prescriptions.ORAL, prescriptions.USAGE, prescriptions.DRUG)
    batch = prescriptions.prescription(*rows)
    made = batch.items[0].resource
    assert made["dispenseRequest"].get("numberOfRepeatsAllowed") == repeats
    assert notes(made) == said
    assert ("field-type row 10 total" in findings(batch)) == bool(said)
