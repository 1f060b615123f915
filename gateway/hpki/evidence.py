"""The evidence of a verdict, gathered while it is at hand, and a policy made of it again (SIG-06).

Trust files and revocation lists change, and an authority withdraws what it published. So what a
verdict rests on is kept with it: the certificates, lists and time-stamp tokens that were used, each
by its digest, and the policy in force. Of a verdict that is not "verified" all that was trusted is
kept, because what was missing made it so.
"""

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from asn1crypto import cms, x509
from cryptography.hazmat.primitives.serialization import Encoding

from gateway.errors import Malformed
from gateway.hpki import roles
from gateway.hpki.certificates import fingerprint, read_certificate
from gateway.hpki.libraries import RAISED
from gateway.hpki.opened import Opened
from gateway.hpki.policy import (
    Algorithms,
    Anchor,
    AnchorKind,
    Retired,
    SignaturePolicy,
    Size,
    Trust,
)
from gateway.hpki.revocation import RevocationList, read_list
from gateway.hpki.roles import Role
from gateway.model.evidence import Evidence, EvidenceKind
from gateway.model.signature import Indication, Signature

_VERSION = 1
_TROUBLE: tuple[type[BaseException], ...] = (
    *RAISED, Malformed, json.JSONDecodeError, UnicodeDecodeError,
)  # fmt: skip


def collect(
    opened: Sequence[Opened], signatures: Sequence[Signature], policy: SignaturePolicy
) -> tuple[Evidence, ...]:
    """What the verdicts on these signatures rest on; nothing where there is no signature."""
    if not signatures:
        return ()
    held = remember(policy)
    wanted = dict.fromkeys(digest for one in signatures for digest in _named(one))
    if any(one.indication is not Indication.VERIFIED for one in signatures):
        wanted.update(dict.fromkeys(held.trusted))
    pool = {**held.trusted, **{one.sha256: one for one in _own(opened)}}
    if wanted.keys() - pool.keys():
        pool.update((one.sha256, one) for one in _enclosed(opened))
    for one in _every(opened):
        for referred in one.referred:
            wanted.update(
                (digest, None) for digest, piece in pool.items()
                if referred.algorithm
                and hashlib.new(referred.algorithm, piece.content).digest() == referred.digest
            )  # fmt: skip
    return (held.written, *(pool[digest] for digest in wanted if digest in pool))


@dataclass(frozen=True, slots=True)
class _Held:
    """A policy with its evidence."""

    policy: SignaturePolicy
    written: Evidence
    trusted: Mapping[str, Evidence]


def remember(policy: SignaturePolicy) -> _Held:
    """The evidence of a policy; that of the last one is kept, because documents come by one."""
    held = _last.get("policy")
    if held is None or held.policy is not policy:
        held = _Held(policy, write_policy(policy), {one.sha256: one for one in _trusted(policy)})
        _last["policy"] = held
    return held


_last: dict[str, _Held] = {}


def _named(signature: Signature) -> Iterator[str]:
    """Every digest that a verdict names, inner ones too."""
    yield from signature.evidence
    for inner in (*signature.embedded, *signature.countersignatures):
        yield from _named(inner)


def _every(opened: Iterable[Opened]) -> Iterator[Opened]:
    for one in opened:
        yield one
        yield from _every((*one.embedded, *one.countersigned))


def _own(opened: Iterable[Opened]) -> Iterator[Evidence]:
    """Everything that came with the document."""
    for one in _every(opened):
        own = () if one.certificate is None else (one.certificate,)
        yield from map(_certificate, (*own, *one.helpers))
        for content in one.crls:
            yield _piece(EvidenceKind.LIST, content)
        for token in _tokens(one):
            yield _piece(EvidenceKind.TOKEN, token)


def _tokens(opened: Opened) -> Iterator[bytes]:
    yield from (token for token, _ in opened.tokens)
    yield from (archive.token for archive in (*opened.archives, *opened.contents))


def _trusted(policy: SignaturePolicy) -> Iterator[Evidence]:
    """Everything that the policy brings."""
    for anchor in policy.trust.anchors:
        yield _certificate(anchor.certificate)
    yield from map(_certificate, policy.trust.certificates)
    for one in policy.trust.crls:
        yield Evidence(
            kind=EvidenceKind.LIST, sha256=one.sha256,
            content=one.crl.public_bytes(Encoding.DER),
        )  # fmt: skip


def _enclosed(opened: Iterable[Opened]) -> Iterator[Evidence]:
    """The certificates in time-stamp tokens."""
    for token in (token for one in _every(opened) for token in _tokens(one)):
        try:
            choices = list(cms.ContentInfo.load(token)["content"]["certificates"] or ())
            found = [one.chosen.untag().dump() for one in choices if one.name == "certificate"]
        except _TROUBLE:
            continue
        for der in found:
            yield _piece(EvidenceKind.CERTIFICATE, der)


