"""Laboratory messages: grouping of OUL and ORU, values, corrections, keys, specimens."""

import pytest
from fhir.resources.R4B import get_fhir_model_class

from gateway.errors import Malformed
from gateway.standardize import Upload, read
from gateway.wire import fhir
from tests.standardize.build import DOMAIN, PID, findings, hl7, only, stored

SPM = "SPM|1|S1||023^血清^JC10|||||||||||||202611040905"
OBR = "OBR|1|80001|S1|E002^生化学的検査^99O03|||20261104|||||||||||||||20261104145500|||F"
ORC = "ORC|SC|80001|S1||CM||||20261104085000"


def obx(code="3A010000002327101^総蛋白^JC10", kind="NM", value="7.10", unit="g/dL^g/dL^ISO+",
        limits="", flag="", status="F", time="", sub="", number="1"):  # fmt: skip
    return f"OBX|{number}|{kind}|{code}|{sub}|{value}|{unit}|{limits}|{flag}|||{status}|||{time}"


def oul(*results, **options):
    return stored("OUL^R22", PID, SPM, OBR, ORC, *results, **options)


def lab(kind, *segments, **options):
    content = hl7(kind, PID, *segments, **options)
    return read(Upload(path="lab.hl7", content=content, domain=DOMAIN))


def observation(*results):
    return only(oul(*results), "Observation")


def test_a_number_keeps_its_precision_down_to_the_bytes():
    made = observation(obx(limits="6.70-8.3", flag="L"))
    assert b'"valueQuantity":{"value":7.10,' in fhir.dumps(made)
    assert b'"low":{"value":6.70,' in fhir.dumps(made)
    assert made["interpretation"][0]["coding"][0]["code"] == "L"
    assert made["effectiveDateTime"] == "2026-11-04T09:05:00+09:00"
    assert made["issued"] == "2026-11-04T14:55:00+09:00"
    get_fhir_model_class("Observation").model_validate_json(fhir.dumps(made))


@pytest.mark.parametrize(
    ("kind", "value", "element", "found"),
    [
        ("NM", "１２．５", "valueQuantity", None),
        ("NM", "<0.5", "valueQuantity", None),
        ("NM", "5.0 H", "valueQuantity", None),
        ("NM", "5.0 X", "valueString", "not-a-number OBX[1].5"),
        ("NM", "8.5↑", "valueString", "value-unclear OBX[1].5"),
        ("ST", "8.5↑", "valueString", "value-unclear OBX[1].5"),
        ("ST", "1:30", "valueString", "value-unclear OBX[1].5"),
        ("ST", "x320", "valueString", None),  # beside a unit that is none of titres
        ("NM", "溶血", "dataAbsentReason", None),
        ("ST", "7.1", "valueQuantity", None),
        ("ST", "黄色", "valueString", None),
        ("ST", "2+", "valueCodeableConcept", None),
        ("SN", "<^0.5", "valueQuantity", None),
        ("SN", "^1^:^40", "valueString", None),
        ("CWE", "A^A^JSHR002", "valueCodeableConcept", None),
        ("CWE", "x^x^99L", "valueCodeableConcept", "unmapped-code OBX[1].5"),
        ("ST", "a~b", "valueString", None),
        ("TS", "20261104", "valueQuantity", None),
        ("NM", "", "dataAbsentReason", "value-absent OBX[1].5"),
        ("NM", '""', "dataAbsentReason", "value-absent OBX[1].5"),
    ],
)
def test_value_types(kind, value, element, found):
    batch = oul(obx(kind=kind, value=value))
    made = only(batch, "Observation")
    assert element in made
    assert sum(name.startswith("value") or name == "dataAbsentReason" for name in made) == 1
    assert found is None or found in findings(batch)


