"""JP_Coverage from plain values: identifiers, payer, kind, what is absent and what is doubtful."""

from decimal import Decimal

import pytest
from fhir.resources.R4B.coverage import Coverage
from fhir.resources.R4B.organization import Organization

from gateway.model.category import Category
from gateway.model.identifiers import Oid, PatientId
from gateway.standardize import Upload, coverage
from gateway.standardize.coverage import Insurance, PublicPayment
from gateway.standardize.reading import Reading
from gateway.wire import fhir
from tests.shared import needs_shared
from tests.standardize import jp_core
from tests.standardize.build import DOMAIN, findings


class Somewhere:
    at, start, end = "IN1[1]", 10, 20


def reading():
    return Reading(Upload(path="x", content=b""), PatientId(DOMAIN, "0012345"))


def made(stated, **options):
    one = reading()
    found, payers = coverage.describe(one, "IN1[1]", "k", stated, **options)
    Coverage.model_validate_json(fhir.dumps(found))
    for payer in payers:
        Organization.model_validate_json(fhir.dumps(payer))
    return found, payers, findings(one.batch("x"))


FULL = Insurance(
    insurer="06270409", name="架空健康保険組合", symbol="１２－３４", number="５６７８", branch="0",
    holder="family", share=Decimal("30"), start="2026-04-01", end="2027-03-31",
)  # fmt: skip


def test_an_insurance():
    found, (payer,), noted = made(FULL)
    assert noted == []
    assert [(one["url"].rpartition("_")[2], one["valueString"]) for one in found["extension"]] == [
        ("InsuredPersonSymbol", "１２－３４"),
        ("InsuredPersonNumber", "５６７８"),
        ("InsuredPersonSubNumber", "00"),
    ]
    assert found["identifier"] == [
        {"system": coverage.MEMBER_ID, "value": "06270409:１２－３４:５６７８:00"},
        {"system": coverage.CSV_ID, "value": '"06270409","１２－３４","５６７８","00"'},
    ]
    assert found["status"] == "active"
    assert found["type"]["coding"] == [fhir.coding("1", coverage.MAJOR_CATEGORY, "医保")]
    assert (found["subscriberId"], found["dependent"]) == ("１２－３４:５６７８", "00")
    assert found["relationship"]["coding"][0]["code"] == "2"
    assert found["period"] == {"start": "2026-04-01", "end": "2027-03-31"}
    assert found["beneficiary"] == reading().subject
    assert found["payor"] == [fhir.reference(payer["id"], "架空健康保険組合")]
    assert payer["identifier"] == [{"system": coverage.INSURER_NUMBER, "value": "06270409"}]
    assert found["costToBeneficiary"][0]["valueQuantity"]["value"] == Decimal("30")


@pytest.mark.parametrize(
    ("insurance", "value"),
    [
        pytest.param(
            Insurance(insurer="１３８０５７", number="12 3", branch=""),
            '"00138057","","１２３",""',
            id="a national health insurance has no symbol and six digits",
        ),
        pytest.param(
            Insurance(insurer=" 1130012", symbol="ｱ-1", number="2", branch="05"),
            '"01130012","ア－１","２","05"',
            id="blanks, a lost zero, half-width kana",
        ),
        pytest.param(
            Insurance(insurer="01130012", symbol='a"b', number="2"),
            '"01130012","ａ＂ｂ","２",""',
            id="a quote in data cannot end the cell",
        ),
        pytest.param(Insurance(insurer="01130012", symbol="a:b", number="2"), "", id="a colon"),
        pytest.param(Insurance(insurer="01130012", symbol="a"), "", id="no number"),
        pytest.param(Insurance(symbol="a", number="2"), "", id="no insurer"),
        pytest.param(Insurance(insurer="0113001Z", number="2"), "", id="no number at all"),
        pytest.param(Insurance(insurer="01130012", number="2", branch="１X"), "", id="odd branch"),
    ],
)
def test_identifiers_for_comparing(insurance, value):
    found, _, _ = made(insurance)
    values = {one["system"]: one["value"] for one in found.get("identifier", ())}
    assert values.get(coverage.CSV_ID, "") == value
    assert len(values) == (2 if value else 0)


@pytest.mark.parametrize(
    ("number", "is_right"),
    [
        # computed on published samples (identity-and-matching.md 1)
        ("01010016", True), ("01130012", True), ("01350016", True), ("34130021", True),
        ("06270409", True), ("33120015", True), ("991232", True), ("83136019", False),
        ("06012345", False), ("67012345", False), ("", False), ("1", False), ("0113001Z", False),
        ("０１１３００１２", False),
    ],
)  # fmt: skip
def test_check_digits(number, is_right):
    assert coverage.is_number(number) == is_right


