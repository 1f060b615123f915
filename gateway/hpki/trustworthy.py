"""The signer: path, policy, key usage, revocation and role at the moment that counts.

That moment is the proven time; without a time-stamp the time of reception, and without that the
time of verification (RFC 5280 6, ETSI EN 319 102-1 5.5).
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime

from asn1crypto import x509

from gateway.errors import Malformed
from gateway.hpki import path, revocation
from gateway.hpki.certificates import fingerprint
from gateway.hpki.hcrole import read_roles
from gateway.hpki.opened import failed, passed, unknown
from gateway.hpki.policy import AnchorKind, SignaturePolicy
from gateway.hpki.purpose import DOCUMENTS, Purpose
from gateway.hpki.revocation import RevocationList, Standing
from gateway.model.signature import Basis, Check, CheckOutcome, HcRole, Revocation

_POLICY = "RFC 5280 6.1.5"
_USAGE = "RFC 5280 4.2.1.3"
_TIMELY = (path.EXPIRED, path.AUTHORITY_EXPIRED, path.OUT_OF_TIME)


@dataclass(frozen=True, slots=True, kw_only=True)
class Signer:
    """What is known about the signer."""

    checks: tuple[Check, ...] = ()
    roles: tuple[HcRole, ...] = ()
    "Read only from a certificate whose path and policy hold (J-01)."
    policy: str = ""
    evidence: tuple[str, ...] = ()
    revocation: Revocation | None = None
    "What a list says about the path, whether it harms or came later."


def judge(
    certificate: x509.Certificate,
    helpers: Iterable[x509.Certificate],
    lists: tuple[RevocationList, ...],
    policy: SignaturePolicy,
    moment: datetime,
    now: datetime,
    *,
    proven: bool = True,
    basis: Basis = Basis.VERIFIED,
    purpose: Purpose = DOCUMENTS,
) -> Signer:
    """Everything about the signer's certificate at `moment`, asked at `now`.

    `purpose` is what the certificate is used for; a card's log-in certificate is judged here too.

    Where there is a time-stamp that could not be established, `proven` is False: that a certificate
    has ended or was revoked by `moment` is then no verdict, because it may have held before.
    `basis` is what `moment` rests on, for people.
    """
    found = path.validate(
        certificate,
        (*helpers, *policy.trust.certificates),
        policy.anchors(AnchorKind.HPKI),
        moment=moment,
        policies=policy.policies,
        algorithms=policy.allowed(moment),
    )
    fit = usage(certificate, purpose)
    if not isinstance(found, path.Chain):
        reason = _policy(certificate, frozenset(), policy, purpose)
        told = policy.test_policies | {purpose.other}
        known = (reason[0],) if told & _policies(certificate) else ()
        if not proven and found in _TIMELY:
            found = _undecided("path", path.SECTION)
        return Signer(checks=(found, *known, fit), evidence=(fingerprint(certificate),))
    held = passed(
        "path",
        "the path leads to a trusted authority",
        "信頼する認証局までの認証パスを確認しました",
        path.SECTION,
    )
    accepted, oid = _policy(certificate, found.policies, policy, purpose)
    revoked, evidence, stated = _revocation(found, lists, policy, moment, now)
    if not proven and revoked.outcome is CheckOutcome.FAILED:
        revoked = _undecided("revocation", revocation.SECTION)
    role, roles = _role(certificate, policy, moment) if oid else ((), ())
    return Signer(
        checks=(held, accepted, fit, revoked, *role),
        roles=roles,
        policy=oid,
        evidence=(
            *map(fingerprint, found.certificates),
            fingerprint(found.anchor.certificate),
            *evidence,
        ),
        revocation=None if stated is None else replace(stated, basis=basis),
    )


def _undecided(name: str, section: str) -> Check:
    return unknown(
        name,
        "the certificate has ended or was revoked, and no time-stamp that counts tells when it was"
        " used",
        "証明書は期限切れまたは失効済みで、署名の時点を示す有効なタイムスタンプがありません",
        section,
    )


def _policies(certificate: x509.Certificate) -> frozenset[str]:
    """Policies that the certificate itself asserts."""
    value = certificate.certificate_policies_value
    if value is None:
        return frozenset()
    return frozenset(one["policy_identifier"].dotted for one in value)


def _policy(
    certificate: x509.Certificate,
    valid: frozenset[str],
    policy: SignaturePolicy,
    purpose: Purpose,
) -> tuple[Check, str]:
    """Whether the path is valid for the policy of this purpose, and which.

    A test card is not: its policy is not in its authority's set. It is recognised by its own
    policy, and accepted only by the switch that says so.
    """
    if valid:
        return passed("policy", *purpose.policy, _POLICY), min(valid)
    own = _policies(certificate)
    test = own & policy.test_policies
    if test and policy.accept_test:
        return passed(
            "policy",
            "a test card, accepted by the switch for test cards",
            "テスト用カードです（テストカードを許可する設定により受理）",
            _POLICY,
        ), min(test)
    if test:
        return failed(
            "policy",
            "a test card: it is no proof of a qualification",
            "テスト用カードであり、資格の証明になりません",
            _POLICY,
        ), ""
    reason = purpose.wrong if purpose.other in own else purpose.no_policy
    return failed("policy", *reason, _POLICY), ""


def usage(certificate: x509.Certificate, purpose: Purpose) -> Check:
    """Whether the certificate may be used so, and is no authority's (SIG-01)."""
    stated = certificate.key_usage_value
    bits = stated.native if stated is not None else set()
    extended = certificate.extended_key_usage_value
    if (
        purpose.usage not in bits
        or bits & purpose.excluded
        or certificate.ca
        or (extended is not None and not purpose.extended & set(extended.native))
    ):
        return failed("key-usage", *purpose.unfit, _USAGE)
    return passed("key-usage", *purpose.fits, _USAGE)


