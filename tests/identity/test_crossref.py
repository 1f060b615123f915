"""The cross-reference on both databases: who may feed what, and who is one person."""

import threading
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import replace
from datetime import date, timedelta

import pytest

from gateway.audit.door import Door
from gateway.errors import (
    Inconsistent,
    Malformed,
    NotOwner,
    NotPermitted,
    Refusal,
    UnknownDomain,
    UnknownPatient,
)
from gateway.identity import crossref, domains, statements
from gateway.model.audit import EventKind
from gateway.model.caller import Caller, CallerKind
from gateway.model.consent import Permit, Purpose
from gateway.model.identifiers import Oid, PatientId, PersonId
from gateway.model.person import Demographics, Gender, PersonName, Script
from gateway.store import identity as rows
from gateway.store.work import Work
from tests.conftest import Clock

SHARED = Oid("2.999.20.1")
A, B = Oid("2.999.30.1"), Oid("2.999.30.2")
HANAKO = Demographics(
    names=(PersonName("山田", "花子"), PersonName("ヤマダ", "ハナコ", Script.KANA)),
    birth=date(1950, 1, 2),
    gender=Gender.FEMALE,
)
Opened = Callable[..., AbstractContextManager[Work]]


@pytest.fixture
def secretariat(caller: Caller) -> Caller:
    return replace(caller, kind=CallerKind.OPERATOR, facility="secretariat", domains=frozenset())


@pytest.fixture
def work(door: Door, caller: Caller, secretariat: Caller) -> Opened:
    """Opens a Work as hospital-a, or as another caller; the domains are declared."""
    with door.work(EventKind.ADMIN, secretariat) as opened:
        domains.declare(opened, SHARED, kind="shared", pattern="[0-9]{16}")
        domains.declare(opened, A, kind="chart", facility="hospital-a", pattern="[0-9]{4,10}")
        domains.declare(opened, B, kind="chart", facility="clinic-b")

    def opened_as(who: Caller = caller) -> AbstractContextManager[Work]:
        return door.work(EventKind.PATIENT_FEED, who)

    return opened_as


def chart(value: str, domain: Oid = A) -> PatientId:
    return PatientId(domain, value)


def clinic(caller: Caller) -> Caller:
    return replace(caller, facility="clinic-b", domains=frozenset({B}))


def permit(person: PersonId, patient: PatientId | None = None, *, own: bool = False) -> Permit:
    """A permit as the policy makes it; tests may."""
    return Permit(
        person=person, purpose=Purpose.IDENTIFIERS, rule="ACC-04", categories=frozenset(),
        own_only=own, patient=patient,
    )  # fmt: skip


def test_a_feed_twice_is_one_change(work: Opened) -> None:
    with work() as opened:
        (person,) = crossref.register(opened, chart("0001"), HANAKO)
    with work() as opened:
        assert crossref.register(opened, chart("0001"), HANAKO) == ()
        assert crossref.person_of(opened, chart("0001")) == person
    moved = replace(HANAKO, deceased=True)
    with work() as opened:
        assert crossref.register(opened, chart("0001"), moved, revise=True) == (person,)


def test_a_feed_that_was_overtaken_is_kept_but_not_applied(work: Opened, clock: Clock) -> None:
    early, late = clock() - timedelta(minutes=9), clock() - timedelta(minutes=5)
    moved = replace(HANAKO, deceased=True)
    with work() as opened:
        crossref.register(opened, chart("0001"), HANAKO, at=early)
        (person,) = crossref.register(opened, chart("0001"), moved, revise=True, at=late)
    with work() as opened:
        between = early + timedelta(minutes=1)
        assert crossref.register(opened, chart("0001"), HANAKO, revise=True, at=between) == ()
        assert crossref.stated(opened, chart("0001")) == moved
        kept = [c for kind, c in rows.select_link_events(opened.db, person) if kind == "overtaken"]
        assert [statements.read(content["said"]) for content in kept] == [HANAKO]
    with work() as opened:  # the very same moment is not older
        assert crossref.register(opened, chart("0001"), HANAKO, revise=True, at=late) == (person,)


def test_what_is_said_again_is_as_new_as_its_last_saying(work: Opened, clock: Clock) -> None:
    moved = replace(HANAKO, deceased=True)
    first, between, last = (clock() - timedelta(minutes=m) for m in (9, 8, 7))
    with work() as opened:
        crossref.register(opened, chart("0001"), HANAKO, at=first)
        assert crossref.register(opened, chart("0001"), HANAKO, at=last) == ()
        assert crossref.register(opened, chart("0001"), moved, revise=True, at=between) == ()


def test_a_clock_that_runs_ahead_does_not_stop_later_feeds(work: Opened, clock: Clock) -> None:
    with work() as opened:
        crossref.register(opened, chart("0001"), HANAKO, at=clock() + timedelta(days=400))
    clock.advance(minutes=1)
    with work() as opened:
        moved = replace(HANAKO, deceased=True)
        assert crossref.register(opened, chart("0001"), moved, revise=True, at=clock()) != ()


