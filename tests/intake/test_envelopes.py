"""Files signed as CMS with their content inside (`.p7m`): what is signed is what is filed."""

import base64
import hashlib
import json
import re
import tempfile
import uuid
from dataclasses import replace
from pathlib import Path
from typing import Any

import orjson
import pytest

from gateway.errors import Invalid, Refusal, UntrustedSignature
from gateway.hpki.verify import verify
from gateway.intake import Filing
from gateway.intake.replaying import Replay
from gateway.intake.signed import Signatures
from gateway.intake.uploads import Intake, OnDisk
from gateway.model.signature import Indication
from gateway.record import reexamine, trace
from gateway.record.trace import Traced
from gateway.store.blobs import Blobs
from tests import cades, pki
from tests.cades import enclosing as p7m
from tests.intake.test_cutting import told, work_through
from tests.intake.test_papers import CHART, Sometimes, documents, send, verifier
from tests.intake.test_signed import CSV
from tests.record.house import CHARTS, House

REFERRAL = "診療情報提供書.pdf.p7m"
RX = pki.prescription(csv=CSV.encode())
CODE = {"code": "28623-7", "system": "2.16.840.1.113883.6.1", "display": "看護記録"}
ORU = (
    "MSH|^~\\&|LIS|A|GW|N|20261105120000||ORU^R01^ORU_R01|M1|P|2.5\r"
    f"PID|1||{CHART}^^^&2.999.30.1&ISO||山田^花子^^^^^L^I||19500102|F\r"
    "OBR|1|O1||3A0100000023271\r"
    "OBX|1|NM|3A010000002327101^総蛋白^JC10||7.1|g/dL^g/dL^UCUM|||||F|||20261105\r"
)


def early(path, *, at, received):
    """The verifier at a time when the lists are fresh, so that no time-stamp is needed for them."""
    return verify(path.read_bytes(), pki.policy(), at=pki.SIGNED, received=pki.SIGNED), ()


@pytest.fixture
def intake(intake: Intake, house: House) -> Intake:
    house.enrol("hospital-a")
    return replace(intake, signatures=Signatures(verifier, lambda: pki.NOW))


def deliver(house: House, intake: Intake, content: bytes, path: str = "看護記録.pdf.p7m",
            patient: str = CHART) -> dict[str, Any]:  # fmt: skip
    receipt = send(house, intake, content, path, patient)
    work_through(house, intake)
    return told(house, receipt)


def codes(file: dict[str, Any]) -> list[str]:
    return [one["code"] for one in file["findings"]]


def test_the_content_is_filed_with_its_report_and_the_signed_bytes_stay(
    house: House, intake: Intake, blobs: Blobs
) -> None:
    page = pki.page("看護")
    signed = p7m(page)
    file = deliver(house, intake, signed)
    assert (file["state"], file["format"]) == ("standardized", "cms/pdf")
    assert codes(file) == ["signature-verified"]
    (entry,) = documents(house)
    assert (entry.title, entry.mime_type, entry.assurance.value) == (
        "看護記録", "application/pdf", "verified",
    )  # fmt: skip
    assert entry.sha256 == hashlib.sha256(page).hexdigest()
    assert blobs.read(entry.sha256) == page
    (one,) = entry.signatures
    assert (one.level, one.roles, one.proven) == ("CAdES-T", ("Medical Doctor",), pki.SIGNED)
    kept = blobs.read(file["sha256"])
    assert kept == signed
    assert verify(kept, pki.policy(), at=pki.NOW).indication is Indication.VERIFIED
    (report,) = file["signatures"]
    assert (report["at"], report["verdict"], report["file_sha256"]) == (
        "", "verified", file["sha256"],
    )  # fmt: skip


@pytest.mark.parametrize(
    "wrap",
    [
        pytest.param(base64.encodebytes, id="base64"),
        pytest.param(
            lambda der: b"-----BEGIN PKCS7-----\n" + base64.encodebytes(der)
            + b"-----END PKCS7-----\n", id="PEM",
        ),
    ],
)  # fmt: skip
def test_in_any_wrapping(house: House, intake: Intake, wrap: Any) -> None:
    assert deliver(house, intake, wrap(p7m(pki.page("x"))))["state"] == "standardized"
    assert len(documents(house)) == 1


