"""Claims in the record: claimed again, late, with another payer, and beside the order of it."""

from dataclasses import replace

from gateway.model import codebook
from gateway.model.batch import Batch
from gateway.model.category import Source
from gateway.model.codebook import Code, CodeBook, Master
from gateway.record import disclose
from gateway.standardize import Upload, batches, read
from tests.record.house import CHARTS, CLINIC, House
from tests.standardize import build
from tests.standardize.claims import IR, RE, claim, drug, upload

PATIENT = RE.replace("00000123", CHARTS["clinic-b"].value)
BOOK = CodeBook(
    [
        Master(
            kind="receipt-drug", name="receipt-drug", version="1",
            text=codebook.line(
                "620004422", "架空錠", "", "", [Code("yj", "1149019F1560")]
            ).encode(),
        )
    ]
)  # fmt: skip


def batch(*rows: str, claimed: str = "202611", month: str = "202610", payer: str = "01130012",
          codes: CodeBook | None = None) -> Batch:  # fmt: skip
    content = claim(
        *rows, head=IR.replace("202611", claimed), patient=PATIENT.replace("202610", month),
        payer=f"HO,{payer},１２,３４,1,100",
    )  # fmt: skip
    source = upload(content, CLINIC)
    (found,) = batches(replace(source, codes=codes) if codes else source)
    return found


def deliver(house: House, found: Batch) -> None:
    house.upload(
        "clinic-b", *found.items, source=Source.ACCOUNTING, version=found.version, scope=found.scope
    )


def viewed(house: House, kind: str) -> list[str]:
    """Codes of the resources of one kind that the clinic sees, with the clinical status if any."""
    with house.work("clinic-b") as work:
        items = disclose.view(work, house.shared).items
    resources = [one.resource for one in items if one.resource["resourceType"] == kind]
    found = []
    for one in resources:
        concept = one.get("medicationCodeableConcept") or one["code"]
        status = one.get("clinicalStatus", {}).get("coding", [{"code": ""}])[0]["code"]
        found.append(f"{concept['coding'][0]['code']} {status}".strip())
    return sorted(found)


def test_a_receipt_that_comes_back_supersedes(house: House) -> None:
    house.enrol("clinic-b")
    first = batch("SY,4659007,20261001,1,,,,", drug(d5=7), drug("622265501", d5=7))
    deliver(house, first)
    assert viewed(house, "MedicationRequest") == ["620004422", "622265501"]
    deliver(house, first)
    assert viewed(house, "MedicationRequest") == ["620004422", "622265501"]
    returned = batch("SY,4659007,20261001,2,,,,", drug(amount="2", d5=7), claimed="202701")
    deliver(house, returned)
    assert viewed(house, "MedicationRequest") == ["620004422"]
    assert viewed(house, "Condition") == ["4659007 resolved"]
    deliver(house, first)  # what is older does not come back (E-05)
    assert viewed(house, "MedicationRequest") == ["620004422"]
    assert viewed(house, "Condition") == ["4659007 resolved"]


def test_two_payers_in_one_month_end_nothing_of_each_other(house: House) -> None:
    house.enrol("clinic-b")
    deliver(house, batch(drug(d5=7)))
    deliver(house, batch(drug("622265501", d20=7), payer="06270409", claimed="202612"))
    assert viewed(house, "MedicationRequest") == ["620004422", "622265501"]


def test_a_corrected_payer_shows_nothing_twice(house: House) -> None:
    house.enrol("clinic-b")
    given = drug(cls="33", d5=1)
    deliver(house, batch(drug(d5=7), given))
    deliver(house, batch(drug(d5=7), given, payer="06270409", claimed="202612"))
    assert viewed(house, "MedicationRequest") == ["620004422"]
    assert viewed(house, "MedicationAdministration") == ["620004422"]


def test_a_month_that_is_claimed_late(house: House) -> None:
    house.enrol("clinic-b")
    deliver(house, batch("SY,4659007,20260801,2,,,,", drug(d1=7)))
    late = batch("SY,4659007,20260801,1,,,,", drug(d1=7), month="202609", claimed="202701")
    deliver(house, late)
    assert viewed(house, "Condition") == ["4659007 resolved"]
    assert viewed(house, "MedicationRequest") == ["620004422", "620004422"]


def order() -> Batch:
    """A prescription order of the same drug on the same day, by its YJ code."""
    message = build.hl7(
        "RDE^O11",
        f"PID|0001||{CHARTS['clinic-b'].value}^^^^PI||架空^花子^^^^^L^I||19621103|F",
        "ORC|NW|70001||70001_01_001|||||20261005093000",
        "RXE||1149019F1560^架空錠^YJ|1||TAB^錠^MR9P",
        "TQ1|||||7^D",
    )
    name = f"{CHARTS['clinic-b'].value}_20261005_OMP-01_000000000070001_20261005093000000_01_1"
    return read(Upload(path=name, content=message, domain=CLINIC))


def test_what_is_ordered_and_claimed_is_shown_once(house: House) -> None:
    house.enrol("clinic-b", "hospital-a")
    claimed = batch(drug(d5=7), drug(d6=7), codes=BOOK)
    deliver(house, claimed)
    assert viewed(house, "MedicationRequest") == ["620004422", "620004422"]
    ordered = order()
    house.upload("clinic-b", *ordered.items, version=ordered.version, scope=ordered.scope)
    assert viewed(house, "MedicationRequest") == ["1149019F1560", "620004422"]
    # the other facility's prescription of the drug stays beside it (STD-03)
    house.upload("hospital-a", *ordered.items, version=ordered.version)
    assert viewed(house, "MedicationRequest") == ["1149019F1560", "1149019F1560", "620004422"]
