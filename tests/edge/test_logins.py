"""`edge.logins`: what becomes of a session when its card stops holding (SIG-02, J-03)."""

from collections.abc import Iterable
from dataclasses import replace
from datetime import timedelta

import pytest
from cryptography.x509 import ReasonFlags

from gateway.audit.door import Door
from gateway.cli.demo_authority import Issued
from gateway.edge.authn import Register, read_register
from gateway.edge.logins import CardRules, Logins
from gateway.edge.protocol import Client
from gateway.errors import NotPermitted, Unauthenticated
from gateway.hpki import login
from gateway.hpki.policy import AUTHENTICATION, SignaturePolicy
from gateway.hpki.revocation import RevocationList
from gateway.members import cards, facilities, users
from gateway.members.sessions import Lifetime
from gateway.model.audit import EventKind
from gateway.model.caller import Caller, CallerKind, LevelOfAssurance
from gateway.model.category import FacilityType
from tests import pki
from tests.conftest import Clock


def card() -> Issued:
    house = pki.hierarchy()
    return house.card(policy=AUTHENTICATION, usage="digital_signature", issuer=house.login)


def lists(clock: Clock, revoked: Iterable[int] = ()) -> tuple[RevocationList, ...]:
    house = pki.hierarchy()
    since = clock() - timedelta(hours=1)
    gone = [(one, since, ReasonFlags.key_compromise) for one in revoked]
    scope = pki.make.authorities_only(house.root)[1]
    return (
        house.crl(gone, issuer=house.login, since=since, days=1),
        house.crl(issuer=house.root, since=since, scope=scope, days=400),
    )


def rules(found: tuple[RevocationList, ...]) -> CardRules:
    return CardRules(
        policy=lambda: SignaturePolicy(trust=pki.hierarchy().trust(found)),
        policies=frozenset({AUTHENTICATION}), test_policies=frozenset(),
    )  # fmt: skip


@pytest.fixture
def logins(door: Door, caller: Caller, clock: Clock) -> Logins:
    clock.now = pki.SIGNED
    operator = replace(caller, kind=CallerKind.OPERATOR, facility="secretariat")
    with door.work(EventKind.ADMIN, operator) as work:
        facilities.register(
            work, name="hospital-a", type=FacilityType.HOSPITAL, title="病院A",
            administrator="管理者", basis="association_member",
        )  # fmt: skip
        users.register(work, name="taro", facility="hospital-a", position="doctor")
        read, roles = login.to_register(card().der)
        cards.bind(
            work, "taro", key=read.key, number=read.number, subject=read.subject,
            authority=read.authority, roles=roles,
        )  # fmt: skip

    def register() -> Register:
        return door.snapshot(read_register, max_age=0.0)

    drawn = iter(f"secret-{number}" for number in range(100))
    return Logins(
        door=door, register=register, cards=rules(lists(clock)), clock=clock,
        lifetime=Lifetime(idle=timedelta(hours=20), longest=timedelta(hours=40)),
        new_request=lambda: "request", new_secret=lambda: next(drawn),
    )  # fmt: skip


def test_a_card_begins_a_session(logins: Logins) -> None:
    client = Client("192.0.2.1", card().der)
    begun = logins.enter(client, None)
    assert begun.cookie == "secret-0"
    caller = logins.session(client, begun.cookie).caller
    assert caller.assurance is LevelOfAssurance.HPKI
    assert (caller.subject, caller.certificate) == ("taro", client.sha256)
    logins.leave(client, begun.cookie)
    with pytest.raises(Unauthenticated):
        logins.session(client, begun.cookie)


def test_a_card_that_is_revoked_meanwhile_ends_its_session(logins: Logins, clock: Clock) -> None:
    client = Client("192.0.2.1", card().der)
    cookie = logins.enter(client, None).cookie
    revoking = replace(logins, cards=rules(lists(clock, revoked=(100,))))
    assert revoking.session(client, cookie).user == "taro"  # judged less than a minute ago
    clock.advance(minutes=1)
    with pytest.raises(Unauthenticated, match="does not hold any more"):
        revoking.session(client, cookie)


def test_nobody_stays_in_on_stale_lists(logins: Logins, clock: Clock) -> None:
    client = Client("192.0.2.1", card().der)
    cookie = logins.enter(client, None).cookie
    clock.advance(hours=19)
    assert logins.session(client, cookie).user == "taro"
    clock.advance(hours=4, minutes=1)  # the list's nextUpdate has passed
    with pytest.raises(Unauthenticated):
        logins.session(client, cookie)
    with pytest.raises(Unauthenticated, match="the card is refused"):
        logins.enter(client, None)


def test_no_card_no_session(logins: Logins) -> None:
    with pytest.raises(Unauthenticated):
        logins.enter(Client("192.0.2.1", b""), None)
    closed = replace(logins, cards=None)
    assert closed.ways == ()
    with pytest.raises(Unauthenticated):
        closed.enter(Client("192.0.2.1", card().der), None)


def test_another_account_is_an_incident(logins: Logins) -> None:
    with pytest.raises(NotPermitted) as refused:
        logins.enter(Client("192.0.2.1", card().der), "jiro")
    assert refused.value.rule == "SIG-04"


def test_a_view_is_the_users_and_recorded_before_it_is_told(logins: Logins) -> None:
    client = Client("192.0.2.1", card().der)
    cookie = logins.enter(client, None).cookie
    for patient in ("1234567890123456", "", "x" * 300, "../etc"):
        viewed = logins.view(client, cookie, patient)
        assert (viewed.items, viewed.documents) == ((), ())
