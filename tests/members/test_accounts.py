"""`members.accounts` and `members.attempts`: whose account it is, and what comes back once."""

from dataclasses import replace
from datetime import timedelta

import pytest

from gateway.audit.door import Door
from gateway.errors import Inconsistent, Invalid, NotFound, NotPermitted, Unauthenticated
from gateway.members import accounts, attempts, sessions, users
from gateway.members.accounts import Account
from gateway.members.sessions import Lifetime
from gateway.model.audit import EventKind
from gateway.model.caller import Caller, LevelOfAssurance
from tests.conftest import Clock
from tests.members.test_cards import operator, staff

__all__ = ["operator", "staff"]  # fixtures
ACCOUNT = Account(issuer="https://id.example", claim="sub", subject="1234")
ONE_KIND = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
"For what no database decides."
LIFETIME = Lifetime(idle=timedelta(minutes=15), longest=timedelta(hours=12))


def bind(door: Door, operator: Caller, user: str, account: Account = ACCOUNT) -> None:
    with door.work(EventKind.ADMIN, operator) as work:
        accounts.bind(work, user, account)


def test_an_account_is_one_persons(staff: Door, operator: Caller) -> None:
    bind(staff, operator, "taro")
    for user, words in (("jiro", "another's"), ("taro", "bound already")):
        with pytest.raises(Inconsistent, match=words) as refused:
            bind(staff, operator, user)
        assert refused.value.rule == "SIG-04"
    with staff.work(EventKind.ADMIN, operator, reading=True) as work:
        assert accounts.of(work, "taro") == (ACCOUNT,)
        holder = accounts.holder(work, ACCOUNT)
        assert holder is not None
        assert holder.name == "taro"
        what = [one["what"] for one in users.history(work, "taro")]
        assert what == ["registered", "account-bound"]


@ONE_KIND
@pytest.mark.parametrize(
    "other",
    [
        replace(ACCOUNT, issuer="https://id.example/"), replace(ACCOUNT, subject="1234 "),
        replace(ACCOUNT, claim="registration_number"), replace(ACCOUNT, subject="12345"),
    ],
)  # fmt: skip
def test_the_same_number_elsewhere_is_nobodys(
    staff: Door, operator: Caller, other: Account
) -> None:
    bind(staff, operator, "taro")
    with staff.work(EventKind.ADMIN, operator, reading=True) as work:
        assert accounts.holder(work, other) is None


def test_an_account_that_was_taken_away_may_be_bound_anew(staff: Door, operator: Caller) -> None:
    bind(staff, operator, "taro")
    with staff.work(EventKind.ADMIN, operator) as work:
        accounts.unbind(work, "taro", "1234", reason="left")
    bind(staff, operator, "jiro")


def test_taking_an_account_away_ends_what_it_began(staff: Door, operator: Caller) -> None:
    bind(staff, operator, "taro")
    with staff.work(EventKind.LOGIN, operator) as work:
        caller = users.caller(work, "taro", domains=frozenset())
        caller = replace(caller, assurance=LevelOfAssurance.HPKI)
        sessions.begin(work, caller, "by-account", lifetime=LIFETIME, account=ACCOUNT.key)
        sessions.begin(work, caller, "by-other", lifetime=LIFETIME, account="other")
    with staff.work(EventKind.ADMIN, operator) as work:
        accounts.unbind(work, "taro", ACCOUNT.key, reason="lost")

    def find(cookie: str) -> str:
        with staff.work(EventKind.LOGIN, operator, reading=True) as work:
            return sessions.find(
                work, cookie, lifetime=LIFETIME, domains=lambda _: frozenset(), request="r",
                certificate="",
            ).user  # fmt: skip

    assert find("by-other") == "taro"
    with pytest.raises(Unauthenticated):
        find("by-account")


@ONE_KIND
@pytest.mark.parametrize("subject", ["", "a b", "a\n", "x" * 256, "\x00"])
def test_what_is_no_account(staff: Door, operator: Caller, subject: str) -> None:
    with pytest.raises(Invalid):
        bind(staff, operator, "taro", replace(ACCOUNT, subject=subject))


@ONE_KIND
def test_a_person_has_not_any_number_of_accounts(staff: Door, operator: Caller) -> None:
    for number in range(8):
        bind(staff, operator, "taro", replace(ACCOUNT, subject=str(number)))
    with pytest.raises(Inconsistent, match="too many"):
        bind(staff, operator, "taro", replace(ACCOUNT, subject="9"))


@ONE_KIND
def test_only_the_secretariat_binds(staff: Door, operator: Caller, caller: Caller) -> None:
    with pytest.raises(NotPermitted):
        bind(staff, caller, "taro")
    bind(staff, operator, "taro")
    with pytest.raises(NotPermitted), staff.work(EventKind.ADMIN, caller) as work:
        accounts.unbind(work, "taro", "1234", reason="x")


@ONE_KIND
@pytest.mark.parametrize(
    ("user", "subject", "reason", "kind"),
    [
        ("taro", "99", "lost", NotFound), ("jiro", "1234", "lost", NotFound),
        ("taro", "1234", " ", Invalid), ("nobody", "1234", "lost", NotFound),
    ],
)  # fmt: skip
def test_what_is_not_bound_is_not_taken(
    staff: Door, operator: Caller, user: str, subject: str, reason: str, kind: type[Exception]
) -> None:
    bind(staff, operator, "taro")
    with pytest.raises(kind), staff.work(EventKind.ADMIN, operator) as work:
        accounts.unbind(work, user, subject, reason=reason)


@ONE_KIND
def test_an_ended_user_gets_no_account(staff: Door, operator: Caller) -> None:
    with staff.work(EventKind.ADMIN, operator) as work:
        users.end(work, "taro", reason="retired")
    with pytest.raises(Inconsistent):
        bind(staff, operator, "taro")


def test_an_attempt_comes_back_once_and_soon(door: Door, clock: Clock) -> None:
    for state in ("one", "two"):
        door.keep(lambda db, state=state: attempts.begin(db, state, "gateway", clock()))
    with door._database.reading() as db:
        assert "one" not in str(db.exec_driver_sql("SELECT * FROM login_attempt").all())
    clock.advance(minutes=9, seconds=59)
    found = door.keep(lambda db: attempts.use_up(db, "one", clock()))
    assert found is not None
    assert found.client_id == "gateway"
    assert door.keep(lambda db: attempts.use_up(db, "one", clock())) is None
    assert door.keep(lambda db: attempts.use_up(db, "three", clock())) is None
    clock.advance(seconds=1)
    assert door.keep(lambda db: attempts.use_up(db, "two", clock())) is None


def test_attempts_that_never_came_back_are_forgotten(door: Door, clock: Clock) -> None:
    door.keep(lambda db: attempts.begin(db, "one", "gateway", clock()))
    clock.advance(minutes=10, seconds=1)
    door.keep(lambda db: sessions.forget_ended(db, clock()))
    with door._database.reading() as db:
        assert not db.exec_driver_sql("SELECT * FROM login_attempt").all()
