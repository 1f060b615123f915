"""Medication notebooks: rows, blocks, amounts, identity, bad input."""

import pytest
from fhir.resources.R4B import get_fhir_model_class

from gateway.errors import Malformed, OverLimit
from gateway.model.category import Category
from gateway.standardize import Upload, read
from gateway.wire import fhir
from tests.standardize.build import DOMAIN, findings, only

HEAD = ["JAHISTC08,1", "1,架空 花子,2,S371103,,,,,,,ｶｸｳ ﾊﾅｺ"]
BLOCK = ["5,R081102,1", "11,見本薬局,13,4,1234567,,,,1", "51,見本病院,13,1,7654321,1"]
DRUG = "201,1,見本錠,3,錠,2,620004992,1"
USAGE = "301,1,【毎食後】,5,日分,1,1,,1"


def notebook(*rows, head=HEAD, charset="cp932", end="\r\n", **options):
    content = end.join([*head, *rows]).encode(charset)
    return read(Upload(path="n.csv", content=content, domain=DOMAIN, **options))


def dispense(*rows):
    return only(notebook(*BLOCK, *rows), "MedicationDispense")


def test_a_plain_dispense():
    batch = notebook(*BLOCK, DRUG, USAGE)
    made = only(batch, "MedicationDispense")
    get_fhir_model_class("MedicationDispense").model_validate_json(fhir.dumps(made))
    assert made["whenHandedOver"] == "2026-11-02"
    assert made["quantity"] == {
        "value": 15,
        "unit": "錠",
        "system": "http://jpfhir.jp/fhir/core/mhlw/CodeSystem/MedicationUnitMERIT9Code",
        "code": "TAB",
    }
    assert made["daysSupply"]["value"] == 5
    assert batch.items[0].category is Category.DISPENSING
    assert batch.occurred == "2026-11-02"
    assert batch.demographics.birth.isoformat() == "1962-11-03"
    assert [one.script.value for one in batch.demographics.names] == ["IDE", "SYL"]


@pytest.mark.parametrize(
    ("dose", "usage", "quantity", "rate", "single"),
    [
        ("3", "5,日分,1", "15", "3", None),
        ("1.5", "5,日分,1", "7.5", "1.5", None),
        ("6.0", "14,日分,7", "84.0", "6.0", None),
        ("1", "10,回分,3", "10", None, "1"),
        ("5.0", "1,調剤,5", "5.0", None, None),
        ("5", "3,調剤,4", "15", None, None),
        ("1", ",,1", None, "1", None),
        ("", "5,日分,1", None, None, None),
    ],
)
def test_amounts(dose, usage, quantity, rate, single):
    """A day's for oral drugs, one time's as needed, the whole for the rest."""
    made = dispense(DRUG.replace(",3,錠", f",{dose},錠"), f"301,1,用法,{usage},1,,1")
    found = made["quantity"].get("value")
    assert (None if found is None else str(found)) == quantity
    doses = made["dosageInstruction"][0].get("doseAndRate", [{}])[0]
    shown = doses.get("rateRatio", {}).get("numerator", {}).get("value")
    assert (None if shown is None else str(shown)) == rate
    once = doses.get("doseQuantity", {}).get("value")
    assert (None if once is None else str(once)) == single


@pytest.mark.parametrize(
    ("kind", "code", "system", "found"),
    [
        ("2", "620004992", "urn:oid:1.2.392.100495.20.2.71", None),
        ("4", "1149019F1560", "http://capstandard.jp/iyaku.info/CodeSystem/YJ-code", None),
        ("6", "110626901", "http://medis.or.jp/CodeSystem/master-HOT9", None),
        ("6", "1106269", "http://medis.or.jp/CodeSystem/master-HOT7", None),
        ("2", " 620004992", "urn:oid:1.2.392.100495.20.2.71", "trimmed-blank row 6 code"),
        ("6", "11", "urn:x-regional-gateway:code:2.999.30.1:drug", "unmapped-code row 6 code"),
        ("1", "", None, "unmapped-code row 6 code"),
        ("2", "", None, "unmapped-code row 6 code"),
    ],
)
def test_drug_codes(kind, code, system, found):
    batch = notebook(*BLOCK, f"201,1,見本錠,3,錠,{kind},{code},1", USAGE)
    drug = only(batch, "MedicationDispense")["medicationCodeableConcept"]
    assert drug["text"] == "見本錠"
    assert drug.get("coding", [{}])[0].get("system") == system
    assert found is None or found in findings(batch)


