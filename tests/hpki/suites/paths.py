"""Paths and revocation: NIST's PKITS, x509-limbo, HPKI's test cards, pyHanko's freshness."""

import json
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from asn1crypto import x509

from gateway.errors import Malformed
from gateway.hpki import path, revocation
from gateway.hpki.certificates import read_all, read_certificate
from gateway.hpki.path import ANY_POLICY, Chain
from gateway.hpki.policy import SIGNING, Algorithms, Anchor, AnchorKind
from gateway.hpki.revocation import RevocationList, Standing
from tests.hpki.suites.case import Case

OLD = Algorithms(digests=Algorithms().digests | {"sha1"}, smallest_rsa=1024)
"PKITS was made in 2010 with SHA-1 and keys of 1024 bits."
_SAYS = {"valid": True, "invalid": False, "SUCCESS": True, "FAILURE": False}


def cases(vectors: Path) -> Iterator[Case]:
    """Every case of the four suites."""
    yield from _pkits(vectors / "pkits")
    yield from _limbo(vectors / "limbo")
    yield from _hpki(vectors / "hpki-real")
    yield from _freshness(vectors / "pyhanko")


def _pinned(*certificates: x509.Certificate) -> list[Anchor]:
    return [Anchor(kind=AnchorKind.HPKI, certificate=one) for one in certificates]


def _standings(
    chain: Chain, lists: Iterable[RevocationList], moment: datetime, digests: frozenset[str]
) -> list[Standing]:
    return [
        revocation.status(
            subject, issuer, list(lists),
            moment=moment, now=moment, grace=timedelta(0), digests=digests,
        ).standing
        for subject, issuer in chain.links
    ]  # fmt: skip


def _pkits(folder: Path) -> Iterator[Case]:
    for case in json.loads((folder / "cases.json").read_text())["cases"]:
        found = _nist(folder, case)
        yield Case(
            suite=f"PKITS {case['section']}",
            name=f"{case['id']} {case['name']}",
            expected=case["expected"],
            found="valid" if found == "valid" else f"invalid: {found}",
            passed=(found == "valid") is _SAYS[case["expected"]],
        )


def _nist(folder: Path, case: dict[str, Any]) -> str:
    """`valid`, or why not."""

    def certificate(name: str) -> x509.Certificate:
        return read_certificate((folder / "certs" / name).read_bytes())

    moment = datetime(2022, 5, 1, tzinfo=UTC)
    try:
        found = path.validate(
            certificate(case["ee"]),
            [certificate(name) for name in case["intermediates"]],
            _pinned(certificate(case["trust_anchor"])),
            moment=moment,
            policies=frozenset(case["params"].get("user_initial_policy_set", [ANY_POLICY])),
            algorithms=OLD,
        )
        lists = [
            revocation.read_list((folder / "crls" / name).read_bytes()) for name in case["crls"]
        ]
    except Malformed as error:
        return error.english
    if not isinstance(found, Chain):
        return found.reason
    if case["params"].get("initial_explicit_policy") and not found.policies:
        return "no policy of those asked for"
    for standing in _standings(found, lists, moment, OLD.digests):
        if standing is Standing.REVOKED or (
            case["require_revocation"] and standing is not Standing.GOOD
        ):
            return f"revocation {standing.value}"
    return "valid"


def _limbo(folder: Path) -> Iterator[Case]:
    for file in sorted(folder.glob("*.json")):
        for case in json.loads(file.read_text())["testcases"]:
            found = _limbo_outcome(case)
            yield Case(
                suite=f"x509-limbo {case['id'].partition('::')[0]}",
                name=case["id"],
                expected=case["expected_result"],
                found="SUCCESS" if found == "valid" else f"FAILURE: {found}",
                passed=(found == "valid") is _SAYS[case["expected_result"]],
            )


def _limbo_outcome(case: dict[str, Any]) -> str:
    stated = case["validation_time"]
    try:
        (leaf,) = read_all(case["peer_certificate"].encode())
        helpers = [one for pem in case["untrusted_intermediates"] for one in read_all(pem.encode())]
        roots = [one for pem in case["trusted_certs"] for one in read_all(pem.encode())]
        found = path.validate(
            leaf,
            helpers,
            _pinned(*roots),
            moment=datetime.fromisoformat(stated) if stated else datetime(2023, 12, 2, tzinfo=UTC),
            policies=frozenset({ANY_POLICY}),
            algorithms=Algorithms(),
        )
    except Malformed as error:
        return error.english
    return "valid" if isinstance(found, Chain) else found.reason


def _hpki(folder: Path) -> Iterator[Case]:
    """Path and policy of real test cards; both must be as two other validators found them."""
    expectations = json.loads((folder / "expected.json").read_text())
    root = read_certificate((folder / expectations["trust_anchor"]).read_bytes())
    for number, case in enumerate(expectations["paths"], 1):
        moment = datetime.fromisoformat(case["at"])
        chain = path.validate(
            read_certificate((folder / case["ee"]).read_bytes()),
            [read_certificate((folder / name).read_bytes()) for name in case["via"]],
            _pinned(root),
            moment=moment,
            policies=frozenset({SIGNING}),
            algorithms=Algorithms(),
        )
        basic, policy = "invalid", "invalid"
        if isinstance(chain, Chain):
            lists = [revocation.read_list((folder / name).read_bytes()) for name in case["crls"]]
            standings = _standings(chain, lists, moment, Algorithms().digests)
            basic = "valid" if set(standings) == {Standing.GOOD} else "indeterminate"
            policy = "valid" if chain.policies else "invalid"
        expected = case["basic_path"]
        yield Case(
            suite="HPKI test cards, paths",
            name=f"{number} {Path(case['ee']).stem}, {case['at'][:10]}",
            expected=f"{expected}; policy {case.get('policy', 'invalid')}",
            found=f"{basic}; policy {policy}",
            passed=expected.startswith(basic) and policy == "invalid",
        )


def _freshness(folder: Path) -> Iterator[Case]:
    freshness = json.loads((folder / "expected.json").read_text())["freshness"]
    leaf, middle, root = (read_all((folder / name).read_bytes())[0] for name in freshness["chain"])
    for number, case in enumerate(freshness["cases"], 1):
        moment = datetime.fromisoformat(case["at"]).replace(tzinfo=UTC)
        chain = path.validate(
            leaf, [middle], _pinned(root),
            moment=moment, policies=frozenset({ANY_POLICY}), algorithms=Algorithms(),
        )  # fmt: skip
        lists = [
            revocation.read_list((folder / "freshness" / name).read_bytes()) for name in case["crl"]
        ]
        found = "path invalid"
        if isinstance(chain, Chain):
            names = ("alice", "intermediate")
            standings = _standings(chain, lists, moment, Algorithms().digests)
            found = ", ".join(
                f"{name} {standing.value}" for name, standing in zip(names, standings, strict=True)
            )
        yield Case(
            suite="pyHanko freshness",
            name=f"{number} {case['rule']}",
            expected=case["expected"],
            found=found,
            passed=(found == "alice good, intermediate good") is (case["expected"] == "valid"),
        )
