"""Claim files of pharmacies, of DPC hospitals, and dental ones."""

from decimal import Decimal

import pytest

from gateway.standardize.uke import masters
from gateway.wire import fhir
from tests.standardize.claims import RE, YK, act, read_one, resources


def test_a_pharmacy_dispenses():
    patient = ",".join(
        ["RE,1,4112,202610,架空　花子,2,19621103,,,13,1,1234567,架空医院,架空町,架空　太郎"]
        + [""] * 19 + ["", "C1", "", "", "", "", "", "カクウハナコ"]
    )  # fmt: skip
    rows = ("SH,01,1,013,食後,7", "CZ,01,20261005,20261006,1,7", "CZ,01,20261019,,2,14",
            "IY,1,620004422,3", "IY,1,622265501,1.0", "TO,1,710010199,10,003", "TK,810000001,摘要",
            "KI,1,410000110,1,42")  # fmt: skip
    batch = read_one(*rows, head=YK, patient=patient)
    assert batch.format == "uke/pharmacy"
    assert batch.patient.value.startswith("uke-")
    found = resources(batch, "MedicationDispense")
    assert len(found) == 4
    first, undated = found[0], found[1]
    assert first["whenHandedOver"] == "2026-10-06"
    assert first["quantity"]["value"] == Decimal(21)
    assert first["daysSupply"]["value"] == Decimal(7)
    assert [one["value"] for one in first["identifier"]] == ["1", "1"]
    assert first["authorizingPrescription"][0]["display"] == "処方日 2026-10-05"
    assert first["dosageInstruction"][0]["timing"]["code"]["coding"][0]["code"] == "013"
    assert "extension" in undated["_whenHandedOver"]
    companions = {one["resourceType"]: one for item in batch.items for one in item.companions}
    assert companions["Practitioner"]["name"][0]["text"] == "架空 太郎"
    names = {one.get("name") for item in batch.items for one in item.companions
             if one["resourceType"] == "Organization"}  # fmt: skip
    assert {"架空薬局", "架空医院"} <= names
    assert batch.account["row 11"] == "billing-only"
    assert len(resources(batch, "SupplyDelivery")) == 2


def test_dpc_reads_what_is_public():
    rows = ("BU,040080x099x0xx,20261002,20261014,3", "SB,4860018,,,J189,11",
            "SK,160098110,D415,20261003,,,架空生検", "CD,20261004,33,1,1,620004422,2,,,1",
            "CD,20261004,60,2,1,160000310,,,,1", act(d1=1), "KK,,1,1")  # fmt: skip
    batch = read_one(*rows, patient=RE + ",,,,,1")
    assert batch.format == "uke/dpc"
    (stay,) = resources(batch, "Encounter")
    assert stay["period"] == {"start": "2026-10-02", "end": "2026-10-14"}
    assert stay["status"] == "finished"
    (disease,) = resources(batch, "Condition")
    assert {"system": masters.ICD10, "code": "J189"} in disease["code"]["coding"]
    assert [one["performedDateTime"] for one in resources(batch, "Procedure")] == [
        "2026-10-03", "2026-10-04",
    ]  # fmt: skip
    (given,) = resources(batch, "MedicationAdministration")
    assert given["effectiveDateTime"] == "2026-10-04"
    beside = next(one.companions for one in batch.items if one.resource is given)
    assert [one["resourceType"] for one in beside] == ["PractitionerRole", "Organization"]
    assert given["performer"] == [{"actor": fhir.reference(beside[0]["id"])}]
    assert beside[0]["organization"] == fhir.reference(beside[1]["id"])
    assert batch.account["row 9"] == "layout-unknown"
    assert batch.account["row 10"] == "used"  # nothing but codes that no source explains


def test_dpc_says_how_the_patient_was_at_admission():
    rows = ("BU,040080x099x0xx,20261002,20261014,3", "KK,,1,1,,,3,2850,200,,12.5,重症,,3")
    batch = read_one(*rows, patient=RE + ",,,,,1")
    made = {one["code"]["text"]: one for one in resources(batch, "Observation")}
    assert made.keys() == {"体重", "JCS（入院時）", "Burn Index", "重症度等"}
    assert all(one["effectiveDateTime"] == "2026-10-02" for one in made.values())
    assert made["体重"]["valueQuantity"] == {"value": Decimal(2850)}
    assert str(made["Burn Index"]["valueQuantity"]["value"]) == "12.5"
    assert (made["JCS（入院時）"]["valueString"], made["重症度等"]["valueString"]) == (
        "200",
        "重症",
    )
    found = {(one.code, one.at) for one in batch.findings}
    assert ("unit-not-stated", "row 5 体重") in found
    assert ("unmapped-field", "KK 入院区分") in found  # its codes are not public
    assert len({item.key for item in batch.items}) == len(batch.items)


@pytest.mark.parametrize("weight", ["1kg", "二千", "1e3", "-"])
def test_a_weight_that_is_no_number_stays_text(weight):
    batch = read_one("BU,040080x099x0xx,20261002,,", f"KK,,,,,,,{weight}", patient=RE + ",,,,,1")
    (made,) = resources(batch, "Observation")
    assert made["valueString"] == weight
    assert "not-a-number" in {one.code for one in batch.findings}


def test_dental():
    head = "IR,1,13,3,2345678,,架空歯科,202611,,00"
    patient = "RE,1,3112,202610,架空　四郎,1,19800505,,,,,,,,,D7" + "," * 10 + "カクウ"
    batch = read_one("HS,20261006,1,1036,8832154,,,,,01", "SS,11,1,301000110,,,301000270,2",
                     "SI,13,1,113000110,,10,1", head=head, patient=patient)  # fmt: skip
    assert batch.format == "uke/dental"
    assert batch.patient.value == "D7"
    assert resources(batch, "Condition")[0]["bodySite"] == [{"text": "1036"}]
    acted, other = resources(batch, "Procedure")
    assert acted["code"]["coding"][0]["system"] == masters.DENTAL_PROCEDURE
    assert acted["note"] == [{"text": "加算 301000270 2"}]
    assert other["code"]["coding"][0]["system"] == masters.PROCEDURE
