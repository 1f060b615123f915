"""Claims in the record: claimed again, late, with another payer, and beside the order of it."""

import uuid
from dataclasses import replace

from gateway.model import codebook
from gateway.model.batch import Batch
from gateway.model.category import Source
from gateway.model.codebook import Code, CodeBook, Master
from gateway.record import disclose, parts, staging
from gateway.record.staging import ReceivedFile
from gateway.standardize import Upload, batches, read
from gateway.store.record import uploads
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
        "clinic-b", *found.items, source=Source.ACCOUNTING, version=found.version,
        scope=found.scope, restates=found.restates,
    )  # fmt: skip


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


def test_a_claim_that_is_corrected_in_its_month_ends_what_it_leaves_out(house: House) -> None:
    house.enrol("clinic-b")
    wrong = batch("SY,4659007,20261001,1,,,,", "SY,8830592,20261001,1,,,,", drug(d5=7),
                  drug("622265501", d5=7))  # fmt: skip
    right = batch("SY,4659007,20261001,1,,,,", drug(d5=7))
    deliver(house, wrong)
    assert viewed(house, "Condition") == ["4659007 active", "8830592 active"]
    deliver(house, right)
    assert viewed(house, "MedicationRequest") == ["620004422"]
    assert viewed(house, "Condition") == ["4659007 active"]
    deliver(house, right)  # once more changes nothing
    assert viewed(house, "MedicationRequest") == ["620004422"]
    deliver(house, wrong)  # whatever came later holds: the correction is taken back
    assert viewed(house, "MedicationRequest") == ["620004422", "622265501"]
    assert viewed(house, "Condition") == ["4659007 active", "8830592 active"]
    deliver(house, right)
    assert viewed(house, "MedicationRequest") == ["620004422"]
    deliver(house, batch(drug("622265501", d5=7), claimed="202701"))  # a later claim is newer
    deliver(house, wrong)
    assert viewed(house, "MedicationRequest") == ["622265501"]


def test_a_correction_ends_nothing_that_another_month_or_receipt_said(house: House) -> None:
    house.enrol("clinic-b")
    disease = "SY,8830592,20260901,1,,,,"
    deliver(house, batch(disease, drug(d7=7), month="202609", claimed="202610"))
    deliver(house, batch(disease, drug(d5=7)))
    deliver(house, batch(drug("622265501", d9=7), payer="06270409"))
    deliver(house, batch(drug(d6=7)))
    assert viewed(house, "Condition") == ["8830592 active"]
    assert viewed(house, "MedicationRequest") == ["620004422", "620004422", "622265501"]


def test_a_claim_in_several_volumes_adds(house: House) -> None:
    house.enrol("clinic-b")
    several = [replace(batch(row), restates=()) for row in (drug(d5=7), drug("622265501", d5=7))]
    for one in several:
        deliver(house, one)
    assert viewed(house, "MedicationRequest") == ["620004422", "622265501"]


def test_only_a_file_of_one_volume_restates() -> None:
    for volume, restates in (("00", True), ("", True), ("01", False), ("02", False)):
        head = IR.split(",")
        head[8] = volume
        content = claim(drug(d5=7), head=",".join(head), patient=PATIENT)
        (found,) = batches(upload(content, CLINIC))
        assert bool(found.restates) is restates, (volume, found.findings)


def work_parts(house: House, count: int) -> list[str]:
    """The ids of so many parts of a new file of the clinic."""
    with house.work("clinic-b") as work:
        blob = work.blobs.put_bytes(uuid.uuid4().bytes)
        file = ReceivedFile(path="RECEIPTC.UKE", sha256=blob.sha256, size=blob.size)
        sent = staging.receive(work, facility="clinic-b", source=Source.ACCOUNTING, files=[file])
        row = uploads.select_file(work.db, sent.files[0][0])
        assert row is not None
        span = {"own": [[1, 0, 1]], "shared": [], "sha256": ""}
        parts.add(work, row, [span] * count, 1)
        parts.settle(work, row, 1, keeping=True)
        parts.finish(work, row, doubled=False)
        found = work.db.exec_driver_sql(
            f"SELECT id FROM upload_file WHERE parent = '{row.id}' ORDER BY part"
        )
        return [one[0] for one in found]


def test_two_receipts_of_one_file_add_to_each_other(house: House) -> None:
    """One scope twice in one upload, and the corrected file of both."""
    house.enrol("clinic-b")
    first, second = batch(drug(d5=7)), batch(drug("622265501", d5=7))
    assert first.scope == second.scope

    def send(*parts: Batch) -> None:
        whole = work_parts(house, len(parts))
        for file, part in zip(whole, parts, strict=True):
            with house.work("clinic-b") as work:
                staged = staging.stage(work, file, replace(part, demographics=None))
                assert staged.state == "standardized", staged
                if staged.person is not None:
                    staging.promote(work, staged.person)

    send(first, second)
    assert viewed(house, "MedicationRequest") == ["620004422", "622265501"]
    send(first, second)
    assert viewed(house, "MedicationRequest") == ["620004422", "622265501"]
    send(batch(drug("620000001", d5=7)), second)
    assert viewed(house, "MedicationRequest") == ["620000001", "622265501"]


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