def test_rps_doctors_and_notes():
    batch = notebook(
        *BLOCK,
        "55,見本 一郎,内科,1",
        DRUG,
        "281,1,粉砕不可,1",
        "201,1,別の錠,1,錠,2,620425801,1",
        USAGE,
        "391,1,眠気,1",
        "55,見本 二郎,皮膚科,1",
        "201,2,軟膏,5,g,2,662640418,1",
        "301,2,塗布,1,調剤,5,1,,1",
        "501,手帳を持参,1",
    )
    drugs = [item.resource for item in batch.items]
    pairs = [tuple(part["value"] for part in one["identifier"]) for one in drugs]
    assert pairs == [("1", "1"), ("1", "2"), ("2", "1")]
    notes = [[one["text"] for one in drug["note"]] for drug in drugs]
    assert notes == [["粉砕不可", "眠気", "手帳を持参"], ["眠気", "手帳を持参"], ["手帳を持参"]]
    origins = {drug["supportingInformation"][0]["reference"] for drug in drugs}
    assert len(origins) == 2
    roles = [one for one in batch.items[2].companions if one["resourceType"] == "PractitionerRole"]
    assert roles[0]["specialty"] == [{"text": "皮膚科"}]


def test_the_same_delivered_again_has_the_same_keys_and_repeats_stay():
    first = notebook(*BLOCK, DRUG, DRUG, USAGE)
    again = notebook(*BLOCK, DRUG, DRUG, USAGE)
    assert [item.key for item in first.items] == [item.key for item in again.items]
    assert len({item.key for item in first.items}) == 2
    other = notebook("5,R081103,1", *BLOCK[1:], DRUG, USAGE)
    assert other.items[0].key not in {item.key for item in first.items}
    assert "見本" not in first.items[0].key


@pytest.mark.parametrize(
    ("head", "same"),
    [
        pytest.param(HEAD, True, id="the same"),
        pytest.param([HEAD[0], HEAD[1].replace("S371103", "19621103")], True, id="a date form"),
        pytest.param([HEAD[0], HEAD[1].replace("花子", "華子")], False, id="another name"),
        pytest.param([HEAD[0], HEAD[1].replace(",2,", ",1,")], False, id="another sex"),
        pytest.param([HEAD[0], HEAD[1].replace("S371103,", "S371103,999")], False, id="zip"),
    ],
)
def test_a_number_is_made_of_the_description(head, same):
    one = notebook(*BLOCK, DRUG, USAGE)
    other = notebook(*BLOCK, DRUG, USAGE, head=head)
    assert one.patient.value.startswith("tc-")
    assert (one.patient == other.patient) == same
    assert "patient-without-number row 2" in findings(one)


def test_a_stated_number_counts():
    batch = notebook(*BLOCK, DRUG, USAGE, patient="P-77")
    assert batch.patient.value == "P-77"
    assert not any(one.startswith("patient-without-number") for one in findings(batch))


@pytest.mark.parametrize(
    ("charset", "end", "found"),
    [
        ("cp932", "\r\n", None),
        ("cp932", "\n", None),
        ("utf-8", "\n", "encoding-detected"),
        ("utf-8-sig", "\r\n", "encoding-detected"),
    ],
)
def test_encodings_and_newlines(charset, end, found):
    batch = notebook(*BLOCK, DRUG, USAGE, charset=charset, end=end)
    assert only(batch, "MedicationDispense")["medicationCodeableConcept"]["text"] == "見本錠"
    assert found is None or found in findings(batch)


def test_user_defined_characters_are_kept_and_reported():
    content = "\r\n".join([*HEAD, *BLOCK, DRUG, USAGE]).encode("cp932")
    content = content.replace("見本錠".encode("cp932"), b"\xf0\x40")
    batch = read(Upload(path="n", content=content))
    assert only(batch, "MedicationDispense")["medicationCodeableConcept"]["text"] == "\ue000"
    assert "user-defined-character" in findings(batch)


