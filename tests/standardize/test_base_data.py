"""ADT-00 and what stands beside orders: stay, insurance, kin; people and institutions."""

import pytest

from gateway.model.category import Category
from gateway.model.identifiers import Oid
from gateway.standardize import Upload, codes, read
from tests.shared import needs_shared
from tests.standardize import jp_core
from tests.standardize.build import PID, findings, hl7, only, stored

INSTITUTION = "1311234567"
ARC = Oid(f"1.2.392.100495.20.3.51.1{INSTITUTION}")
IN1 = "IN1|1|06^組合管掌健康保険^JHSD0001|06270409|架空組合||||||１２|３４|20260401|||||SEL"
ORDER = ["ORC|NW|000000070001||1|||||20261102", "RXE||1^x^HOT9|1||TAB^錠^MR9P", "TQ1|1", "RXR|PO"]


def base(*segments, **options):
    return stored("ADT^A08", "EVN||20261101", PID, *segments, **options)


def item(batch, kind):
    (found,) = [one for one in batch.items if one.resource["resourceType"] == kind]
    return found


def test_the_stay_of_the_base_data():
    pv1 = "PV1|1|I|32^302^1^^^N||||D1^医師^一郎|||01|||||||D2^医師^二郎" + "|" * 27 + "202610301030"
    found = item(base(pv1), "Encounter")
    assert found.category is Category.VISIT_HISTORY
    assert found.key == "ssmix2/ADT-00|encounter"
    made = found.resource
    assert (made["status"], made["class"]["code"]) == ("unknown", "IMP")
    assert [one["type"][0]["coding"][0]["code"] for one in made["participant"]] == ["ATND", "ADM"]
    assert made["serviceType"]["coding"][0]["display"] == "内科"
    assert made["period"] == {"start": "2026-10-30T10:30:00+09:00"}
    kinds = [one["resourceType"] for one in found.companions]
    assert kinds == ["Practitioner", "Practitioner", "Location"]


def test_a_stay_that_ended():
    pv1 = "PV1|1|I|32" + "|" * 33 + "01" + "|" * 8 + "20261001|20261030"
    made = only(base(pv1), "Encounter")
    assert made["status"] == "finished"
    assert made["hospitalization"]["dischargeDisposition"]["coding"][0]["code"] == "01"
    assert made["period"] == {"start": "2026-10-01", "end": "2026-10-30"}


@pytest.mark.parametrize(
    ("pv1", "became"),
    [
        ("PV1|1|O", "unmapped-field"),
        ("PV1|1|N|32", "field-table"),
        ("PV1|1||32", "field-table"),
        ("PV1", "empty-segment"),
        ("PV1|1|E|32", "item Encounter"),
    ],
)
def test_stays_that_say_too_little(pv1, became):
    batch = base(pv1)
    assert batch.account["PV1[1]"] == became
    assert f"{became} PV1[1]" in findings(batch) or became.startswith("item")


def test_a_deleted_stay():
    found = item(base("PV1|1|I|32", flag="0"), "Encounter")
    assert (found.resource["status"], found.cancelled) == ("entered-in-error", True)


def test_disability_has_no_element_in_jp_core():
    batch = base("PV1|1|O", "DB1|1|PT||Y", "DB1")
    assert batch.account["DB1[1]"] == "no-element"
    assert batch.account["DB1[2]"] == "empty-segment"
    assert "extension" not in batch.patient_resource


def test_insurance_of_the_base_data():
    found = item(base("PV1|1|O", IN1), "Coverage")
    assert found.category is Category.DEMOGRAPHICS
    assert found.key.startswith("ssmix2/ADT-00|insurance|")
    assert "３４" not in found.key
    made = found.resource
    assert [one["valueString"] for one in made["extension"]] == ["１２", "３４"]
    assert [one["code"] for one in made["type"]["coding"]] == ["1", "06"]
    assert made["relationship"]["coding"][0]["code"] == "1"
    assert made["period"] == {"start": "2026-04-01"}
    assert found.companions[0]["identifier"][0]["value"] == "06270409"


