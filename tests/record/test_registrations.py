"""Documents of registrations: kept as proof, never used twice, and no erasure takes them."""

from collections.abc import Iterator

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from gateway.audit.door import Defect
from gateway.consent import enrolment, ledger
from gateway.errors import Inconsistent, Invalid, UntrustedSignature
from gateway.hpki.verify import verify
from gateway.identity import crossref
from gateway.model import network
from gateway.model.identifiers import PatientId
from gateway.model.network import NetworkPolicy
from gateway.model.signature import Sealed
from gateway.record import erase, erasures, evidence, registrations, removal
from gateway.store.database import Database
from tests import pki
from tests.conftest import Clock
from tests.record.house import HANAKO, House

BASIS = "treated_at_member_facility"
HERE = pki.hierarchy()


@pytest.fixture(scope="module")
def policy() -> NetworkPolicy:
    """TGP's rules with a seal for every registration."""
    shipped = network.template("tgp")
    wanted = "{consent: [Dentist], exclusion: [Dentist], withdrawal: [Dentist]}"
    made = shipped.replace("  timestamp: true", f"  registrations: {wanted}\n  timestamp: true")
    assert made != shipped
    return network.load(made)


def sealed(number: int, role: str = "Dentist") -> Sealed:
    content = pki.pdf(HERE.card(serial=number, role=role))
    return Sealed(content=content, report=verify(content, pki.policy(), at=pki.NOW))


def enrol(house: House, document: Sealed | None) -> PatientId:
    with house.work() as work:
        shared = enrolment.enrol(work, HANAKO, signed_by="person", basis=BASIS, sealed=document)
        if document is not None:
            registrations.keep(
                work, crossref.person_of(work, shared), "consent", document, work.now
            )
    return shared


def rows(database: Database) -> Iterator[str]:
    with database.reading() as db:
        yield from (row[0] for row in db.execute(text("SELECT sha256 FROM registration_document")))


def test_the_document_stays_with_the_ledger_after_the_erasure(
    house: House, database: Database, clock: Clock
) -> None:
    consent, out = sealed(300), sealed(301)
    house.shared = enrol(house, consent)
    person = house.person()
    clock.advance(days=1)
    with house.work() as work:
        found = ledger.withdraw(
            work, person, reason="patient_withdrawal", form="1", sealed=out
        )  # fmt: skip
        registrations.keep(work, person, "withdrawal", out, found.at)
        erase.erase(work, found)
    with house.work() as work:
        removal.let_go(work, [consent.sha256, out.sha256], removal.Removed())
        evidence.sweep(work)
        assert removal.sweep(work) == 0
        entries = ledger.entries(work, person)
        kept = registrations.of(work, person)
        assert [one.document for one in entries] == [consent.sha256, out.sha256]
        assert [(one.kind, one.sha256) for one in kept] == [
            ("consent", consent.sha256), ("withdrawal", out.sha256)
        ]  # fmt: skip
        assert {consent.sha256, out.sha256} <= set(removal.referenced(work))
        for identity in (consent.sha256, kept[0].id):
            verdict = evidence.find(work, identity)
            assert (verdict.content, verdict.missing) == (consent.content, ())
            assert verdict.evidence
    for statement in (
        "DELETE FROM registration_document",
        "UPDATE registration_document SET at=''",
    ):
        with pytest.raises(DBAPIError), database.writing() as db:
            db.execute(text(statement))


def test_a_document_is_used_once(house: House, database: Database) -> None:
    document = sealed(302)
    house.shared = enrol(house, document)
    person = house.person()
    with house.work() as work:  # the same again is once
        again = ledger.grant(work, person, signed_by="person", basis=BASIS, sealed=document)
        registrations.keep(work, person, "consent", document, again.at)
    assert list(rows(database)) == [document.sha256]
    with pytest.raises(Inconsistent, match="another registration already"):
        enrol(house, document)
    with pytest.raises(Inconsistent, match="another registration already"), house.work() as work:
        entry = ledger.exclude(work, person, items=[], sealed=document)
        registrations.keep(work, person, "exclusion", document, entry.at)
    with house.work(reading=True) as work:
        assert len(ledger.entries(work, person)) == 1, "nothing of what was refused stays"


def test_nothing_is_entered_without_what_the_network_wants(house: House) -> None:
    house.shared = enrol(house, sealed(303))
    person = house.person()
    doctor = sealed(304, "Medical Doctor")
    with pytest.raises(UntrustedSignature, match="--document"):
        enrol(house, None)
    for document in (None, doctor):
        with pytest.raises(UntrustedSignature), house.work() as work:
            ledger.exclude(work, person, sealed=document)
        with pytest.raises(UntrustedSignature), house.work() as work:
            ledger.withdraw(
                work, person, reason="patient_withdrawal", form="1", sealed=document
            )  # fmt: skip
    with pytest.raises(Invalid, match="accepted consent"), house.work() as work:
        enrolment.enrol(
            work, HANAKO, signed_by="person", accepted=False, sealed=sealed(305)
        )  # fmt: skip
    with house.work(reading=True) as work:
        assert ledger.standing(work, person).participates


def test_a_withdrawal_that_a_restore_lost_is_entered_without_its_document(house: House) -> None:
    house.shared = enrol(house, sealed(306))
    person = house.person()
    document = sealed(307)
    with pytest.raises(Defect), house.work() as work:
        found = ledger.withdraw(
            work, person, reason="patient_withdrawal", form="1", sealed=document
        )  # fmt: skip
        erase.erase(work, found)
        known = erasures.every(work.db)
        raise RuntimeError  # as a restore does: none of it is there any more
    with house.work() as work:
        assert ledger.standing(work, person).participates
        assert erasures.apply(work, known) == [known[0].id]
        assert ledger.standing(work, person).withdrawn
