"""Documents of an extended storage: verified, filed and served, replaced and deleted, erased."""

from dataclasses import replace

import pytest

from gateway.intake.signed import Signatures
from gateway.intake.uploads import Intake
from gateway.model.document import (
    Availability,
    DocumentEntry,
    DocumentQuery,
    DocumentRequest,
    Retrieved,
)
from gateway.record import disclose, removal
from gateway.store.blobs import Blobs
from gateway.store.record import documents as rows
from tests import pki
from tests.intake.test_cutting import told, work_through
from tests.intake.test_papers import CHART, documents, send, verifier
from tests.record.house import House
from tests.record.test_erase import withdraw

NURSING, REFERRAL = "L1^^28623-7^看護記録^LN", "L2^^57133-1^診療情報提供書^LN"
PLACE = f"{CHART[:3]}/{CHART[3:6]}/{CHART}/20261105"
PNG = b"\x89PNG\r\n\x1a\n" + bytes(20)


def path(flag="1", issued="20261105120000000", kind=NURSING):
    return f"{PLACE}/{kind}/{CHART}_20261105_L1_DOC9_{issued}_01_{flag}/main.pdf"


@pytest.fixture
def intake(intake: Intake) -> Intake:
    return replace(intake, signatures=Signatures(verifier, lambda: pki.NOW))


def deliver(house: House, intake: Intake, content: bytes, where: str) -> dict:
    receipt = send(house, intake, content, where, patient="")
    work_through(house, intake)
    return told(house, receipt)


def current(house: House) -> list[DocumentEntry]:
    return [one for one in documents(house) if one.status is Availability.APPROVED
            and one.mime_type != "application/fhir+json"]  # fmt: skip


def originals(house: House) -> int:
    return sum(one.mime_type != "application/fhir+json" for one in documents(house))


def test_a_document_of_the_storage_is_found_and_retrieved(house: House, intake: Intake) -> None:
    house.enrol("hospital-a")
    content = pki.pdf()
    file = deliver(house, intake, content, path())
    assert (file["state"], file["format"]) == ("standardized", "ssmix2-extended/pdf")
    assert file["findings"] == []
    with house.work("neighbour-n") as work:
        found = disclose.find_documents(work, DocumentQuery(patient=house.shared))
        (entry,) = (one for one in found if one.mime_type == "application/pdf")
        asked = DocumentRequest(
            home=entry.home, repository=entry.repository, unique_id=entry.unique_id
        )
        (got,) = disclose.retrieve(work, (asked,))
        assert isinstance(got, Retrieved)
        assert got.path.read_bytes() == content
        made = next(one for one in found if one.mime_type == "application/fhir+json")
        bundle = work.blobs.read(made.sha256).decode()
    assert (entry.title, entry.type_code.code) == ("看護記録", "28623-7")
    assert entry.category.value == "nursing"
    assert entry.assurance.value == "verified"
    assert entry.created.isoformat() == "2026-11-05T12:00:00+09:00"
    assert f"urn:oid:{entry.unique_id}" in bundle  # the statement names the document


def test_a_wrong_signature_refuses_the_file(house: House, intake: Intake) -> None:
    house.enrol("hospital-a")
    content = pki.pdf()
    place = content.index(b"/MediaBox")
    changed = content[:place] + content[place:].replace(b"595", b"596", 1)
    file = deliver(house, intake, changed, path())
    assert file["state"] == "refused"
    assert file["findings"][0]["code"] == "untrusted-signature"
    assert documents(house) == []


def test_an_unsigned_referral_is_refused_and_a_record_is_marked(
    house: House, intake: Intake
) -> None:
    house.enrol("hospital-a")
    file = deliver(house, intake, pki.page("x"), path(kind=REFERRAL))
    assert file["state"] == "refused"
    file = deliver(house, intake, pki.page("x"), path())
    assert [one["code"] for one in file["findings"]] == ["unsigned-document"]
    assert len(current(house)) == 1