@pytest.mark.parametrize(
    ("rows", "at"),
    [
        pytest.param(["JAHISTC08,1"], "record 1", id="no patient"),
        pytest.param([*HEAD, HEAD[1]], "record 1", id="two patients"),
        pytest.param(["JAHISTC", *HEAD[1:]], "row 1", id="no version"),
        pytest.param([*HEAD, "201,\x00"], "row 3", id="NUL"),
    ],
)
def test_refused(rows, at):
    with pytest.raises(Malformed) as caught:
        notebook(head=rows)
    assert caught.value.at == at


def test_a_broken_character_is_refused_with_its_row():
    content = "\r\n".join(HEAD).encode("cp932") + b"\r\n201,1,\x81"
    with pytest.raises(Malformed) as caught:
        read(Upload(path="n", content=content))
    assert caught.value.at == "row 3"


def test_limits():
    with pytest.raises(OverLimit):
        notebook("501," + "x," * 500)
    with pytest.raises(OverLimit):
        notebook("501," + "x" * (64 * 1024 + 1))
    assert notebook("501," + "x" * (64 * 1024)).format == "jahis-notebook/JAHISTC08"


@pytest.mark.parametrize(
    ("row", "became"),
    [
        ("2,1,乳製品,1", "item AllergyIntolerance"),
        ("2,2,発疹,1", "item AllergyIntolerance"),
        ("2,3,胃炎,1", "item Condition"),
        ("2,9,嚥下困難,1", "item Communication"),
        ("2,5,不明な種別,1", "not-yet-mapped"),
        ("2,1,,1", "not-yet-mapped"),
        ("2,,,1", "empty-row"),
        ("3,かぜ薬,R081101,R081103,2", "item MedicationStatement"),
        ("3,かぜ薬,,,2,1,4987000000000", "item MedicationStatement"),
        ("4,メモ,R081101,2", "item Communication"),
        ("601,眠い,R081101", "item Communication"),
        ("601,,R081101", "not-yet-mapped"),
        ("421,残薬なし,1", "item Communication"),
        ("411,退院,30,1", "item Communication"),
        ("501,備考,1", "item Communication"),
        ("701,見本 一郎,見本薬局,03-0000-0000,R080101,,1", "item CareTeam"),
        ("701,,,03-0000-0000,,,1", "not-yet-mapped"),
        ("31,1,成分,1,,1", "not-yet-mapped"),
        ("999,なにか", "layout-unknown"),
        ("", None),
        ("201,1,薬,1,錠,1,,1", "row-order"),
    ],
)
def test_rows_outside_a_block(row, became):
    batch = notebook(row)
    assert batch.account.get("row 3") == became
    if became and not became.startswith("item"):
        assert f"{became} row 3" in findings(batch)


def test_what_the_patient_wrote_is_the_patients():
    batch = notebook("5,R081102,1", "421,残薬なし,1", "601,眠い,S640107")
    pharmacy, own = (item.resource for item in batch.items)
    assert pharmacy["sent"] == "2026-11-02"
    assert "sender" not in pharmacy
    assert own["sent"] == "1989-01-07"
    assert own["sender"] == own["subject"]
    assert batch.items[1].category is Category.USER_NOTE
    for item in batch.items:
        kind = item.resource["resourceType"]
        get_fhir_model_class(kind).model_validate_json(fhir.dumps(item.resource))


def test_a_note_without_a_dispense_names_who_wrote_it():
    batch = notebook(*BLOCK[:2], "15,見本 薬子,,1", "411,錠剤は粉砕して投与,31,1")
    made = only(batch, "Communication")
    assert made["sent"] == "2026-11-02"
    assert made["sender"]["reference"] == f"urn:uuid:{batch.items[0].companions[0]['id']}"
    assert [one["resourceType"] for one in batch.items[0].companions] == [
        "Practitioner", "Organization",
    ]  # fmt: skip
    assert set(batch.account.values()) == {"used", "item Communication"}


