"""The cryptography of one signature: digests of what is signed, and the signature value.

XMLDSig 3.2. The octets that are digested here are the octets that callers are given. The key is
that of the certificate that the signed properties name; nothing in the document is trusted.
"""

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from asn1crypto import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.types import PublicKeyTypes
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

from gateway.errors import Malformed
from gateway.hpki.certificates import key_weakness, public_key
from gateway.hpki.libraries import RAISED
from gateway.hpki.opened import failed, passed, unknown
from gateway.hpki.policy import Algorithms
from gateway.hpki.xades import refusals
from gateway.hpki.xades.canonical import canonical
from gateway.hpki.xades.names import DS, SIGNATURES
from gateway.hpki.xades.places import Parts, only
from gateway.hpki.xades.references import Reference, method_of, plain_base64
from gateway.model.signature import Check

SECTION = "XMLDSig 3.2"
_HASHES: dict[str, Callable[[], hashes.HashAlgorithm]] = {
    "sha256": hashes.SHA256,
    "sha384": hashes.SHA384,
    "sha512": hashes.SHA512,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Mechanism:
    """How SignedInfo becomes octets, and how these are signed."""

    method: str
    prefixes: tuple[str, ...]
    kind: str
    digest: str


@dataclass(frozen=True, slots=True)
class Core:
    """What the cryptography says."""

    checks: tuple[Check, ...]
    octets: tuple[bytes | None, ...]
    "What was digested, for each reference; None where it is not at hand."


def read_mechanism(parts: Parts, allowed: Algorithms) -> Mechanism:
    """The signature method, on the list; `Unfit` otherwise (B-05)."""
    method, prefixes = method_of(only(parts.info, f"{DS}CanonicalizationMethod"))
    named = only(parts.info, f"{DS}SignatureMethod")
    found = SIGNATURES.get(named.get("Algorithm") or "")
    if found is None or found[0] not in allowed.signatures or found[1] not in allowed.digests:
        raise refusals.weak()
    if len(named):  # parameters: the methods on the list have none
        raise refusals.weak()
    return Mechanism(method=method, prefixes=prefixes, kind=found[0], digest=found[1])


def verify(
    parts: Parts,
    mechanism: Mechanism,
    references: tuple[Reference, ...],
    certificate: x509.Certificate,
    files: Mapping[str, bytes],
    allowed: Algorithms,
) -> Core:
    """Digests and the signature value. May raise `Unfit` for what has no canonical form."""
    if key_weakness(certificate.public_key, allowed):
        weak = failed(
            "algorithm",
            "the signer's key is too weak",
            "署名者の鍵が弱いため認められません",
            SECTION,
        )
        return Core((weak,), ())
    octets = tuple(one.octets(parts.root, files) for one in references)
    placed = passed(
        "structure", "the signature is where it must be", "署名は所定の位置にあります", SECTION
    )
    return Core(
        (placed, _digests(references, octets), _value(parts, mechanism, certificate)), octets
    )


def matches(reference: Reference, octets: bytes) -> bool:
    """Whether the octets are those that the reference names."""
    return hashlib.new(reference.algorithm, octets).digest() == reference.value


def _digests(references: tuple[Reference, ...], octets: tuple[bytes | None, ...]) -> Check:
    pairs = list(zip(references, octets, strict=True))
    if not all(matches(one, found) for one, found in pairs if found is not None):
        return failed("digest", "what is signed was altered", "署名対象が改変されています", SECTION)
    if any(found is None for found in octets):
        return unknown(
            "digest",
            "a file that is signed was not handed in",
            "署名対象のファイルが渡されていません",
            SECTION,
        )
    return passed("digest", "what is signed is unaltered", "署名対象は改変されていません", SECTION)


def _value(parts: Parts, mechanism: Mechanism, certificate: x509.Certificate) -> Check:
    message = canonical(parts.info, mechanism.method, mechanism.prefixes)
    try:
        value = plain_base64(parts.value)
        key = public_key(certificate)
        if not _fits(key, mechanism):
            return failed(
                "signature",
                "the signature method is not for this kind of key",
                "署名方式が鍵の種類と合いません",
                SECTION,
            )
        _verify(key, mechanism, value, message)
    except (InvalidSignature, Malformed):
        return failed(
            "signature", "the signature value does not verify", "署名値が正しくありません", SECTION
        )
    except RAISED:
        raise refusals.unreadable() from None
    return passed("signature", "the signature value verifies", "署名値は正しいです", SECTION)


def _fits(key: PublicKeyTypes, mechanism: Mechanism) -> bool:
    wanted = ec.EllipticCurvePublicKey if mechanism.kind == "ecdsa" else rsa.RSAPublicKey
    return isinstance(key, wanted)


def _verify(key: PublicKeyTypes, mechanism: Mechanism, value: bytes, message: bytes) -> None:
    """Raises `InvalidSignature` (RFC 6931 2.3)."""
    digest = _HASHES[mechanism.digest]()
    if isinstance(key, rsa.RSAPublicKey):
        scheme: padding.AsymmetricPadding = padding.PKCS1v15()
        if mechanism.kind == "rsassa_pss":
            scheme = padding.PSS(padding.MGF1(digest), digest.digest_size)
        key.verify(value, message, scheme, digest)
    elif isinstance(key, ec.EllipticCurvePublicKey):
        half = (key.curve.key_size + 7) // 8
        if len(value) != 2 * half:
            raise InvalidSignature
        pair = (int.from_bytes(value[:half]), int.from_bytes(value[half:]))
        key.verify(encode_dss_signature(*pair), message, ec.ECDSA(digest))
