"""Temporary ids, lost ones, and hand-overs, as each network has them (CRD-05, CRD-06, CRD-07)."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest

from gateway.audit.door import Door
from gateway.edge.password_logins import Given, PasswordLogins
from gateway.errors import Gone, Inconsistent, Invalid, NotFound, NotPermitted
from gateway.members import handovers, ids, passwords, users
from gateway.members.passwords import Issued
from gateway.model import network
from gateway.model.audit import EventKind
from gateway.model.caller import Caller
from gateway.model.passwords import digest
from gateway.model.rules import IdRules
from tests.conftest import Clock
from tests.edge.test_account_logins import events
from tests.edge.test_password_logins import (
    BROWSER,
    COST,
    NAME,
    OWN,
    TEMPORARY,
    operator,
    refusal,
    site,
)

__all__ = ["operator", "site"]
pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
MANAGER, NEW = "suzuki0001", "ryoko2345"
HOLDS = timedelta(hours=72)


def rules(door: Door, code: str) -> None:
    """Let another network's credentials count."""
    shipped = network.load(network.template(code))
    door.policy = replace(door.policy, credentials=shipped.credentials)


def issue(door: Door, operator: Caller, password: str = TEMPORARY, **more: bool) -> Issued:
    with door.work(EventKind.ADMIN, operator) as work:
        kept = digest(password, b"salt", COST)
        return passwords.issue(work, NAME, kept, holds=HOLDS, **more)


def invalid(do: Callable[[], object], at: str = "new_user") -> str:
    with pytest.raises(Invalid) as refused:
        do()
    assert refused.value.at == at
    assert refused.value.japanese != refused.value.english
    return refused.value.english


# --- CRD-05: FKO ------------------------------------------------------------------------------


@pytest.fixture
def fko(site: PasswordLogins, door: Door, operator: Caller) -> str:
    """The temporary id that the user got."""
    rules(door, "fko")
    return issue(door, operator).login_id


def test_neither_id_nor_password_of_the_first_pair_does_anything_else(
    site: PasswordLogins, fko: str, door: Door
) -> None:
    assert fko != NAME
    assert refusal(lambda: site.enter(BROWSER, Given(NAME, TEMPORARY))).rule == "CRD-01"
    first = refusal(lambda: site.enter(BROWSER, Given(fko, TEMPORARY)))
    assert (first.at, first.rule) == ("password-change", "CRD-05")
    assert "the id and the password" in first.english
    assert "too" in invalid(lambda: site.change(BROWSER, Given(fko, TEMPORARY), OWN))
    assert refusal(lambda: site.enter(BROWSER, Given(fko, TEMPORARY))).rule == "CRD-05"
    site.change(BROWSER, Given(fko, TEMPORARY), OWN, NEW)
    begun = site.enter(BROWSER, Given(NEW, OWN))
    assert begun.session.user == NAME, "the register and the trail go on under the same name"
    for old in (fko, NAME, NEW.upper()):
        found = refusal(lambda old=old: site.enter(BROWSER, Given(old, OWN)))
        assert (found.rule, found.at) == ("CRD-01", "password")
    links = [content["detail"].get("login_id") for _, _, content in events(door, 9)]
    assert {"old": fko, "new": NEW} in links


@pytest.mark.parametrize(
    ("chosen", "at", "said"),
    [
        ("short1", "user", "8 or more"), ("日本太郎１２３４", "user", "letters and digits"),
        ("with-hyphen-1", "user", "letters and digits"), (MANAGER, "new_user", "cannot be had"),
        (MANAGER.upper(), "new_user", "cannot be had"),
    ],
)  # fmt: skip
def test_an_id_that_may_not_be_chosen(
    site: PasswordLogins, fko: str, door: Door, operator: Caller, chosen: str, at: str, said: str
) -> None:
    with door.work(EventKind.ADMIN, operator) as work:
        users.register(work, name=MANAGER, facility="hospital-a", position="doctor")
    assert said in invalid(lambda: site.change(BROWSER, Given(fko, TEMPORARY), OWN, chosen), at)
    assert refusal(lambda: site.enter(BROWSER, Given(fko, TEMPORARY))).rule == "CRD-05"


