"""`members.cards` and `members.sessions`: whose card it is, and who is logged in (SIG-04, K-04)."""

from dataclasses import replace
from datetime import timedelta

import pytest

from gateway.audit.door import Door
from gateway.errors import Inconsistent, Invalid, NotFound, NotPermitted, Unauthenticated
from gateway.members import cards, facilities, sessions, users
from gateway.members.sessions import Lifetime
from gateway.model.audit import EventKind
from gateway.model.caller import Caller, CallerKind, LevelOfAssurance
from gateway.model.category import FacilityType
from gateway.store.work import Work
from tests.conftest import Clock

LIFETIME = Lifetime(idle=timedelta(minutes=15), longest=timedelta(hours=12))
CARD = {"key": "ab/T1", "number": "T1", "subject": "CN=Taro", "authority": "CN=CA"}


@pytest.fixture
def operator(caller: Caller) -> Caller:
    return replace(caller, kind=CallerKind.OPERATOR, facility="secretariat", subject="operator")


@pytest.fixture
def staff(door: Door, operator: Caller) -> Door:
    """Two doctors of one hospital."""
    with door.work(EventKind.ADMIN, operator) as work:
        facilities.register(
            work, name="hospital-a", type=FacilityType.HOSPITAL, title="病院A",
            administrator="管理者", basis="association_member",
        )  # fmt: skip
        for name in ("taro", "jiro"):
            users.register(work, name=name, facility="hospital-a", position="doctor")
    return door


def bind(door: Door, operator: Caller, user: str, **changed: str) -> None:
    with door.work(EventKind.ADMIN, operator) as work:
        cards.bind(work, user, **{**CARD, **changed}, roles=("Medical Doctor",))


def begin(work: Work, cookie: str, *, address: str = "192.0.2.1") -> None:
    caller = replace(
        users.caller(work, "taro", domains=frozenset()), assurance=LevelOfAssurance.HPKI,
        certificate="cc", address=address,
    )  # fmt: skip
    sessions.begin(work, caller, cookie, lifetime=LIFETIME, card="ab/T1", roles=("Medical Doctor",))


def find(work: Work, cookie: str, certificate: str = "cc") -> sessions.Session:
    return sessions.find(
        work, cookie, lifetime=LIFETIME, domains=lambda _: frozenset(), request="r",
        certificate=certificate,
    )  # fmt: skip


@pytest.fixture
def logged_in(staff: Door, operator: Caller) -> Door:
    bind(staff, operator, "taro")
    with staff.work(EventKind.LOGIN, operator) as work:
        begin(work, "cookie-1")
    return staff


def test_a_card_is_one_persons(staff: Door, operator: Caller) -> None:
    bind(staff, operator, "taro")
    for user, words in (("jiro", "another user's"), ("taro", "bound already")):
        with pytest.raises(Inconsistent, match=words) as refused:
            bind(staff, operator, user)
        assert refused.value.rule == "SIG-04"
    with staff.work(EventKind.ADMIN, operator, reading=True) as work:
        assert [one.user for one in cards.of(work, "taro")] == ["taro"]
        assert cards.of(work, "jiro") == ()
        holder = cards.holder(work, "ab/T1")
        assert holder is not None
        assert holder.name == "taro"
        assert cards.holder(work, "ab/T2") is None
        assert [one["what"] for one in users.history(work, "taro")] == ["registered", "card-bound"]


def test_a_card_that_was_taken_away_may_be_bound_anew(staff: Door, operator: Caller) -> None:
    bind(staff, operator, "taro")
    with staff.work(EventKind.ADMIN, operator) as work:
        cards.unbind(work, "taro", "T1", reason="returned")
    bind(staff, operator, "jiro")


def test_a_person_has_several_cards_but_not_any_number(staff: Door, operator: Caller) -> None:
    for number in range(8):
        bind(staff, operator, "taro", key=f"ab/{number}", number=str(number))
    with pytest.raises(Inconsistent, match="too many"):
        bind(staff, operator, "taro", key="ab/9", number="9")


def test_only_the_secretariat_binds(staff: Door, operator: Caller, caller: Caller) -> None:
    with pytest.raises(NotPermitted):
        bind(staff, caller, "taro")
    bind(staff, operator, "taro")
    with pytest.raises(NotPermitted), staff.work(EventKind.ADMIN, caller) as work:
        cards.unbind(work, "taro", "T1", reason="x")


@pytest.mark.parametrize(
    ("user", "number", "reason", "kind"),
    [
        ("taro", "T2", "lost", NotFound),
        ("jiro", "T1", "lost", NotFound),
        ("taro", "T1", " ", Invalid),
    ],
)
def test_what_is_not_bound_is_not_taken(
    staff: Door, operator: Caller, user: str, number: str, reason: str, kind: type[Exception]
) -> None:
    bind(staff, operator, "taro")
    with pytest.raises(kind), staff.work(EventKind.ADMIN, operator) as work:
        cards.unbind(work, user, number, reason=reason)