@pytest.mark.parametrize(
    ("kind", "value", "flag", "unit", "number", "flags"),
    [
        ("NM", "5.0 H", "", "g/dL", "5.0", ["H"]),
        ("NM", "5.0 L", "L", "g/dL", "5.0", ["L"]),
        ("NM", "5.0 H", "N", "g/dL", None, ["N"]),
        ("NM", "1.5 L", "", "", None, []),  # litres
        ("ST", "5.0 H", "", "", None, []),
        ("ST", "1:320", "H", "", "320", ["H"]),
    ],
)
def test_a_number_with_its_flag_behind_it(kind, value, flag, unit, number, flags):
    made = observation(obx(kind=kind, value=value, flag=flag, unit=unit))
    told = [one["coding"][0]["code"] for one in made.get("interpretation", ())]
    assert told == flags
    if number is None:
        assert made["valueString"] == value
    else:
        assert str(made["valueQuantity"]["value"]) == number
        assert made["valueQuantity"]["extension"][0]["valueString"] == value
    get_fhir_model_class("Observation").model_validate_json(fhir.dumps(made))


def test_a_text_without_unit_is_no_quantity():
    assert observation(obx(kind="ST", value="1", unit=""))["valueString"] == "1"


@pytest.mark.parametrize(
    ("status", "word", "cancelled", "in_report"),
    [("F", "final", False, 1), ("C", "corrected", False, 1), ("P", "preliminary", False, 1),
     ("X", "cancelled", False, 0), ("D", "entered-in-error", True, 0),
     ("W", "entered-in-error", True, 0), ("", "unknown", False, 1)],
)  # fmt: skip
def test_result_status(status, word, cancelled, in_report):
    batch = oul(obx(status=status))
    assert only(batch, "Observation")["status"] == word
    assert batch.items[0].cancelled is cancelled
    assert len(only(batch, "DiagnosticReport").get("result", ())) == in_report


@pytest.mark.parametrize(
    ("obr", "orc", "results", "status"),
    [
        ("F", "CM", ["F"], "final"),
        ("P", "CM", ["F"], "preliminary"),
        ("", "CM", ["P"], "final"),
        ("", "IP", ["F", "F"], "final"),
        ("", "IP", ["F", "C"], "corrected"),
        ("", "IP", ["F", "P"], "partial"),
        ("", "IP", ["P"], "unknown"),
        ("", "IP", ["X"], "cancelled"),
        ("", "IP", [], "unknown"),
    ],
)
def test_report_status(obr, orc, results, status):
    segments = [obx(status=one, number=str(place)) for place, one in enumerate(results)]
    batch = stored("OUL^R22", PID, SPM, OBR[:-1] + obr, ORC.replace("CM", orc), *segments)
    report = only(batch, "DiagnosticReport")
    assert report["status"] == status
    get_fhir_model_class("DiagnosticReport").model_validate_json(fhir.dumps(report))


def test_two_results_of_one_item_stay_two_and_keep_their_keys():
    batch = oul(obx(), obx(value="7.2", number="2"), obx(sub="1", number="3"))
    keys = [item.key for item in batch.items[:3]]
    assert len(set(keys)) == 3
    again = oul(obx(value="9.9"))
    assert again.items[0].key == keys[0]
    assert again.items[0].resource["id"] == batch.items[0].resource["id"]


def test_hospital_and_laboratory_name_one_result_alike():
    """STG-04: the same result from the storage and from the laboratory has one key."""
    hospital = oul(obx())
    laboratory = lab("OUL^R22", SPM, OBR, ORC, obx(code="3A010000002327101^TP^JC10^9^x^99L"))
    assert laboratory.format == "hl7/OUL^R22"
    assert hospital.items[0].key == laboratory.items[0].key
    assert hospital.items[0].resource["id"] == laboratory.items[0].resource["id"]
    assert hospital.scope == "lab|80001|"
    assert laboratory.scope == ""