@pytest.mark.parametrize("number", ["06012345", "ABC", "1234", "123456789"])
def test_a_doubtful_payer_is_found_and_kept(number):
    found, (payer,), noted = made(Insurance(insurer=number, number="1"))
    assert noted == ["payer-number IN1[1]"]
    assert payer["identifier"][0]["value"] == number
    assert found["payor"] == [fhir.reference(payer["id"])]


@pytest.mark.parametrize(
    ("number", "major"),
    [
        ("01130012", "1"), ("39130012", "7"), ("67999991", "2"), ("00138057", "2"),
        ("99130012", ""), ("138057", ""), ("", ""),
    ],
)  # fmt: skip
def test_what_an_insurers_number_begins_with(number, major):
    assert coverage.major_of_insurer(number) == major


@pytest.mark.parametrize(
    ("kind", "major"),
    [
        ("01", "1"), ("C0", "2"), ("67", "2"), ("39", "7"), ("LI", "3"), ("TI", "4"), ("PI", "5"),
        ("OE", "6"), ("12", "8"), ("D0", "8"), ("PS", ""), ("OT", ""), ("??", ""),
    ],
)  # fmt: skip
def test_kinds_of_jhsd0001(kind, major):
    assert coverage.major_of_kind(kind) == major


def test_a_stated_kind_goes_before_the_number():
    kinds = (fhir.coding("C0", "x", "国民健康保険"),)
    found, _, _ = made(Insurance(insurer="01130012", major="2", kinds=kinds, kind_text="国保"))
    assert [one["code"] for one in found["type"]["coding"]] == ["2", "C0"]
    assert found["type"]["text"] == "国保"


def test_own_expense_is_paid_by_the_patient():
    found, payers, noted = made(Insurance(major="6"))
    assert found["payor"] == [reading().subject]
    assert (payers, noted) == ((), [])


def test_nobody_named_is_absent_and_said():
    found, payers, noted = made(Insurance(symbol="a", number="1", holder="self"))
    assert found["payor"] == [fhir.absent()]
    assert (payers, noted) == ((), ["value-absent IN1[1] Coverage.payor"])
    codes = [one["code"] for one in found["relationship"]["coding"]]
    assert codes == ["1", "self"]


def test_a_public_payment():
    stated = PublicPayment(payer="１５１３８０９２", recipient="0120116", order=2)
    found, (payer,), noted = made(stated)
    assert payer["identifier"] == [{"system": coverage.PUBLIC_PAYER_NUMBER, "value": "15138092"}]
    assert found["identifier"] == [{"system": coverage.RECIPIENT_NUMBER, "value": "0120116"}]
    assert found["type"]["coding"][0]["code"] == "8"
    assert (found["subscriberId"], found["order"]) == ("0120116", 2)
    assert "extension" not in found
    assert noted == ([] if coverage.is_number("15138092") else ["payer-number IN1[1]"])


@pytest.mark.parametrize("stated", [FULL, PublicPayment(payer="15138092"), Insurance()])
def test_cancelled(stated):
    assert made(stated, cancelled=True)[0]["status"] == "entered-in-error"


@needs_shared
@pytest.mark.parametrize(
    "stated", [FULL, Insurance(), PublicPayment(), PublicPayment(payer="15138092", recipient="1")]
)
def test_the_judge_agrees(stated):
    found, payers, _ = made(stated)
    assert [list(jp_core.problems(one)) for one in (found, *payers)] == [[]] * (1 + len(payers))


def test_alone_it_is_base_data_of_the_patient():
    """No network shares insurance as such; beside another item it is described, not added."""
    one = reading()
    coverage.add(one, Somewhere, "insurance|1", FULL)
    (item,) = one.batch("x").items
    assert item.category is Category.DEMOGRAPHICS
    assert (item.key, item.source.start, item.source.end) == ("insurance|1", 10, 20)
    assert [companion["resourceType"] for companion in item.companions] == ["Organization"]


def test_the_payer_is_what_one_facility_says_of_it():
    """Another facility may write another name for the number; neither overwrites the other."""
    other = Reading(Upload(path="x", content=b""), PatientId(Oid("2.999.1"), "0012345"))
    mine, theirs = made(FULL)[1][0], coverage.describe(other, "IN1[1]", "k", FULL)[1][0]
    assert mine["identifier"] == theirs["identifier"]
    assert mine["id"] != theirs["id"]
