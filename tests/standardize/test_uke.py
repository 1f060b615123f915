"""Claim files: what each record becomes."""

from collections import Counter
from dataclasses import replace
from decimal import Decimal

import pytest
from fhir.resources.R4B import get_fhir_model_class

from gateway.errors import Malformed
from gateway.model import codebook
from gateway.model.category import Category
from gateway.model.codebook import Code, CodeBook, Master
from gateway.model.person import Gender, Script
from gateway.standardize import Upload, batches, read, recognise
from gateway.standardize.uke import masters
from gateway.wire import fhir
from tests.shared import needs_shared, shared
from tests.standardize.claims import (
    DOMAIN,
    IR,
    RE,
    act,
    claim,
    codes_of,
    drug,
    read_all,
    read_one,
    resources,
    upload,
)

SAMPLE = ("japan", "samples", "visible", "uke-receiptisan", "RECEIPTC_GAIRAI_SAMPLE.UKE")


@needs_shared
def test_every_row_of_the_published_file():
    content = shared(*SAMPLE).read_bytes()
    found = read_all(content)
    assert len(found) == 75
    assert {one.format for one in found} == {"uke/medical"}
    account = Counter()
    for place, batch in enumerate(found):
        own = dict(batch.account)
        for shared_row in ("row 1", "row 636"):
            became = own.pop(shared_row)
            if place == 0:
                account[became] += 1
        account.update(own.values())
    assert sum(account.values()) == 636 == len(content.split(b"\r\n")) - 1
    assert account == {
        "used": 99, "item Coverage": 140, "item Condition": 9, "item Procedure": 320,
        "item MedicationRequest": 8, "item MedicationAdministration": 24,
        "item Communication": 36,
    }  # fmt: skip
    kinds = Counter(item.resource["resourceType"] for one in found for item in one.items)
    assert kinds == {
        "Coverage": 140, "Condition": 9, "Procedure": 330, "MedicationRequest": 8,
        "MedicationAdministration": 24, "Communication": 26,
    }  # fmt: skip
    for batch in found:
        for item in batch.items:
            line = content[item.source.start : item.source.end]
            assert line[:2] in (b"HO", b"KO", b"SY", b"SI", b"IY", b"CO")
            for one in (item.resource, *item.companions):
                kind = get_fhir_model_class(one["resourceType"])
                kind.model_validate_json(fhir.dumps(one))


def test_a_person():
    batch = read_one(patient=RE + "," * 23 + "カクウハナコ,")
    assert batch.patient.value == "00000123"
    assert batch.version == "202611"
    kanji = batch.demographics.name(Script.KANJI)
    assert (kanji.family, kanji.given) == ("架空", "花子")
    assert batch.demographics.name(Script.KANA).full == "カクウハナコ"
    assert batch.demographics.gender is Gender.FEMALE
    assert batch.demographics.birth.isoformat() == "1962-11-03"


@pytest.mark.parametrize(
    ("month", "shown"),
    [("202110", "2021-10"), ("50310", "2021-10"), ("40101", "1989-01"), ("36401", "1989-01")],
)
def test_months_by_length(month, shown):
    batch = read_one(act(d1=1), patient=RE.replace("202610", month))
    (done,) = resources(batch, "Procedure")
    assert done["performedDateTime"] == f"{shown}-01"


def test_without_a_chart_id_a_number_is_made_of_the_description():
    without = RE.replace("00000123", "")
    one = read_one(patient=without)
    assert one.patient.value.startswith("uke-")
    assert "patient-without-number row 2 カルテ番号等" in codes_of(one)
    assert read_one(patient=without).patient == one.patient
    other = read_one(patient=without.replace("19621103", "19621104"))
    assert other.patient != one.patient


def test_insurance_and_public_payments():
    batch = read_one(
        "SN,1,01,,,,5,,", "KO,12130002,1234567,,1,100,0", payer="HO,  991232,記,００７,1,100"
    )
    insured, public = resources(batch, "Coverage")
    assert insured["identifier"][0]["value"] == "00991232:記:００７:05"
    assert insured["dependent"] == "05"
    assert public["subscriberId"] == "1234567"
    assert public["order"] == 1
    assert {item.category for item in batch.items} == {Category.DEMOGRAPHICS}


