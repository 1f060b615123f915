"""`edge.password_logins`: id and password, given out once and changed first (CRD-01 to CRD-10)."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import text

from gateway.audit.door import Door
from gateway.edge.authn import Register, read_register
from gateway.edge.logins import Logins
from gateway.edge.password_logins import Given, PasswordLogins
from gateway.edge.protocol import Client
from gateway.errors import Invalid, NotFound, NotPermitted, Unauthenticated
from gateway.members import facilities, passwords, users
from gateway.members.passwords import Strength
from gateway.members.sessions import Lifetime
from gateway.model.audit import EventKind
from gateway.model.caller import Caller, CallerKind, LevelOfAssurance
from gateway.model.category import FacilityType
from gateway.model.network import NetworkPolicy
from gateway.model.passwords import digest
from gateway.model.rules import CredentialRules, PasswordRules
from tests.conftest import Clock
from tests.edge.test_account_logins import events

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
BROWSER = Client("192.0.2.1", b"")
NAME, TEMPORARY, OWN = "yamamoto01", "tmp#Gh-wq2Lm9", "own#Kd-rt5Xp2"
COST = 4
"Cheap: these tests are not about how long it takes."


@pytest.fixture
def operator(caller: Caller) -> Caller:
    return replace(caller, kind=CallerKind.OPERATOR, facility="secretariat", subject="operator")


def issue(door: Door, operator: Caller, name: str = NAME, temporary: str = TEMPORARY) -> None:
    with door.work(EventKind.ADMIN, operator) as work:
        kept = digest(temporary, b"salt", COST)
        passwords.issue(work, name, kept, holds=timedelta(hours=72))


@pytest.fixture
def site(door: Door, operator: Caller, clock: Clock) -> PasswordLogins:
    with door.work(EventKind.ADMIN, operator) as work:
        facilities.register(
            work, name="hospital-a", type=FacilityType.HOSPITAL, title="病院A",
            administrator="管理者", basis="association_member",
        )  # fmt: skip
        for name in (NAME, "short", "dot.ted.name"):
            users.register(work, name=name, facility="hospital-a", position="doctor")
    issue(door, operator)

    def register() -> Register:
        return door.snapshot(read_register, max_age=0.0)

    drawn = iter(f"secret-{number}" for number in range(100))
    logins = Logins(
        door=door, register=register, cards=None, clock=clock,
        lifetime=Lifetime(idle=timedelta(minutes=15), longest=timedelta(hours=12)),
        new_request=lambda: "request", new_secret=lambda: next(drawn),
    )  # fmt: skip
    return PasswordLogins(logins=logins, strength=Strength(least=13, days=0, cost=COST))


@pytest.fixture
def own(site: PasswordLogins) -> PasswordLogins:
    """The same, where the user has chosen a password."""
    site.change(BROWSER, Given(NAME, TEMPORARY), OWN)
    return site


def refusal(do: Callable[[], object]) -> Unauthenticated:
    with pytest.raises(Unauthenticated) as refused:
        do()
    return refused.value


def test_a_temporary_password_must_be_changed_first(site: PasswordLogins, door: Door) -> None:
    first = refusal(lambda: site.enter(BROWSER, Given(NAME, TEMPORARY)))
    assert (first.at, first.rule) == ("password-change", "CRD-05")
    site.change(BROWSER, Given(NAME, TEMPORARY), OWN)
    begun = site.enter(BROWSER, Given(NAME, OWN))
    assert begun.session.assurance is LevelOfAssurance.PASSWORD
    caller = site.logins.session(BROWSER, begun.cookie).caller
    assert (caller.subject, caller.assurance) == (NAME, LevelOfAssurance.PASSWORD)
    assert refusal(lambda: site.enter(BROWSER, Given(NAME, TEMPORARY))).rule == "CRD-01"
    told = events(door, 5)
    codes = [(outcome, content["code"]) for _, outcome, content in told]
    assert sorted(codes) == [
        (0, ""),
        (0, "LOGIN"),
        (0, "LOGIN"),
        (8, "LOGIN-FAIL"),
        (8, "LOGIN-FAIL"),
    ]
    assert not any(secret in str(told) for secret in (OWN, TEMPORARY))


def test_a_wrong_password_is_recorded_and_says_nothing(own: PasswordLogins, door: Door) -> None:
    tries = (
        Given(NAME, TEMPORARY), Given(NAME, ""), Given(NAME, OWN + " "), Given(NAME.upper(), OWN),
        Given("nobody", OWN), Given("short", OWN), Given("", OWN), Given("a\x00b", OWN),
        Given("x'; --", OWN), Given(NAME, "x" * 5000),
    )  # fmt: skip
    found = [refusal(lambda one=one: own.enter(BROWSER, one)) for one in tries]
    assert {(one.english, one.at, one.rule, one.log) for one in found} == {
        ("the id or the password is wrong", "password", "CRD-01", "LOGIN-FAIL")
    }
    bad = [content for _, outcome, content in events(door, 11) if outcome == 8]
    assert len(bad) == 10
    assert {tuple(content["objects"]) for content in bad} == {(NAME,), ()}
    assert "nobody" not in str(bad)  # some type their password where the id belongs


def test_what_is_kept_is_no_password(own: PasswordLogins, door: Door) -> None:
    with door._database.reading() as db:
        kept = str(db.execute(text("SELECT * FROM password")).all())
    assert "scrypt$" in kept
    assert OWN not in kept
    assert OWN not in repr(Given(NAME, OWN))


@pytest.mark.parametrize(
    ("new", "rule"),
    [
        ("short1!", "CRD-03"), ("nosymbols12345", "CRD-03"), (f"{NAME}!!!", "CRD-10"),
        (OWN, "CRD-10"), (TEMPORARY, "CRD-10"),
    ],
)  # fmt: skip
def test_what_may_not_be_chosen(own: PasswordLogins, new: str, rule: str) -> None:
    with pytest.raises(Invalid) as refused:
        own.change(BROWSER, Given(NAME, OWN), new)
    assert refused.value.rule == rule
    assert own.enter(BROWSER, Given(NAME, OWN)).session.user == NAME


def test_nobody_chooses_for_another(own: PasswordLogins) -> None:
    for given in (Given(NAME, "wrong"), Given("short", OWN), Given("nobody", OWN)):
        found = refusal(lambda given=given: own.change(BROWSER, given, "new#Zq-hs8Vb3"))
        assert found.rule == "CRD-01"
    assert own.enter(BROWSER, Given(NAME, OWN)).session.user == NAME


def test_a_changed_password_ends_every_session(own: PasswordLogins) -> None:
    cookie = own.enter(BROWSER, Given(NAME, OWN)).cookie
    own.change(BROWSER, Given(NAME, OWN), "new#Zq-hs8Vb3")
    assert refusal(lambda: own.logins.session(BROWSER, cookie)).log == "COOKIE"


def test_a_new_temporary_password_ends_the_old_one(
    own: PasswordLogins, door: Door, operator: Caller
) -> None:
    cookie = own.enter(BROWSER, Given(NAME, OWN)).cookie
    issue(door, operator, temporary="tm2#Gh-wq2Lm9")
    refusal(lambda: own.logins.session(BROWSER, cookie))
    assert refusal(lambda: own.enter(BROWSER, Given(NAME, OWN))).rule == "CRD-01"
    with pytest.raises(Invalid):  # nor may it be chosen again
        own.change(BROWSER, Given(NAME, "tm2#Gh-wq2Lm9"), OWN)


def test_a_temporary_password_ends(site: PasswordLogins, clock: Clock) -> None:
    clock.advance(hours=72)
    found = refusal(lambda: site.change(BROWSER, Given(NAME, TEMPORARY), OWN))
    assert "has ended" in found.english
    assert refusal(lambda: site.enter(BROWSER, Given(NAME, TEMPORARY))).rule == "CRD-05"


def test_a_withdrawn_password_is_none(own: PasswordLogins, door: Door, operator: Caller) -> None:
    cookie = own.enter(BROWSER, Given(NAME, OWN)).cookie
    with door.work(EventKind.ADMIN, operator) as work:
        passwords.withdraw(work, NAME, reason="has a card now")
    refusal(lambda: own.logins.session(BROWSER, cookie))
    assert refusal(lambda: own.enter(BROWSER, Given(NAME, OWN))).rule == "CRD-01"
    with pytest.raises(NotFound), door.work(EventKind.ADMIN, operator) as work:
        passwords.withdraw(work, NAME, reason="again")


def test_a_suspended_user_neither_enters_nor_chooses(
    own: PasswordLogins, door: Door, operator: Caller
) -> None:
    with door.work(EventKind.ADMIN, operator) as work:
        users.suspend(work, NAME, reason="leave")
    with pytest.raises(NotPermitted):
        own.enter(BROWSER, Given(NAME, OWN))
    with pytest.raises(NotPermitted):
        own.change(BROWSER, Given(NAME, OWN), "new#Zq-hs8Vb3")
    assert refusal(lambda: own.enter(BROWSER, Given(NAME, "wrong"))).rule == "CRD-01"


def test_an_id_that_is_not_one_gets_no_password(
    site: PasswordLogins, door: Door, operator: Caller
) -> None:
    for name in ("short", "dot.ted.name"):
        with pytest.raises(Invalid) as refused:
            issue(door, operator, name)
        assert refused.value.rule == "CRD-02"
    with pytest.raises(NotFound):
        issue(door, operator, "nobody0001")


def test_only_the_secretariat_gives_passwords_out(
    site: PasswordLogins, door: Door, caller: Caller
) -> None:
    with pytest.raises(NotPermitted):
        issue(door, caller)


def test_two_places_of_one_id_are_noted(own: PasswordLogins, door: Door) -> None:
    own.enter(BROWSER, Given(NAME, OWN))
    own.enter(Client("192.0.2.9", b""), Given(NAME, OWN))
    noted = [content["detail"].get("simultaneous") for _, _, content in events(door, 3)]
    assert sorted(filter(None, noted)) == [1]


def _policy(policy: NetworkPolicy, **rules: object) -> NetworkPolicy:
    made = PasswordRules(**rules)  # type: ignore[arg-type]
    return replace(policy, credentials=CredentialRules(password=made))


@pytest.mark.parametrize(
    ("later", "old"),
    [
        pytest.param(timedelta(days=30), False, id="within the month"),
        pytest.param(timedelta(days=31), True, id="a month and a day"),
    ],
)
def test_a_network_asks_for_a_change_each_month(
    own: PasswordLogins, door: Door, clock: Clock, later: timedelta, old: bool
) -> None:
    """CRD-04: kept since 2026-11-21, a month ends with 2026-12-21."""
    door.policy = _policy(door.policy, max_age_months=1)
    clock.now += later
    if not old:
        assert own.enter(BROWSER, Given(NAME, OWN)).session.user == NAME
        return
    found = refusal(lambda: own.enter(BROWSER, Given(NAME, OWN)))
    assert (found.at, found.rule) == ("password-change", "CRD-04")
    own.change(BROWSER, Given(NAME, OWN), "new#Zq-hs8Vb3")
    assert own.enter(BROWSER, Given(NAME, "new#Zq-hs8Vb3")).session.user == NAME


def test_an_operator_sets_the_days(own: PasswordLogins, clock: Clock) -> None:
    strict = replace(own, strength=replace(own.strength, days=90))
    clock.advance(days=89)
    strict.enter(BROWSER, Given(NAME, OWN))
    clock.advance(days=1)
    found = refusal(lambda: strict.enter(BROWSER, Given(NAME, OWN)))
    assert found.at == "password-change"