def _revocation(
    chain: path.Chain,
    lists: tuple[RevocationList, ...],
    policy: SignaturePolicy,
    moment: datetime,
    now: datetime,
) -> tuple[Check, tuple[str, ...], Revocation | None]:
    """Whether the certificate or an authority of the path was revoked at `moment` (J-03)."""
    evidence: list[str] = []
    stated: Revocation | None = None
    outcome = passed(
        "revocation",
        "nothing in the path was revoked at that time",
        "その時点で失効していません",
        revocation.SECTION,
    )
    for place, (certificate, issuer) in enumerate(chain.links):
        status = revocation.status(
            certificate,
            issuer,
            lists,
            moment=moment,
            now=now,
            grace=policy.crl_grace,
            digests=policy.allowed(moment).digests,
        )
        evidence.extend(status.evidence)
        if stated is None or (status.standing is Standing.REVOKED and not stated.harms):
            stated = _stated(status, moment, authority=place > 0) or stated
        check = _standing(status, authority=place > 0)
        if check is not None and outcome.outcome is not CheckOutcome.FAILED:
            outcome = check
        if place == 0 and status.standing is Standing.GOOD and status.since is not None:
            outcome = passed(
                "revocation",
                "revoked only after that time, which does no harm",
                "その時点より後の失効であり、影響しません",
                revocation.SECTION,
            )
    return outcome, tuple(evidence), stated


def _stated(status: revocation.Status, moment: datetime, *, authority: bool) -> Revocation | None:
    """The entry of a list as the report tells it."""
    entry = status.entry
    if entry is None:
        return None
    return Revocation(
        authority=authority,
        since=entry.since,
        stated=entry.stated,
        invalid_since=entry.invalid_since,
        reason=entry.reason.value,
        made=entry.made,
        list_sha256=entry.sha256,
        moment=moment,
        basis=Basis.VERIFIED,
    )


def _standing(status: revocation.Status, *, authority: bool) -> Check | None:
    """The check for one certificate's standing; None where it is good."""
    whose = "an authority's certificate" if authority else "the certificate"
    owner = "認証局の証明書" if authority else "証明書"
    if status.standing is Standing.GOOD:
        return None
    if status.standing is Standing.REVOKED:
        return failed(
            "revocation",
            f"{whose} was revoked at or before that time",
            f"{owner}はその時点までに失効しています",
            revocation.SECTION,
        )
    reasons = {
        Standing.HELD: (f"{whose} is on hold", f"{owner}が一時停止中です"),
        Standing.STALE: (
            f"the revocation lists are too old or too late for {whose}",
            f"{owner}についての失効リストがその時点に対して有効ではありません",
        ),
        Standing.MISSING: (
            f"there is no usable revocation list for {whose}",
            f"{owner}についての失効リストがありません",
        ),
    }
    english, japanese = reasons[status.standing]
    return unknown("revocation", english, japanese, revocation.SECTION)


def _role(
    certificate: x509.Certificate, policy: SignaturePolicy, moment: datetime
) -> tuple[tuple[Check], tuple[HcRole, ...]]:
    """The health-care roles, all of them in the role table at the moment that counts."""
    try:
        roles = read_roles(certificate)
    except Malformed as error:
        return (failed("role", error.english, error.japanese, error.at),), ()
    rows = [policy.role(role.text) for role in roles]
    if None in rows:
        strange = unknown(
            "role",
            "the role text is not in the role table: compare it with the certificate policy",
            "資格の表記が一覧にありません。証明書ポリシーと照合してください",
            "ISO 17090 hcRole",
        )
        return (strange,), roles
    if not all(one.covers(moment) for one in rows if one is not None):
        english = "the role table does not have the role at the moment that counts"
        ended = failed("role", english, "判定時点では一覧で有効な資格ではありません",
                       "ISO 17090 hcRole")  # fmt: skip
        return (ended,), roles
    known = passed(
        "role",
        "the certificate states a health-care role",
        "資格を確認しました",
        "ISO 17090 hcRole",
    )
    return (known,), roles
