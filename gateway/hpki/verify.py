"""Document bytes and a policy to a `SignatureReport`: the one entry of this room.

Order for every format: parse within limits, one signature at its place, its cryptography; then the
time-stamp gives the moment at which path, policy, key usage, revocation and role are judged. The
certificate that is judged is the very object that verified the signature. Any bytes give a report;
nothing here raises on input (G6). `VERIFIED` needs every check to pass: what cannot be established
is `UNVERIFIABLE` (RD-23).
"""

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import datetime
from types import MappingProxyType

from gateway.errors import Malformed, UntrustedSignature
from gateway.hpki import enclosed, trustworthy
from gateway.hpki import evidence as evidences
from gateway.hpki.certificates import describe
from gateway.hpki.opened import Opened, failed, passed
from gateway.hpki.policy import SignaturePolicy
from gateway.hpki.revocation import RevocationList, read_list
from gateway.hpki.wrapping import recognised
from gateway.model.signature import (
    Basis,
    Check,
    CheckOutcome,
    Indication,
    Signature,
    SignatureReport,
)

_HEAD = 1024
NOTHING: Mapping[str, bytes] = MappingProxyType({})
"No content beside the signature."


def verify(
    content: bytes,
    policy: SignaturePolicy,
    *,
    at: datetime,
    received: datetime | None = None,
    detached: Mapping[str, bytes] = NOTHING,
) -> SignatureReport:
    """The verdict on `content` as of `at`; `received` is when it came to us, if it came earlier.

    `detached` is what a signature beside its content is over, by the name that it is known by.

    An unsigned document has a report without signatures, whose indication is `UNVERIFIABLE`: what
    that means is for the caller to decide (`required`).
    """
    opened = _open(content, policy, detached)
    known: _Known = {}
    signatures = tuple(_judge(one, policy, at, received, known) for one in opened)
    return SignatureReport(
        file_sha256=hashlib.sha256(content).hexdigest(),
        indication=_worst(signature.indication for signature in signatures),
        signatures=signatures,
        verified_at=at,
        received=received,
        evidence=evidences.collect(opened, signatures, policy),
    )


def required(
    report: SignatureReport, roles: frozenset[str] = frozenset(), *, timestamp: bool = False
) -> None:
    """Raise `UntrustedSignature` unless every signature verified, by someone with one of `roles`.

    `timestamp` demands a proven time besides (SIG-05). An empty `roles` accepts every known role.
    """
    if not report.signed:
        raise _untrusted("a signature is required", "電子署名が必要です", report)
    if not report.passed:
        words = {
            Indication.INVALID: ("the signature is invalid", "電子署名が無効です"),
            Indication.UNVERIFIABLE: (
                "the signature cannot be verified now",
                "電子署名を今は検証できません",
            ),
        }
        raise _untrusted(*words[report.indication], report)
    for signature in report.signatures:
        if roles and not any(role.text in roles for role in signature.roles):
            raise _untrusted(
                "the signer has not the role that this document needs",
                "署名者の資格がこの文書に必要な資格と異なります",
                report,
            )
        if timestamp and signature.proven is None:
            raise _untrusted("a time-stamp is required", "タイムスタンプが必要です", report)


def _untrusted(english: str, japanese: str, report: SignatureReport) -> UntrustedSignature:
    return UntrustedSignature(english, japanese, report=report)


def _open(
    content: bytes, policy: SignaturePolicy, detached: Mapping[str, bytes]
) -> tuple[Opened, ...]:
    """The signatures of a document, by what its bytes are and not by what it is called."""
    head = content[:_HEAD]
    enclosing = recognised(content)  # first: what it encloses may be a PDF and begin in `head`
    start = head.lstrip(b"\xef\xbb\xbf\xff\xfe\x00 \t\r\n")
    if b"%PDF-" in head and not enclosing:
        from gateway.hpki.pdf import open_signatures

        found = open_signatures(content, policy.allowed())
        if found or not start.startswith(b"<"):
            return found  # else it is XML in which those letters stand
    if start.startswith(b"<"):
        from gateway.hpki.xades.reader import open_signatures as open_xml

        return open_xml(content, policy.algorithms, detached)
    if enclosing:
        from gateway.hpki.cades import open_signatures as open_cms

        return open_cms(content, policy.allowed(), detached)
    return ()


