"""A revocation list that has just come: whose it is, and how it follows the one before.

Nothing is believed for where it came from: a list is kept only where a configured authority signed
it, and replaces only what is older (RFC 5280 5.2.3, 6.3.3). What an authority may not do, or does
quietly, is noted and kept: HPKI lists drop entries of ended certificates (`hpki/README.md` 5), and
an entry that vanished still counts by the list that had it.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from asn1crypto import x509 as asn1
from cryptography import x509

from gateway.errors import Inconsistent, Invalid
from gateway.hpki import path, revocation
from gateway.hpki.certificates import fingerprint
from gateway.hpki.policy import AnchorKind, SignaturePolicy
from gateway.hpki.revocation import EVER, Entry, RevocationList, entries_of, read_list

_MOST = 50
"Serial numbers that an anomaly names."


@dataclass(frozen=True, slots=True, kw_only=True)
class Received:
    """A list that a configured authority signed."""

    read: RevocationList
    issuer: str
    "SHA-256 of the authority's certificate."
    series: str
    "Lists of one authority and one scope."
    until: datetime
    "nextUpdate."


@dataclass(frozen=True, slots=True)
class Anomaly:
    """Something about a list that an authority should not do, or that must not be forgotten."""

    code: str
    """`entries-gone`, `entries-changed`: what an earlier list said is not said any more;
    `hold-lifted`; `number-repeated`, `moment-repeated`: two lists in one place; `number-missing`"""
    count: int = 0
    serials: tuple[str, ...] = ()
    "At most fifty of them."


@dataclass(frozen=True, slots=True)
class Following:
    """How a list follows the one before."""

    anomalies: tuple[Anomaly, ...]
    keeps: bool
    "Whether the one before says something that counts and that no kept list says."


def receive(
    content: bytes, policy: SignaturePolicy, issuer: asn1.Certificate | None, now: datetime
) -> Received:
    """The list in `content`, whose authority is `issuer` or, without one, any configured one.

    Raises `Malformed` where it cannot be read, `Invalid` where it is of a kind that is not used,
    of another issuer, not signed by it, from the future, or without an end.
    """
    read = read_list(content)
    if not read.usable:
        raise _invalid("a partial or indirect list is not used", "差分または間接の失効リストです")
    if read.until is None or read.until <= read.since:
        raise _invalid("the list has no end of its window", "次回更新日時がありません")
    if read.since > now + policy.clock_skew:
        raise _invalid("the list is from the future", "発行日時が未来です", log="CLOCK")
    if issuer is None:
        candidates: Iterable[asn1.Certificate] = (
            *(anchor.certificate for anchor in policy.trust.anchors),
            *policy.trust.certificates,
        )
    else:
        candidates = (issuer,)
    authority = _authority(read, candidates, policy)
    _require_trusted(authority, read, policy)
    identity = fingerprint(authority)
    return Received(read=read, issuer=identity, series=f"{identity}/{read.scope}", until=read.until)


def _authority(
    read: RevocationList, candidates: Iterable[asn1.Certificate], policy: SignaturePolicy
) -> asn1.Certificate:
    digests = policy.allowed().digests
    forged = False
    for candidate in candidates:
        signed = revocation.is_made_by(read, candidate, digests)
        if signed:
            return candidate
        forged |= signed is False
    if forged:
        raise _invalid(
            "the list is not signed by its issuer", "失効リストの署名が発行者のものではありません"
        )
    raise _invalid(
        "the list is of another issuer than the one expected",
        "想定した認証局の失効リストではありません",
    )


def _require_trusted(
    authority: asn1.Certificate, read: RevocationList, policy: SignaturePolicy
) -> None:
    """The authority is pinned, or was under one that is when it made the list."""
    kinds = (AnchorKind.HPKI, AnchorKind.TSA)
    found = path.validate(
        authority,
        policy.trust.certificates,
        [anchor for kind in kinds for anchor in policy.anchors(kind)],
        moment=read.since,
        policies=frozenset({path.ANY_POLICY}),
        algorithms=policy.allowed(),
    )
    if not isinstance(found, path.Chain):
        raise _invalid(
            f"no trusted authority made the list: {found.reason}",
            f"信頼する認証局の失効リストではありません: {found.japanese}",
        )


def follow(
    received: Received, before: RevocationList | None, kept: Sequence[RevocationList]
) -> Following:
    """How the list follows the newest one of its series; `kept` are those that stay in use.

    Raises `Inconsistent` where it is older: number and thisUpdate never go back.
    """
    if before is None:
        return Following((), keeps=False)
    read = received.read
    back = None not in (read.number, before.number) and (read.number or 0) < (before.number or 0)
    if read.since < before.since or back:
        raise Inconsistent(
            "the list is older than the one that is here",
            "手元の失効リストより古いものです",
            at="crl", rule="J-03", log="PKI-REV",
        )  # fmt: skip
    anomalies = []
    if read.number is None and before.number is not None:
        anomalies.append(Anomaly("number-missing"))
    elif read.number is not None and read.number == before.number:
        anomalies.append(Anomaly("number-repeated"))
    if read.since == before.since:
        anomalies.append(Anomaly("moment-repeated"))
    now, then = entries_of(read), entries_of(before)
    held = {serial for serial, entry in then.items() if _is_hold(entry)}
    gone = then.keys() - now.keys() - held
    changed = {
        serial
        for serial in (then.keys() & now.keys()) - held
        if then[serial].since != now[serial].since
    }
    for code, serials in (
        ("entries-gone", gone), ("entries-changed", changed),
        ("hold-lifted", held - now.keys()),
    ):  # fmt: skip
        if serials:
            anomalies.append(Anomaly(code, len(serials), tuple(map(str, sorted(serials)[:_MOST]))))
    return Following(tuple(anomalies), keeps=tells_more(before, (read, *kept)))


def tells_more(one: RevocationList, others: Iterable[RevocationList]) -> bool:
    """Whether a list says of a certificate what none of the others says: it must stay in use."""
    known = [entries_of(other) for other in others]
    return any(
        not _is_hold(entry) and not any(_is_said(entry, other.get(serial)) for other in known)
        for serial, entry in entries_of(one).items()
    )


def _is_said(entry: Entry, other: Entry | None) -> bool:
    """Whether another entry about the same certificate counts from as early."""
    if other is None or _is_hold(other):
        return False
    return (other.since or EVER) <= (entry.since or EVER)


def _is_hold(entry: Entry) -> bool:
    return entry.reason is x509.ReasonFlags.certificate_hold


def _invalid(english: str, japanese: str, *, log: str = "PKI-REV") -> Invalid:
    return Invalid(english, japanese, at="crl", rule="J-03", log=log)