@pytest.mark.parametrize(
    ("in1", "expected", "noted"),
    [
        pytest.param(
            "IN1|1|15^更生医療^JHSD0001|15130008|架空県||||||0120113",
            {"subscriberId": "0120113"},
            [],
            id="a public payment with a recipient in IN1-10",
        ),
        pytest.param(
            "IN1|1|15^更生医療^JHSD0001|15130008||||||||0120113",
            {"subscriberId": "0120113"},
            [],
            id="in IN1-11",
        ),
        pytest.param(
            "IN1|1|15^更生医療^JHSD0001|15130008|||||||0120114|x",
            {"subscriberId": None},
            ["unmapped-field IN1[1].10", "unmapped-field IN1[1].11"],
            id="what is no recipient's number is not guessed to be one",
        ),
        pytest.param(
            "IN1|1|C0^国保^JHSD0001|138057||||||||1||||||CHD^子^HL70063",
            {"dependent": None},
            [],
            id="the insured is of the family",
        ),
        pytest.param(
            "IN1|1|7^x^99ABC|06270409||||||||1||||||OTH^他^HL70063",
            {"relationship": None},
            ["unmapped-code IN1[1].17", "unmapped-code IN1[1].2"],
            id="a local kind and an insured who may be anybody",
        ),
        pytest.param(
            "IN1|1|OE^自費^JHSD0001",
            {"identifier": None},
            [],
            id="own expense: the patient pays",
        ),
        pytest.param(
            'IN1|1|06^組合^JHSD0001|""',
            {"payor": [{"extension": [
                {"url": "http://hl7.org/fhir/StructureDefinition/data-absent-reason",
                 "valueCode": "unknown"}]}]},
            ["value-absent IN1[1] Coverage.payor"],
            id="no insurer",
        ),
        pytest.param(
            "IN1|1|06^組合^JHSD0001|06270409||||||||1|20261301|2026||02||SEL",
            {"period": {"end": "2026"}},
            ["bad-date IN1[1].12"],
            id="a month of 13",
        ),
        pytest.param(
            "IN1|1|06^組合^JHSD0001|06270409||||||||1|||||甲^乙|SEL|19500101|^^x",
            {"subscriber": None},
            ["unmapped-field IN1[1].16", "unmapped-field IN1[1].18", "unmapped-field IN1[1].19"],
            id="the insured person is somebody else",
        ),
    ],
)  # fmt: skip
def test_kinds_of_insurance(in1, expected, noted):
    batch = base("PV1|1|O|1", in1)
    made = only(batch, "Coverage")
    assert {name: made.get(name) for name in expected} == expected
    about = [one for one in findings(batch) if "IN1" in one and not one.startswith("field-")]
    assert sorted(about) == noted


def test_an_insurance_keeps_its_key_when_its_period_changes():
    before, after = (
        item(base("PV1|1|O", IN1.replace("20260401", day)), "Coverage")
        for day in ("20250401", "20260401")
    )
    assert before.key == after.key
    assert before.resource["id"] == after.resource["id"]


def test_insurance_of_somebody_else_is_not_taken_over():
    """PID names another patient than the path: what it says about the person is left out."""
    other = PID.replace("0012345", "7654321")
    batch = stored("ADT^A08", "EVN||20261101", other, "PV1|1|O", IN1)
    assert batch.account["IN1[1]"] == "pid-clash"
    assert batch.items == ()


def test_insurance_beside_an_order_belongs_to_it():
    batch = stored("RDE^O11", PID, "PV1|1|O|01^^^^^C", IN1, *ORDER)
    (found,) = batch.items
    coverages = [one for one in found.companions if one["resourceType"] == "Coverage"]
    assert [one["reference"] for one in found.resource["insurance"]] == [
        f"urn:uuid:{one['id']}" for one in coverages
    ]
    assert batch.account["IN1[1]"] == "used"
    assert found.category is Category.PRESCRIPTION


PRB = "PRB|AD|20261101|{code}^胃炎^MDCDX2|{number}|||20261101"
ORC = "ORC|NW|1||||||||||D1^医師^一郎"
ZI1 = IN1.replace("IN1", "ZI1")


def test_insurance_of_a_diagnosis_is_tied_to_it():
    second = ZI1.replace("３４", "９９")
    segments = [
        PRB.format(code="20054174", number="1"), ZI1, ORC,
        PRB.format(code="20061638", number="2"), second, second, ORC,
    ]  # fmt: skip
    batch = stored("PPR^ZD1", PID, *segments)
    numbers = [
        [
            one["extension"][1]["valueString"]
            for one in found.companions
            if one["resourceType"] == "Coverage"
        ]
        for found in batch.items
    ]
    assert numbers == [["３４"], ["９９", "９９"]]
    assert [batch.account[f"ZI1[{place}]"] for place in (1, 2, 3)] == ["used"] * 3
    assert {found.category for found in batch.items} == {Category.DIAGNOSIS}


def test_insurance_before_any_diagnosis_belongs_to_none():
    batch = stored("PPR^ZD1", PID, ZI1, PRB.format(code="20054174", number="1"))
    assert batch.account["ZI1[1]"] == "not-yet-mapped"


@pytest.mark.parametrize(
    ("nk1", "contacts", "noted"),
    [
        ("NK1|1|甲^乙|SPO^配偶者^HL70063||||||||||||F", 1, []),
        ("NK1|1|甲^乙^^^^^L^I~コウ^オツ^^^^^L^P|SPO", 1, ["unmapped-field NK1[1].2"]),
        ("NK1|1||SPO^配偶者^HL70063", 0, ["field-missing NK1[1]"]),
        ("NK1|1||EMC|||||20260101|20269999||||架空社", 1, ["bad-date NK1[1].9"]),
        ("NK1", 0, ["empty-segment NK1[1]"]),
    ],
)
def test_kin(nk1, contacts, noted):
    batch = base(nk1, "PV1|1|O")
    assert len(batch.patient_resource.get("contact", ())) == contacts
    assert [one for one in findings(batch) if "NK1" in one and one[-2:] != ".1"] == noted


