"""Prescriptions in 2D symbols: rows, amounts, identity, bad input."""

from dataclasses import replace

import pytest
from fhir.resources.R4B import get_fhir_model_class

from gateway.errors import Malformed, OverLimit, Refusal
from gateway.model.category import Category
from gateway.model.identifiers import Oid
from gateway.standardize import Upload, read, recognise
from gateway.wire import fhir
from tests.standardize.build import DOMAIN, findings
from tests.standardize.prescriptions import (
    DRUG,
    HEAD,
    ORAL,
    USAGE,
    container,
    only,
    packed,
    prescription,
    requests,
)

HOSPITAL = Oid("1.2.392.100495.20.3.51.11317654321")


def test_a_plain_prescription():
    batch = prescription(ORAL, USAGE, DRUG)
    made = only(batch)
    get_fhir_model_class("MedicationRequest").model_validate_json(fhir.dumps(made))
    for one in batch.items[0].companions:
        get_fhir_model_class(one["resourceType"]).model_validate_json(fhir.dumps(one))
    assert made["authoredOn"] == "2026-11-02"
    assert made["dispenseRequest"]["quantity"]["value"] == 42
    assert made["dispenseRequest"]["expectedSupplyDuration"]["value"] == 14
    assert made["dosageInstruction"][0]["timing"]["repeat"]["when"] == ["PCM", "PCD", "PCV"]
    assert batch.items[0].category is Category.PRESCRIPTION
    assert batch.occurred == "2026-11-02"
    assert set(batch.account.values()) == {"used", "item MedicationRequest"}


@pytest.mark.parametrize(
    ("form", "count", "dose", "quantity", "rate", "single"),
    [
        ("1", "14", "3", "42", "3", None),
        ("1", "7", "0.5", "3.5", "0.5", None),
        ("1", "7", "6.0", "42.0", "6.0", None),
        ("2", "10", "1", "10", None, "1"),
        ("3", "1", "5", "5", None, None),
        ("3", "3", "5", "15", None, None),
        ("4", "1", "10", "10", None, None),
        ("5", "1", "2", "2", None, None),
        ("6", "1", "1", "1", None, None),
        ("9", "2", "1", "2", None, None),
        ("1", "", "3", None, "3", None),
        ("1", "14", "", None, None, None),
        ("1", "x", "3", None, "3", None),
    ],
)
def test_amounts(form, count, dose, quantity, rate, single):
    """A day's for oral drugs, one time's as needed, with the count the whole for the rest."""
    made = requests(f"101,1,{form},,{count}", USAGE, f"201,1,1,1,2,620004992,見本錠,{dose},1,錠")[0]
    found = made.get("dispenseRequest", {}).get("quantity", {}).get("value")
    assert (None if found is None else str(found)) == quantity
    doses = made["dosageInstruction"][0].get("doseAndRate", [{}])[0]
    shown = doses.get("rateRatio", {}).get("numerator", {}).get("value")
    assert (None if shown is None else str(shown)) == rate
    once = doses.get("doseQuantity", {}).get("value")
    assert (None if once is None else str(once)) == single
    assert made["dosageInstruction"][0].get("asNeededBoolean", False) is (form == "2")


@pytest.mark.parametrize(
    ("kind", "code", "system"),
    [
        ("2", "620004992", "urn:oid:1.2.392.100495.20.2.71"),
        ("4", "1149019F1560", "http://capstandard.jp/iyaku.info/CodeSystem/YJ-code"),
        ("6", "110626901", "http://medis.or.jp/CodeSystem/master-HOT9"),
        ("7", "1149019F1ZZZ",
         "http://jpfhir.jp/fhir/core/mhlw/CodeSystem/MedicationGeneralOrderCode"),
        ("3", "1149019F1560", "urn:x-regional-gateway:code:nhi-price-list"),
        ("8", "A1", "urn:x-regional-gateway:code:2.999.30.1:drug"),
        ("1", "", None),
        ("7", "", None),
    ],
)  # fmt: skip
def test_drug_codes(kind, code, system):
    batch = prescription(ORAL, USAGE, f"201,1,1,1,{kind},{code},見本錠,3,1,錠")
    drug = only(batch)["medicationCodeableConcept"]
    assert drug["text"] == "見本錠"
    assert drug.get("coding", [{}])[0].get("system") == system
    local = system is None or ":code:2.999" in system
    assert ("unmapped-code row 12 code" in findings(batch)) is local