def test_the_temporary_id_is_no_choice_and_an_id_changes_once(
    site: PasswordLogins, fko: str, door: Door, operator: Caller
) -> None:
    for same in (fko, fko.upper()):
        invalid(lambda same=same: site.change(BROWSER, Given(fko, TEMPORARY), OWN, same))
    invalid(lambda: site.change(BROWSER, Given(fko, TEMPORARY), f"{NEW}#Aa1", NEW), "password")
    site.change(BROWSER, Given(fko, TEMPORARY), OWN, NEW)
    other = "new#Zq-hs8Vb3"
    assert "not changed here" in invalid(
        lambda: site.change(BROWSER, Given(NEW, OWN), other, "ryoko6789")
    )
    site.change(BROWSER, Given(NEW, OWN), other)
    with pytest.raises(Inconsistent), door.work(EventKind.ADMIN, operator) as work:
        users.register(work, name=NEW.upper(), facility="hospital-a", position="doctor")


def test_an_id_that_is_given_out_is_as_long_as_the_network_wants(
    site: PasswordLogins, door: Door, operator: Caller
) -> None:
    rules(door, "fko")
    made = replace(door.policy.credentials, id=IdRules(min_length=20))
    door.policy = replace(door.policy, credentials=made)
    assert len(issue(door, operator).login_id) == 20


def test_who_lost_the_pair_gets_another_and_the_old_id_is_nobodys(
    site: PasswordLogins, fko: str, door: Door, operator: Caller
) -> None:
    site.change(BROWSER, Given(fko, TEMPORARY), OWN, NEW)
    cookie = site.enter(BROWSER, Given(NEW, OWN)).cookie
    issued = issue(door, operator, "tm2#Gh-wq2Lm9")
    assert issued.login_id not in (fko, NEW, NAME)
    refusal(lambda: site.logins.session(BROWSER, cookie))
    for given in (Given(NEW, OWN), Given(NEW, "tm2#Gh-wq2Lm9")):
        assert refusal(lambda given=given: site.enter(BROWSER, given)).rule == "CRD-01"
    assert refusal(
        lambda: site.enter(BROWSER, Given(issued.login_id, "tm2#Gh-wq2Lm9"))
    ).rule == "CRD-05"  # fmt: skip


# --- CRD-06, CRD-07: TKM ----------------------------------------------------------------------


@pytest.fixture
def tkm(site: PasswordLogins, door: Door, operator: Caller) -> PasswordLogins:
    """A manager who is logged in by a password of their own; the user has chosen one too."""
    site.change(BROWSER, Given(NAME, TEMPORARY), OWN)
    with door.work(EventKind.ADMIN, operator) as work:
        users.register(work, name=MANAGER, facility="hospital-a", position="doctor")
    rules(door, "tkm")
    return site


def prepare(door: Door, operator: Caller, code: str = "code", manager: str = MANAGER) -> None:
    with door.work(EventKind.ADMIN, operator) as work:
        handovers.prepare(work, NAME, manager, code, holds=HOLDS)


def show(door: Door, operator: Caller, code: str = "code", who: str = MANAGER) -> Issued:
    caller = replace(operator, subject=who, facility="hospital-a")
    with door.work(EventKind.ADMIN, caller) as work:
        return handovers.show(work, code, digest("tm2#Gh-wq2Lm9", b"salt", COST), holds=HOLDS)


