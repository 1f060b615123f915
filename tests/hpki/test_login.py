"""`hpki.login`: which card opens the door, and why another does not (SIG-01, SIG-02, SIG-04)."""

from dataclasses import replace
from datetime import timedelta

import pytest
from cryptography.x509 import ReasonFlags
from cryptography.x509.oid import ExtendedKeyUsageOID

from gateway.cli import demo_authority as make
from gateway.cli.demo_authority import Issued
from gateway.hpki import login
from gateway.hpki.login import CardVerdict
from gateway.hpki.policy import AUTHENTICATION, SIGNING, SignaturePolicy
from gateway.hpki.revocation import RevocationList
from tests import pki

TEST = "1.2.392.100495.1.5.1.2.0.1"
NOW = pki.SIGNED


def card(**changed: object) -> Issued:
    house = pki.hierarchy()
    usual = {"policy": AUTHENTICATION, "usage": "digital_signature", "issuer": house.login}
    return house.card(**{**usual, **changed})  # type: ignore[arg-type]


def lists(**changed: object) -> tuple[RevocationList, ...]:
    house = pki.hierarchy()
    return (house.crl(issuer=house.login, **changed), house.sarl)  # type: ignore[arg-type]


def judged(
    issued: Issued, found: tuple[RevocationList, ...] | None = None, *, test: bool = False,
    at=NOW,
) -> CardVerdict:  # fmt: skip
    trust = pki.hierarchy().trust(lists() if found is None else found)
    return login.judge(
        issued.der, SignaturePolicy(trust=trust, accept_test=test), at=at,
        policies=frozenset({AUTHENTICATION}), test_policies=frozenset({TEST}),
    )  # fmt: skip


def reason(verdict: CardVerdict) -> str:
    found = verdict.reason
    return "" if found is None else f"{found.name}: {found.reason}"


@pytest.mark.parametrize("purposes", [(), (ExtendedKeyUsageOID.CLIENT_AUTH,)])
def test_a_log_in_card_opens_the_door(purposes) -> None:
    verdict = judged(card() if not purposes else pki.hierarchy().card(
        make.purposes(*purposes), policy=AUTHENTICATION, usage="digital_signature",
        issuer=pki.hierarchy().login,
    ))  # fmt: skip
    assert reason(verdict) == ""
    assert verdict.accepted
    assert verdict.roles == ("Medical Doctor",)
    assert verdict.policy == AUTHENTICATION
    assert verdict.card is not None
    assert verdict.card.number == "T0001"
    assert len(verdict.evidence) >= 4


def test_a_renewed_card_is_the_same_holders_and_one_of_another_issuer_is_not() -> None:
    first, renewed = (login.read_card(card(serial=number).der) for number in (100, 101))
    assert first.key == renewed.key
    assert first.certificate != renewed.certificate
    other = login.read_card(pki.hierarchy().card().der)
    assert other.number == first.number
    assert other.key != first.key


def test_a_holder_without_number_is_known_by_the_certificate_alone() -> None:
    house = pki.hierarchy()
    bare = make.issue(
        make.name("Taro Mihon"), house.key, house.login, (make.usage("digital_signature"),),
        serial=5, since=pki.BEFORE, until=pki.AFTER,
    )  # fmt: skip
    found = login.read_card(bare.der)
    assert found.number == f"sha256:{found.certificate}"


REFUSED = {
    "signing card": (lambda: pki.hierarchy().card(), "for signing documents, not for log-in"),
    "signing policy from the log-in authority": (
        lambda: card(policy=SIGNING), "for signing documents, not for log-in",
    ),
    "log-in policy from the signing authority": (
        lambda: card(issuer=pki.hierarchy().signing), "not valid for the authentication policy",
    ),
    "usage of a signing card": (lambda: card(usage="content_commitment"), "not for log-in"),
    "server": (
        lambda: pki.hierarchy().card(
            make.purposes(ExtendedKeyUsageOID.SERVER_AUTH), policy=AUTHENTICATION,
            usage="digital_signature", issuer=pki.hierarchy().login,
        ),
        "not for log-in",
    ),
    "foreign policy": (lambda: card(policy="1.2.3.4"), "not valid for the authentication policy"),
    "test card": (lambda: card(policy=TEST), "a test card"),
    "no role": (lambda: card(role=None), "states no health-care role"),
    "unknown role": (lambda: card(role="Wizard"), "not in the role table"),
    "ended": (lambda: card(until=NOW - timedelta(days=1)), "had expired"),
    "not begun": (lambda: card(since=NOW + timedelta(days=1)), "not valid"),
    "rogue twin": (
        lambda: pki.rogue().card(
            policy=AUTHENTICATION, usage="digital_signature", issuer=pki.rogue().login
        ),
        "path: ",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_other_cards_do_not(name: str) -> None:
    made, expected = REFUSED[name]
    verdict = judged(made())
    assert not verdict.accepted
    assert any(
        expected in f"{check.name}: {check.reason}" for check in verdict.checks
    ), verdict.checks  # fmt: skip


def test_a_test_card_opens_the_door_by_its_switch_alone() -> None:
    assert judged(card(policy=TEST), test=True).accepted
    assert not judged(card(policy="1.2.3.4"), test=True).accepted


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        (lambda: lists(revoked=[(100, pki.BEFORE, ReasonFlags.key_compromise)]), "was revoked"),
        (lambda: lists(revoked=[(100, pki.BEFORE, ReasonFlags.certificate_hold)]), "on hold"),
        (lambda: lists()[1:], "no usable revocation list"),
        (lambda: lists()[:1], "no usable revocation list"),
        (lambda: lists(since=NOW - timedelta(days=9)), "too old"),
        (lambda: (pki.hierarchy().crl(), pki.hierarchy().sarl), "no usable revocation list"),
    ],
)
def test_nobody_enters_without_a_fresh_list_that_clears_the_card(found, expected) -> None:
    verdict = judged(card(), found())
    assert not verdict.accepted
    assert expected in reason(verdict)


@pytest.mark.parametrize("bad", [b"", b"\x30\x03\x02\x01\x01", b"no certificate", b"\xff" * 4096])
def test_what_is_no_certificate_has_a_verdict(bad: bytes) -> None:
    policy = SignaturePolicy(trust=pki.hierarchy().trust(lists()))
    verdict = login.judge(
        bad, policy, policies=frozenset({AUTHENTICATION}), test_policies=frozenset(), at=NOW
    )
    assert verdict.card is None
    assert not verdict.accepted


def test_a_certificate_altered_in_any_byte_opens_nothing() -> None:
    der, trust = card().der, pki.hierarchy().trust(lists())
    policy = SignaturePolicy(trust=trust)
    for place in range(0, len(der), 7):
        bad = der[:place] + bytes([der[place] ^ 0x55]) + der[place + 1 :]
        verdict = login.judge(
            bad, policy, policies=frozenset({AUTHENTICATION}), test_policies=frozenset(), at=NOW
        )
        assert not verdict.accepted, place


def test_the_policies_asked_for_are_the_operators() -> None:
    trust = replace(pki.hierarchy().trust(lists()))
    verdict = login.judge(
        card().der, SignaturePolicy(trust=trust), policies=frozenset({"1.2.3"}),
        test_policies=frozenset(), at=NOW,
    )  # fmt: skip
    assert not verdict.accepted