def test_unequal_doses_and_what_does_not_add_up():
    unequal = "221,1,1,1.5,0.5,,,,V11.5NNN,V20.5NNN,,,"
    batch = prescription(ORAL, "111,1,1,,朝夕,2", DRUG.replace(",3,1", ",2,1"), unequal)
    told = only(batch)["dosageInstruction"][0]["additionalInstruction"]
    assert [one["text"] for one in told] == ["不均等・1回目・1.5錠", "不均等・2回目・0.5錠"]
    assert [one["coding"][0]["code"] for one in told] == ["V11.5NNN", "V20.5NNN"]
    assert "dose-clash row 13" not in findings(batch)
    wrong = prescription(ORAL, USAGE, DRUG, unequal.replace("V20.5NNN", "V21NNNNN"))
    assert {"dose-clash row 13", "dose-clash row 13 code2"} <= set(findings(wrong))


def test_what_changes_the_days_leaves_no_daily_timing():
    kept = requests(ORAL, USAGE, "181,1,1,2,一包化,,", DRUG)[0]
    assert kept["dosageInstruction"][0]["timing"]["repeat"]["frequency"] == 3
    assert kept["dispenseRequest"]["extension"][0]["valueCodeableConcept"]["text"] == "一包化"
    for note in ("181,1,1,5,透析日に服用,,", "181,1,1,3,奇数日,,", "181,1,1,1,漸減,,"):
        made = requests(ORAL, USAGE, note, DRUG)[0]
        assert "repeat" not in made["dosageInstruction"][0]["timing"]
        assert made["dosageInstruction"][0]["additionalInstruction"][0]["text"]
    other = requests("101,1,1,,14", "111,1,2,1011000400000000,１日１回朝食後,1", DRUG,
                     "281,1,1,1,7,１日おき,I1100000")[0]  # fmt: skip
    assert other["dosageInstruction"][0]["timing"]["repeat"]["period"] == 2


@pytest.mark.parametrize(
    ("kinds", "code"),
    [("3", "1"), ("4", "2"), ("5", "3"), ("6", None), ("34", None)],
)
def test_substitution(kinds, code):
    notes = [f"281,1,1,{n},{kind},変更不可{kind}," for n, kind in enumerate(kinds, start=1)]
    made = requests(ORAL, USAGE, DRUG, *notes)[0]
    allowed = made["substitution"]["allowedCodeableConcept"]
    assert allowed.get("coding", [{}])[0].get("code") == code
    assert all(f"変更不可{kind}" in allowed["text"] for kind in kinds)


def test_the_whole_prescription():
    made = requests(
        "52,20261105", "62,2", "63,3,2", "64,3", "81,1,2,粉砕", "82,1,1234567890123456",
        "101,1,1,,14", "102,1,14,42", USAGE, DRUG, "241,1,1,1,3",
    )[0]  # fmt: skip
    supply = made["dispenseRequest"]
    assert supply["validityPeriod"] == {"start": "2026-11-02", "end": "2026-11-05"}
    assert supply["numberOfRepeatsAllowed"] == 2
    assert supply["extension"][0]["valueCodeableConcept"]["coding"][0]["code"] == "C"
    assert made["groupIdentifier"]["value"] == "1234567890123456"
    assert made["dosageInstruction"][0]["doseAndRate"][0]["doseQuantity"]["value"] == 1
    texts = [note["text"] for note in made["note"]]
    assert "粉砕" in texts
    assert any("3回のうち2回目" in text for text in texts)
    assert any("総調剤数量 42" in text for text in texts)


