"""`edge.account_logins`: an account at a provider becomes a session, once (SIG-03, K-05)."""

import json
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select

from gateway.audit.door import Door
from gateway.edge.account_logins import AccountLogins, Sent
from gateway.edge.authn import Register, read_register
from gateway.edge.logins import Logins
from gateway.edge.protocol import Client
from gateway.edge.provider import Conversation
from gateway.errors import Busy, Invalid, NotPermitted, Refusal, Unauthenticated
from gateway.members import accounts, facilities, users
from gateway.members.accounts import Account
from gateway.members.sessions import Lifetime
from gateway.model.audit import EventKind
from gateway.model.caller import Caller, CallerKind, LevelOfAssurance
from gateway.model.category import FacilityType
from gateway.store.audit import EVENT
from tests.conftest import Clock
from tests.edge import openid
from tests.edge.openid import ACR, CLIENT, OpenId, Place

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
BROWSER = Client("192.0.2.1", b"")


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    with openid.serve(tmp_path_factory.mktemp("provider")) as served:
        yield served


@pytest.fixture
def provider(place: Place) -> OpenId:
    for name, value in vars(OpenId(origin=place.openid.origin)).items():
        setattr(place.openid, name, value)
    return place.openid


@pytest.fixture
def operator(caller: Caller) -> Caller:
    return replace(caller, kind=CallerKind.OPERATOR, facility="secretariat")


@pytest.fixture
def site(
    door: Door, operator: Caller, clock: Clock, place: Place, provider: OpenId
) -> AccountLogins:
    with door.work(EventKind.ADMIN, operator) as work:
        facilities.register(
            work, name="hospital-a", type=FacilityType.HOSPITAL, title="病院A",
            administrator="管理者", basis="association_member",
        )  # fmt: skip
        users.register(work, name="taro", facility="hospital-a", position="doctor")
        account = Account(issuer=provider.origin, claim="sub", subject="doctor-1")
        accounts.bind(work, "taro", account)

    def register() -> Register:
        return door.snapshot(read_register, max_age=0.0)

    drawn = iter(f"secret-{number}" for number in range(100))
    logins = Logins(
        door=door, register=register, cards=None, clock=clock,
        lifetime=Lifetime(idle=timedelta(minutes=15), longest=timedelta(hours=12)),
        new_request=lambda: "request", new_secret=lambda: next(drawn),
    )  # fmt: skip
    conversation = Conversation(provider=place.provider(), clock=clock, new_id=lambda: "jti")
    return AccountLogins(
        logins=logins, conversation=conversation, assurance={ACR: LevelOfAssurance.HPKI},
        new_secret=lambda: next(drawn),
    )  # fmt: skip


def go(site: AccountLogins, provider: OpenId, code: str = "code-1") -> tuple[Sent, bytes]:
    """A browser that has been at the provider: what it was sent with, and what it brings back."""
    sent = site.begin(BROWSER, "")
    return sent, provider.log_in(sent.address, code).encode()


def events(door: Door, count: int) -> list[tuple[str, int, dict[str, Any]]]:
    """The events of log-ins and what followed; waits until there are so many."""
    found: list[Any] = []
    until = time.monotonic() + 30
    while len(found) < count and time.monotonic() < until:
        with door._database.reading() as db:
            rows = db.execute(select(EVENT).order_by(EVENT.c.key)).all()
        found = [row for row in rows if row.kind in ("login", "security-alert")]
    assert len(found) == count
    return [(row.kind, row.outcome, json.loads(row.content)) for row in found]


def test_an_account_begins_a_session(site: AccountLogins, provider: OpenId, door: Door) -> None:
    sent, back = go(site, provider)
    begun = site.finish(BROWSER, sent.secret, back)
    assert begun.session.user == "taro"
    session = site.logins.session(BROWSER, begun.cookie)
    assert session.caller.assurance is LevelOfAssurance.HPKI
    assert (session.caller.subject, session.caller.facility) == ("taro", "hospital-a")
    # A card in the reader, or none: the session does not depend on it.
    assert site.logins.session(Client("192.0.2.1", b"another card"), begun.cookie).user == "taro"
    site.logins.leave(BROWSER, begun.cookie)
    with pytest.raises(Unauthenticated):
        site.logins.session(BROWSER, begun.cookie)
    told = events(door, 5)
    (content,) = [one for _, outcome, one in told if (outcome, one["code"]) == (0, "LOGIN")]
    assert content["actor"]["assurance"] == "hpki"
    detail = content["detail"]
    assert detail["acr"] == ACR
    assert detail["account"].endswith("/sub/doctor-1")
    assert sent.secret not in str(told)


def test_what_came_back_once_does_not_come_back_again(
    site: AccountLogins, provider: OpenId
) -> None:
    sent, back = go(site, provider)
    site.finish(BROWSER, sent.secret, back)
    provider.asked.clear()
    with pytest.raises(Unauthenticated) as refused:
        site.finish(BROWSER, sent.secret, back)
    assert (refused.value.at, refused.value.rule) == ("state", "K-05")
    assert not provider.asked  # the code is not tried


def test_a_failed_attempt_is_used_up_too(site: AccountLogins, provider: OpenId) -> None:
    sent, back = go(site, provider)
    provider.claims = {"nonce": "another"}
    with pytest.raises(Unauthenticated) as refused:
        site.finish(BROWSER, sent.secret, back)
    assert refused.value.at == "nonce"
    provider.claims = {}
    with pytest.raises(Unauthenticated) as refused:
        site.finish(BROWSER, sent.secret, back)
    assert refused.value.at == "state"


