"""Algorithms by date: SHA-1 counts for what is proven to be old, and only by an exception."""

from dataclasses import replace
from datetime import timedelta

import pytest

from gateway.hpki.policy import Retired, SignaturePolicy
from gateway.hpki.trust import parse, shipped
from gateway.hpki.verify import verify
from gateway.model.signature import CheckOutcome, Indication
from gateway.settings import SettingsError
from tests import cades, pki
from tests.cades import TEXT, signed_data, signer_info

DAY = timedelta(days=1)
OLD = signer_info(TEXT, pki.doctor(), digest="sha1", stamp=pki.hierarchy().stamp())
CONTENT = signed_data([OLD]).dump()


def until(day: timedelta) -> SignaturePolicy:
    """SHA-1 counts to so long after the signature."""
    policy = pki.policy()
    return replace(
        policy, trust=replace(policy.trust, retired=(Retired("sha1", pki.SIGNED + day),))
    )


def said(policy: SignaturePolicy, content: bytes = CONTENT) -> tuple[Indication, str]:
    report = verify(content, policy, at=pki.NOW)
    found = [
        f"{check.name}: {check.reason}"
        for check in report.signatures[0].checks
        if check.outcome is not CheckOutcome.PASSED
    ]
    return report.indication, "; ".join(found)


def test_it_is_refused_without_an_exception() -> None:
    assert shipped().retired == ()
    assert said(pki.policy()) == (
        Indication.INVALID,
        "algorithm: a signature or digest algorithm is not on the list",
    )


def test_it_counts_for_what_is_proven_to_be_older() -> None:
    assert said(until(DAY)) == (Indication.VERIFIED, "")
    assert said(until(timedelta(0))) == (Indication.VERIFIED, "")


def test_it_is_refused_for_what_is_proven_to_be_younger() -> None:
    indication, reason = said(until(-DAY))
    assert indication is Indication.INVALID
    assert "algorithm: a digest algorithm was no longer to be relied on" in reason


def test_a_claimed_time_is_no_proof() -> None:
    bare = signed_data([signer_info(TEXT, pki.doctor(), digest="sha1")]).dump()
    indication, reason = said(until(DAY), bare)
    assert indication is Indication.INVALID
    assert "no longer to be relied on" in reason
    report = verify(bare, until(DAY), at=pki.NOW, received=pki.SIGNED)
    assert report.passed  # our own time of reception is


def test_today_and_strong_algorithms_are_not_touched() -> None:
    assert said(until(-DAY), cades.cades()) == (Indication.VERIFIED, "")
    assert until(DAY).allowed(pki.NOW) == pki.policy().algorithms
    assert "sha1" in until(DAY).allowed(pki.SIGNED).digests


def test_the_exception_is_a_row_of_the_trust_file() -> None:
    read = parse('[[retired]]\ndigest = "sha1"\nuntil = 2013-12-31\n', lambda _: b"")
    (one,) = read.retired
    assert one.digest == "sha1"
    assert one.until.isoformat().startswith("2013-12-31T23:59:59")


@pytest.mark.parametrize(
    "row",
    ['digest = "md5"\nuntil = 2013-12-31', 'digest = "sha1"', "until = 2013-12-31",
     'digest = "sha1"\nuntil = 2013-12-31\nfile = "x"', 'digest = "sha1"\nuntil = "soon"'],
)  # fmt: skip
def test_other_exceptions_are_refused(row: str) -> None:
    with pytest.raises(SettingsError):
        parse(f"[[retired]]\n{row}\n", lambda _: b"")
