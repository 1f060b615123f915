"""Time-stamp tokens: what was stamped, by whom, when, and whether that proves anything.

RFC 3161 and RFC 5816. Japanese tokens in the wild are not strict DER and name their certificate
by SHA-1 (ESSCertID v1); both are read. A token proves a moment only where the authority is pinned,
was valid, and is known not to be revoked at the moment of reception or verification.
"""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from asn1crypto import cms, tsp, x509

from gateway.errors import Malformed
from gateway.hpki import cms as signed_data
from gateway.hpki import path, revocation
from gateway.hpki.certificates import fingerprint
from gateway.hpki.libraries import RAISED
from gateway.hpki.opened import Digest, failed, passed, unknown
from gateway.hpki.policy import Algorithms, AnchorKind, SignaturePolicy
from gateway.hpki.revocation import RevocationList, Standing
from gateway.model.signature import Check

NAME = "time-stamp"
_TROUBLE: tuple[type[BaseException], ...] = (*RAISED, Malformed)


@dataclass(frozen=True, slots=True, kw_only=True)
class Stamp:
    """The verdict on one token."""

    check: Check
    time: datetime | None = None
    "The moment it proves; None unless the check passed."
    evidence: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """What a token is judged with."""

    policy: SignaturePolicy
    helpers: tuple[x509.Certificate, ...]
    crls: tuple[RevocationList, ...]
    now: datetime
    "Moment of verification."
    received: datetime | None
    "When the document came to us: proof that the token existed by then."

    @property
    def allowed(self) -> Algorithms:
        """The algorithms that may be relied on at the moment for which the token is proven."""
        return self.policy.allowed(self.received or self.now)


def judge(token: bytes, stamped: bytes | Digest, around: Surroundings) -> Stamp:
    """Whether `token` proves that `stamped` existed, and when.

    What is large is not handed over but digested by a function, with the imprint's algorithm.
    """
    try:
        info, signer = _read(token, around.helpers)
        problem = _binding(info, stamped, around.allowed)
        if problem is None and signer.certificate is not None:
            problem = _signature(signer, signer.certificate, around.allowed)
        time = info["gen_time"].native
    except _TROUBLE:
        return Stamp(check=_failed("the token cannot be read", "タイムスタンプを読み取れません"))
    if problem is not None:
        return Stamp(check=problem)
    if not isinstance(time, datetime) or time.tzinfo is None:
        return Stamp(check=_failed("its time cannot be read", "時刻を読み取れません"))
    if time > min(around.now, around.received or around.now) + around.policy.clock_skew:
        return Stamp(
            check=_failed(
                "its time is later than the document's reception or verification",
                "時刻が受付または検証の時点より後です",
            )
        )
    if signer.certificate is None:
        return Stamp(
            check=unknown(
                NAME,
                "the certificate of its authority is missing",
                "時刻認証局の証明書がありません",
                "RFC 3161 2.4.1",
            )
        )
    problem, evidence = _trust(signer.certificate, signer.others, time, around)
    evidence = (hashlib.sha256(token).hexdigest(), *evidence)
    if problem is not None:
        return Stamp(check=problem, evidence=evidence)
    return Stamp(
        check=passed(
            NAME,
            "a trusted authority stamped this signature",
            "信頼する時刻認証局がこの署名に付与しています",
            "RFC 3161 2.4.2",
        ),
        time=time,
        evidence=evidence,
    )


def claimed(token: bytes) -> datetime | None:
    """The time that a token states, whether or not it is true; None where there is none."""
    try:
        time = _info(token)["gen_time"].native
    except RAISED:
        return None
    return time if isinstance(time, datetime) and time.tzinfo is not None else None


def imprint(token: bytes) -> bytes:
    """The digest that a token states; raises one of `RAISED`."""
    return bytes(_info(token)["message_imprint"]["hashed_message"].native)


def _info(token: bytes) -> tsp.TSTInfo:
    content = cms.ContentInfo.load(token)["content"]["encap_content_info"]["content"]
    return tsp.TSTInfo.load(bytes(content))


def _read(
    token: bytes, helpers: Iterable[x509.Certificate]
) -> tuple[tsp.TSTInfo, signed_data.Signer]:
    content = cms.ContentInfo.load(token)
    if content["content_type"].native != "signed_data":
        raise Malformed("not signed data")
    signed = content["content"]
    inner = signed["encap_content_info"]
    if inner["content_type"].native != "tst_info":
        raise Malformed("not a time-stamp")
    info = tsp.TSTInfo.load(bytes(inner["content"]), strict=True)
    if info["version"].native != "v1":
        raise Malformed("a time-stamp of another version")
    if any(one["critical"].native for one in info["extensions"] or ()):
        raise Malformed("an extension that is not understood")
    return info, signed_data.read_signer(signed, helpers)