def test_specimens_of_oul_come_before_and_of_oru_after():
    second = "SPM|2|S2||001^尿^JC10|||||||||||||20261105"
    batch = oul(obx(), second, OBR.replace("|S1|", "|S2|"), ORC, obx())
    reports = [i for i in batch.items if i.resource["resourceType"] == "DiagnosticReport"]
    assert [one.resource["effectiveDateTime"] for one in reports] == ["2026-11-04"] * 2
    specimens = {item.resource["specimen"]["reference"] for item in batch.items
                 if item.resource["resourceType"] == "Observation"}  # fmt: skip
    assert len(specimens) == 2
    oru = lab("ORU^R01", ORC, OBR, obx(), SPM, ORC, OBR.replace("OBR|1", "OBR|2"), obx(), second)
    times = [item.resource["effectiveDateTime"] for item in oru.items
             if item.resource["resourceType"] == "Observation"]  # fmt: skip
    assert times == ["2026-11-04T09:05:00+09:00", "2026-11-05"]
    assert all(one != "not-yet-mapped" for one in oru.account.values())


def test_without_a_specimen_the_item_code_names_it():
    batch = lab("ORU^R01", ORC, OBR, obx())
    made = only(batch, "Observation")
    specimen = next(one for one in batch.items[0].companions if one["resourceType"] == "Specimen")
    assert made["specimen"]["reference"] == f"urn:uuid:{specimen['id']}"
    assert specimen["type"]["text"] == "血清"
    local = lab("ORU^R01", ORC, OBR, obx(code="99^院内^99X"))
    assert "extension" in only(local, "Observation")["specimen"]
    assert any(one.startswith("value-absent") for one in findings(local))
    assert "unmapped-code OBX[1].3" in findings(local)


def test_notes_documents_and_results_without_a_code():
    batch = oul(
        obx(), "NTE|1||再検", "NTE|2||", obx(kind="ED", number="2"), obx(code="", number="3")
    )
    assert only(batch, "Observation")["note"] == [{"text": "再検"}]
    assert batch.items[0].source.at == "OBX[1]"
    assert batch.account["OBX[2]"] == "not-yet-mapped"
    assert batch.account["OBX[3]"] == "field-missing"
    assert batch.account["NTE[2]"] == "used"


def test_odd_units_flags_and_times():
    batch = oul(obx(unit="HFP", flag="??", time="20260230"))
    assert {"unmapped-unit OBX[1].6", "unmapped-flag OBX[1].8", "bad-date OBX[1].14"} <= set(
        findings(batch)
    )
    made = only(batch, "Observation")
    assert made["valueQuantity"]["unit"] == "HFP"
    assert made["effectiveDateTime"] == "2026-11-04T09:05:00+09:00"


def test_without_any_time_it_is_marked_absent():
    obr = "OBR|1|80001|S1|E002^生化学的検査^99O03"
    batch = stored("OUL^R22", PID, "SPM|1|S1||023^血清^JC10", obr, obx())
    assert "_effectiveDateTime" in only(batch, "Observation")
    assert any("effectiveDateTime" in one for one in findings(batch))


@pytest.mark.parametrize(
    "segments",
    [
        pytest.param([], id="nothing but the header"),
        pytest.param([PID.replace("0012345^^^^PI", "")], id="no patient number"),
        pytest.param([PID, ORC, OBR, obx(), PID], id="two patients"),
    ],
)
def test_refused(segments):
    with pytest.raises(Malformed):
        read(Upload(path="x", content=hl7("ORU^R01", *segments)))


def test_a_deleted_file_withdraws_its_results():
    batch = oul(obx(), flag="0")
    assert all(item.cancelled for item in batch.items)
    assert {item.resource["status"] for item in batch.items} == {"entered-in-error"}


def test_a_long_message_is_read_in_time_that_grows_with_it():
    many = [obx(code=f"{n:05d}^x^99L", number=str(n)) for n in range(2_000)]
    assert len(oul(*many).items) == 2_001