def test_nobody_is_logged_in_by_anothers_link(
    site: AccountLogins, provider: OpenId, door: Door
) -> None:
    """Login CSRF: the answer of one browser is worth nothing in another (RFC 6749 10.12)."""
    (mine, _), (_, theirs) = go(site, provider), go(site, provider, "code-2")
    for secret in (mine.secret, "", "x", "\udcff"):
        with pytest.raises(Unauthenticated) as refused:
            site.finish(BROWSER, secret, theirs)
        assert refused.value.at == "state"
    assert "/token" not in provider.paths()
    refusals = [content for _, outcome, content in events(door, 4) if outcome == 8]
    assert len(refusals) == 4
    assert {content["code"] for content in refusals} == {"LOGIN-FAIL"}


def test_a_code_is_of_the_browser_that_asked(site: AccountLogins, provider: OpenId) -> None:
    """Code injection: another's code comes with another's nonce and verifier (RFC 7636 1)."""
    (mine, back), _ = go(site, provider), go(site, provider, "stolen")
    injected = back.replace(b"code-1", b"stolen")
    with pytest.raises(Unauthenticated) as refused:
        site.finish(BROWSER, mine.secret, injected)
    assert refused.value.at == "nonce"
    assert provider.asked[-1][2]["code_verifier"] != ""


def test_an_attempt_ends(site: AccountLogins, provider: OpenId, clock: Clock) -> None:
    sent, back = go(site, provider)
    clock.advance(minutes=10)
    provider.now = clock()
    with pytest.raises(Unauthenticated, match="took too long"):
        site.finish(BROWSER, sent.secret, back)


def test_an_account_of_nobody_is_an_incident(
    site: AccountLogins, provider: OpenId, door: Door
) -> None:
    sent, back = go(site, provider)
    provider.claims = {"sub": "doctor-2"}
    with pytest.raises(NotPermitted) as refused:
        site.finish(BROWSER, sent.secret, back)
    assert refused.value.rule == "SIG-04"
    found = events(door, 2)
    assert {kind for kind, _, _ in found} == {"login", "security-alert"}
    assert all(outcome == 8 for _, outcome, _ in found)
    assert all("/sub/doctor-2" in str(content["detail"]) for _, _, content in found)


@pytest.mark.parametrize("acr", ["urn:example:password", "", None])
def test_how_surely_is_the_settings_word(
    site: AccountLogins, provider: OpenId, acr: str | None
) -> None:
    sent, back = go(site, provider)
    provider.claims = {"acr": acr}
    with pytest.raises(Unauthenticated) as refused:
        site.finish(BROWSER, sent.secret, back)
    assert refused.value.at == "acr"
    weak = replace(site, assurance={acr or "": LevelOfAssurance.PASSWORD})
    sent, back = go(weak, provider, "code-2")
    begun = weak.finish(BROWSER, sent.secret, back)
    assert begun.session.caller.assurance is LevelOfAssurance.PASSWORD


def test_a_suspended_user_stays_out(
    site: AccountLogins, provider: OpenId, door: Door, operator: Caller
) -> None:
    sent, back = go(site, provider)
    begun = site.finish(BROWSER, sent.secret, back)
    with door.work(EventKind.ADMIN, operator) as work:
        users.suspend(work, "taro", reason="leave")
    with pytest.raises(Unauthenticated):
        site.logins.session(BROWSER, begun.cookie)
    sent, back = go(site, provider, "code-2")
    with pytest.raises(NotPermitted) as refused:
        site.finish(BROWSER, sent.secret, back)
    assert refused.value.rule == "ACC-03"


def test_an_account_that_is_taken_away_is_out_at_once(
    site: AccountLogins, provider: OpenId, door: Door, operator: Caller
) -> None:
    sent, back = go(site, provider)
    begun = site.finish(BROWSER, sent.secret, back)
    with door.work(EventKind.ADMIN, operator) as work:
        accounts.unbind(work, "taro", "doctor-1", reason="left")
    with pytest.raises(Unauthenticated):
        site.logins.session(BROWSER, begun.cookie)


def test_a_provider_that_is_away_is_recorded_and_no_defect(
    site: AccountLogins, provider: OpenId, door: Door
) -> None:
    sent, back = go(site, provider)
    provider.answers["/token"] = (503, {}, b"")
    with pytest.raises(Busy):
        site.finish(BROWSER, sent.secret, back)
    assert [content["detail"]["refused"] for _, _, content in events(door, 1)] == ["busy"]


def test_a_provider_that_says_it_is_another_is_recorded(
    site: AccountLogins, provider: OpenId, door: Door
) -> None:
    provider.metadata = {"issuer": "https://evil.example"}
    with pytest.raises(Unauthenticated):
        site.begin(BROWSER, "")
    ((kind, outcome, content),) = events(door, 1)
    assert (kind, outcome, content["detail"]["at"]) == ("login", 8, "discovery-issuer")
    assert content["detail"]["issuer"] == provider.origin


def test_only_our_own_client_ids_are_sent(site: AccountLogins, provider: OpenId) -> None:
    assert site.client_ids == (CLIENT,)
    with pytest.raises(Invalid):
        site.begin(BROWSER, "another")
    assert not provider.asked


def test_a_refused_answer_says_nothing_of_what_came(
    site: AccountLogins, provider: OpenId, door: Door
) -> None:
    sent, back = go(site, provider)
    query = back.replace(b"code=code-1", b"error=%3Cscript%3E&error_description=Hanako")
    with pytest.raises(Refusal) as refused:
        site.finish(BROWSER, sent.secret, query)
    assert refused.value.at == "error=other"
    told = str(events(door, 1))
    assert "script" not in told
    assert "Hanako" not in told