def test_the_burden_of_a_drug_names_its_payers():
    public = ["27,21130007,1234567", "28,51130009,"]
    plain = prescription(*public, ORAL, USAGE, DRUG)
    assert len(only(plain)["insurance"]) == 3
    chosen = prescription(*public, ORAL, USAGE, DRUG, "231,1,1,0,1,0,0")
    kinds = {one["id"]: one for one in chosen.items[0].companions}
    paying = [kinds[one["reference"][9:]] for one in only(chosen)["insurance"]]
    assert [one.get("order") for one in paying] == [None, 2]


@pytest.mark.parametrize(
    ("written", "born", "exact"),
    [
        ("19621103", "1962-11-03", True),
        ("3371103", "1962-11-03", True),
        ("196211", "1962-11", False),
        ("33711", "1962-11", False),
        ("1962", "1962", False),
        ("337", "1962", False),
        ("5080101", "2026-01-01", True),
        ("9990101", None, False),
        ("19621399", None, False),
        ("33713", None, False),
    ],
)
def test_birth(written, born, exact):
    """A date without its day stays one; one that does not exist is left out."""
    head = [row if not row.startswith("13,") else f"13,{written}" for row in HEAD]
    batch = prescription(ORAL, USAGE, DRUG, head=head)
    assert batch.patient_resource.get("birthDate") == born
    assert (batch.demographics.birth is not None) is exact
    assert ("bad-date row 6 birth" in findings(batch)) is (born is None)


def test_whose_number_it_is():
    """A pharmacy's file never puts the hospital's chart id under the pharmacy's domain."""
    rows = (ORAL, USAGE, DRUG)
    pharmacy = prescription(*rows)
    assert pharmacy.patient.domain == DOMAIN
    assert pharmacy.patient.value.startswith("rx-")
    assert [(one.domain, one.value) for one in pharmacy.demographics.other_ids] == [
        (HOSPITAL, "0012345")
    ]
    assert "patient-without-number row 4" in findings(pharmacy)
    own = prescription(*rows, domain=HOSPITAL)
    assert (own.patient.domain, own.patient.value) == (HOSPITAL, "0012345")
    assert own.demographics.other_ids == ()
    assert "patient-without-number row 4" not in findings(own)
    stated = prescription(*rows, patient="P9")
    assert stated.patient.value == "P9"
    assert stated.demographics.other_ids[0].value == "0012345"
    assert "patient-without-number row 4" not in findings(stated)


@pytest.mark.parametrize(
    ("before", "after"),
    [("0012345", "0012346"), ("架空 花子", "架空 華子"), ("12,2", "12,1"), ("19621103", "19621104"),
     ("7654321", "7654322")],
)  # fmt: skip
def test_other_descriptions_are_other_numbers(before, after):
    one = prescription(ORAL, USAGE, DRUG)
    other = prescription(ORAL, USAGE, DRUG, head=[row.replace(before, after) for row in HEAD])
    assert one.patient != other.patient


def test_the_same_prescription_has_the_same_keys():
    """From the symbol, sent again, and from the container."""
    number = "82,1,1234567890123456"
    first = prescription(number, ORAL, USAGE, DRUG)
    again = prescription(number, ORAL, USAGE, DRUG, end="\n", last="\x1a")
    signed = read(Upload(path="e.xml", content=container(packed(number, ORAL, USAGE, DRUG)),
                         domain=DOMAIN))  # fmt: skip
    assert first.items[0].key == again.items[0].key == signed.items[0].key
    assert first.patient == signed.patient
    other = prescription(number.replace("6", "7"), ORAL, USAGE, DRUG)
    assert other.items[0].key != first.items[0].key


@pytest.mark.parametrize(
    ("options", "note"),
    [
        ({"end": "\n"}, None),
        ({"last": ""}, None),
        ({"last": "\r\n\x1a"}, None),
        ({"charset": "utf-8"}, "encoding-detected"),
        ({"charset": "utf-8-sig"}, "encoding-detected"),
    ],
)
def test_line_ends_and_encodings(options, note):
    batch = prescription(ORAL, USAGE, DRUG, **options)
    assert len(batch.items) == 1
    assert "".join(findings(batch)).count("encoding-detected") == (note is not None)


def test_newer_versions_are_read_as_the_newest():
    head = ["JAHIS11", *HEAD[1:]]
    batch = prescription(ORAL, USAGE, DRUG, "299,1,1,新", head=head)
    assert "version-unknown row 1" in findings(batch)
    assert batch.account["row 13"] == "layout-unknown"
    assert len(batch.items) == 1


