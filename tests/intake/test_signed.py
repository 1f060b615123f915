"""Uploads that carry a signature: what verifies is read, what does not is refused or waits."""

import base64
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import pytest

from gateway.errors import Invalid, UntrustedSignature
from gateway.hpki.verify import verify
from gateway.intake import Filing, Intake, Signatures
from gateway.intake.signed import evidence, judge
from gateway.model.caller import Caller
from gateway.model.category import Source
from gateway.model.network import SignaturePolicyKeys
from gateway.model.signature import SignatureReport
from gateway.standardize import Upload
from tests import pki
from tests.conftest import Clock
from tests.intake.test_cutting import Sent, work_through
from tests.record.house import CHARTS, House
from tests.standardize.prescriptions import DRUG, HEAD, ORAL, USAGE, packed

CHART = CHARTS["hospital-a"].value
CSV = (
    packed(ORAL, USAGE, DRUG, head=HEAD)
    .replace("架空 花子,ｶｸｳ ﾊﾅｺ", "山田 花子,ﾔﾏﾀﾞ ﾊﾅｺ")
    .replace("19621103", "19500102")
)
WRAPPED = (
    b'<PrescriptionDocument id="Other">'
    + base64.b64encode(CSV.encode())
    + b"</PrescriptionDocument>"
)


def content(card: str = "doctor", **changes: object) -> bytes:
    return pki.prescription(pki.cards()[card], csv=CSV.encode(), **changes)


def established(**changes: object) -> Signatures:
    def found(
        file: Path, *, at: datetime, received: datetime
    ) -> tuple[SignatureReport, tuple[str, ...]]:
        del at, received
        return verify(file.read_bytes(), pki.policy(**changes), at=pki.NOW), ()

    return Signatures(found, lambda: pki.NOW)


def send(house: House, intake: Intake, what: bytes) -> str:
    house.enrol("hospital-a")
    found = intake.receive(
        house.caller("hospital-a"), [Sent(what, intake.blobs, path="e.xml")],
        facility="hospital-a", source=Source.DISPENSING, patient=CHART,
    )  # fmt: skip
    return str(found["receipt"])


def told(house: House, receipt: str) -> tuple[str, list[str], int]:
    (file,) = house.receipt("hospital-a", receipt)["files"]
    return file["state"], [one["code"] for one in file["findings"]], sum(file["items"].values())


def test_a_verified_prescription_is_read(house: House, intake: Intake) -> None:
    intake = replace(intake, signatures=established())
    receipt = send(house, intake, content())
    work_through(house, intake)
    state, found, items = told(house, receipt)
    assert (state, items) == ("standardized", 1)
    assert found[0] == "signature-verified"


@pytest.mark.parametrize(
    "what",
    [
        content("pharmacist"),  # no doctor
        content("no role"),
        content("test card"),
        content("rogue twin"),
        content().replace(b">U0ox", b">U0oy"),
        content()
        .replace(b"<PrescriptionSign>", b"<PrescriptionSign/><Old>")
        .replace(b"</PrescriptionSign>", b"</Old>"),
        content().replace(b"<PrescriptionDocument ", WRAPPED + b"<PrescriptionDocument "),
        content().replace(b"</Prescription>", WRAPPED + b"</Prescription>"),
    ],
)
def test_no_other_signature_becomes_a_record(house: House, intake: Intake, what: bytes) -> None:
    intake = replace(intake, signatures=established())
    receipt = send(house, intake, what)
    work_through(house, intake)
    state, found, items = told(house, receipt)
    assert (state, items) == ("refused", 0)
    assert found in (["untrusted-signature"], ["invalid"], ["malformed"])


def test_an_unsigned_one_is_refused_where_a_card_is_due(house: House, intake: Intake) -> None:
    bare = content()
    start, end = bare.index(b"<PrescriptionSign>"), bare.index(b"</PrescriptionSign>")
    intake = replace(intake, signatures=established())
    receipt = send(house, intake, bare[:start] + b"<PrescriptionSign>" + bare[end:])
    work_through(house, intake)
    assert told(house, receipt) == ("refused", ["untrusted-signature"], 0)


def test_what_cannot_be_established_waits_and_is_tried_again(
    house: House, intake: Intake, clock: Clock
) -> None:
    waiting = replace(intake, signatures=established(lists=[]))
    receipt = send(house, waiting, content())
    work_through(house, waiting)
    assert told(house, receipt) == ("set-aside", ["signature-unverifiable"], 0)
    ready = replace(intake, signatures=established())
    assert work_through(house, ready) == 0  # until its time comes
    clock.advance(hours=2)
    filing = Filing(door=house.door, blobs=intake.blobs, verify=established().verify,
                    clock=lambda: pki.NOW)  # fmt: skip

    def acting(facility: str) -> Caller:
        return house.caller("secretariat")

    assert filing.examine_again(lambda: house.caller("secretariat"), acting) == 1
    work_through(house, ready)
    state, found, items = told(house, receipt)
    assert (state, items, found[0]) == ("standardized", 1, "signature-verified")


def test_without_a_verifier_nothing_is_made(house: House, intake: Intake) -> None:
    receipt = send(house, intake, content())
    work_through(house, intake)
    assert told(house, receipt) == ("set-aside", ["signature-unverifiable"], 0)


@pytest.mark.parametrize(
    ("what", "covering"),
    [
        (content(), base64.b64encode(CSV.encode())),
        (b"JAHIS10\r\n", b""),
        (b"<Document><Prescription><PrescriptionDocument>AA</PrescriptionDocument>", b"AA"),
        (b"<Document><Dispensing><PrescriptionDocument>AA</PrescriptionDocument>", b""),
        (b"<a/>", b""),
    ],
)
def test_what_a_signature_has_to_cover(what: bytes, covering: bytes) -> None:
    assert evidence(Upload(path="e.xml", content=what)) == covering


def test_a_signature_over_other_bytes_does_not_count(tmp_path: Path) -> None:
    file = tmp_path / "e.xml"
    file.write_bytes(content())
    report = established().report(file, pki.NOW)
    rule = SignaturePolicyKeys()
    assert not judge(rule, report, base64.b64encode(CSV.encode())).waits
    with pytest.raises(Invalid):
        judge(rule, report, b"QUJD")


def test_a_time_stamp_is_due_where_the_network_says_so(tmp_path: Path) -> None:
    file = tmp_path / "e.xml"
    file.write_bytes(content())
    report = established().report(file, pki.NOW)
    covering = base64.b64encode(CSV.encode())
    rule = SignaturePolicyKeys(required={"prescription": ("Medical Doctor",)}, timestamp=True)
    assert judge(rule, report, covering).finding.code == "signature-verified"
    bare = replace(report, signatures=(replace(report.signatures[0], proven=None),))
    with pytest.raises(UntrustedSignature):
        judge(rule, bare, covering)
    assert judge(replace(rule, timestamp=False), bare, covering).finding.code
