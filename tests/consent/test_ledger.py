"""The ledger and enrolment: who may enter what, and that it is never changed."""

import threading
from collections.abc import Callable
from dataclasses import replace
from datetime import date
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from gateway.audit.door import Door
from gateway.consent import enrolment, ledger
from gateway.consent.policy import Standing
from gateway.errors import Inconsistent, Invalid, NotPermitted, Refusal
from gateway.identity import crossref, domains
from gateway.model import network
from gateway.model.audit import EventKind
from gateway.model.caller import Caller, CallerKind
from gateway.model.category import Category, ExclusionGroup
from gateway.model.consent import Exclusion, Grant, Withdrawal
from gateway.model.identifiers import Oid, PatientId, PersonId
from gateway.model.person import Demographics, Gender, PersonName, Script
from gateway.store.database import Database
from gateway.store.work import Work

HANAKO = Demographics(
    names=(PersonName("山田", "花子"), PersonName("ヤマダ", "ハナコ", Script.KANA)),
    birth=date(1950, 1, 2),
    gender=Gender.FEMALE,
)
BASIS = "treated_at_member_facility"
FORM = "f" * 64


@pytest.fixture
def office(caller: Caller) -> Caller:
    return replace(
        caller, kind=CallerKind.OPERATOR, facility="secretariat", role="secretariat",
        domains=frozenset(),
    )  # fmt: skip


@pytest.fixture
def shared(door: Door, office: Caller) -> PatientId:
    """An enrolled person whose consent is submitted and not accepted."""
    with door.work(EventKind.ENROL, office) as work:
        domains.declare(work, Oid("2.999.20.1"), kind="shared", pattern="[0-9]{16}")
        return enrolment.enrol(work, HANAKO, signed_by="person", accepted=False)


@pytest.fixture
def person(door: Door, office: Caller, shared: PatientId) -> PersonId:
    with door.work(EventKind.ADMIN, office) as work:
        return crossref.person_of(work, shared)


@pytest.fixture
def granted(door: Door, office: Caller, person: PersonId) -> PersonId:
    with door.work(EventKind.CONSENT_GRANT, office) as work:
        ledger.grant(work, person, signed_by="person", basis=BASIS, form_sha256=FORM)
    return person


def standing(door: Door, office: Caller, person: PersonId) -> Standing:
    with door.work(EventKind.ADMIN, office, reading=True) as work:
        return ledger.standing(work, person)


def test_a_shared_id_is_sixteen_random_digits(
    door: Door, office: Caller, shared: PatientId
) -> None:
    with door.work(EventKind.ENROL, office) as work:
        others = [enrolment.enrol(work, HANAKO, signed_by="person", basis=BASIS) for _ in range(5)]
    values = {one.value for one in (shared, *others)}
    assert len(values) == 6
    assert all(value.isdigit() and len(value) == 16 for value in values)


def test_what_is_submitted_has_no_effect_until_it_is_accepted(
    door: Door, office: Caller, person: PersonId
) -> None:
    assert standing(door, office, person) == Standing()
    with pytest.raises(Inconsistent) as caught, door.work(EventKind.LINK, office) as work:
        ledger.grant_of(work, person)
    assert caught.value.rule == "CON-01"
    with door.work(EventKind.CONSENT_GRANT, office) as work:
        ledger.grant(work, person, signed_by="guardian: 父", basis=BASIS)
    assert standing(door, office, person) == Standing(participates=True)


def test_the_ledger_tells_who_accepted_what(door: Door, office: Caller, granted: PersonId) -> None:
    with door.work(EventKind.ADMIN, office) as work:
        again = ledger.grant(work, granted, signed_by="person", basis=BASIS)
        (entry,) = ledger.entries(work, granted)
    assert entry == again
    assert isinstance(entry, Grant)
    assert (entry.by, entry.signed_by, entry.basis) == ("secretariat/hospital-a", "person", BASIS)
    assert entry.form_sha256 == FORM


