"""What is remembered never outlives what it rests on: trust, lists, policy, days."""

from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from cryptography.x509 import ReasonFlags

from gateway.hpki import path, revocation
from gateway.hpki.path import Chain
from gateway.hpki.policy import Algorithms, Trust
from gateway.hpki.verify import verify
from gateway.model.signature import Indication, SignatureReport
from tests import pki

HERE = pki.hierarchy()
CONTENT = pki.prescription()


def judge(policy=None, at: datetime = pki.NOW) -> SignatureReport:
    return verify(CONTENT, policy or pki.policy(), at=at)


@pytest.fixture(autouse=True)
def remembered() -> None:
    """Every test begins with the paths of a good document in the cache."""
    path._held.clear()
    assert judge().passed
    assert len(path._held) == 2  # the signer's and the time-stamp authority's


def test_what_is_remembered_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    def never(*_: object) -> Chain:
        raise RuntimeError("the path was searched for again")

    monkeypatch.setattr(path, "_search", never)
    assert judge().passed


def test_an_authority_that_is_no_longer_pinned_is_forgotten() -> None:
    trust = pki.policy().trust
    without = replace(trust, anchors=trust.anchors[1:])
    assert judge(replace(pki.policy(), trust=without)).indication is Indication.INVALID
    assert judge().passed
    assert judge(replace(pki.policy(), trust=Trust())).indication is not Indication.VERIFIED


def test_an_authority_whose_days_are_over_is_forgotten() -> None:
    trust = pki.policy().trust
    anchors = tuple(replace(one, until=pki.BEFORE) for one in trust.anchors)
    shortened = replace(pki.policy(), trust=replace(trust, anchors=anchors))
    assert judge(shortened).indication is not Indication.VERIFIED


def test_a_twin_with_the_same_names_is_another_authority() -> None:
    other = replace(pki.policy(), trust=pki.rogue().trust())
    assert judge(other).indication is not Indication.VERIFIED


def test_another_policy_is_another_question() -> None:
    assert judge(replace(pki.policy(), policies=frozenset({"2.999.1"}))).indication is (
        Indication.INVALID
    )
    strict = Algorithms(smallest_rsa=4096)
    assert judge(replace(pki.policy(), algorithms=strict)).indication is Indication.INVALID


def test_a_path_is_used_within_its_certificates_days_only() -> None:
    card = HERE.card(until=pki.SIGNED + timedelta(days=1))
    trust = pki.policy().trust

    def ask(moment: datetime) -> object:
        return path.validate(
            pki.parsed(card), trust.certificates, trust.anchors[:1],
            moment=moment, policies=pki.policy().policies, algorithms=Algorithms(),
        )  # fmt: skip

    assert isinstance(ask(pki.SIGNED), Chain)
    assert ask(pki.AFTER) == path.EXPIRED
    assert isinstance(ask(pki.SIGNED), Chain)
    assert ask(datetime(2024, 1, 1, tzinfo=pki.SIGNED.tzinfo)) != path.EXPIRED
    assert not isinstance(ask(datetime(2024, 1, 1, tzinfo=pki.SIGNED.tzinfo)), Chain)


def test_a_new_list_counts_at_once() -> None:
    revoked = HERE.crl([(100, pki.BEFORE, ReasonFlags.key_compromise)], since=pki.AFTER)
    lists = (revoked, HERE.sarl, HERE.tsa_crl)
    assert judge(pki.policy(lists)).indication is Indication.INVALID
    assert judge().passed


def test_a_list_signed_by_a_twin_is_not_taken_for_the_authoritys() -> None:
    assert judge(pki.policy((pki.rogue().crl(), HERE.sarl, HERE.tsa_crl))).indication is (
        Indication.UNVERIFIABLE
    )
    assert judge().passed


def test_only_so_many_paths_are_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(path, "_REMEMBERED", 3)
    trust = pki.policy().trust
    for serial in range(200, 210):
        found = path.validate(
            pki.parsed(HERE.card(serial=serial)), trust.certificates, trust.anchors[:1],
            moment=pki.SIGNED, policies=pki.policy().policies, algorithms=Algorithms(),
        )  # fmt: skip
        assert isinstance(found, Chain)
    assert len(path._held) == 3


def test_entries_are_found_by_their_serial_number() -> None:
    """A number that stands twice in a list counts with both (RFC 5280 5.1.2.6)."""
    twice = [
        (7, pki.AFTER, ReasonFlags.superseded),
        (8, pki.AFTER, ReasonFlags.superseded),
        (7, pki.BEFORE, ReasonFlags.key_compromise),
    ]
    crl = HERE.crl(twice)
    assert [len(revocation.look_up(crl, serial)) for serial in (7, 8, 9)] == [2, 1, 0]
    card = HERE.card(serial=7)
    status = revocation.status(
        pki.parsed(card), pki.parsed(HERE.signing), [crl],
        moment=pki.SIGNED, now=pki.NOW, grace=timedelta(0), digests=Algorithms().digests,
    )  # fmt: skip
    assert (status.standing, status.since) == (revocation.Standing.REVOKED, pki.BEFORE)