def test_one_chart_number_at_two_facilities_is_two_patients(work: Opened, caller: Caller) -> None:
    with work() as opened:
        (first,) = crossref.register(opened, chart("0001"), HANAKO)
    with work(clinic(caller)) as opened:
        (second,) = crossref.register(opened, chart("0001", B), HANAKO)
    assert first != second


@pytest.mark.parametrize(
    ("patient", "refusal"),
    [
        pytest.param(chart("0001", Oid("2.999.30.99")), UnknownDomain, id="undeclared (DOM-03)"),
        pytest.param(chart("0001", B), NotOwner, id="another facility's (G-01)"),
        pytest.param(chart("1234567890123456", SHARED), NotOwner, id="the shared domain"),
        pytest.param(chart("001"), Malformed, id="shorter than its pattern"),
        pytest.param(chart("００１２"), Malformed, id="full-width digits (F-07)"),
    ],
)
def test_a_feed_that_is_refused_stores_nothing(
    work: Opened, patient: PatientId, refusal: type[Refusal]
) -> None:
    with pytest.raises(refusal), work() as opened:
        crossref.register(opened, patient, HANAKO)
    with pytest.raises(UnknownPatient), work() as opened:
        crossref.person_of(opened, patient)


def test_another_person_written_over_the_first_is_held(work: Opened) -> None:
    other = Demographics(
        names=(PersonName("鈴木", "一郎"),), birth=date(1980, 5, 5), gender=Gender.MALE
    )
    with work() as opened:
        crossref.register(opened, chart("0001"), HANAKO)
    with pytest.raises(Inconsistent) as caught, work() as opened:
        crossref.register(opened, chart("0001"), other, revise=True)
    assert caught.value.rule == "FN-410"


def test_linking_makes_one_person_and_unlinking_two(
    work: Opened, caller: Caller, secretariat: Caller
) -> None:
    with work() as opened:
        (alone,) = crossref.register(opened, chart("0001"), HANAKO)
    with work(clinic(caller)) as opened:
        crossref.register(opened, chart("9", B), HANAKO)
    with work(secretariat) as opened:
        shared = crossref.issue_shared_id(opened, HANAKO)
        person = crossref.link(opened, shared, chart("0001"))
        assert crossref.link(opened, shared, chart("9", B)) == person
        assert crossref.link(opened, shared, chart("9", B)) == person
        assert crossref.shared_id(opened, person) == shared
        asked = permit(person, chart("0001"))
        assert crossref.resolve(opened, asked, ()) == [shared, chart("9", B)]
        assert crossref.resolve(opened, asked, (B,)) == [chart("9", B)]
        assert crossref.resolve(opened, asked, (Oid("2.999.30.3"),)) == []
        assert len(shared.value) == 16
    with work(secretariat) as opened:
        separate = crossref.unlink(opened, chart("0001"))
        assert separate not in {person, alone}
        assert crossref.resolve(opened, permit(person), ()) == [shared, chart("9", B)]
    with pytest.raises(Inconsistent), work(secretariat) as opened:
        crossref.unlink(opened, chart("0001"))


def test_several_are_asked_and_locked_at_once(
    work: Opened, caller: Caller, secretariat: Caller
) -> None:
    several = [chart("0001"), chart("0002"), chart("9", B), chart("0003")]
    with work() as opened:
        crossref.register(opened, several[0], HANAKO)
        crossref.register(opened, several[1], HANAKO)
    with work(clinic(caller)) as opened:
        crossref.register(opened, several[2], HANAKO)
    with work(secretariat) as opened:
        shared = crossref.issue_shared_id(opened, HANAKO)
        for one in (several[0], several[2]):
            crossref.link(opened, shared, one)
    with work(secretariat) as opened:
        found = crossref.persons(opened.db, several)
        assert crossref.persons(opened.db, []) == {}
        assert found == {
            one: person for one in several if (person := crossref.known(opened, one)) is not None
        }
        assert len(found) == 3
        assert len({*found.values()}) == 2
        crossref.lock_all(opened.db, several)
        crossref.lock_all(opened.db, [])


def test_own_only_shows_own_identifiers_only(work: Opened, secretariat: Caller) -> None:
    with work() as opened:
        crossref.register(opened, chart("0001"), HANAKO)
        crossref.register(opened, chart("0002"), HANAKO)
    with work(secretariat) as opened:
        shared = crossref.issue_shared_id(opened, HANAKO)
        crossref.link(opened, shared, chart("0001"))
        person = crossref.link(opened, shared, chart("0002"))
    with work() as opened:
        found = crossref.resolve(opened, permit(person, chart("0001"), own=True), ())
    assert found == [chart("0002")]


def test_a_chart_linked_elsewhere_is_not_taken(work: Opened, secretariat: Caller) -> None:
    with work() as opened:
        crossref.register(opened, chart("0001"), HANAKO)
    with work(secretariat) as opened:
        first = crossref.issue_shared_id(opened, HANAKO)
        second = crossref.issue_shared_id(opened, HANAKO)
        crossref.link(opened, first, chart("0001"))
    with pytest.raises(Inconsistent), work(secretariat) as opened:
        crossref.link(opened, second, chart("0001"))
    with pytest.raises(UnknownPatient), work(secretariat) as opened:
        crossref.link(opened, first, chart("0404"))
    with pytest.raises(Malformed), work(secretariat) as opened:
        crossref.link(opened, chart("0001"), first)


