"""Certificate paths: our own shapes, NIST's PKITS and x509-limbo, and the budget."""

from datetime import UTC, datetime
from typing import Any

import pytest
from cryptography.x509 import DNSName, NameConstraints

from gateway.cli import demo_authority as make
from gateway.cli.demo_authority import Issued
from gateway.errors import Malformed
from gateway.hpki import path
from gateway.hpki.certificates import read_certificate
from gateway.hpki.path import Chain
from gateway.hpki.policy import SIGNING, Algorithms, Anchor, AnchorKind
from gateway.model.signature import Check
from tests import pki

HERE = pki.hierarchy()
OLD = Algorithms(digests=frozenset({"sha1", "sha256", "sha384", "sha512"}), smallest_rsa=1024)


def anchor(issued: Issued = HERE.root) -> Anchor:
    return Anchor(kind=AnchorKind.HPKI, certificate=pki.parsed(issued))


def ask(card: Issued, *helpers: Issued, policy: str = SIGNING) -> Chain | Check:
    return path.validate(
        pki.parsed(card),
        [pki.parsed(one) for one in helpers],
        [anchor()],
        moment=pki.SIGNED,
        policies=frozenset({policy}),
        algorithms=Algorithms(),
    )


def authority(*extensions: make.Extension, issuer: Issued = HERE.root, **about: Any) -> Issued:
    """An authority below the root; its key is shared, what differs is the certificate."""
    values = {
        "serial": 50,
        "since": datetime(2020, 1, 1, tzinfo=UTC),
        "until": datetime(2030, 1, 1, tzinfo=UTC),
        **about,
    }
    return make.issue(make.name("Another CA"), HERE.signing.key, issuer, extensions, **values)


GOOD = (*make.authority(), make.policies(SIGNING))
BAD_AUTHORITIES = {
    "not an authority": (make.leaf(), make.usage("key_cert_sign"), make.policies(SIGNING)),
    "may not sign certificates": (make.authority()[0], make.usage("crl_sign"),
                                  make.policies(SIGNING)),
    "constrained to other names": (
        *GOOD, (NameConstraints(permitted_subtrees=None,
                                excluded_subtrees=[DNSName("mihon.invalid")]), True)),
}  # fmt: skip


def test_a_path_over_an_authority() -> None:
    found = ask(pki.doctor(), HERE.signing)
    assert isinstance(found, Chain)
    assert found.policies == {SIGNING}
    assert [issuer.subject.native["common_name"] for _, issuer in found.links] == [
        "HPKI-01-Mihon-forNonRepudiation",
        "Mihon Root",
    ]


@pytest.mark.parametrize("name", ["not an authority", "may not sign certificates"])
def test_what_is_no_authority_issues_nothing(name: str) -> None:
    made = authority(*BAD_AUTHORITIES[name])
    found = ask(HERE.card(issuer=made), made)
    assert isinstance(found, Check)
    assert "authorit" in found.reason


def test_name_constraints_are_obeyed() -> None:
    made = authority(*BAD_AUTHORITIES["constrained to other names"])
    inside = HERE.card(make.names(DNSName("other.invalid")), issuer=made)
    assert isinstance(ask(inside, made), Chain)
    outside = HERE.card(make.names(DNSName("mihon.invalid")), issuer=made)
    found = ask(outside, made)
    assert isinstance(found, Check)
    assert "constraint" in found.reason


def test_a_pinned_authority_keeps_its_name_constraints() -> None:
    about = {"issuer": None, "since": pki.BEFORE, "until": pki.AFTER}
    pinned = authority(*BAD_AUTHORITIES["constrained to other names"], **about)
    for host, holds in (("other.invalid", True), ("mihon.invalid", False)):
        found = path.validate(
            pki.parsed(HERE.card(make.names(DNSName(host)), issuer=pinned)),
            [],
            [anchor(pinned)],
            moment=pki.SIGNED,
            policies=frozenset({SIGNING}),
            algorithms=Algorithms(),
        )
        assert isinstance(found, Chain) is holds


def test_the_length_of_a_path_is_obeyed() -> None:
    short = authority(*make.authority(0), make.policies(SIGNING))
    below = make.issue(
        make.name("Below"), HERE.login.key, short, GOOD,
        serial=51, since=datetime(2020, 1, 1, tzinfo=UTC), until=datetime(2030, 1, 1, tzinfo=UTC),
    )  # fmt: skip
    found = ask(HERE.card(issuer=below), below, short)
    assert isinstance(found, Check)
    assert "longer than allowed" in found.reason


def test_an_expired_authority() -> None:
    made = authority(*GOOD, until=pki.BEFORE)
    assert ask(HERE.card(issuer=made), made) == path.AUTHORITY_EXPIRED


def test_the_policy_of_the_whole_path_counts() -> None:
    made = authority(*make.authority(), make.policies("2.999.9"))
    found = ask(HERE.card(issuer=made), made)
    assert isinstance(found, Chain)
    assert found.policies == frozenset()


def test_any_policy_is_no_policy() -> None:
    made = authority(*make.authority(), make.policies("2.5.29.32.0"))
    found = ask(HERE.card(issuer=made), made)
    assert isinstance(found, Chain)
    assert found.policies == frozenset()


def test_only_pinned_authorities_count() -> None:
    there = pki.rogue()
    assert ask(there.card(), there.signing) == path.UNKNOWN_ISSUER
    assert isinstance(ask(there.card(), there.signing, there.root), Check)
    assert isinstance(ask(there.root, there.root), Check)


def test_many_authorities_of_one_name_cannot_keep_us_busy() -> None:
    """Each could have issued each: without a budget this is a factorial."""
    born, end = datetime(2020, 1, 1, tzinfo=UTC), datetime(2030, 1, 1, tzinfo=UTC)
    twins = [
        make.issue(make.name("Twin"), HERE.key, None, GOOD, serial=n, since=born, until=end)
        for n in range(1, 31)
    ]
    assert ask(HERE.card(issuer=twins[0]), *twins) == path.UNKNOWN_ISSUER


@pytest.mark.parametrize("content", [b"", b"\x30\x00", b"hello", HERE.root.der + b"\x00"])
def test_what_is_no_certificate_is_refused(content: bytes) -> None:
    with pytest.raises(Malformed):
        read_certificate(content)