def _certificate(certificate: x509.Certificate) -> Evidence:
    return Evidence(
        kind=EvidenceKind.CERTIFICATE, sha256=fingerprint(certificate), content=certificate.dump()
    )


def _piece(kind: EvidenceKind, content: bytes) -> Evidence:
    return Evidence(kind=kind, sha256=hashlib.sha256(content).hexdigest(), content=content)


def write_policy(policy: SignaturePolicy) -> Evidence:
    """The policy as canonical JSON; the same policy has the same digest."""
    algorithms = policy.algorithms
    told = {
        "version": _VERSION,
        "anchors": [
            {
                "kind": one.kind.value, "sha256": fingerprint(one.certificate),
                "since": _write(one.since), "until": _write(one.until), "test": one.test,
            }
            for one in policy.trust.anchors
        ],
        "retired": [
            {"digest": one.digest, "until": _write(one.until)} for one in policy.trust.retired
        ],
        "policies": sorted(policy.policies),
        "test_policies": sorted(policy.test_policies),
        "accept_test": policy.accept_test,
        "roles": [
            {
                "text": one.text, "japanese": one.japanese, "kind": one.kind,
                "since": _write(one.since), "until": _write(one.until),
            }
            for one in roles.together(policy.roles, policy.trust.roles)
        ],
        "rsa": [{"bits": one.bits, "since": _write(one.since)} for one in policy.trust.sizes],
        "timestamp_required": policy.timestamp_required,
        "crl_grace_seconds": policy.crl_grace.total_seconds(),
        "clock_skew_seconds": policy.clock_skew.total_seconds(),
        "algorithms": {
            "digests": sorted(algorithms.digests), "signatures": sorted(algorithms.signatures),
            "curves": sorted(algorithms.curves), "smallest_rsa": algorithms.smallest_rsa,
            "largest_rsa": algorithms.largest_rsa,
        },
    }  # fmt: skip
    content = json.dumps(told, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()
    return _piece(EvidenceKind.POLICY, content)


def rebuild(evidence: Iterable[Evidence]) -> SignaturePolicy:
    """The policy in force with what was trusted then; raises `Malformed` without one policy.

    An authority whose certificate is not at hand is left out: nothing can rest on it.
    """
    pieces = list(evidence)
    policies = [one for one in pieces if one.kind is EvidenceKind.POLICY]
    if len(policies) != 1:
        raise Malformed("the evidence has not one policy", "証拠に検証ポリシーがありません")
    try:
        told = json.loads(policies[0].content)
        if told["version"] != _VERSION:
            raise Malformed("the evidence is of another version", "証拠の版が異なります")
        certificates = {
            one.sha256: read_certificate(one.content)
            for one in pieces
            if one.kind is EvidenceKind.CERTIFICATE
        }
        return _policy(told, certificates, _lists(pieces))
    except _TROUBLE as error:
        raise Malformed("the evidence cannot be read", "証拠を読み取れません") from error


def _lists(pieces: Iterable[Evidence]) -> tuple[RevocationList, ...]:
    return tuple(read_list(one.content) for one in pieces if one.kind is EvidenceKind.LIST)


def _policy(
    told: dict[str, Any], certificates: Mapping[str, x509.Certificate],
    crls: tuple[RevocationList, ...],
) -> SignaturePolicy:  # fmt: skip
    pinned = {one["sha256"] for one in told["anchors"]}
    algorithms = told["algorithms"]
    return SignaturePolicy(
        trust=Trust(
            anchors=tuple(
                Anchor(
                    kind=AnchorKind(one["kind"]), certificate=certificates[one["sha256"]],
                    since=_read(one["since"]), until=_read(one["until"]), test=one["test"],
                )
                for one in told["anchors"]
                if one["sha256"] in certificates
            ),
            certificates=tuple(
                one for digest, one in certificates.items() if digest not in pinned
            ),
            crls=crls,
            retired=tuple(
                Retired(one["digest"], datetime.fromisoformat(one["until"]))
                for one in told["retired"]
            ),
            sizes=tuple(
                Size(one["bits"], datetime.fromisoformat(one["since"])) for one in told["rsa"]
            ),
        ),
        policies=frozenset(told["policies"]),
        test_policies=frozenset(told["test_policies"]),
        accept_test=told["accept_test"],
        roles=tuple(
            Role(**{**one, "since": _read(one["since"]), "until": _read(one["until"])})
            for one in told["roles"]
        ),
        timestamp_required=told["timestamp_required"],
        crl_grace=timedelta(seconds=told["crl_grace_seconds"]),
        clock_skew=timedelta(seconds=told["clock_skew_seconds"]),
        algorithms=Algorithms(
            digests=frozenset(algorithms["digests"]),
            signatures=frozenset(algorithms["signatures"]),
            curves=frozenset(algorithms["curves"]),
            smallest_rsa=algorithms["smallest_rsa"],
            largest_rsa=algorithms["largest_rsa"],
        ),
    )  # fmt: skip


def _write(moment: datetime | None) -> str | None:
    return None if moment is None else moment.isoformat()


def _read(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text)