def test_an_image_and_any_xml_are_documents(house: House, intake: Intake) -> None:
    house.enrol("hospital-a")
    for number, content in enumerate((PNG, b"<a xmlns='urn:x'/>")):
        file = deliver(house, intake, content, f"{PLACE}/{NURSING}/doc{number}/a")
        assert file["state"] == "standardized"
    assert {one.mime_type for one in current(house)} == {"image/png", "text/xml"}


@pytest.mark.parametrize("content", [b"<svg/>", b"<html/>", b"GIF89a", b"<a><b></a>"])
def test_what_acts_or_is_not_known_is_no_document(
    house: House, intake: Intake, content: bytes
) -> None:
    house.enrol("hospital-a")
    file = deliver(house, intake, content, path())
    assert [one["code"] for one in file["findings"]] == ["layout-unknown"]
    assert documents(house) == []


@pytest.mark.parametrize("late", [False, True])
def test_a_newer_version_replaces_the_older_in_any_order(
    house: House, intake: Intake, late: bool
) -> None:
    house.enrol("hospital-a")
    files = [(pki.page("one"), path()), (pki.page("two"), path(issued="20261106120000000"))]
    for content, where in reversed(files) if late else files:
        deliver(house, intake, content, where)
    assert originals(house) == 2
    (entry,) = current(house)
    assert intake.blobs.read(entry.sha256) == pki.page("two")


@pytest.mark.parametrize("issued", ["20261107120000000", "20261106120000000"])
def test_a_deletion_retires_the_document(house: House, intake: Intake, issued: str) -> None:
    """By a file of its own, or by the same file under its new flag."""
    house.enrol("hospital-a")
    deliver(house, intake, pki.page("one"), path())
    deliver(house, intake, pki.page("two"), path(issued="20261106120000000"))
    file = deliver(house, intake, pki.page("two"), path("0", issued=issued))
    assert file["state"] == "standardized"
    assert "deleted" in [one["code"] for one in file["findings"]]
    assert current(house) == []


@pytest.mark.parametrize("issued", ["20261107120000000", "20261105120000000"])
def test_a_deletion_that_comes_first_keeps_the_document_out(
    house: House, intake: Intake, issued: str
) -> None:
    house.enrol("hospital-a")
    deliver(house, intake, pki.page("one"), path("0", issued=issued))
    deliver(house, intake, pki.page("one"), path())
    assert current(house) == []


def test_history_is_no_document(house: House, intake: Intake) -> None:
    house.enrol("hospital-a")
    file = deliver(house, intake, pki.page("one"), path("2"))
    assert "superseded" in [one["code"] for one in file["findings"]]
    assert documents(house) == []


def test_what_is_held_is_replaced_too(house: House, intake: Intake) -> None:
    house.custody("hospital-a")
    house.feed("hospital-a")
    deliver(house, intake, pki.page("one"), path())
    deliver(house, intake, pki.page("two"), path(issued="20261106120000000"))
    house.enrol("hospital-a")
    (entry,) = current(house)
    assert intake.blobs.read(entry.sha256) == pki.page("two")
    assert originals(house) == 1


def test_a_link_that_is_undone_brings_no_deleted_document_back(
    house: House, intake: Intake
) -> None:
    house.custody("hospital-a")
    house.enrol("hospital-a")
    deliver(house, intake, pki.page("one"), path())
    deliver(house, intake, pki.page("one"), path("0", issued="20261107120000000"))
    person = house.person()
    with house.work() as work:
        removal.unshare(work, person)
        assert rows.select_held(work.db, person) == []


def test_the_same_file_again_is_one_document(house: House, intake: Intake) -> None:
    house.enrol("hospital-a")
    deliver(house, intake, pki.page("one"), path())
    assert deliver(house, intake, pki.page("one"), path())["state"] == "duplicate"
    assert originals(house) == 1


def test_a_withdrawal_takes_document_statement_and_bytes(
    house: House, intake: Intake, blobs: Blobs
) -> None:
    house.enrol("hospital-a")
    deliver(house, intake, pki.page("x"), path())
    assert any(b"%PDF" in blobs.read(one) for one in blobs.each())
    withdraw(house)
    with house.work() as work:
        removal.sweep(work)
    assert not [one for one in blobs.each() if b"%PDF" in blobs.read(one)]
