"""The role table and the sizes of keys are data with dates: what counts is when it was there."""

from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from gateway.hpki import roles
from gateway.hpki.policy import SignaturePolicy, Size
from gateway.hpki.roles import Role
from gateway.hpki.trust import parse
from gateway.hpki.verify import verify
from gateway.model.signature import CheckOutcome, Indication
from gateway.settings import SettingsError
from tests import pki

DAY = timedelta(days=1)
DOCTOR = "Medical Doctor"


def with_trust(**changes: object) -> SignaturePolicy:
    policy = pki.policy()
    return replace(policy, trust=replace(policy.trust, **changes))  # type: ignore[arg-type]


def said(
    policy: SignaturePolicy, content: bytes | None = None, received: datetime | None = None
) -> tuple[Indication, str]:
    report = verify(content or pki.pdf(), policy, at=pki.NOW, received=received)
    (signature,) = report.signatures
    found = [check for check in signature.checks if check.outcome is not CheckOutcome.PASSED]
    return report.indication, "; ".join(f"{check.name}: {check.reason}" for check in found)


def test_the_shipped_table() -> None:
    found = {one.text: one for one in roles.shipped()}
    assert found[DOCTOR] == Role(text=DOCTOR, japanese="医師", kind="licence")
    assert found["Director"].kind == "office"
    assert [one.kind for one in found.values()].count("office") == 5
    assert len(found) == 33
    assert said(pki.policy()) == (Indication.VERIFIED, "")


@pytest.mark.parametrize(
    ("since", "until"),
    [(None, pki.SIGNED), (pki.SIGNED, None), (pki.SIGNED - DAY, pki.SIGNED + DAY)],
)
def test_a_role_counts_within_its_days(since: datetime, until: datetime) -> None:
    row = Role(text=DOCTOR, since=since, until=until)
    assert said(with_trust(roles=(row,))) == (Indication.VERIFIED, "")


@pytest.mark.parametrize(
    "row",
    [
        Role(text=DOCTOR, since=pki.SIGNED + timedelta(seconds=1)),
        Role(text=DOCTOR, until=pki.SIGNED - timedelta(seconds=1)),
    ],
    ids=["not yet", "no longer"],
)
def test_a_role_out_of_its_days_is_refused(row: Role) -> None:
    """The row of the trust file takes the place of the shipped one, which has no end."""
    indication, reason = said(with_trust(roles=(row,)))
    assert indication is Indication.INVALID
    assert reason == "role: the role table does not have the role at the moment that counts"


def test_a_text_that_is_added_counts() -> None:
    wizard = pki.pdf(pki.hierarchy().card(role="Wizard"))
    assert said(pki.policy(), wizard)[0] is Indication.UNVERIFIABLE
    assert said(with_trust(roles=(Role(text="Wizard"),)), wizard) == (Indication.VERIFIED, "")
    assert said(with_trust(roles=(Role(text="wizard"),)), wizard)[0] is Indication.UNVERIFIABLE


def test_larger_keys_are_demanded_from_a_day_on() -> None:
    """A key counts by when it was proven to be there, its time-stamp by when we received it."""
    demanded = with_trust(sizes=(Size(3072, pki.SIGNED + DAY),))
    assert said(demanded, received=pki.SIGNED + DAY / 2) == (Indication.VERIFIED, "")
    assert said(with_trust(sizes=(Size(2048, pki.SIGNED - DAY),))) == (Indication.VERIFIED, "")
    # Seen today for the first time, the stamp's own key of 2048 bits proves nothing any more.
    assert said(demanded)[0] is Indication.INVALID
    indication, reason = said(demanded, pki.pdf(stamped=None))
    assert indication is Indication.INVALID
    assert reason == "path: a certificate in the path is signed too weakly"
    early = with_trust(sizes=(Size(3072, pki.SIGNED - DAY),))
    assert said(early, received=pki.SIGNED + DAY / 2)[0] is Indication.INVALID


def test_as_a_trust_file_says_it() -> None:
    trust = parse(
        """
        [[rsa]]
        bits = 3072
        from = 2031-01-01
        [[role]]
        text = "Dentist"
        japanese = "歯科医師"
        to = 2030-12-31
        [[role]]
        text = "Clinic Manager"
        kind = "office"
        from = 2027-04-01
        """,
        lambda name: b"",
    )
    (size,) = trust.sizes
    assert size.bits == 3072
    assert size.since.isoformat() == "2031-01-01T00:00:00+09:00"
    policy = SignaturePolicy(trust=trust)
    before = size.since - timedelta(seconds=1)
    assert policy.allowed(before).smallest_rsa == 2048
    assert policy.allowed(size.since).smallest_rsa == 3072
    assert policy.allowed().smallest_rsa == 2048
    dentist, manager = policy.role("Dentist"), policy.role("Clinic Manager")
    assert dentist is not None
    assert manager is not None
    assert dentist.covers(before)
    assert not dentist.covers(size.since)
    assert manager.kind == "office"
    assert policy.role("Pharmacist") is not None


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("[[rsa]]\nbits=1024\nfrom=2031-01-01", "bits = 2048"),
        ("[[rsa]]\nbits='3072'\nfrom=2031-01-01", "bits = 2048"),
        ("[[rsa]]\nbits=true\nfrom=2031-01-01", "bits = 2048"),
        ("[[rsa]]\nbits=9000\nfrom=2031-01-01", "bits = 2048"),
        ("[[rsa]]\nbits=3072", "from = a day"),
        ("[[rsa]]\nbits=3072\nfrom='soon'", "from must be a day"),
        ("[[role]]\njapanese='医師'", "needs text"),
        ("[[role]]\ntext='x'\nkind='title'", "kind must be"),
        ("[[role]]\ntext='x'\njapanese=3", "kind must be"),
        ("[[role]]\ntext='x'\nfrom=2027-01-01\nto=2026-01-01", "after to"),
        ("[[role]]\ntext='x'\nlevel=1", "unknown key level"),
    ],
)
def test_what_is_wrong_is_named(text: str, reason: str) -> None:
    with pytest.raises(SettingsError) as refused:
        parse(text, lambda name: b"")
    assert reason in str(refused.value)