def test_a_referral_is_due_a_doctor_and_a_time_stamp(house: House, intake: Intake) -> None:
    """SIG-05: what is inside says which kind it is, the envelope who signed it."""
    page = pki.page("紹介")
    then = replace(intake, signatures=Signatures(early, lambda: pki.SIGNED))
    cards = pki.cards()
    for content in (
        p7m(page, stamped=False), p7m(page, cards["pharmacist"]), p7m(page, cards["no role"]), page,
    ):  # fmt: skip
        file = deliver(house, then, content, REFERRAL)
        assert (file["state"], codes(file)) == ("refused", ["untrusted-signature"])
    file = deliver(house, intake, p7m(page), REFERRAL)
    assert (file["state"], codes(file)) == (
        "standardized", ["signature-verified", "category-not-shared"],
    )  # fmt: skip


def test_one_changed_byte_is_refused(house: House, intake: Intake) -> None:
    page = pki.page("x")
    file = deliver(house, intake, p7m(page).replace(b"%PDF-1.", b"%PDF-2."))
    assert (file["state"], codes(file)) == ("refused", ["untrusted-signature"])
    assert file["signatures"][0]["verdict"] == "invalid"
    assert documents(house) == []


def test_what_cannot_be_established_waits(house: House, intake: Intake, clock: Any) -> None:
    again = replace(intake, signatures=Signatures(Sometimes(), lambda: pki.NOW))
    receipt = send(house, again, p7m(pki.page("x")), "看護記録.p7m")
    work_through(house, again)
    file: dict[str, Any] = told(house, receipt)
    assert (file["state"], codes(file)) == ("set-aside", ["signature-unverifiable"])
    assert file["signatures"][0]["verdict"] == "unverifiable"
    clock.advance(hours=2)
    filing = Filing(door=house.door, blobs=intake.blobs, verify=verifier, clock=lambda: pki.NOW)
    secretariat = house.caller("secretariat")
    assert filing.examine_again(lambda: secretariat, lambda facility: secretariat) == 1
    work_through(house, again)
    file = told(house, receipt)
    assert (file["state"], codes(file)) == ("standardized", ["signature-verified"])
    assert file["signatures"][0]["verdict"] == "verified"


def unsigned_data(content: bytes) -> bytes:
    made = cades.signed_data([], content)
    return made.dump()  # type: ignore[no-any-return]


def detached(content: bytes) -> bytes:
    info = cades.signer_info(content, pki.doctor(), stamp=pki.hierarchy().stamp(pki.SIGNED))
    made = cades.signed_data([info], None)
    return made.dump()  # type: ignore[no-any-return]


BAD = {
    "content elsewhere": (detached(pki.page("x")), "invalid"),
    "nobody signed": (unsigned_data(pki.page("x")), "untrusted-signature"),
    "an unknown kind": (p7m(b"\x00\x01 nothing"), "unsupported"),
    "an envelope once more": (p7m(p7m(pki.page("x"))), "unsupported"),
    "several people": (p7m(b"H,202611\nP,00001\nI,1,a\n"), "unsupported"),
    "an e-prescription that nobody may sign": (
        p7m(pki.prescription(pki.cards()["pharmacist"])), "untrusted-signature",
    ),
    "cut off": (p7m(pki.page("x"))[:-40], "untrusted-signature"),
}  # fmt: skip


def test_a_prescription_is_judged_by_its_own_signature(house: House, intake: Intake) -> None:
    """SIG-05: a pharmacist's envelope around a doctor's prescription changes nothing about it."""
    signed = p7m(RX, pki.cards()["pharmacist"])
    file = deliver(house, intake, signed, "rx.xml.p7m")
    assert file["state"] == "standardized", file["findings"]
    assert file["format"].startswith("cms/e-prescription/SJ")
    assert codes(file)[0] == "signature-verified"
    found = {one["at"]: one["signatures"][0] for one in file["signatures"]}
    assert {at: one["signer"]["role"] for at, one in found.items()} == {
        "": "Pharmacist", "inside": "Medical Doctor",
    }  # fmt: skip
    assert found["inside"]["format"] == "XAdES-T"
    again = replace(intake, signatures=Signatures(Sometimes(), lambda: pki.NOW))
    other = deliver(house, again, p7m(RX), "rx2.p7m")
    assert other["state"] == "set-aside"