def _judge(
    opened: Opened,
    policy: SignaturePolicy,
    at: datetime,
    received: datetime | None,
    known: "_Known",
) -> Signature:
    """The verdict on one signature."""
    lists = (*policy.trust.crls, *_lists(opened.crls, known))
    checks = list(opened.checks)
    evidence: list[str] = []
    proven: datetime | None = None
    archived: datetime | None = None
    stamped = bool(opened.tokens or opened.archives)
    not_before: datetime | None = None
    if stamped or opened.contents:
        from gateway.hpki import times

        found = times.judge(opened, policy, lists, at, received)
        checks.extend(found.checks)
        evidence.extend(found.evidence)
        proven, archived, not_before = found.proven, found.archived, found.not_before
    if not stamped and policy.timestamp_required:
        checks.append(
            failed("time-stamp", "there is no time-stamp", "タイムスタンプがありません", "SIG-05")
        )
    if opened.digests - policy.allowed(proven or received or at).digests:
        checks.append(
            failed(
                "algorithm",
                "a digest algorithm was no longer to be relied on at that time",
                "その時点では認められないハッシュ方式です",
                "J-02",
            )
        )
    checks.extend(enclosed.judge_referred(opened, policy, lists))
    signer = trustworthy.Signer()
    broken = any(check.outcome is CheckOutcome.FAILED for check in opened.checks)
    if opened.certificate is not None and not broken:
        signer = trustworthy.judge(
            opened.certificate,
            opened.helpers,
            lists,
            policy,
            proven or received or at,
            at,
            proven=proven is not None or not stamped,
            basis=Basis.PROVEN if proven else Basis.RECEIVED if received else Basis.VERIFIED,
        )
        checks.extend(signer.checks)
        evidence.extend(signer.evidence)
    unstamped = replace(policy, timestamp_required=False)
    kept = archived if opened.counters_archived else None
    counters = tuple(
        _judge(one, unstamped, at, kept or received, known) for one in opened.countersigned
    )
    checks.extend(map(_countersigned, counters))
    there = received if broken else proven or received
    embedded = tuple(_judge(one, policy, at, there, known) for one in opened.embedded)
    checks.extend(map(_embedded, embedded))
    used = {one.sha256 for one in lists} & set(signer.evidence)
    if signer.revocation is not None:
        evidence.append(signer.revocation.list_sha256)
    subject, issuer, serial = describe(opened.certificate)
    return Signature(
        format=_level(opened, enclosed.level(opened, used)),
        indication=_indication(checks),
        checks=tuple(checks),
        subject=subject,
        serial=serial,
        issuer=issuer,
        role=signer.roles[0] if signer.roles else None,
        roles=signer.roles,
        policy=signer.policy,
        claimed=opened.claimed,
        proven=proven,
        not_before=None if broken else not_before,
        covered_sha256=opened.covered_sha256 or _sha256(opened.covered),
        octets=opened.covered,
        whole_document=opened.whole_document,
        files=opened.files,
        embedded=embedded,
        countersignatures=counters,
        evidence=tuple(dict.fromkeys(evidence)),
        revocation=signer.revocation,
    )


def _countersigned(counter: Signature) -> Check:
    """What a countersignature adds: its maker is no signer of the document, and needs no role."""
    doubtful = [
        check
        for check in counter.checks
        if check.outcome is not CheckOutcome.PASSED and check.name != "role"
    ]
    if not doubtful:
        return passed(
            "countersignature",
            "a countersignature verifies",
            "副署を確認しました",
            "RFC 5652 11.4, EN 319 132-1 5.2.7",
        )
    worst = min(doubtful, key=lambda check: check.outcome is not CheckOutcome.FAILED)
    return replace(
        worst,
        name="countersignature",
        reason=f"a countersignature: {worst.reason}",
        japanese=f"副署: {worst.japanese}",
    )


def _embedded(inner: Signature) -> Check:
    """What a signature inside of the signed content adds: it must hold for itself."""
    if inner.indication is Indication.VERIFIED:
        return passed(
            "embedded",
            "the signature of the document inside verifies",
            "含まれる文書の署名を確認しました",
            "EPD 1.0",
        )
    doubtful = [check for check in inner.checks if check.outcome is not CheckOutcome.PASSED]
    worst = min(doubtful, key=lambda check: check.outcome is not CheckOutcome.FAILED)
    return replace(
        worst,
        name="embedded",
        reason=f"the document inside: {worst.reason}",
        japanese=f"含まれる文書: {worst.japanese}",
    )


_Known = dict[bytes, RevocationList | None]
"Lists of one document, which its signatures share: each is read once. None: it cannot be read."


def _lists(contents: Iterable[bytes], known: _Known) -> list[RevocationList]:
    """Revocation lists that came along; what cannot be read tells nothing."""
    found = []
    for content in contents:
        if content not in known:
            try:
                known[content] = read_list(content)
            except Malformed:
                known[content] = None
        found.append(known[content])
    return [one for one in found if one is not None]


def _level(opened: Opened, level: str) -> str:
    """The level that the verdict rests on, whatever else came along."""
    without = {"XAdES": "XAdES-BES", "PAdES": "PAdES-B", "CAdES": "CAdES-B"}
    if opened.form not in without:
        return opened.form
    if level:
        return f"{opened.form}-{level}"
    return f"{opened.form}-T" if opened.tokens else without[opened.form]


def _sha256(covered: bytes | memoryview) -> str:
    return hashlib.sha256(covered).hexdigest() if covered else ""


def _indication(checks: Iterable[Check]) -> Indication:
    outcomes = {check.outcome for check in checks}
    if CheckOutcome.FAILED in outcomes:
        return Indication.INVALID
    return Indication.VERIFIED if outcomes == {CheckOutcome.PASSED} else Indication.UNVERIFIABLE


def _worst(indications: Iterable[Indication]) -> Indication:
    """The document's verdict: that of its weakest signature."""
    found = set(indications)
    for indication in (Indication.INVALID, Indication.UNVERIFIABLE, Indication.VERIFIED):
        if indication in found:
            return indication
    return Indication.UNVERIFIABLE