def test_what_an_sn_says_beyond_the_samples_is_unknown():
    batch = read_one("SN,2,03,A,B,,1,,")
    assert batch.account["row 4"] == "layout-unknown"


def test_diagnoses():
    batch = read_one(
        "SY,4659007,20261001,1,8002,,01,",
        "SY,0000999,5080901,2,2057,架空病,,左",
        "SY,5559001,20261001,3,,,,",
        "SY,1.11E+06,20261001,1,,,,",
        "SY,697,20261301,9,123,,,",
    )
    suspected, uncoded, died, damaged = resources(batch, "Condition")
    assert suspected["verificationStatus"]["coding"][0]["code"] == "provisional"
    (suffix,) = suspected["code"]["extension"]
    assert suffix["url"].endswith("JP_Condition_DiseasePostfixModifier")
    assert suffix["valueCodeableConcept"]["text"] == "の疑い"
    assert suspected["code"]["coding"] == [{"system": masters.DISEASE, "code": "4659007"}]
    assert "text" not in suspected["code"]  # the list of names is not ours to ship
    assert suspected["category"][1] == {"text": "主傷病"}
    assert suspected["clinicalStatus"]["coding"][0]["code"] == "active"
    assert uncoded["code"]["text"] == "〔修飾語2057〕架空病"  # its name is not known
    assert uncoded["onsetDateTime"] == "2026-09-01"
    assert uncoded["abatementDateTime"] == "2026-10"
    assert uncoded["clinicalStatus"]["coding"][0]["code"] == "resolved"
    assert uncoded["note"] == [{"text": "左"}]
    assert died["clinicalStatus"]["coding"][0]["code"] == "inactive"
    assert damaged["code"]["coding"][0]["code"] == "0000697"
    found = codes_of(batch)
    assert batch.account["row 7"] == "exponent-number"
    for one in ("exponent-number row 7 傷病名コード", "zeros-restored row 8 傷病名コード",
                "bad-date row 8 診療開始日", "field-table row 8 転帰区分",
                "field-type row 8 修飾語コード", "unmapped-code row 5 傷病名コード"):  # fmt: skip
        assert one in found


def test_names_of_loaded_masters():
    lines = {
        "receipt-disease": codebook.line("4659007", "架空炎", "", "", [Code("icd10", "J069")]),
        "receipt-modifier": codebook.line("2057", "左", "", "", []),
        "receipt-drug": codebook.line("620004422", "架空錠", "", "", [Code("yj", "1149019F1560")]),
    }
    book = CodeBook(
        Master(kind=kind, name=kind, version="1", text=text.encode())
        for kind, text in lines.items()
    )
    content = claim("SY,4659007,20261001,1,20578002,,,", "SY,4659007,20261002,1,1234,,,",
                    drug(d5=7))  # fmt: skip
    (batch,) = batches(replace(upload(content), codes=book))
    first, second = resources(batch, "Condition")
    assert first["code"]["text"] == "左架空炎の疑い"
    assert first["code"]["coding"][0]["display"] == "架空炎"
    assert {"system": masters.ICD10, "code": "J069"} in first["code"]["coding"]
    assert second["code"]["text"] == "〔修飾語1234〕架空炎"
    (taken,) = resources(batch, "MedicationRequest")
    assert taken["medicationCodeableConcept"]["text"] == "架空錠"
    assert [one["code"] for one in taken["medicationCodeableConcept"]["coding"]] == [
        "620004422", "1149019F1560",
    ]  # fmt: skip


def test_a_diagnosis_goes_on_from_month_to_month():
    first = read_one("SY,4659007,20260801,1,,,,").items[1]
    later = read_one(
        "SY,4659007,20260801,2,,,,", head=IR.replace("202611", "202612"),
        patient=RE.replace("202610", "202611"),
    ).items[1]  # fmt: skip
    assert first.key == later.key
    assert first.version == "202610202611" < later.version
    # what is claimed late for an earlier month is older, whenever it is claimed
    late = read_one(
        "SY,4659007,20260801,1,,,,", head=IR.replace("202611", "202703"),
        patient=RE.replace("202610", "202609"),
    ).items[1]  # fmt: skip
    assert late.version < first.version


