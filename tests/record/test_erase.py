"""Withdrawal, erasure and what remains: a receipt, and nothing to show."""

from collections.abc import Iterator
from dataclasses import replace

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from gateway.audit.door import Door
from gateway.consent import enrolment, ledger
from gateway.errors import Inconsistent, NotPermitted, UnknownPatient
from gateway.identity import crossref
from gateway.members import facilities
from gateway.model import network
from gateway.model.category import Category
from gateway.model.document import Availability, DocumentQuery
from gateway.model.network import NetworkPolicy
from gateway.record import consistency, disclose, documents, erase, removal, staging
from gateway.record.erase import ErasureReceipt
from gateway.store.database import Database
from tests.record.house import CHARTS, HANAKO, House, document, item, unsigned


def withdraw(house: House) -> ErasureReceipt:
    person = house.person()
    with house.work() as work:
        withdrawal = ledger.withdraw(work, person, reason="patient_withdrawal", form="撤回書 1")
        return erase.erase(work, withdrawal)


def fill(house: House) -> None:
    house.enrol("hospital-a", "clinic-b")
    house.upload("hospital-a", item(key="1"), item(Category.CARE, key="2"))
    house.upload("clinic-b", item(key="3"))
    made = document(b"%PDF marker-in-a-document")
    with house.work("hospital-a") as work:
        documents.file(work, made, unsigned(made.content))


def rows(database: Database, table: str) -> int:
    with database.reading() as db:
        return int(db.execute(text(f"SELECT count(*) FROM {table}")).scalar_one())


def nothing_is_shown(house: House) -> None:
    with house.work("neighbour-n") as work:
        every = DocumentQuery(patient=house.shared, statuses=frozenset(Availability))
        assert disclose.find_documents(work, every) == ()
        assert disclose.discover(work, HANAKO, ()) == ()
    with house.work("clinic-b") as work:
        assert disclose.view(work, house.shared) == disclose.Viewed()
        assert disclose.identifiers(work, CHARTS["clinic-b"], ()) == ()
    with pytest.raises(UnknownPatient), house.work("hospital-a") as work:
        disclose.identifiers(work, house.shared, ())
    with house.work() as work:
        assert consistency.check(work) == ()


def test_without_custody_everything_goes_and_a_receipt_stays(
    house: House, database: Database
) -> None:
    fill(house)
    receipt = withdraw(house)
    # Three documents made of items, and one filed.
    assert (receipt.items, receipt.documents, receipt.files, receipt.returned) == (3, 4, 2, 0)
    for table in ("item", "document", "staged_item", "held_document", "upload_file"):
        assert rows(database, table) == 0
    nothing_is_shown(house)
    with house.work() as work:
        assert removal.sweep(work) == receipt.blobs == 6
        assert list(work.blobs.each()) == []
        assert removal.sweep(work) == 0
    assert rows(database, "erasure") == 1


def test_under_custody_a_facilitys_data_go_back_to_it(house: House, database: Database) -> None:
    house.custody("hospital-a")
    fill(house)
    receipt = withdraw(house)
    assert (receipt.items, receipt.returned, receipt.files) == (3, 3, 1)
    assert (rows(database, "item"), rows(database, "document")) == (0, 0)
    assert (rows(database, "staged_item"), rows(database, "held_document")) == (2, 1)
    nothing_is_shown(house)
    with house.work() as work:
        removal.sweep(work)
        assert len(list(work.blobs.each())) == 2  # the filed document, the received file


@pytest.fixture
def deleting(policy: NetworkPolicy, door: Door) -> Iterator[House]:
    rule = replace(policy.withdrawal, custody="delete")
    door.policy = replace(policy, withdrawal=rule)
    made = House(door, policy)
    made.found()
    yield made
    door.policy = policy


def test_a_network_may_delete_what_is_in_custody_too(deleting: House, database: Database) -> None:
    deleting.custody("hospital-a", "clinic-b")
    fill(deleting)
    assert withdraw(deleting).returned == 0
    assert rows(database, "staged_item") + rows(database, "held_document") == 0


def test_the_receipt_names_ids_and_digests_and_no_content(house: House, database: Database) -> None:
    fill(house)
    withdraw(house)
    with database.reading() as db:
        told = str(db.execute(text("SELECT content FROM erasure")).scalar_one())
    assert house.shared.value in told
    for content in ("山田", "marker-in-a-document", "検査"):
        assert content not in told
    for change in ("UPDATE erasure SET reason = 'x'", "DELETE FROM erasure"):
        with pytest.raises(DBAPIError, match="append-only"), database.writing() as db:
            db.execute(text(change))


