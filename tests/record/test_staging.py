"""Staging: what is received, for whom, under which contract, and what a receipt tells."""

import itertools
from dataclasses import replace
from datetime import date

import pytest

from gateway.errors import Busy, Invalid, NotFound, NotPermitted
from gateway.members import facilities
from gateway.members.facilities import ContractKind
from gateway.model.batch import Batch, Finding, Severity
from gateway.model.category import Category, Source
from gateway.model.identifiers import Oid, PatientId
from gateway.model.person import Demographics, Gender, PersonName
from gateway.record import disclose, promotion, queue, staging
from gateway.record.staging import ReceivedFile
from gateway.store.record import items as item_rows
from gateway.store.record import uploads
from tests.record.house import CHARTS, CLINIC, HANAKO, House, item

LAB, RX = Category.LAB_RESULT, Category.PRESCRIPTION


def counts(house: House, who: str, receipt: str) -> dict[str, int]:
    (file,) = house.receipt(who, receipt)["files"]
    found: dict[str, int] = file["items"]
    return found


def codes(house: House, who: str, receipt: str) -> list[str]:
    (file,) = house.receipt(who, receipt)["files"]
    return [finding["code"] for finding in file["findings"]]


def test_under_custody_what_comes_waits_and_nobody_sees_it(house: House) -> None:
    house.custody("hospital-a")
    receipt, staged = house.upload("hospital-a", item(), item(RX, "k2"))
    assert (staged.state, staged.items) == ("standardized", 2)
    assert counts(house, "hospital-a", receipt) == {"staged": 2, "promoted": 0}
    house.feed("hospital-a")
    with house.work("hospital-a") as work:
        assert disclose.view(work, CHARTS["hospital-a"]) == disclose.Viewed()


def test_without_consent_and_without_custody_nothing_is_kept(house: House) -> None:
    receipt, staged = house.upload("hospital-a", item())
    assert staged.state == "refused"
    assert codes(house, "hospital-a", receipt) == ["no-consent"]
    assert counts(house, "hospital-a", receipt) == {"staged": 0, "promoted": 0}


def test_for_a_consented_person_what_comes_is_shared_at_once(house: House) -> None:
    house.enrol("hospital-a")
    receipt, _ = house.upload("hospital-a", item())
    assert counts(house, "hospital-a", receipt) == {"staged": 0, "promoted": 1}


def test_the_same_file_twice_adds_nothing(house: House) -> None:
    house.custody("hospital-a")
    house.upload("hospital-a", item(), content=b"same")
    receipt, again = house.upload("hospital-a", item(), content=b"same")
    assert again.state == "duplicate"
    assert house.receipt("hospital-a", receipt)["files"][0]["state"] == "duplicate"


def test_the_same_items_by_another_route_add_nothing(house: House) -> None:
    house.enrol("hospital-a")
    house.upload("hospital-a", item(), path="tree/a/x.hl7")
    receipt, again = house.upload("hospital-a", item(), path="x.hl7")
    assert (again.state, again.items, again.duplicates) == ("standardized", 0, 1)
    assert counts(house, "hospital-a", receipt) == {"staged": 0, "promoted": 0}


def test_a_correction_without_a_newer_version_is_a_version_of_its_own(house: House) -> None:
    house.enrol("hospital-a", "clinic-b")
    house.upload("hospital-a", item(text="5.0"))
    for _ in range(2):
        house.upload("hospital-a", item(text="5.1"))
    with house.work("clinic-b") as work:
        (seen,) = disclose.view(work, house.shared).items
    assert (seen.resource["code"]["text"], seen.version) == ("5.1", "1~1")


def test_an_older_version_that_comes_late_does_not_win(house: House) -> None:
    house.enrol("hospital-a", "clinic-b")
    house.upload("hospital-a", item(version="2", text="new"))
    house.upload("hospital-a", item(version="1", text="old"))
    with house.work("clinic-b") as work:
        (seen,) = disclose.view(work, house.shared).items
    assert seen.resource["code"]["text"] == "new"


def test_a_cancelled_item_is_no_longer_seen(house: House) -> None:
    house.enrol("hospital-a", "clinic-b")
    house.upload("hospital-a", item())
    house.upload("hospital-a", item(version="2", cancelled=True))
    with house.work("clinic-b") as work:
        assert disclose.view(work, house.shared) == disclose.Viewed()


def test_what_a_whole_order_no_longer_states_is_ended(house: House) -> None:
    house.enrol("hospital-a", "clinic-b")
    scope = "order/7/"
    house.upload(
        "hospital-a", item(RX, scope + "1"), item(RX, scope + "2"), item(RX, "order/8/1"),
        scope=scope,
    )  # fmt: skip
    house.upload(
        "hospital-a", item(RX, scope + "1", version="2", text="b"), scope=scope, version="2"
    )
    with house.work("clinic-b") as work:
        seen = disclose.view(work, house.shared)
    assert sorted(one.resource["code"]["text"] for one in seen.items) == ["a", "b"]
    # The older file's document is replaced by one that has what is left of it.
    assert len(seen.documents) == 2