@pytest.mark.parametrize(
    ("domain", "system"),
    [
        (ARC, f"urn:oid:1.2.392.100495.20.3.41.1{INSTITUTION}"),
        ("1.2.392.100495.20.3.51.11331234567", "urn:oid:1.2.392.100495.20.3.42.11331234567"),
        ("1.2.392.100495.20.3.51.1131123456", ""),
        ("1.2.392.100495.20.3.51.113112345670", ""),
        ("1.2.392.100495.20.3.51.2131123456", ""),
        ("2.999.30.1", ""),
    ],
)
def test_numbers_of_doctors(domain, system):
    assert codes.doctor_identifiers(domain) == system


def test_doctors_have_national_numbers_and_other_staff_the_facilitys():
    """An enterer with the number of a doctor need not be that doctor."""
    orc = ORDER[0] + "|7^入力^花子||7^医師^一郎"
    content = hl7("RDE^O11", PID, "PV1|1|O|||||7^医師^一郎", orc, *ORDER[1:])
    path = "0012345_20261102_OMP-01_000000070001_20261102090000000_01_1"
    (found,) = read(Upload(path=path, content=content, domain=ARC)).items
    people = {
        one["identifier"][0]["system"]: one["id"]
        for one in found.companions
        if one["resourceType"] == "Practitioner"
    }
    assert set(people) == {
        f"urn:oid:1.2.392.100495.20.3.41.1{INSTITUTION}",
        codes.local_identifiers(ARC, "staff"),
    }
    assert len(set(people.values())) == 2


@pytest.mark.parametrize(
    ("named", "number"),
    [
        (f"架空病院^^^^^^^^^{INSTITUTION}", INSTITUTION),
        (f"架空病院^^{INSTITUTION}", INSTITUTION),
        ("架空病院^^12", None),
        ("架空病院", None),
    ],
)
def test_an_institution_and_its_number(named, number):
    orc = f"{ORDER[0]}||||||||||||{named}|^^^^100-0000^JPN^^架空市"
    (found,) = stored("RDE^O11", PID, orc, *ORDER[1:]).items
    (place,) = [one for one in found.companions if one["resourceType"] == "Organization"]
    assert place["name"] == "架空病院"
    assert place.get("identifier", [{}])[0].get("value") == number


def test_the_orderer_stands_in_the_order_or_in_its_request():
    """OBR-16 is read where ORC-12 is empty."""
    obr = "OBR|1|000000000080001||E1^x^99A" + "|" * 12 + "D9^医師^九郎"
    batch = stored("OUL^R22", PID, "SPM|1|||023^血清^JC10", obr, "ORC|SC|000000000080001")
    request = next(
        one for one in batch.items[0].companions if one["resourceType"] == "ServiceRequest"
    )
    doctor = next(one for one in batch.items[0].companions if one["resourceType"] == "Practitioner")
    assert request["requester"]["reference"] == f"urn:uuid:{doctor['id']}"
    assert doctor["identifier"][0]["value"] == "D9"


def test_of_companions_with_one_id_one_is_kept():
    orc = ORDER[0] + "|||D1^医師^一郎"
    (found,) = stored("RDE^O11", PID, "PV1|1|O|||||D1^医師^一郎", orc, *ORDER[1:]).items
    ids = [one["id"] for one in found.companions]
    assert len(ids) == len(set(ids))


@needs_shared
def test_the_judge_agrees():
    pv1 = "PV1|1|I|32^302^1||||D1^医師^一郎"
    batch = base(pv1, IN1, "IN1|2|15^x^JHSD0001", "NK1|1|甲^乙|SPO")
    for found in batch.items:
        for one in (found.resource, *found.companions):
            assert list(jp_core.problems(one)) == []


def test_what_a_measure_is_compared_with():
    limits = "OBX|1|NM|9N006000000000001^体重^JC10||63.5|kg^kg^ISO+|M:60-70 F:45-60|H|||F"
    made = only(base("PV1|1|O", limits), "Observation")
    assert made["referenceRange"][0]["high"]["value"] == 60
    assert made["interpretation"][0]["coding"][0]["code"] == "H"
    odd = base("PV1|1|O", limits.replace("|H|", "|??|"))
    assert "unmapped-flag OBX[1].8" in findings(odd)


def test_body_site_and_reason_of_a_laboratory_order():
    spm = "SPM|1|S1||023^血清^JC10||||1^左腕^99D|||||||||202611040905"
    orc = "ORC|SC|80001|||CM||||||||||1^術前^99D"
    obx = "OBX|1|NM|3A010000002327101^総蛋白^JC10||7.10|g/dL^g/dL^ISO+|||||F"
    batch = stored("OUL^R22", PID, spm, "OBR|1|80001||E1^x^99D", orc, obx)
    found = {one["resourceType"]: one for one in batch.items[0].companions}
    assert found["Specimen"]["collection"]["bodySite"]["text"] == "左腕"
    assert found["Specimen"]["collection"]["collectedDateTime"] == "2026-11-04T09:05:00+09:00"
    assert found["ServiceRequest"]["reasonCode"][0]["text"] == "術前"
