"""Facilities, certificates, contracts: who may act, and since when."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import replace
from datetime import date

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from gateway.audit.door import Door
from gateway.errors import Inconsistent, Invalid, NotFound, NotPermitted, Refusal
from gateway.members import facilities, users
from gateway.members.facilities import ContractKind, State
from gateway.model.audit import EventKind
from gateway.model.caller import Caller, CallerKind
from gateway.model.category import Category, FacilityType
from gateway.model.identifiers import Oid
from gateway.store.database import Database
from gateway.store.work import Work

DAY = date(2026, 11, 21)
CERTIFICATE = "ab" * 32
Opened = Callable[..., AbstractContextManager[Work]]


@pytest.fixture
def operator(caller: Caller) -> Caller:
    return replace(
        caller, kind=CallerKind.OPERATOR, facility="secretariat", role="secretariat",
        domains=frozenset(),
    )  # fmt: skip


@pytest.fixture
def work(door: Door, operator: Caller) -> Opened:
    def opened(who: Caller = operator) -> AbstractContextManager[Work]:
        return door.work(EventKind.ADMIN, who)

    with opened() as first:
        facilities.register(
            first, name="hospital-a", type=FacilityType.HOSPITAL, title="A病院",
            administrator="管理 太郎",
        )  # fmt: skip
        facilities.register(first, name="lab-d", type=FacilityType.LAB, administrator="検査 花子")
    return opened


def members(database: Database) -> facilities.Members:
    with database.reading() as db:
        return facilities.snapshot(db)


def test_a_facility_acts_by_its_certificate_until_it_is_suspended(
    work: Opened, database: Database
) -> None:
    with work() as opened:
        facilities.bind_certificate(opened, "hospital-a", CERTIFICATE)
        facilities.bind_certificate(opened, "hospital-a", CERTIFICATE)
    assert members(database).by_certificate[CERTIFICATE].title == "A病院"
    for step, acts in (
        (lambda w: facilities.suspend(w, "hospital-a", reason="調査"), False),
        (lambda w: facilities.resume(w, "hospital-a", reason="調査終了"), True),
        (lambda w: facilities.restrict(w, "hospital-a", reason="不備"), True),
        (lambda w: facilities.end(w, "hospital-a", reason="退会"), False),
    ):
        with work() as opened:
            step(opened)
        assert (CERTIFICATE in members(database).by_certificate) is acts
    with work() as opened:
        done = [event["what"] for event in facilities.history(opened, "hospital-a")]
    assert done == [
        "registered", "certificate-bound", "suspended", "active", "restricted", "ended"
    ]  # fmt: skip


def test_a_revoked_certificate_is_never_bound_again(work: Opened, database: Database) -> None:
    with work() as opened:
        facilities.bind_certificate(opened, "hospital-a", CERTIFICATE)
        facilities.revoke_certificate(opened, CERTIFICATE, reason="端末紛失")
    assert members(database).by_certificate == {}
    for facility in ("hospital-a", "lab-d"):
        with pytest.raises(Inconsistent), work() as opened:
            facilities.bind_certificate(opened, facility, CERTIFICATE)


def test_contracts_hold_from_their_first_to_their_last_day(
    work: Opened, database: Database
) -> None:
    with work() as opened:
        custody = facilities.agree(opened, ContractKind.CUSTODY, facility="hospital-a", starts=DAY)
        facilities.agree(
            opened, ContractKind.PROVISION, facility="hospital-a", lab="lab-d", starts=DAY,
            ends=DAY,
        )  # fmt: skip
    before, after = date(2026, 11, 20), date(2026, 11, 22)
    found = members(database)
    assert [found.has_custody("hospital-a", day) for day in (before, DAY, after)] == [
        False, True, True
    ]  # fmt: skip
    assert [found.delivers("lab-d", "hospital-a", day) for day in (before, DAY, after)] == [
        False, True, False
    ]  # fmt: skip
    assert not found.has_custody("lab-d", DAY)
    assert not found.delivers("hospital-a", "lab-d", DAY)
    with work() as opened:
        facilities.end_contract(opened, custody.id, on=DAY, reason="解約")
    assert not members(database).has_custody("hospital-a", after)


def test_a_category_is_switched_off_and_on(work: Opened, database: Database) -> None:
    with work() as opened:
        facilities.provide(opened, "hospital-a", Category.NURSING, on=False)
        facilities.provide(opened, "hospital-a", Category.NURSING, on=False)
    assert members(database).withheld == {("hospital-a", Category.NURSING)}
    with work() as opened:
        facilities.provide(opened, "hospital-a", Category.NURSING, on=True)
    assert members(database).withheld == frozenset()


def test_what_is_changed_is_changed_and_the_rest_stays(work: Opened) -> None:
    with work() as opened:
        facilities.change(opened, "hospital-a", code="2112345678")
        found = facilities.find(opened, "hospital-a")
    assert (found.code, found.title, found.state) == ("2112345678", "A病院", State.ACTIVE)


@pytest.mark.parametrize(
    ("step", "refusal"),
    [
        pytest.param(
            lambda w: facilities.register(
                w, name="hospital-a", type=FacilityType.CLINIC, administrator="x"
            ),
            Inconsistent, id="a name twice",
        ),
        pytest.param(
            lambda w: facilities.register(
                w, name="Hospital A", type=FacilityType.CLINIC, administrator="x"
            ),
            Invalid, id="a name with a space",
        ),
        pytest.param(
            lambda w: facilities.register(
                w, name="../a", type=FacilityType.CLINIC, administrator="x"
            ),
            Invalid, id="a path for a name",
        ),
        pytest.param(
            lambda w: facilities.register(
                w, name="clinic-b", type=FacilityType.CLINIC, administrator=" "
            ),
            Invalid, id="no administrator (FAC-03)",
        ),
        pytest.param(
            lambda w: facilities.suspend(w, "nowhere", reason="x"), NotFound, id="unknown"
        ),
        pytest.param(
            lambda w: facilities.suspend(w, "hospital-a", reason=""), Invalid, id="no reason"
        ),
        pytest.param(
            lambda w: facilities.bind_certificate(w, "hospital-a", "AB" * 32), Invalid,
            id="a fingerprint in capitals",
        ),
        pytest.param(
            lambda w: facilities.revoke_certificate(w, CERTIFICATE), NotFound,
            id="unknown certificate",
        ),
        pytest.param(
            lambda w: facilities.agree(
                w, ContractKind.PROVISION, facility="hospital-a", starts=DAY
            ),
            Invalid, id="provision without laboratory",
        ),
        pytest.param(
            lambda w: facilities.agree(
                w, ContractKind.PROVISION, facility="hospital-a", lab="hospital-a", starts=DAY
            ),
            Invalid, id="a hospital as laboratory",
        ),
        pytest.param(
            lambda w: facilities.agree(
                w, ContractKind.CUSTODY, facility="hospital-a", starts=DAY,
                ends=date(2026, 11, 20),
            ),
            Invalid, id="ends before it starts",
        ),
        pytest.param(
            lambda w: facilities.end_contract(w, "none", on=DAY, reason="x"),
            NotFound,
            id="no contract",
        ),
    ],
)  # fmt: skip
def test_what_is_refused_leaves_nothing(
    work: Opened, database: Database, step: Callable[[Work], object], refusal: type[Refusal]
) -> None:
    before = members(database)
    with pytest.raises(refusal), work() as opened:
        step(opened)
    assert members(database) == before


def test_an_ended_facility_stays_ended(work: Opened) -> None:
    with work() as opened:
        facilities.end(opened, "lab-d", reason="退会")
    with pytest.raises(Inconsistent), work() as opened:
        facilities.resume(opened, "lab-d", reason="再開")


@pytest.mark.parametrize("kind", [CallerKind.SYSTEM, CallerKind.USER, CallerKind.NEIGHBOUR])
def test_only_the_operator_changes_the_registries(
    work: Opened, caller: Caller, kind: CallerKind
) -> None:
    with pytest.raises(NotPermitted), work(replace(caller, kind=kind)) as opened:
        facilities.end(opened, "hospital-a", reason="x")
    with pytest.raises(NotPermitted), work(replace(caller, kind=kind)) as opened:
        users.register(opened, name="dr", facility="hospital-a", position="doctor")


def test_a_facilitys_user_switches_its_own_categories_only(work: Opened, caller: Caller) -> None:
    user = replace(caller, kind=CallerKind.USER)
    with work(user) as opened:
        facilities.provide(opened, "hospital-a", Category.CARE, on=False)
    with pytest.raises(NotPermitted), work(user) as opened:
        facilities.provide(opened, "lab-d", Category.CARE, on=False)


def test_the_history_cannot_be_changed(work: Opened, database: Database) -> None:
    for change in ("UPDATE member_event SET actor = 'x'", "DELETE FROM member_event"):
        with pytest.raises(DBAPIError, match="append-only"), database.writing() as db:
            db.execute(text(change))


def test_a_user_calls_as_a_person_of_the_facility(work: Opened) -> None:
    with work() as opened:
        users.register(
            opened, name="dr.sato", facility="hospital-a", position="doctor", title="佐藤"
        )
        found = users.caller(opened, "dr.sato", domains=frozenset({Oid("2.999.30.1")}))
    assert (found.kind, found.facility, found.role) == (CallerKind.USER, "hospital-a", "doctor")
    assert (found.facility_type, found.purpose) == (FacilityType.HOSPITAL, "TREATMENT")


@pytest.mark.parametrize(
    "step",
    [
        pytest.param(lambda w: users.suspend(w, "dr", reason="x"), id="user suspended"),
        pytest.param(lambda w: users.end(w, "dr", reason="x"), id="user ended"),
        pytest.param(lambda w: facilities.suspend(w, "hospital-a", reason="x"), id="facility"),
    ],
)
def test_only_active_people_of_active_facilities_act(
    work: Opened, step: Callable[[Work], object]
) -> None:
    with work() as opened:
        users.register(opened, name="dr", facility="hospital-a", position="doctor")
        step(opened)
    with pytest.raises(NotPermitted) as caught, work() as opened:
        users.caller(opened, "dr", domains=frozenset())
    assert caught.value.rule == "ACC-03"


@pytest.mark.parametrize(
    ("name", "facility", "position", "refusal"),
    [
        pytest.param("dr", "hospital-a", "wizard", Invalid, id="unknown position"),
        pytest.param("dr", "nowhere", "doctor", NotFound, id="unknown facility"),
        pytest.param("医師", "hospital-a", "doctor", Invalid, id="not half-width"),
        pytest.param("taken", "hospital-a", "doctor", Inconsistent, id="a name twice"),
    ],
)
def test_a_wrong_user_is_refused(
    work: Opened, name: str, facility: str, position: str, refusal: type[Refusal]
) -> None:
    with work() as opened:
        users.register(opened, name="taken", facility="hospital-a", position="nurse")
    with pytest.raises(refusal), work() as opened:
        users.register(opened, name=name, facility=facility, position=position)