def test_exclusions_replace_one_another(door: Door, office: Caller, granted: PersonId) -> None:
    pair = (Category.PRESCRIPTION, ExclusionGroup.CLINIC)
    with door.work(EventKind.CONSENT_EXCLUDE, office) as work:
        ledger.exclude(
            work, granted, items=[Category.LAB_RESULT], groups=[ExclusionGroup.PHARMACY],
            pairs=[pair],
        )  # fmt: skip
    assert standing(door, office, granted) == Standing(
        participates=True, items=frozenset({Category.LAB_RESULT}),
        groups=frozenset({ExclusionGroup.PHARMACY}), pairs=frozenset({pair}),
    )  # fmt: skip
    with door.work(EventKind.CONSENT_EXCLUDE, office) as work:
        ledger.exclude(work, granted)
        kinds = [type(entry) for entry in ledger.entries(work, granted)]
    assert kinds == [Grant, Exclusion, Exclusion]
    assert standing(door, office, granted) == Standing(participates=True)


def test_a_withdrawal_ends_it(door: Door, office: Caller, granted: PersonId) -> None:
    with door.work(EventKind.CONSENT_WITHDRAW, office) as work:
        entered = ledger.withdraw(work, granted, reason="patient_withdrawal", form="撤回書 12")
        assert ledger.entries(work, granted)[-1] == entered
        assert ledger.participants(work) == frozenset()
    assert isinstance(entered, Withdrawal)
    assert standing(door, office, granted) == Standing(withdrawn=True)
    for step in (
        lambda w: ledger.withdraw(w, granted, reason="patient_withdrawal", form="1"),
        lambda w: ledger.exclude(w, granted, items=[Category.LAB_RESULT]),
        lambda w: ledger.grant(w, granted, signed_by="person", basis=BASIS),
    ):
        with pytest.raises(Inconsistent), door.work(EventKind.ADMIN, office) as work:
            step(work)


@pytest.mark.parametrize(
    ("step", "refusal", "rule"),
    [
        pytest.param(
            lambda w, p: ledger.grant(w, p, signed_by="neighbour", basis=BASIS), Invalid,
            "CON-04", id="an unknown signer",
        ),
        pytest.param(
            lambda w, p: ledger.grant(w, p, signed_by="", basis=BASIS), Invalid, "CON-04",
            id="no signer",
        ),
        pytest.param(
            lambda w, p: ledger.grant(w, p, signed_by="person"), Invalid, "CON-02", id="no basis"
        ),
        pytest.param(
            lambda w, p: ledger.grant(w, p, signed_by="person", basis="wish"), Invalid, "CON-02",
            id="another basis",
        ),
        pytest.param(
            lambda w, p: ledger.exclude(w, p, items=[Category.ALLERGY]), Invalid, "EXC-01",
            id="an item that cannot be excluded",
        ),
        pytest.param(
            lambda w, p: ledger.exclude(w, p, pairs=[(Category.CARE, ExclusionGroup.CLINIC)]),
            Invalid, "EXC-01", id="a pair with such an item",
        ),
        pytest.param(
            lambda w, p: ledger.exclude(w, p, items=[Category.LAB_RESULT]), Inconsistent,
            "CON-01", id="an exclusion without consent",
        ),
        pytest.param(
            lambda w, p: ledger.withdraw(w, p, reason="patient_withdrawal", form="1"),
            Inconsistent, "CON-01", id="a withdrawal without consent",
        ),
        pytest.param(
            lambda w, p: ledger.withdraw(w, p, reason="bored", form="1"), Inconsistent, "WDR-05",
            id="another reason",
        ),
        pytest.param(
            lambda w, p: ledger.withdraw(w, p, reason="retention_expired", form="1"),
            Inconsistent, "WDR-05", id="a reason that is no withdrawal",
        ),
        pytest.param(
            lambda w, p: ledger.withdraw(w, p, reason="patient_withdrawal", form=" "), Invalid,
            "WDR-02", id="no form",
        ),
        pytest.param(
            lambda w, p: ledger.grant(w, PersonId("x"), signed_by="person", basis=BASIS),
            Inconsistent, "LNK-01", id="a person without shared id",
        ),
    ],
)  # fmt: skip
def test_what_is_not_entered(
    door: Door, office: Caller, person: PersonId,
    step: Callable[[Work, PersonId], object], refusal: type[Refusal], rule: str,
) -> None:  # fmt: skip
    with pytest.raises(refusal) as caught, door.work(EventKind.ADMIN, office) as work:
        step(work, person)
    assert caught.value.rule == rule
    assert standing(door, office, person) == Standing()


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"kind": CallerKind.SYSTEM}, id="a machine"),
        pytest.param({"kind": CallerKind.USER}, id="a user"),
        pytest.param({"kind": CallerKind.NEIGHBOUR}, id="a neighbour"),
        pytest.param({"kind": CallerKind.JOB}, id="a job"),
        pytest.param({"role": "contractor", "facility": "vendor"}, id="another office"),
    ],
)
def test_only_the_secretariats_entry_takes_effect(
    door: Door, office: Caller, granted: PersonId, changes: dict[str, Any]
) -> None:
    other = replace(office, **changes)
    for step in (
        lambda w: ledger.grant(w, granted, signed_by="person", basis=BASIS),
        lambda w: ledger.exclude(w, granted, items=[Category.LAB_RESULT]),
        lambda w: ledger.withdraw(w, granted, reason="patient_withdrawal", form="1"),
        lambda w: enrolment.enrol(w, HANAKO, signed_by="person", basis=BASIS),
    ):
        with pytest.raises(NotPermitted) as caught, door.work(EventKind.ADMIN, other) as work:
            step(work)
        assert caught.value.log == "CONSENT-EDIT"
    assert standing(door, office, granted) == Standing(participates=True)


