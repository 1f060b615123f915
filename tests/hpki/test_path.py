"""Certificate paths: our own shapes, NIST's PKITS and x509-limbo, and the budget."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from asn1crypto import x509
from cryptography.x509 import DNSName, NameConstraints

from gateway.cli import demo_authority as make
from gateway.cli.demo_authority import Issued
from gateway.errors import Malformed
from gateway.hpki import path, revocation
from gateway.hpki.certificates import read_all, read_certificate
from gateway.hpki.path import ANY_POLICY, Chain
from gateway.hpki.policy import SIGNING, Algorithms, Anchor, AnchorKind
from gateway.hpki.revocation import Standing
from gateway.model.signature import Check
from tests import pki
from tests.shared import needs_shared, shared

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


# --- published suites -------------------------------------------------------------------------

EXPLAINED = {
    "40104": "DSA is not on the list of algorithms",
    "40105": "DSA is not on the list of algorithms",
    "40419": "a list signed with another key than the authority's is not used: unverifiable",
    "40615": "likewise: the list is signed with the key of before a change of keys",
    "40617": "likewise",
    "40811": "anyPolicy is no policy here",
    "40814": "anyPolicy is no policy here",
}


def _outcome(case: dict[str, Any]) -> bool:
    folder = shared("hpki", "vectors", "pkits")

    def certificate(name: str) -> x509.Certificate:
        return read_certificate((folder / "certs" / name).read_bytes())

    wanted = frozenset(case["params"].get("user_initial_policy_set", [ANY_POLICY]))
    moment = datetime(2022, 5, 1, tzinfo=UTC)
    try:
        found = path.validate(
            certificate(case["ee"]),
            [certificate(name) for name in case["intermediates"]],
            [Anchor(kind=AnchorKind.HPKI, certificate=certificate(case["trust_anchor"]))],
            moment=moment,
            policies=wanted,
            algorithms=OLD,
        )
        lists = []
        for name in case["crls"]:
            lists.append(revocation.read_list((folder / "crls" / name).read_bytes()))
    except Malformed:
        return False
    if not isinstance(found, Chain):
        return False
    if case["params"].get("initial_explicit_policy") and not found.policies:
        return False
    for subject, issuer in found.links:
        status = revocation.status(
            subject, issuer, lists,
            moment=moment, now=moment, grace=timedelta(0), digests=OLD.digests,
        )  # fmt: skip
        if status.standing is not Standing.GOOD and case["require_revocation"]:
            return False
        if status.standing is Standing.REVOKED:
            return False
    return True


@needs_shared
def test_pkits() -> None:
    """Every case as NIST expects it, or refused for a reason that is ours."""
    cases = json.loads(shared("hpki", "vectors", "pkits", "cases.json").read_text())["cases"]
    others = {
        (case["id"], case["name"]): (case["expected"], found)
        for case in cases
        if (found := "valid" if _outcome(case) else "invalid") != case["expected"]
    }
    unexplained = {key: value for key, value in others.items() if key[0] not in EXPLAINED}
    assert unexplained == {}
    assert all(value == ("valid", "invalid") for value in others.values())


LIMBO_EXPLAINED = {
    **dict.fromkeys(
        ("pathlen::max-chain-depth-0-exhausted", "pathlen::max-chain-depth-1-exhausted"),
        "a limit on the depth is not among our inputs; the budget is",
    ),
    **dict.fromkeys(
        (
            "rfc5280::aki::critical-aki",
            "rfc5280::aki::leaf-missing-aki",
            "rfc5280::aki::intermediate-missing-aki",
            "rfc5280::aki::cross-signed-root-missing-aki",
            "rfc5280::ski::root-missing-ski",
            "rfc5280::ski::intermediate-missing-ski",
            "rfc5280::serial::too-long",
            "rfc5280::ee-empty-issuer",
            "rfc5280::ca-empty-subject",
            "rfc5280::san::noncritical-with-empty-subject",
            "rfc5280::nc::permitted-dns-match-noncritical",
            "rfc5280::nc::not-allowed-in-ee-noncritical",
            "rfc5280::nc::not-allowed-in-ee-critical",
            "rfc5280::ee-critical-aia-invalid",
        ),
        "a rule for issuers (RFC 5280 4); RFC 5280 6.1 does not make verifiers check it",
    ),
    **dict.fromkeys(
        (
            "rfc5280::root-missing-basic-constraints",
            "rfc5280::root-non-critical-basic-constraints",
            "rfc5280::root-inconsistent-ca-extensions",
        ),
        "an authority is trusted because it is pinned (RFC 5280 6.1.1 d)",
    ),
    **dict.fromkeys(
        ("rfc5280::eku::ee-wrong-eku", "rfc5280::leaf-ku-keycertsign"),
        "key usage is judged beside the path (`trustworthy`)",
    ),
    "rfc5280::nc::nc-permits-invalid-dns-san": "names of hosts are not ours to judge",
    **dict.fromkeys(
        ("rfc5280::nc::permitted-ipv4-match", "rfc5280::nc::permitted-ipv6-match"),
        "constraints on addresses are not understood: refused",
    ),
}


@needs_shared
def test_limbo() -> None:
    """Path rules only; the cases are shaped for web servers. Every other outcome is explained."""
    text = shared("hpki", "vectors", "limbo", "limbo-rfc5280-pathlen.json").read_text()
    others = set()
    for case in json.loads(text)["testcases"]:
        moment = case["validation_time"]
        at = datetime.fromisoformat(moment) if moment else datetime(2023, 12, 2, tzinfo=UTC)
        try:
            (leaf,) = read_all(case["peer_certificate"].encode())
            helpers = [
                one for pem in case["untrusted_intermediates"] for one in read_all(pem.encode())
            ]
            anchors = [
                Anchor(kind=AnchorKind.HPKI, certificate=one)
                for pem in case["trusted_certs"]
                for one in read_all(pem.encode())
            ]
            found: object = path.validate(
                leaf, helpers, anchors,
                moment=at, policies=frozenset({ANY_POLICY}), algorithms=Algorithms(),
            )  # fmt: skip
        except Malformed as error:
            found = error
        accepted = "SUCCESS" if isinstance(found, Chain) else "FAILURE"
        if accepted != case["expected_result"]:
            others.add(case["id"])
    assert others == set(LIMBO_EXPLAINED)