def test_a_merge_replaces_and_repeats_quietly(work: Opened) -> None:
    with work() as opened:
        (kept,) = crossref.register(opened, chart("0001"), HANAKO)
        crossref.register(opened, chart("0002"), HANAKO)
    with work() as opened:
        assert crossref.merge(opened, chart("0001"), chart("0002")) == (kept,)
    with work() as opened:
        assert crossref.merge(opened, chart("0001"), chart("0002")) == ()
    with pytest.raises(UnknownPatient), work() as opened:
        crossref.person_of(opened, chart("0002"))
    with pytest.raises(Inconsistent), work() as opened:
        crossref.register(opened, chart("0002"), HANAKO)


def test_unmerging_gives_each_identifier_its_person_back(work: Opened, secretariat: Caller) -> None:
    with work() as opened:
        (kept,) = crossref.register(opened, chart("0001"), HANAKO)
        (left,) = crossref.register(opened, chart("0002"), HANAKO)
        crossref.merge(opened, chart("0001"), chart("0002"))
    with pytest.raises(NotPermitted), work() as opened:
        crossref.unmerge(opened, chart("0001"), chart("0002"))
    with pytest.raises(Inconsistent), work(secretariat) as opened:
        crossref.unmerge(opened, chart("0002"), chart("0001"))
    with work(secretariat) as opened:
        assert crossref.unmerge(opened, chart("0001"), chart("0002")) == (kept, left)
        assert crossref.person_of(opened, chart("0002")) == left
    with pytest.raises(Inconsistent), work(secretariat) as opened:
        crossref.unmerge(opened, chart("0001"), chart("0002"))


@pytest.mark.parametrize(
    ("survivor", "subsumed", "refusal"),
    [
        pytest.param("0001", "0001", Inconsistent, id="itself (FN-401)"),
        pytest.param("0001", "0404", UnknownPatient, id="an unknown one"),
        pytest.param("0404", "0001", UnknownPatient, id="into an unknown one"),
        pytest.param("0003", "0002", Inconsistent, id="already merged elsewhere"),
        pytest.param("0002", "0001", Inconsistent, id="the direction reversed (FN-402)"),
        pytest.param("0001", "0004", Inconsistent, id="a linked one (G-07)"),
    ],
)
def test_a_merge_that_is_refused(
    work: Opened, secretariat: Caller, survivor: str, subsumed: str, refusal: type[Refusal]
) -> None:
    with work() as opened:
        for value in ("0001", "0002", "0003", "0004"):
            crossref.register(opened, chart(value), HANAKO)
        crossref.merge(opened, chart("0001"), chart("0002"))
    with work(secretariat) as opened:
        shared = crossref.issue_shared_id(opened, HANAKO)
        crossref.link(opened, shared, chart("0004"))
    with pytest.raises(refusal), work() as opened:
        crossref.merge(opened, chart(survivor), chart(subsumed))


def test_a_merge_of_another_facility_s_identifiers_is_refused(work: Opened, caller: Caller) -> None:
    with work(clinic(caller)) as opened:
        crossref.register(opened, chart("1", B), HANAKO)
        crossref.register(opened, chart("2", B), HANAKO)
    with pytest.raises(NotOwner), work() as opened:
        crossref.merge(opened, chart("1", B), chart("2", B))


@pytest.mark.parametrize(
    ("question", "found"),
    [
        pytest.param(HANAKO, True, id="the same"),
        pytest.param(
            Demographics(names=(PersonName("やまだ", "はなこ"),), birth=date(1950, 1, 2)),
            True,
            id="hiragana for katakana",
        ),
        pytest.param(replace(HANAKO, birth=date(1950, 1, 3)), False, id="another birth date"),
        pytest.param(replace(HANAKO, gender=Gender.MALE), False, id="another gender"),
        pytest.param(replace(HANAKO, names=()), False, id="no name"),
        pytest.param(replace(HANAKO, birth=None), False, id="no birth date"),
        pytest.param(replace(HANAKO, names=(PersonName("山", "%"),)), False, id="a wildcard"),
    ],
)
def test_discovery_matches_exactly(work: Opened, question: Demographics, found: bool) -> None:
    with work() as opened:
        (person,) = crossref.register(opened, chart("0001"), HANAKO)
        assert crossref.discover(opened, question) == ([person] if found else [])


def test_two_feeds_of_one_new_patient_make_one_person(work: Opened) -> None:
    """FN-409: two feeds for a new patient at the same moment."""
    changed: list[tuple[PersonId, ...]] = []

    def feed() -> None:
        with work() as opened:
            changed.append(crossref.register(opened, chart("0001"), HANAKO))

    threads = [threading.Thread(target=feed) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(changed) == 8
    assert sum(len(persons) for persons in changed) == 1