@pytest.mark.parametrize(
    ("patient", "code"),
    [
        pytest.param(PatientId(CLINIC, "501"), "foreign-domain", id="another facility's domain"),
        pytest.param(PatientId(Oid("2.999.99"), "1"), "unknown-domain", id="undeclared domain"),
        pytest.param(PatientId(Oid("2.999.20.1"), "1" * 16), "foreign-domain", id="a shared id"),
        pytest.param(
            PatientId(Oid("2.999.20.1"), "１" * 16), "patient-id-form", id="full-width digits"
        ),
    ],
)
def test_a_file_under_an_identifier_that_is_not_the_facilitys_is_refused(
    house: House, patient: PatientId, code: str
) -> None:
    house.custody("hospital-a", "clinic-b")
    receipt, staged = house.upload("hospital-a", item(), patient=patient)
    assert staged.state == "refused"
    assert codes(house, "hospital-a", receipt) == [code]


def test_a_file_about_another_person_than_its_chart_is_set_aside(house: House) -> None:
    house.enrol("hospital-a")
    other = replace(HANAKO, names=(PersonName("鈴木", "一郎"),), gender=Gender.MALE)
    receipt, staged = house.upload("hospital-a", item(), demographics=other)
    assert staged.state == "set-aside"
    assert codes(house, "hospital-a", receipt) == ["person-mismatch"]
    silent = Demographics(names=(PersonName("", "", text="山田花子"),))
    assert house.upload("hospital-a", item(), demographics=silent)[1].state == "standardized"


def test_a_file_that_names_no_patient_brings_its_findings_only(house: House) -> None:
    bad = Finding(code="layout-unknown", severity=Severity.ERROR)
    assert house.upload("hospital-a", patient=None, findings=(bad,))[1].state == "refused"
    note = replace(bad, severity=Severity.NOTE)
    receipt, staged = house.upload("hospital-a", patient=None, findings=(note,))
    assert staged.state == "standardized"
    assert codes(house, "hospital-a", receipt) == ["layout-unknown"]


def test_categories_that_are_not_shared_or_not_provided_stay_in_staging(house: House) -> None:
    house.enrol("hospital-a")
    with house.work() as work:
        facilities.provide(work, "hospital-a", Category.NURSING, on=False)
    receipt, _ = house.upload(
        "hospital-a", item(), item(Category.NURSING, "k2"), item(Category.VISIT_HISTORY, "k3")
    )
    assert counts(house, "hospital-a", receipt) == {"staged": 2, "promoted": 1}
    assert codes(house, "hospital-a", receipt) == ["category-withheld", "category-not-shared"]
    with house.work() as work:
        facilities.provide(work, "hospital-a", Category.NURSING, on=True)
    person = house.person()
    with house.work() as work:
        assert staging.promote(work, person).items == 1


def test_a_laboratory_delivers_under_its_contract_only(house: House) -> None:
    house.custody("hospital-a")
    with pytest.raises(NotPermitted) as caught:
        house.upload("hospital-a", item(), sender="lab-d", source=Source.LAB)
    assert caught.value.rule == "STG-05"
    with house.work() as work:
        facilities.agree(
            work, ContractKind.PROVISION, facility="hospital-a", lab="lab-d",
            starts=date(2026, 1, 1),
        )  # fmt: skip
    receipt, staged = house.upload("hospital-a", item(), sender="lab-d", source=Source.LAB)
    assert staged.items == 1
    for who in ("lab-d", "hospital-a"):
        assert house.receipt(who, receipt)["facility"] == "hospital-a"
    with pytest.raises(NotPermitted):
        house.upload("clinic-b", item(), sender="lab-d", source=Source.LAB)
    with pytest.raises(NotPermitted):
        house.upload("hospital-a", item(), sender="lab-d", source=Source.EMR)


def test_a_facility_that_is_not_active_delivers_nothing(house: House) -> None:
    house.custody("hospital-a")
    for step in (facilities.restrict, facilities.suspend):
        with house.work() as work:
            step(work, "hospital-a", reason="調査")
        with pytest.raises(NotPermitted):
            house.upload("hospital-a", item())


def test_a_receipt_is_for_its_sender_and_its_facility(house: House) -> None:
    house.custody("hospital-a")
    receipt, _ = house.upload("hospital-a", item())
    for who, asked in (("clinic-b", receipt), ("hospital-a", "none"), ("clinic-b", "none")):
        with pytest.raises(NotFound) as caught:
            house.receipt(who, asked)
        assert caught.value.english == "no such receipt"