def test_an_act_on_each_of_its_days():
    batch = read_one(act(d1=1, d31=3, quantity="2"), act("180016110", "13", d7=1))
    found = resources(batch, "Procedure")
    assert [one["performedDateTime"] for one in found] == ["2026-10-01", "2026-10-31", "2026-10-07"]
    assert found[1]["note"] == [{"text": "数量 2"}, {"text": "回数 3"}]
    assert found[0]["code"]["coding"] == [{"system": masters.PROCEDURE, "code": "160000310"}]
    assert found[0]["category"]["text"] == "検査・病理"
    assert len({item.key for item in batch.items}) == len(batch.items)


def test_days_that_do_not_exist():
    batch = read_one(act(d31=1, d30=1), patient=RE.replace("202610", "202609"))
    assert len(resources(batch, "Procedure")) == 1
    assert "bad-date row 4 31日" in codes_of(batch)


def test_an_act_without_days_was_done_in_the_month():
    (found,) = resources(read_one("SI,60,1,160000310,,10,2"), "Procedure")
    assert found["performedDateTime"] == "2026-10"
    assert found["note"] == [{"text": "回数 2"}]


def test_a_drug_for_days():
    batch = read_one(
        "CO,21,1,810000001,１日３回毎食後", "CO,,1,830100204,一包化",
        drug(cls="", d5=7, d19=14), drug("620098801", "", "1.50", d5=7),
    )  # fmt: skip
    first, second, other = resources(batch, "MedicationRequest")
    assert first["authoredOn"] == "2026-10-05"
    assert first["intent"] == "order"
    (dosage,) = first["dosageInstruction"]
    assert dosage["text"] == "１日３回毎食後"
    assert dosage["doseAndRate"][0]["rateRatio"]["numerator"]["value"] == Decimal(3)
    assert first["note"] == [{"text": "830100204 一包化"}]
    assert first["dispenseRequest"]["expectedSupplyDuration"]["value"] == Decimal(7)
    assert first["dispenseRequest"]["quantity"]["value"] == Decimal(21)
    assert "extension" in first["dispenseRequest"]["quantity"]["_code"]
    assert second["dispenseRequest"]["quantity"]["value"] == Decimal(42)
    assert str(other["dispenseRequest"]["quantity"]["value"]) == "10.50"
    assert "computed-quantity row 6" in codes_of(batch)


@pytest.mark.parametrize(
    ("cls", "kind"),
    [("21", "MedicationRequest"), ("22", "MedicationRequest"), ("23", "MedicationRequest"),
     ("14", "MedicationRequest"), ("31", "MedicationAdministration"),
     ("33", "MedicationAdministration"), ("40", "MedicationAdministration"),
     ("50", "MedicationAdministration"), ("60", "MedicationAdministration")],
)  # fmt: skip
def test_handed_out_or_given(cls, kind):
    batch = read_one(act("130000510", cls, d5=1), drug(cls="", d5=1))
    assert len(resources(batch, kind)) == 1
    assert {item.category for item in batch.items} >= {Category.PRESCRIPTION, Category.MEDICAL}


def test_as_needed_and_external():
    batch = read_one(
        "CO,22,1,810000001,疼痛時",
        drug(cls="", amount="2", d5=5),
        drug(cls="23", amount="14", d5=1),
    )
    needed, external = resources(batch, "MedicationRequest")
    assert needed["dosageInstruction"][0]["asNeededBoolean"] is True
    assert needed["dosageInstruction"][0]["doseAndRate"][0]["doseQuantity"]["value"] == Decimal(2)
    assert "dosageInstruction" not in external
    assert external["dispenseRequest"]["quantity"]["value"] == Decimal(14)


def test_materials_and_comments():
    batch = read_one(
        act("140000610", "40", d5=1),
        "TO,,1,710010014,2,8,1,003,120,,架空被覆材,,,,,,," + ",".join([""] * 4 + ["1"]),
        "CO,99,1,810000001,架空のコメント",
        "CO,,1,850100051,続き",
        "SJ,01,架空の詳記",
    )
    (material,) = resources(batch, "SupplyDelivery")
    assert material["suppliedItem"]["itemCodeableConcept"]["text"] == "架空被覆材"
    assert material["suppliedItem"]["quantity"]["value"] == Decimal(2)
    assert material["occurrenceDateTime"] == "2026-10-05"
    comment, detail = resources(batch, "Communication")
    assert [one["contentString"] for one in comment["payload"]] == [
        "架空のコメント", "850100051 続き",
    ]  # fmt: skip
    assert detail["category"] == [{"text": "症状詳記"}]


