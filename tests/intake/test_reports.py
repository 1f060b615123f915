"""What verification said is kept with the file and shown with what was made of it (SIG-06)."""

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime
from typing import Any

from gateway.hpki.verify import verify
from gateway.intake.signed import Signatures
from gateway.intake.uploads import Intake
from gateway.model.audit import EventKind
from gateway.model.caller import CallerKind
from gateway.model.signature import Indication
from gateway.record import disclose, reports
from gateway.store.blobs import Blobs
from gateway.store.record.reports import select_reports
from gateway.wire import fhir
from tests import pki, xades
from tests.hpki.test_xades_inner import dispensed
from tests.intake.test_cutting import work_through
from tests.intake.test_extended import deliver, path
from tests.intake.test_papers import documents, verifier
from tests.intake.test_papers import send as send_document
from tests.intake.test_signed import content, established, send
from tests.record.house import House
from tests.record.test_erase import withdraw


def told(house: House, receipt: str) -> list[dict[str, Any]]:
    """What the receipt says of signatures."""
    (file,) = house.receipt("hospital-a", receipt)["files"]
    return file.get("signatures", [])


def provenances(house: House, blobs: Blobs) -> list[dict[str, Any]]:
    """Every Provenance of the current documents that the record made."""
    return [
        entry["resource"]
        for one in documents(house)
        if one.mime_type == "application/fhir+json"
        for entry in fhir.loads(blobs.read(one.sha256))["entry"]
        if entry["resource"]["resourceType"] == "Provenance"
    ]


def names(signatures: Iterable[Any]) -> list[tuple[str, str]]:
    return [(one.verdict.value, one.roles[0]) for one in signatures]


def test_the_signer_of_a_prescription_stands_with_its_items(
    house: House, intake: Intake, blobs: Blobs
) -> None:
    intake = replace(intake, signatures=established())
    receipt = send(house, intake, content())
    work_through(house, intake)
    (report,) = told(house, receipt)
    assert (report["at"], report["verdict"]) == ("", "verified")
    (signature,) = report["signatures"]
    assert signature["signer"]["role"] == "Medical Doctor"
    assert signature["checks"] == []
    made, signed = provenances(house, blobs)
    assert "signature" not in made
    (one,) = signed["signature"]
    assert one["when"].startswith("2026-05-01T03:00:00")
    assert {each["reference"] for each in signed["target"]} <= {
        each["reference"] for each in made["target"]
    }
    with house.work("hospital-a", kind=EventKind.VIEW, reading=True) as work:
        work.caller = replace(work.caller, kind=CallerKind.USER, role="doctor")
        viewed = disclose.view(work, house.shared)
    (item,) = viewed.items
    assert names(item.signatures) == [("verified", "Medical Doctor")]


def test_an_invalid_signature_is_kept_with_the_refused_file(house: House, intake: Intake) -> None:
    intake = replace(intake, signatures=established())
    receipt = send(house, intake, content().replace(b">U0ox", b">U0oy"))
    work_through(house, intake)
    (report,) = told(house, receipt)
    assert report["verdict"] == "invalid"
    failed = [one for one in report["signatures"][0]["checks"] if one["outcome"] == "failed"]
    assert failed
    assert all(one["reason"] and one["reason_ja"] for one in failed)
    assert documents(house) == []


def test_what_waits_says_why_and_later_that_it_is_verified(house: House, intake: Intake) -> None:
    waiting = replace(intake, signatures=established(lists=[]))
    receipt = send(house, waiting, content())
    work_through(house, waiting)
    (report,) = told(house, receipt)
    assert report["verdict"] == "unverifiable"
    assert {one["name"] for one in report["signatures"][0]["checks"]} == {
        "time-stamp", "revocation",
    }  # fmt: skip


def test_a_document_of_a_storage_and_its_statement(
    house: House, intake: Intake, blobs: Blobs
) -> None:
    """The Provenance with the signature has the DocumentReference as its target."""
    intake = replace(intake, signatures=Signatures(verifier, lambda: pki.NOW))
    house.enrol("hospital-a")
    deliver(house, intake, pki.pdf(), path())
    _, signed = provenances(house, blobs)
    (target,) = signed["target"]
    (one,) = signed["signature"]
    assert (one["sigFormat"], one["targetFormat"]) == ("application/pdf", "application/pdf")
    bundle = next(
        fhir.loads(blobs.read(each.sha256)) for each in documents(house)
        if each.mime_type == "application/fhir+json"
    )  # fmt: skip
    kinds = {entry["fullUrl"]: entry["resource"]["resourceType"] for entry in bundle["entry"]}
    assert kinds[target["reference"]] == "DocumentReference"
    (filed,) = [each for each in documents(house) if each.mime_type == "application/pdf"]
    assert names(filed.signatures) == [("verified", "Medical Doctor")]


def test_an_unsigned_document_has_no_report(house: House, intake: Intake, blobs: Blobs) -> None:
    intake = replace(intake, signatures=Signatures(verifier, lambda: pki.NOW))
    house.enrol("hospital-a")
    file = deliver(house, intake, pki.page("x"), path())
    assert "signatures" not in file
    assert [one for one in provenances(house, blobs) if "signature" in one] == []


def test_a_prescription_inside_of_a_dispensing_result(house: House, intake: Intake) -> None:
    root, _ = dispensed()
    judged = xades.judge(root)
    assert judged.indication is Indication.VERIFIED
    intake = replace(intake, signatures=Signatures(lambda *_, **__: (judged, ()), lambda: pki.NOW))
    house.enrol("hospital-a")
    receipt = send_document(house, intake, xades.written(root), "dispensing.xml")
    work_through(house, intake)
    (report,) = told(house, receipt)
    assert report["signatures"][0]["embedded"][0]["signer"]["role"] == "Medical Doctor"
    (filed,) = documents(house)
    assert names(filed.signatures) == [("verified", "Pharmacist")]
    assert names(filed.signatures[0].inside) == [("verified", "Medical Doctor")]


def test_the_report_goes_with_the_file(house: House, intake: Intake) -> None:
    intake = replace(intake, signatures=established())
    receipt = send(house, intake, content())
    work_through(house, intake)
    assert told(house, receipt)
    with house.work(reading=True) as work:
        ((file,),) = work.db.exec_driver_sql("SELECT file FROM signature_report").fetchall()
        assert reports.of_file(work.db, file)
    withdraw(house)
    with house.work(reading=True) as work:
        assert select_reports(work.db, file) == {}


def test_a_report_says_what_verify_says(house: House, intake: Intake, blobs: Blobs) -> None:
    """SIG-06: repeatable from the stored bytes, at the stored time."""
    intake = replace(intake, signatures=established())
    receipt = send(house, intake, content())
    work_through(house, intake)
    (report,) = told(house, receipt)
    (file,) = house.receipt("hospital-a", receipt)["files"]
    again = verify(
        blobs.read(file["sha256"]), pki.policy(),
        at=datetime.fromisoformat(report["times"]["verified"]),
    )  # fmt: skip
    assert again.indication.value == report["verdict"]
    assert again.file_sha256 == report["file_sha256"]