def test_rows_out_of_order_are_read_and_found():
    batch = prescription(DRUG, USAGE, ORAL, "82,1,1234567890123456")
    assert only(batch)["dispenseRequest"]["quantity"]["value"] == 42
    assert {"record-order row 11", "record-order row 12"} <= set(findings(batch))


@pytest.mark.parametrize(
    "extra",
    ["281,9,1,1,,別包,", "211,1,2,250", "111,9,1,,毎食後,3", DRUG, ORAL, "51,20261103"],
)
def test_rows_that_belong_nowhere_are_accounted_for(extra):
    batch = prescription(ORAL, USAGE, DRUG, extra)
    assert batch.account["row 13"] == "record-order"
    assert len(batch.items) == 1
    assert only(batch)["authoredOn"] == "2026-11-02"


@pytest.mark.parametrize(
    ("row", "finding"),
    [
        ("2,113-0021,東京都文京区本駒込２?２８", "lost-character row 10 address"),
        ("81,1,,■野様", "lost-character row 10 text"),
        ("82,1,12345678901234567", "field-type row 10 number"),
        ("82,1,12A", "field-type row 10 number"),
        ("62,", "field-missing row 10 flag"),
        ("14,3,x", "unmapped-field row 10"),
        ("4,1,77,内科", "unmapped-code row 10 code"),
    ],
)
def test_findings_of_fields(row, finding):
    batch = prescription(row, ORAL, USAGE, DRUG)
    assert finding in findings(batch)
    assert len(batch.items) == 1


@pytest.mark.parametrize("name", ["?", "what?"])
def test_a_question_mark_in_ascii_is_one(name):
    batch = prescription(f"3,03-0000-0000,,{name}", ORAL, USAGE, DRUG)
    assert not [one for one in findings(batch) if one.startswith("lost-character")]


@pytest.mark.parametrize(
    ("rows", "refusal"),
    [
        (["JAHIS10", "1,1,7654321,13,見本病院"], Malformed),
        ([*HEAD, "11,2,別人 一郎,"], Malformed),
        (["JAHIS10,1", *HEAD[1:]], Malformed),
        ([*HEAD, "201," + "1," * 600], OverLimit),
        ([*HEAD, "201,1,1,1,2,\x01"], Malformed),
        (["JAHIS10", HEAD[1], "11,../x,架空 花子,"], Malformed),
    ],
)
def test_refused_as_a_whole(rows, refusal):
    with pytest.raises(refusal):
        prescription(head=rows)


@pytest.mark.parametrize(
    ("first", "name"),
    [
        (b"JAHIS1\r\n", "jahis-prescription"),
        (b"JAHIS10\r\n", "jahis-prescription"),
        (b"JAHIS5", "jahis-prescription"),
        (b"\xef\xbb\xbfJAHIS9\n", "jahis-prescription"),
        (b"JAHISTC05,1\r\n", "jahis-notebook"),
        (b"JAHIS\r\n", None),
        (b"JAHIS123\r\n", None),
        (b"SJ1\n", None),
        (b" JAHIS10\r\n", None),
    ],
)
def test_recognised_by_the_first_line(first, name):
    upload = Upload(path="x", content=first)
    if name is None:
        with pytest.raises(Refusal):
            recognise(upload)
    else:
        assert recognise(upload).name == name


def test_part_rows_of_a_symbol_are_not_taken_for_the_whole():
    batch = prescription("911,12345678901234,2,1", ORAL, USAGE, DRUG)
    assert batch.items == ()
    assert "split-symbol row 10" in findings(batch)
    whole = prescription("911,12345678901234,1,1", ORAL, USAGE, DRUG)
    assert len(whole.items) == 1


def test_a_stated_patient_keeps_the_description():
    upload = Upload(path="x", content=b"JAHIS10\r\n11,,,\r\n", domain=DOMAIN)
    batch = read(upload)
    assert batch.items == ()
    assert read(replace(upload, patient="1")).patient.value == "1"