def test_a_lost_id_ends_and_the_manager_hands_the_next_pair_over_once(
    tkm: PasswordLogins, door: Door, operator: Caller
) -> None:
    cookie = tkm.enter(BROWSER, Given(NAME, OWN)).cookie
    prepare(door, operator)
    refusal(lambda: tkm.logins.session(BROWSER, cookie))
    assert refusal(lambda: tkm.enter(BROWSER, Given(NAME, OWN))).rule == "CRD-01"
    for code, who in (("code", NAME), ("code", "operator"), ("other", MANAGER), ("", MANAGER)):
        with pytest.raises(NotFound):
            show(door, operator, code, who)
    issued = show(door, operator)
    assert issued.login_id != NAME
    with pytest.raises(Gone) as gone:
        show(door, operator)
    assert gone.value.rule == "CRD-07"
    first = refusal(lambda: tkm.enter(BROWSER, Given(issued.login_id, "tm2#Gh-wq2Lm9")))
    assert (first.rule, first.at) == ("CRD-05", "password-change")
    tkm.change(BROWSER, Given(issued.login_id, "tm2#Gh-wq2Lm9"), "new#Zq-hs8Vb3")
    assert tkm.enter(BROWSER, Given(issued.login_id, "new#Zq-hs8Vb3")).session.user == NAME
    with door.work(EventKind.ADMIN, operator) as work:
        told = users.history(work, NAME)
    what = [one["what"] for one in told if one["what"] != "registered"]
    assert what[-4:] == [
        "login-id-replaced", "password-issued", "password-handed-over", "password-changed"
    ]  # fmt: skip
    assert next(one for one in told if one["what"] == "password-handed-over")["manager"] == MANAGER
    assert "tm2#Gh" not in str(events(door, 7)) + str(told)


def test_a_hand_over_ends_and_another_takes_its_place(
    tkm: PasswordLogins, door: Door, operator: Caller, clock: Clock
) -> None:
    prepare(door, operator, "first")
    prepare(door, operator, "second")
    with pytest.raises(NotFound):
        show(door, operator, "first")
    clock.advance(hours=72)
    with pytest.raises(Gone):
        show(door, operator, "second")
    with door._database.writing() as db:
        handovers.forget(db, clock.now + timedelta(days=31))
    with pytest.raises(NotFound):
        show(door, operator, "second")


@pytest.mark.parametrize("manager", [NAME, "nobody0001", "ended00001", "elsewhere1"])
def test_who_is_no_manager_of_theirs(
    tkm: PasswordLogins, door: Door, operator: Caller, manager: str
) -> None:
    with door.work(EventKind.ADMIN, operator) as work:
        users.register(work, name="ended00001", facility="hospital-a", position="doctor")
        users.end(work, "ended00001", reason="left")
    with pytest.raises((Invalid, NotFound)):
        prepare(door, operator, manager=manager)
    assert tkm.enter(BROWSER, Given(NAME, OWN)).session.user == NAME, "nothing changed"


def test_only_the_network_that_has_managers_hands_over_by_them(
    tkm: PasswordLogins, door: Door, operator: Caller, caller: Caller
) -> None:
    with pytest.raises(Inconsistent, match="--manager"):
        issue(door, operator)
    with pytest.raises(NotPermitted):
        prepare(door, caller)
    assert issue(door, operator, in_person=True).login_id != NAME
    rules(door, "tgp")
    with pytest.raises(Inconsistent, match="leave --manager away"):
        prepare(door, operator)


def test_an_id_whose_password_was_taken_away_comes_back_as_another(
    tkm: PasswordLogins, door: Door, operator: Caller
) -> None:
    with door.work(EventKind.ADMIN, operator) as work:
        passwords.withdraw(work, NAME, reason="leak")
        assert ids.current(work.db, NAME) is None
        assert ids.holder(work.db, NAME) is None
    assert issue(door, operator, in_person=True).login_id != NAME


def test_in_tgp_a_reset_keeps_the_id(site: PasswordLogins, door: Door, operator: Caller) -> None:
    assert issue(door, operator, "tm2#Gh-wq2Lm9").login_id == NAME
    invalid(lambda: site.change(BROWSER, Given(NAME, "tm2#Gh-wq2Lm9"), OWN, NEW))