def test_an_ended_user_gets_no_card(staff: Door, operator: Caller) -> None:
    with staff.work(EventKind.ADMIN, operator) as work:
        users.end(work, "taro", reason="retired")
    with pytest.raises(Inconsistent):
        bind(staff, operator, "taro")


def test_a_session_tells_who_and_how_surely(logged_in: Door, operator: Caller) -> None:
    with logged_in.work(EventKind.LOGIN, operator, reading=True) as work:
        session = find(work, "cookie-1")
    assert session.user == "taro"
    assert session.caller.facility == "hospital-a"
    assert session.caller.kind is CallerKind.USER
    assert session.caller.assurance is LevelOfAssurance.HPKI
    assert session.roles == ("Medical Doctor",)


@pytest.mark.parametrize(
    ("cookie", "certificate"), [("cookie-2", "cc"), ("", "cc"), ("cookie-1", ""), ("cookie-1", "d")]
)
def test_another_cookie_or_card_is_nobodys(
    logged_in: Door, operator: Caller, cookie: str, certificate: str
) -> None:
    with (
        pytest.raises(Unauthenticated),
        logged_in.work(EventKind.LOGIN, operator, reading=True) as work,
    ):
        find(work, cookie, certificate)


def test_the_cookie_itself_is_kept_nowhere(logged_in: Door, operator: Caller) -> None:
    with logged_in.work(EventKind.LOGIN, operator, reading=True) as work:
        kept = work.db.exec_driver_sql("SELECT * FROM session").all()
    assert len(kept) == 1
    assert "cookie-1" not in str(kept)


def test_a_session_ends_when_nothing_comes(logged_in: Door, operator: Caller, clock: Clock) -> None:
    def look() -> None:
        with logged_in.work(EventKind.LOGIN, operator, reading=True) as work:
            token = find(work, "cookie-1").token
        logged_in.keep(lambda db: sessions.use(db, token, clock()))

    for _ in range(4):
        clock.advance(minutes=14, seconds=59)
        look()
    clock.advance(minutes=15)
    with pytest.raises(Unauthenticated):
        look()


def test_a_session_ends_after_its_longest_time(
    logged_in: Door, operator: Caller, clock: Clock
) -> None:
    with logged_in.work(EventKind.LOGIN, operator, reading=True) as work:
        token = find(work, "cookie-1").token
    clock.advance(hours=11, minutes=59, seconds=59)
    logged_in.keep(lambda db: sessions.use(db, token, clock()))
    with logged_in.work(EventKind.LOGIN, operator, reading=True) as work:
        find(work, "cookie-1")
    clock.advance(seconds=1)
    with (
        pytest.raises(Unauthenticated),
        logged_in.work(EventKind.LOGIN, operator, reading=True) as work,
    ):
        find(work, "cookie-1")
    clock.advance(seconds=1)
    logged_in.keep(lambda db: sessions.forget_ended(db, clock()))
    with logged_in.work(EventKind.LOGIN, operator, reading=True) as work:
        assert not work.db.exec_driver_sql("SELECT * FROM session").all()


ENDS = {
    "logout": lambda work: sessions.end(work, "cookie-1"),
    "everywhere": lambda work: sessions.end_all(work, "taro"),
    "suspended and resumed": lambda work: (
        users.suspend(work, "taro", reason="x"), users.resume(work, "taro", reason="y"),
    ),
    "ended": lambda work: users.end(work, "taro", reason="x"),
    "another position": lambda work: users.change(work, "taro", position="nurse", reason="x"),
    "card taken": lambda work: cards.unbind(work, "taro", "T1", reason="lost"),
}  # fmt: skip


@pytest.mark.parametrize("how", ENDS)
def test_what_ends_a_session(logged_in: Door, operator: Caller, how: str) -> None:
    with logged_in.work(EventKind.ADMIN, operator) as work:
        ENDS[how](work)
    with (
        pytest.raises(Unauthenticated),
        logged_in.work(EventKind.LOGIN, operator, reading=True) as work,
    ):
        find(work, "cookie-1")


def test_a_suspended_facility_has_nobody_logged_in(logged_in: Door, operator: Caller) -> None:
    with logged_in.work(EventKind.ADMIN, operator) as work:
        facilities.suspend(work, "hospital-a", reason="x")
    with (
        pytest.raises(NotPermitted),
        logged_in.work(EventKind.LOGIN, operator, reading=True) as work,
    ):
        find(work, "cookie-1")


def test_use_from_two_places_is_noted(logged_in: Door, operator: Caller) -> None:
    with logged_in.work(EventKind.LOGIN, operator) as work:
        begin(work, "cookie-2")
        assert "simultaneous" not in work.trail.detail
    with logged_in.work(EventKind.LOGIN, operator) as work:
        begin(work, "cookie-3", address="192.0.2.9")
        assert work.trail.detail["simultaneous"] == 2