@pytest.mark.parametrize(("code", "kind", "holds"), [
    ("igt", CallerKind.USER, True), ("igt", CallerKind.SYSTEM, False),
    ("fko", CallerKind.OPERATOR, True), ("fko", CallerKind.USER, False),
])  # fmt: skip
def test_each_network_says_who_accepts(
    door: Door, office: Caller, person: PersonId, code: str, kind: CallerKind, holds: bool
) -> None:
    policy = door.policy
    door.policy = replace(policy, consent=network.load(network.template(code)).consent)
    other = replace(office, kind=kind, role="operator", facility="city")
    try:
        with door.work(EventKind.ADMIN, other) as work:
            ledger.grant(work, person, signed_by="person", basis="resident")
    except NotPermitted:
        assert not holds
    else:
        assert holds
    finally:
        door.policy = policy


@pytest.mark.parametrize(
    ("change", "at"),
    [
        pytest.param({"names": HANAKO.names[1:]}, "name", id="no name"),
        pytest.param({"names": HANAKO.names[:1]}, "kana", id="no kana name"),
        pytest.param({"gender": None}, "gender", id="no sex"),
        pytest.param({"birth": None}, "birth", id="no birth date"),
    ],
)
def test_a_form_that_is_not_whole_enrols_nobody(
    door: Door, office: Caller, change: dict[str, Any], at: str
) -> None:
    with pytest.raises(Invalid) as caught, door.work(EventKind.ENROL, office) as work:
        enrolment.enrol(work, replace(HANAKO, **change), signed_by="person", basis=BASIS)
    assert (caught.value.at, caught.value.rule) == (at, "STD-05")


def test_the_ledger_cannot_be_changed(door: Door, granted: PersonId, database: Database) -> None:
    for change in ("UPDATE consent_entry SET kind = 'grant'", "DELETE FROM consent_entry"):
        with pytest.raises(DBAPIError, match="append-only"), database.writing() as db:
            db.execute(text(change))


def test_entries_made_at_once_stand_in_one_order(
    door: Door, office: Caller, granted: PersonId
) -> None:
    failures: list[BaseException] = []

    def run() -> None:
        try:
            for _ in range(5):
                with door.work(EventKind.CONSENT_EXCLUDE, office) as work:
                    ledger.exclude(work, granted, items=[Category.LAB_RESULT])
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=run) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    with door.work(EventKind.ADMIN, office) as work:
        assert len(ledger.entries(work, granted)) == 21