def test_bytes_that_somebody_else_needs_stay(house: House) -> None:
    same = b"the same leaflet for everybody"
    house.enrol("hospital-a", "clinic-b")
    for name in ("hospital-a", "clinic-b"):
        made = document(same, name=name)
        with house.work(name) as work:
            documents.file(work, made, unsigned(same))
    with house.work() as work:
        staging.promote(work, crossref.unlink(work, CHARTS["hospital-a"]))
        assert removal.sweep(work) == 0
        assert len(list(work.blobs.each())) == 1


def test_joining_again_takes_a_new_consent_and_a_new_shared_id(house: House) -> None:
    house.custody("hospital-a")
    fill(house)
    old = house.shared
    withdraw(house)
    old_person = house.person()
    with pytest.raises(Inconsistent) as caught, house.work() as work:
        ledger.grant(work, old_person, signed_by="person", basis="treated_at_member_facility")
    assert caught.value.rule == "RD-03"
    house.enrol("hospital-a")
    assert house.shared != old
    with house.work("neighbour-n") as work:
        assert len(disclose.find_documents(work, DocumentQuery(patient=house.shared))) == 3
        assert disclose.find_documents(work, DocumentQuery(patient=old)) == ()


def test_what_is_sent_again_after_a_withdrawal_is_refused_or_held(house: House) -> None:
    house.custody("hospital-a")
    fill(house)
    withdraw(house)
    assert house.upload("hospital-a", item(key="new"))[1].items == 1
    assert house.upload("clinic-b", item(key="3"))[1].state == "refused"
    nothing_is_shown(house)


@pytest.fixture
def stopping(door: Door, policy: NetworkPolicy) -> Iterator[House]:
    other = network.load(network.template("fko")).withdrawal
    door.policy = replace(policy, withdrawal=other)
    made = House(door, policy)
    made.found()
    yield made
    door.policy = policy


def test_a_network_that_stops_sharing_keeps_the_rows_and_shows_nothing(
    stopping: House, database: Database
) -> None:
    fill(stopping)
    receipt = withdraw(stopping)
    assert (receipt.erased, receipt.items) == (False, 0)
    assert rows(database, "item") == 3
    with stopping.work("neighbour-n") as work:
        assert disclose.find_documents(work, DocumentQuery(patient=stopping.shared)) == ()
    person = stopping.person()
    with stopping.work() as work:
        assert consistency.check(work) == ()
        ledger.grant(work, person, signed_by="person", basis="treated_at_member_facility")
    with stopping.work("neighbour-n") as work:
        assert len(disclose.find_documents(work, DocumentQuery(patient=stopping.shared))) == 4


def test_a_facility_that_leaves_takes_its_data_with_it(house: House) -> None:
    house.custody("hospital-a")
    fill(house)
    with pytest.raises(Inconsistent), house.work() as work:
        erase.leave(work, "hospital-a")
    with house.work() as work:
        facilities.end(work, "hospital-a", reason="退会")
        receipt = erase.leave(work, "hospital-a")
    assert (receipt.reason, receipt.items, receipt.returned) == ("facility_withdrawal", 2, 0)
    with house.work("neighbour-n") as work:
        left = disclose.find_documents(work, DocumentQuery(patient=house.shared))
    assert {entry.facility for entry in left} == {"clinic-b"}


def test_erasing_needs_a_withdrawal_that_is_in_the_ledger(house: House) -> None:
    fill(house)
    person = house.person()
    with pytest.raises(Inconsistent), house.work() as work:
        entered = ledger.withdraw(work, person, reason="patient_withdrawal", form="1")
        raise Inconsistent("rolled back")
    with pytest.raises(Inconsistent), house.work() as work:
        erase.erase(work, entered)


@pytest.mark.parametrize("step", [lambda w: erase.leave(w, "hospital-a"), erase.expire])
def test_only_the_operator_erases(house: House, step: object) -> None:
    with pytest.raises(NotPermitted), house.work("hospital-a") as work:
        step(work)  # type: ignore[operator]


def test_shared_data_without_consent_are_found(house: House, database: Database) -> None:
    fill(house)
    with database.writing() as db:
        db.execute(text("UPDATE identifier SET person = 'nobody' WHERE domain = '2.999.30.1'"))
    with house.work() as work:
        (finding,) = consistency.check(work)
    assert (finding.patients, finding.items, finding.documents) == ((CHARTS["hospital-a"],), 2, 3)


def test_an_enrolled_person_who_is_not_accepted_shares_nothing(house: House) -> None:
    house.feed("hospital-a")
    with house.work() as work:
        house.shared = enrolment.enrol(work, HANAKO, signed_by="person", accepted=False)
        person = crossref.link(work, house.shared, CHARTS["hospital-a"])
    assert house.upload("hospital-a", item())[1].state == "refused"
    with house.work() as work:
        ledger.grant(work, person, signed_by="person", basis="treated_at_member_facility")
    assert house.upload("hospital-a", item())[1].items == 1