def test_an_unsigned_prescription_needs_its_envelope_to_be_a_doctors(
    house: House, intake: Intake
) -> None:
    bare = re.sub(rb"<PrescriptionSign>.*</PrescriptionSign>", b"<PrescriptionSign/>",
                  RX, flags=re.DOTALL)  # fmt: skip
    file = deliver(house, intake, p7m(bare, pki.cards()["pharmacist"]), "rx.xml.p7m")
    assert (file["state"], codes(file)) == ("refused", ["untrusted-signature"])
    file = deliver(house, intake, p7m(bare), "rx.xml.p7m")
    assert file["state"] == "standardized"


@pytest.mark.parametrize("name", BAD)
def test_what_is_not_taken(house: House, intake: Intake, name: str) -> None:
    content, code = BAD[name]
    file = deliver(house, intake, content)
    assert (file["state"], codes(file)) == ("refused", [code])
    assert documents(house) == []


def test_what_is_harmful_is_harmful_in_an_envelope(house: House, intake: Intake) -> None:
    harmful = b"%PDF-1.7 X5O!P%@AP[4\\PZX54(P^)7CC)7}$EICAR-STANDARD-ANTIVIRUS-TEST-FILE!$H+H*"
    with pytest.raises(Invalid):
        deliver(house, intake, p7m(harmful))
    file = deliver(house, intake, base64.encodebytes(p7m(harmful)))  # hidden at the door
    assert (file["state"], codes(file)) == ("refused", ["invalid"])


def test_a_signed_pdf_inside_has_both_signatures(house: House, intake: Intake) -> None:
    file = deliver(house, intake, p7m(pki.pdf()))
    assert file["state"] == "standardized"
    (entry,) = documents(house)
    assert [one.level for one in entry.signatures] == ["CAdES-T", "PAdES-T"]
    wrong = pki.pdf().replace(b"595", b"596", 1)
    assert deliver(house, intake, p7m(wrong))["state"] == "refused"


def traced(house: House, resource: str) -> Traced:
    with house.work(reading=True) as work:
        return trace.trace(work, resource)


def test_items_inside_are_signed_and_traced_to_their_bytes(
    house: House, intake: Intake, blobs: Blobs
) -> None:
    signed = p7m(ORU.encode())
    file = deliver(house, intake, signed, "r.hl7.p7m", patient="")
    assert (file["state"], file["format"]) == ("standardized", "cms/hl7/ORU^R01")
    assert file["items"]["promoted"] == 2
    with house.work(reading=True) as work:
        found = work.db.exec_driver_sql("SELECT content FROM item").fetchall()
    resources = [orjson.loads(one)["resource"] for (one,) in found]
    (observation,) = [one for one in resources if one["resourceType"] == "Observation"]
    (version,) = traced(house, observation["id"]).versions
    assert version.lines.startswith(b"OBX|1|NM")
    assert version.lines in signed
    replay = Replay(door=house.door, blobs=blobs, caller=lambda: house.caller("secretariat"))
    (chart,) = replay.charts()
    (one,) = replay.preview(chart)
    assert one.outcome.skipped == ""


def entry(mime: str = "application/pdf") -> bytes:
    chart = CHARTS["hospital-a"]
    return json.dumps(
        {
            "patient": {"domain": chart.domain, "value": chart.value}, "title": "看護記録",
            "category": "lab_result", "class": CODE, "type": CODE, "format": CODE,
            "mime_type": mime, "created": "2026-11-05T12:00:00+09:00", "facility": "hospital-a",
        }
    ).encode()  # fmt: skip


def filed(house: House, intake: Intake, content: bytes, mime: str = "application/pdf") -> Any:
    filing = Filing(door=house.door, blobs=intake.blobs, verify=verifier, clock=lambda: pki.NOW)
    with tempfile.NamedTemporaryFile(suffix=".p7m") as file:
        file.write(content)
        file.flush()
        sent = OnDisk(Path(file.name), intake.blobs)
        return filing.receive(house.caller("hospital-a"), entry(mime), sent)