def test_a_receipt_tells_the_state_of_the_whole(house: House) -> None:
    house.custody("hospital-a")
    with house.work("hospital-a") as work:
        files = [
            ReceivedFile(path=name, sha256=work.blobs.put_bytes(name.encode()).sha256, size=1)
            for name in ("a", "b")
        ]
        made = staging.receive(work, facility="hospital-a", source=Source.EMR, files=files)
    states = []
    for file, _ in made.files:
        states.append(house.receipt("hospital-a", made.id)["state"])
        with house.work("hospital-a") as work:
            batch = Batch(
                path="a", format="t", patient=CHARTS["hospital-a"], items=(item(key=file),)
            )
            staging.stage(work, file, batch)
    told = house.receipt("hospital-a", made.id)
    assert [*states, told["state"]] == ["received", "working", "done"]
    assert [file["path"] for file in told["files"]] == ["a", "b"]
    assert told["received"] == "2026-11-21T00:00:00+00:00"


def test_what_waits_is_found_in_order_and_staged_once(house: House) -> None:
    house.custody("hospital-a")
    with house.work("hospital-a") as work:
        blob = work.blobs.put_bytes(b"1")
        files = [ReceivedFile(path=p, sha256=blob.sha256, size=1) for p in ("b", "a")]
        staging.receive(work, facility="hospital-a", source=Source.EMR, files=files)
    with house.work() as work:
        turn = queue.take(work.db, token="w/1", now=work.now)
        assert turn is not None
        first, second = turn.files
        assert [first.path, second.path] == ["b", "a"]
        (told,) = queue.backlog(work.db)
        assert (told["facility"], told["files"], told["oldest"]) == ("hospital-a", 2, work.now)
        queue.end(work.db, turn, done=len(turn.files), now=work.now)
    batch = Batch(path="b", format="t", patient=CHARTS["hospital-a"], items=(item(),))
    for expected in (1, 0):
        with house.work("hospital-a") as work:
            assert staging.stage(work, first.id, batch).items == expected
    with house.work() as work:
        turn = queue.take(work.db, token="w/2", now=work.now)
        assert turn is not None
        assert [file.path for file in turn.files] == ["a"]


def test_a_file_that_always_fails_is_set_aside_after_five_tries(house: House) -> None:
    with house.work("hospital-a") as work:
        blob = work.blobs.put_bytes(b"1")
        file = ReceivedFile(path="x", sha256=blob.sha256, size=1)
        made = staging.receive(work, facility="hospital-a", source=Source.EMR, files=[file])
    finding = Finding(code="processing-failed", severity=Severity.ERROR)
    tries = []
    for _ in range(5):
        with house.work() as work:
            tries.append(staging.failed(work, made.files[0][0], finding))
    assert tries == [False] * 4 + [True]
    assert codes(house, "hospital-a", made.id) == ["processing-failed"]
    with house.work() as work:
        staging.refuse_file(work, made.files[0][0], (finding,))
    assert house.receipt("hospital-a", made.id)["files"][0]["state"] == "refused"


def test_bytes_that_are_not_here_are_not_acknowledged(house: House) -> None:
    lost = ReceivedFile(path="x", sha256="0" * 64, size=1)
    for files, kind in (([lost], Busy), ([], Invalid)):
        with pytest.raises(kind), house.work("hospital-a") as work:
            staging.receive(work, facility="hospital-a", source=Source.EMR, files=files)


@pytest.mark.parametrize("order", list(itertools.permutations("1234")))
def test_whole_lists_are_the_same_in_whatever_order_they_come(
    house: House, order: tuple[str, ...]
) -> None:
    """Each file states everything under its scope; the newest one's word is what stays (R-21)."""
    house.enrol("hospital-a")
    stated = {"1": "ab", "2": "a", "3": "abc", "4": "ac"}
    for version in order:
        items = [item(key=f"list|{key}", version=version, text=key) for key in stated[version]]
        house.upload("hospital-a", *items, version=version, scope="list|")
    person = house.person()
    with house.work() as work:
        shared = item_rows.select_items(work.db, person)
        current = promotion.newest(shared)
    assert {row.key for row in current.values() if not row.cancelled} == {"list|a", "list|c"}


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_a_twin_is_found_by_its_digest(house: House) -> None:
    """Not by looking at every file that has no parent: there are as many as were ever received."""
    with house.work() as work:
        plan = work.db.exec_driver_sql("EXPLAIN QUERY PLAN " + uploads._TWIN, ("",) * 5).all()
    assert "ix_upload_file_sha256" in str(plan), plan