def _binding(info: tsp.TSTInfo, stamped: bytes | Digest, allowed: Algorithms) -> Check | None:
    """Whether the imprint is of what must be stamped (RFC 3161 2.4.2)."""
    imprint = info["message_imprint"]
    algorithm = imprint["hash_algorithm"]["algorithm"].native
    if algorithm not in allowed.digests:
        return _failed("its digest algorithm is not on the list", "ハッシュ方式が認められません")
    if isinstance(stamped, bytes):
        found = hashlib.new(algorithm, stamped).digest()
    else:
        found = stamped(algorithm)
    if found != imprint["hashed_message"].native:
        return _failed(
            "it stamps something else than this signature", "この署名に対するものではありません"
        )
    return None


def _signature(
    signer: signed_data.Signer, certificate: x509.Certificate, allowed: Algorithms
) -> Check | None:
    """Whether its own signature holds, by a certificate that may do nothing but time-stamp."""
    if signed_data.weakness(signer, allowed):
        return _failed("it is signed too weakly", "署名方式が弱いため認められません")
    if signed_data.names_certificate(signer.info, certificate) is not True:
        return _failed(
            "its signing-certificate attribute names another certificate",
            "署名証明書属性が証明書と一致しません",
        )
    content = bytes(signer.signed["encap_content_info"]["content"])
    if not all(
        signed_data.is_intact(
            signer, "tst_info", lambda algorithm: hashlib.new(algorithm, content).digest()
        )
    ):
        return _failed("its signature does not verify", "署名が正しくありません")
    extension = certificate.extended_key_usage_value
    critical = "extended_key_usage" in certificate.critical_extensions
    if extension is None or not critical or extension.native != ["time_stamping"]:
        return _failed(
            "its certificate is not for time-stamping alone",
            "証明書の用途がタイムスタンプ専用ではありません",
        )
    return None


def _trust(
    certificate: x509.Certificate,
    others: tuple[x509.Certificate, ...],
    time: datetime,
    around: Surroundings,
) -> tuple[Check | None, tuple[str, ...]]:
    """Whether its authority is pinned, was valid, and is known not to be revoked (J-05)."""
    base = around.received or around.now
    found = path.validate(
        certificate,
        (*others, *around.helpers, *around.policy.trust.certificates),
        around.policy.anchors(AnchorKind.TSA),
        moment=max(base, time),
        relied=time,
        policies=frozenset({path.ANY_POLICY}),
        algorithms=around.allowed,
    )
    if not isinstance(found, path.Chain):
        return _untrusted(found), ()
    if not certificate.not_valid_before <= time <= certificate.not_valid_after:
        return _failed("its time is outside its certificate's validity", "証明書の期間外です"), ()
    evidence = [fingerprint(certificate), fingerprint(found.anchor.certificate)]
    for subject, issuer in found.links:
        status = revocation.status(
            subject,
            issuer,
            around.crls,
            moment=max(base, time),
            now=around.now,
            grace=around.policy.crl_grace,
            digests=around.allowed.digests,
        )
        evidence.extend((fingerprint(subject), *status.evidence))
        problem = _revoked(status, time)
        if problem is not None:
            return problem, tuple(evidence)
    return None, tuple(dict.fromkeys(evidence))


def _untrusted(check: Check) -> Check:
    """Why no path was found, as it bears on a time-stamp: unknown is not false (J-05)."""
    if check in (path.UNKNOWN_ISSUER, path.OUT_OF_TIME):
        return unknown(
            NAME,
            "its authority is not on the list for that time: add it to the trust file",
            "その時点の時刻認証局の一覧にありません。信頼設定に追加してください",
            "RFC 3161 4.3",
        )
    if check in (path.EXPIRED, path.AUTHORITY_EXPIRED):
        return unknown(
            NAME,
            "its certificate has ended since: an archive time-stamp or the time of reception is"
            " needed",
            "証明書の期限が過ぎています。アーカイブタイムスタンプか受付日時が必要です",
            "RFC 3161 4.3",
        )
    return _failed(check.reason, check.japanese)


def _revoked(status: revocation.Status, time: datetime) -> Check | None:
    """What the standing of a certificate means for a token made at `time` (RFC 3161 4)."""
    if status.standing is Standing.GOOD:
        return None
    if status.standing is Standing.REVOKED:
        if status.benign and status.since is not None and status.since > time:
            return None
        return _failed("its authority was revoked", "時刻認証局が失効しています")
    if status.standing is Standing.HELD:
        return unknown(
            NAME, "its authority is on hold", "時刻認証局が一時停止中です", revocation.SECTION
        )
    return unknown(
        NAME,
        "no usable revocation list tells whether its authority is revoked",
        "時刻認証局の失効を確認できる失効リストがありません",
        revocation.SECTION,
    )


def _failed(english: str, japanese: str) -> Check:
    return failed(NAME, english, japanese, "RFC 3161 2.4.2")