def test_the_document_door_takes_them_too(house: House, intake: Intake, blobs: Blobs) -> None:
    page = pki.page("x")
    signed = p7m(page)
    made = filed(house, intake, signed)
    assert made.entry.sha256 == hashlib.sha256(page).hexdigest()
    assert made.entry.signatures[0].level == "CAdES-T"
    assert blobs.read(made.file.sha256) == signed


@pytest.mark.parametrize(
    ("content", "mime", "refusal"),
    [
        pytest.param(p7m(pki.page("x")), "text/xml", Invalid, id="another kind inside"),
        pytest.param(p7m(b"MZ"), "application/pdf", Invalid, id="no document inside"),
        pytest.param(p7m(b"{}"), "text/html", Invalid, id="a kind that is not taken"),
        pytest.param(detached(pki.page("x")), "application/pdf", Invalid, id="content elsewhere"),
        pytest.param(
            unsigned_data(pki.page("x")), "application/pdf", Refusal, id="nobody signed"
        ),
        pytest.param(
            p7m(pki.page("x"), pki.rogue().root), "application/pdf", UntrustedSignature,
            id="a stranger",
        ),
    ],
)  # fmt: skip
def test_the_document_door_refuses(
    house: House, intake: Intake, content: bytes, mime: str, refusal: type[Refusal]
) -> None:
    with pytest.raises(refusal):
        filed(house, intake, content, mime)
    assert documents(house) == []


FHIR = Path(__file__).resolve().parents[2] / "samples" / "standardize" / "fhir"


def summary(**more: object) -> bytes:
    """A discharge summary of this patient; `more` stands in its Bundle."""
    made = json.loads((FHIR / "document-discharge.json").read_text("utf-8"))
    del made["signature"]
    return json.dumps({**made, **more}).encode()


def _within(resource: dict[str, object]) -> bytes:
    found = json.loads((FHIR / "jp-core-collection.json").read_text("utf-8"))
    found["entry"].append({"fullUrl": f"urn:uuid:{uuid.uuid4()}", "resource": resource})
    return json.dumps(found).encode()


SIGNATURE = {
    "type": [{"system": "urn:iso-astm:E1762-95:2013", "code": "1.2.840.10065.1.12.1.1"}],
    "when": "2026-11-20T10:00:00+09:00", "who": {"display": "x"}, "data": "c2FtcGxl",
}  # fmt: skip
INSIDE = {
    "Bundle.signature": summary(signature=SIGNATURE),
    "Provenance.signature": _within({
        "resourceType": "Provenance", "target": [{"display": "x"}],
        "recorded": "2026-11-20T10:00:00+09:00", "agent": [{"who": {"display": "x"}}],
        "signature": [SIGNATURE],
    }),
    "attachment": _within({
        "resourceType": "DocumentReference", "status": "current",
        "content": [{"attachment": {
            "contentType": "application/pkcs7-mime; smime-type=signed-data", "data": "c2FtcGxl",
        }}],
    }),
}  # fmt: skip


@pytest.mark.parametrize("place", INSIDE)
def test_a_signature_inside_of_fhir_is_not_passed_over(
    house: House, intake: Intake, place: str
) -> None:
    """RD-23: nobody can verify it where it stands; it is set aside once and for all."""
    file = deliver(house, intake, INSIDE[place], "a.json", patient="")
    assert file["state"] == "set-aside"
    (found,) = [one for one in file["findings"] if one["code"] == "bundle-signature"]
    assert found["at"].endswith(place)
    assert found["severity"] == "warning"
    assert sum(file["items"].values()) == 0
    assert documents(house) == []
    with house.work(reading=True) as work:
        assert not reexamine.any_due(work.db)


def test_a_fhir_document_is_signed_as_a_whole(house: House, intake: Intake, blobs: Blobs) -> None:
    house.custody("hospital-a")
    content = summary(signature=SIGNATURE)
    file = deliver(house, intake, p7m(content), "s.json.p7m", patient="")
    assert (file["state"], file["format"]) == ("standardized", "cms/fhir/document")
    assert {"signature-verified", "bundle-signature"} <= set(codes(file))
    with house.work(reading=True) as work:
        (held,) = work.db.exec_driver_sql("SELECT sha256, content FROM held_document").fetchall()
    assert blobs.read(held.sha256) == content
    assert orjson.loads(held.content)["assurance"] == "verified"
