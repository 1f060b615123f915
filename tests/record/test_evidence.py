"""Evidence is kept once with what rests on it, and goes with the last of it, on both databases."""

from dataclasses import replace
from threading import Event, Thread

import pytest
from cryptography.hazmat.primitives.serialization import Encoding
from sqlalchemy import text

from gateway.errors import Inconsistent, NotFound
from gateway.hpki.evidence import rebuild
from gateway.hpki.verify import verify
from gateway.model.evidence import EvidenceKind
from gateway.model.signature import Indication, SignatureReport
from gateway.record import documents, evidence, lists, reports
from gateway.record.lists import ListRow
from gateway.store.database import Database
from gateway.store.record import evidence as evidence_rows
from tests import pki
from tests.record.house import House, document
from tests.record.test_erase import rows, withdraw

HERE = pki.hierarchy()


def signed(number: int) -> tuple[bytes, SignatureReport]:
    """A PDF that a doctor signed, and its report."""
    content = pki.pdf(HERE.card(serial=number))
    return content, verify(content, pki.policy(), at=pki.NOW, received=pki.NOW)


def file(house: House, content: bytes, report: SignatureReport, name: str = "hospital-a") -> str:
    with house.work(name) as work:
        return documents.file(work, document(content, name=name), report).unique_id


def find(house: House, identity: str) -> evidence.Kept:
    with house.work(reading=True) as work:
        found = evidence.find(work, identity)
        assert work.trail.patients
    return found


def test_a_verdict_is_made_again_from_what_was_kept(house: House, database: Database) -> None:
    house.enrol("hospital-a")
    content, report = signed(100)
    identity = file(house, content, report)
    kept = find(house, f"urn:oid:{identity}")
    assert (kept.content, kept.missing, kept.at, kept.received) == (
        content, (), pki.NOW, pki.NOW,
    )  # fmt: skip
    assert {one.sha256 for one in kept.evidence} == {one.sha256 for one in report.evidence}
    made = verify(kept.content, rebuild(kept.evidence), at=kept.at, received=kept.received)
    assert made.indication is Indication.VERIFIED
    assert made.as_json()["signatures"] == kept.report["signatures"]
    count = rows(database, "evidence")
    file(house, *signed(101))
    more = rows(database, "evidence") - count
    assert more == 2, "another card and another stamp; the authorities and lists are here already"
    with pytest.raises(NotFound):
        find(house, "2.25.1")


def test_a_list_of_the_archive_is_not_kept_twice(house: House, database: Database) -> None:
    house.enrol("hospital-a")
    held = HERE.crl()
    row = ListRow(
        sha256=held.sha256, series="s", issuer="i", number="1", since=held.since,
        until=held.until or held.since, received=pki.NOW, source="x", entries=0, keeps="",
        anomalies=[],
    )  # fmt: skip
    with house.work() as work:
        assert lists.archive(work, row, held.crl.public_bytes(Encoding.DER))
    content, report = signed(100)
    kept = find(house, file(house, content, report))
    assert kept.missing == ()
    assert rows(database, "evidence") == len(report.evidence) - 1
    withdraw(house)
    assert (rows(database, "evidence"), rows(database, "revocation_list")) == (0, 1)


def test_evidence_goes_with_the_last_document_that_rests_on_it(
    house: House, database: Database
) -> None:
    house.custody("clinic-b")
    house.enrol("hospital-a", "clinic-b")
    first, second = signed(100), signed(101)
    file(house, *first)
    identity = file(house, *second, name="clinic-b")
    withdraw(house)
    # The clinic's document went back to custody, with its evidence; the hospital's is gone.
    with database.reading() as db:
        held = db.execute(text("SELECT unique_id FROM held_document")).scalars().all()
    assert held == [identity]
    kept = find(house, identity)
    assert kept.missing == ()
    assert rows(database, "evidence") == len(second[1].evidence)
    card = pki.parsed(HERE.card(serial=100)).sha256.hex()
    with database.reading() as db:
        left = db.execute(text("SELECT sha256 FROM evidence")).scalars().all()
    assert card not in left


def test_a_document_that_is_held_and_then_shared_keeps_its_evidence(house: House) -> None:
    house.custody("hospital-a")
    house.feed("hospital-a")
    identity = file(house, *signed(100))
    house.enrol("hospital-a")
    assert find(house, identity).missing == ()


def test_evidence_that_is_missing_is_said(house: House, database: Database) -> None:
    house.enrol("hospital-a")
    content, report = signed(100)
    identity = file(house, content, report)
    gone = next(one for one in report.evidence if one.kind is EvidenceKind.LIST)
    with database.writing() as db:
        db.execute(text("DELETE FROM evidence WHERE sha256 = :it"), {"it": gone.sha256})
    kept = find(house, identity)
    assert kept.missing == (gone.sha256,)
    made = verify(kept.content, rebuild(kept.evidence), at=kept.at, received=kept.received)
    assert made.indication is Indication.UNVERIFIABLE
    with house.work() as work:
        work.blobs.delete(report.file_sha256)
    with pytest.raises(Inconsistent, match="not kept"):
        find(house, identity)


def test_a_newer_report_about_a_file_replaces_what_the_older_one_rested_on(
    house: House, database: Database
) -> None:
    house.enrol("hospital-a")
    content, report = signed(100)
    receipt, _ = house.upload("hospital-a", content=content)
    with database.reading() as db:
        owner = db.execute(
            text("SELECT id FROM upload_file WHERE receipt = :it"), {"it": receipt}
        ).scalar_one()
    waiting = verify(content, pki.policy(()), at=pki.NOW, received=pki.NOW)
    assert waiting.indication is Indication.UNVERIFIABLE
    for one in (waiting, report):
        with house.work() as work:
            reports.keep(work, owner, one)
        kept = find(house, report.file_sha256)
        assert {piece.sha256 for piece in kept.evidence} == {piece.sha256 for piece in one.evidence}
        policy = rebuild(kept.evidence)
        made = verify(kept.content, policy, at=kept.at, received=kept.received)
        assert replace(made, evidence=()) == replace(one, evidence=())
    assert house.door.snapshot(evidence.any_unused, max_age=0.0), "what the older one rested on"
    with house.work() as work:
        evidence.sweep(work)
    assert rows(database, "evidence") == len(report.evidence)
    withdraw(house)
    assert rows(database, "evidence_use") == rows(database, "evidence") == 0


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
def test_what_another_transaction_keeps_meanwhile_is_not_deleted(
    house: House, database: Database
) -> None:
    house.enrol("hospital-a")
    content, report = signed(100)
    file(house, content, report)
    with house.work() as keeping:
        evidence.keep(keeping, "another", report)
        withdraw(house)  # in a transaction of its own, while the other one is open
        assert rows(database, "evidence") == len(report.evidence)
    with house.work(reading=True) as work:
        assert evidence_rows.select_used(work.db, "another", "")
    assert rows(database, "evidence") == len(report.evidence)


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
def test_two_transactions_that_bring_the_same_piece_bring_it_once(
    house: House, database: Database
) -> None:
    _, report = signed(100)
    done = Event()

    def bring() -> None:
        with house.work() as work:
            evidence.keep(work, "two", report)
        done.set()

    with house.work() as work:
        evidence.keep(work, "one", report)
        other = Thread(target=bring)
        other.start()
        assert not done.wait(0.2), "it waits for the first one"
    other.join()
    assert rows(database, "evidence") == len(report.evidence)
