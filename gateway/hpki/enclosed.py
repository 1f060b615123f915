"""Validation data that came with a signature: what it refers to, and what its level rests on.

The form C refers to certificates and revocation data by digest, X-L encloses them
(TS 101 903 7.4, 7.6; EN 319 132-1 annex A.1 and 5.4; RFC 5126 6.2, 6.3).
"""

import hashlib
from collections.abc import Iterable

from cryptography.hazmat.primitives.serialization import Encoding

from gateway.hpki.opened import Opened, Referred, passed, unknown
from gateway.hpki.policy import SignaturePolicy
from gateway.hpki.revocation import RevocationList
from gateway.model.signature import Check

_SECTION = "TS 101 903 7.4"
_REFERRING = {"C", "X"}
"Levels that enclosed data lift to X-L: the form that refers to what it encloses."


def judge_referred(
    opened: Opened, policy: SignaturePolicy, lists: Iterable[RevocationList]
) -> tuple[Check, ...]:
    """Whether everything that the signature refers to is at hand; nothing where it refers to none.

    What is missing may be what another verifier relied on, so that it leaves the verdict open.
    """
    if not opened.referred:
        return ()
    own = [] if opened.certificate is None else [opened.certificate]
    anchors = [one.certificate for one in policy.trust.anchors]
    ders = {
        "certificate": [
            one.dump() for one in (*own, *opened.helpers, *policy.trust.certificates, *anchors)
        ],
        "list": [one.crl.public_bytes(Encoding.DER) for one in lists],
    }
    if all(_is_there(one, ders[one.kind]) for one in opened.referred):
        return (
            passed(
                "references",
                "every certificate and revocation list that it refers to is at hand",
                "参照されている証明書と失効リストはすべて揃っています",
                _SECTION,
            ),
        )
    return (
        unknown(
            "references",
            "a certificate or revocation list that it refers to is not at hand",
            "参照されている証明書または失効リストが揃っていません",
            _SECTION,
        ),
    )


def _is_there(one: Referred, ders: Iterable[bytes]) -> bool:
    if not one.algorithm:
        return False
    return any(hashlib.new(one.algorithm, der).digest() == one.digest for der in ders)


def level(opened: Opened, used: Iterable[str]) -> str:
    """The level that the verdict rests on, by the digests of the lists that were used.

    A signature that refers to its validation data is X-L where its own enclosed lists told that
    nothing was revoked; where the lists were the verifier's, what came along was not needed. One
    that encloses data and refers to none, as e-prescriptions do, stays T (TS 101 903 4.4.3.2).
    """
    enclosed = {hashlib.sha256(crl).hexdigest() for crl in opened.crls}
    lists = set(used)
    referring = opened.form in ("XAdES", "CAdES") and opened.level in _REFERRING
    if referring and lists and lists <= enclosed:
        return "X-L"
    return opened.level