def test_comments_on_a_material_alone():
    batch = read_one("CO,14,1,810000001,左右", "TO,,1,710010199,1,8,1,,,,針,810000001,予備")
    assert len(resources(batch, "SupplyDelivery")) == 1
    (comment,) = resources(batch, "Communication")
    assert [one["contentString"] for one in comment["payload"]] == ["左右", "予備"]


def test_a_comment_of_a_group_without_drugs_is_a_note():
    (done,) = resources(read_one("CO,14,1,810000001,左右", act("114003710", "", d1=1)), "Procedure")
    assert done["note"] == [{"text": "左右"}]


def test_a_donor_is_somebody_else():
    batch = read_one("SY,4659007,20261001,1,,,,", "TI,1,2,13,1,7654321,,架空",
                     "TR,1,1112,202610,,1,19700101", "SY,5559001,20261001,1,,,,")  # fmt: skip
    assert len(resources(batch, "Condition")) == 1
    assert [batch.account[f"row {n}"] for n in (5, 6, 7)] == ["other-person"] * 3


def test_the_institution_is_the_senders():
    own = "1.2.392.100495.20.3.51.11311234567"
    assert "institution-differs row 1 医療機関コード" not in codes_of(read_all(claim(), own)[0])
    other = "1.2.392.100495.20.3.51.11319999999"
    assert "institution-differs row 1 医療機関コード" in codes_of(read_all(claim(), other)[0])


def test_the_same_receipt_again_is_the_same_items():
    rows = ("SY,4659007,20261001,1,,,,", act(d1=1), act(d1=1), drug(d5=7))
    first = read_one(*rows)
    returned = read_one(
        *rows, head=IR.replace("202611", "202701"), patient=RE + ",,,,,12345678901234567"
    )
    assert [one.key for one in first.items] == [one.key for one in returned.items]
    assert all(a.version < b.version for a, b in zip(first.items, returned.items, strict=True))
    assert first.scope == returned.scope
    month_bound = [one for one in first.items if one.key.startswith(first.scope)]
    assert len(month_bound) == 3
    # another payer's receipt of the same month states another scope
    assert read_one(payer="HO,06270409,１,２,1,100").scope != first.scope


def test_what_is_sent_stays_as_it_is_sent():
    batch = read_one("SY,0000999,20261001,1,,=HYPERLINK(1),,@x", 'CO,99,1,810000001,"quoted"')
    (found,) = resources(batch, "Condition")
    assert found["code"]["text"] == "=HYPERLINK(1)"
    assert found["note"] == [{"text": "@x"}]
    assert resources(batch, "Communication")[0]["payload"] == [{"contentString": '"quoted"'}]


@pytest.mark.parametrize("chart", ["1.11E+08", "００１", "a/../b", "x\u3000y"])
def test_chart_ids_that_are_none(chart):
    patient = RE.replace("00000123", chart)
    (batch,) = read_all(claim(patient=patient))
    assert not batch.items
    assert batch.findings[0].at == "row 2 カルテ番号等"


@pytest.mark.parametrize("month", ["", "2026", "202613", "0", "99999999", "1.1E+05"])
def test_a_receipt_without_a_month_is_refused(month):
    (batch,) = read_all(claim(act(d1=1), patient=RE.replace("202610", month)))
    assert not batch.items
    assert batch.findings[0].at == "row 2 診療年月"


def test_dates_after_the_claim_are_found():
    batch = read_one(act(d1=1), patient=RE.replace("202610", "209901"))
    assert "month-order row 2 診療年月" in codes_of(batch)


def test_two_receipts_are_not_read_as_one():
    both = claim(act(d1=1), RE.replace("00000123", "9"), end="GO,1,100,99")
    with pytest.raises(Malformed):
        read(Upload(path="a.UKE", content=both, domain=DOMAIN))


@pytest.mark.parametrize(
    "content",
    [b"", b"IR", b"IR,1,13,2,1,,,202611", b"YK,1,13,1,1", b"RE,1", b"ZZ\r\nIR,1,13,1,1234567,,x"],
)
def test_what_is_no_claim(content):
    from gateway.errors import Unsupported

    with pytest.raises(Unsupported):
        recognise(Upload(path="RECEIPTC.UKE", content=content))