def test_history_and_family_pharmacist():
    batch = notebook(
        "2,3,狭心症(2011年～),2", "701,見本 一郎,見本薬局,03-0000-0000,R080101,R080301,1"
    )
    past, team = (item.resource for item in batch.items)
    assert past["code"] == {"text": "狭心症(2011年～)"}
    assert past["verificationStatus"]["coding"][0]["code"] == "unconfirmed"
    assert "clinicalStatus" not in past
    assert past["asserter"] == past["subject"]
    assert team["status"] == "inactive"
    assert team["period"] == {"start": "2026-01-01", "end": "2026-03-01"}
    assert len(batch.items[1].companions) == 2
    for item in batch.items:
        for one in (item.resource, *item.companions):
            get_fhir_model_class(one["resourceType"]).model_validate_json(fhir.dumps(one))


def test_ingredients_of_a_bought_medicine():
    batch = notebook("3,かぜ薬,,,2,1,", "31,1,アセトアミノフェン,1,,1", "31,2,別の薬の成分,1,,1")
    assert only(batch, "MedicationStatement")["note"] == [{"text": "成分: アセトアミノフェン"}]
    assert batch.account["row 4"] == "used"
    assert batch.account["row 5"] == "not-yet-mapped"


def test_one_part_of_several_is_set_aside():
    batch = notebook(*BLOCK, DRUG, USAGE, "911,12345678901234,2,1")
    assert batch.items == ()
    assert "split-symbol row 3" in findings(batch)
    whole = notebook(*BLOCK, DRUG, USAGE, "911,12345678901234,1,1")
    assert len(whole.items) == 1


def test_versions_dates_and_extra_columns():
    batch = notebook(
        "5,R081399,1", *BLOCK[1:], DRUG + ",,,,余分", USAGE, head=["JAHISTC99,1", HEAD[1]]
    )
    found = findings(batch)
    assert "version-unknown row 1" in found
    assert "bad-date row 3 date" in found
    assert "unmapped-field row 6" in found
    assert "_whenHandedOver" in only(batch, "MedicationDispense")
    late = notebook("5,H360401,1", *BLOCK[1:], DRUG, USAGE)
    assert "era-overrun row 3 date" in findings(late)


def test_a_usage_code_of_jami():
    made = dispense(DRUG, "301,1,毎食後,5,日分,1,2,1013044400000000,1")
    dosage = made["dosageInstruction"][0]
    assert dosage["timing"]["code"]["coding"][0]["code"] == "1013044400000000"
    assert [one["code"] for one in dosage["method"]["coding"]] == ["1", "10"]


@pytest.mark.parametrize(
    ("dose", "usage", "note", "found"),
    [
        ("適量", "1,調剤,5", "用量 適量錠", "not-a-number row 6 dose"),
        ("1", ",,", "用量 1錠", ""),
        ("500", "頓服,,3", "用法数量 頓服", "not-a-number row 7 quantity"),
        ("3", "5,日分,1", "", ""),
        ("3", "99999999,日分,1", "用法数量 99999999日分", ""),
        ("3", "-1,日分,1", "用法数量 -1日分", ""),
    ],
)
def test_an_amount_without_an_element_is_a_note(dose, usage, note, found):
    batch = notebook(*BLOCK, DRUG.replace(",3,錠", f",{dose},錠"), f"301,1,用法,{usage},1,,1")
    made = only(batch, "MedicationDispense")
    assert [one["text"] for one in made.get("note", ())] == ([note] if note else [])
    assert [one for one in findings(batch) if one.startswith("not-a")] == ([found] if found else [])


def test_a_drug_without_a_usage_keeps_its_amount():
    made = dispense(DRUG)
    assert made["note"] == [{"text": "用量 3錠"}]


@pytest.mark.parametrize("parts", ["1,1", "001,001"])
def test_one_part_of_one_is_whole(parts):
    batch = notebook(*BLOCK, DRUG, USAGE, f"911,12345678901234,{parts}")
    assert len(batch.items) == 1
    assert batch.account["row 8"] == "used"
    assert not [one for one in findings(batch) if one.endswith("row 8")]
