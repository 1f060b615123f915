"""Claims through the upload door: cut by receipt, staged, shared after linking, claimed again."""

from pathlib import Path
from typing import Any

from conformance import messages
from tests.journeys.senders import enrol_and_link, receipt, taken
from tests.served import Served

SAMPLES = Path(__file__).resolve().parents[2] / "samples" / "standardize" / "uke"
MEDICAL, PHARMACY = SAMPLES / "RECEIPTC.UKE", SAMPLES / "RECEIPTY.UKE"
CHART = "00000123"
HANAKO = messages.Person(
    family="架空", given="花子", family_kana="カクウ", given_kana="ハナコ", birth="19621103",
    gender="F", address="架空県架空市1", phone="0580000002",
)  # fmt: skip


def sent(served: Served, facility: str, source: str, content: bytes, name: str) -> Any:
    found = taken(served.client(facility), name, content, source=source)
    (file,) = found["files"]
    return {**file, "receipt": found["receipt"]}


def test_claims_of_a_clinic(served: Served) -> None:
    content = MEDICAL.read_bytes()
    file = sent(served, "clinic-b", "accounting", content, MEDICAL.name)
    assert file["format"] == "uke"
    assert file["state"] == "standardized"
    assert file["parts"] == {"standardized": 3}
    staged = file["items"]["staged"]
    assert staged > 0
    moved = enrol_and_link(served, "clinic-b", CHART, HANAKO)
    assert moved > 0
    (told,) = receipt(served.client("clinic-b"), file["receipt"])["files"]
    assert told["items"]["promoted"] == moved
    assert sum(told["items"].values()) == staged

    again = sent(served, "clinic-b", "accounting", content, MEDICAL.name)
    assert again["state"] == "duplicate"

    # The receipt comes back a month later without its second oral drug.
    rows = content.rstrip(b"\x1a").split(b"\r\n")
    returned = b"\r\n".join(
        row.replace(b",202611,00", b",202612,00") for row in rows if b"620098801" not in row
    )
    file = sent(served, "clinic-b", "accounting", returned, "RECEIPTC-12.UKE")
    assert file["state"] == "standardized"
    assert file["items"]["promoted"] > 0


def test_a_claim_file_that_was_cut_off(served: Served) -> None:
    content = MEDICAL.read_bytes()
    file = sent(served, "clinic-b", "accounting", content[: len(content) - 60], "cut.UKE")
    assert file["state"] == "refused"
    assert file["items"] == {"staged": 0, "promoted": 0}
    assert "parts" not in file
    (finding,) = file["findings"]
    assert finding["severity"] == "error"


def test_claims_of_a_pharmacy(served: Served) -> None:
    """Nobody has a number there: what is staged waits for a link by hand."""
    file = sent(served, "pharmacy-c", "dispensing", PHARMACY.read_bytes(), PHARMACY.name)
    assert file["format"] == "uke"
    assert file["parts"]
    codes = {one["code"] for one in file["findings"]}
    assert "patient-without-number" in codes
