"""Signed CMS data: who signed it, and whether what is signed is what is there (RFC 5652 5.4).

Used by time-stamp tokens, PDF signatures and CAdES. The CMS library is loaded with this module,
which takes a moment; `verify` loads it when a document needs it.
"""

import hashlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from asn1crypto import cms, core, tsp, x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from pyhanko.sign.general import find_cms_attribute_iter
from pyhanko_certvalidator.sig_validate import (
    DefaultSignatureValidator,
    SignatureValidationContext,
)

from gateway.errors import Malformed
from gateway.hpki.certificates import (
    key_weakness,
    load_key,
    readable,
    signature_weakness,
)
from gateway.hpki.libraries import RAISED
from gateway.hpki.names import same_name
from gateway.hpki.policy import Algorithms

MOST_CERTIFICATES = 30
"Certificates looked at in one CMS object."
MOST_SIGNERS = 10
"Signers of one CMS object."


@dataclass(frozen=True, slots=True, kw_only=True)
class Signer:
    """The one signer of a CMS object."""

    signed: cms.SignedData
    info: cms.SignerInfo
    certificate: x509.Certificate | None
    "None where no certificate at hand is the signer's."
    others: tuple[x509.Certificate, ...]

    @property
    def digest(self) -> str:
        """Digest algorithm of the signer, e.g. `sha256`."""
        return str(self.info["digest_algorithm"]["algorithm"].native)

    @property
    def digests(self) -> frozenset[str]:
        """Every digest that the signature rests on."""
        algorithm = self.info["signature_algorithm"]
        if algorithm["algorithm"].native == "rsassa_pkcs1v15":
            return frozenset({self.digest})
        return frozenset({self.digest, str(algorithm.hash_algo)})


def read_signer(signed: cms.SignedData, helpers: Iterable[x509.Certificate] = ()) -> Signer:
    """The one signer; none or several is `Malformed` (surprising tools read the first)."""
    found = read_signers(signed, helpers)
    if len(found) != 1:
        raise Malformed("not one signer", "署名者が一人ではありません")
    return found[0]


def read_signers(
    signed: cms.SignedData, helpers: Iterable[x509.Certificate] = ()
) -> tuple[Signer, ...]:
    """Every signer; none, or more than `MOST_SIGNERS`, is `Malformed`."""
    try:
        embedded = readable(
            choice.chosen.untag().dump()
            for choice in list(signed["certificates"] or ())[:MOST_CERTIFICATES]
            if choice.name == "certificate"
        )
        known = (*embedded, *helpers)
        infos = list(signed["signer_infos"])
    except RAISED as error:
        raise Malformed("the signer cannot be read", "署名者を読み取れません") from error
    if not 0 < len(infos) <= MOST_SIGNERS:
        raise Malformed("no signer, or too many", "署名者がいないか、多すぎます")
    return tuple(read_info(signed, info, known) for info in infos)


def read_info(
    signed: cms.SignedData, info: cms.SignerInfo, known: tuple[x509.Certificate, ...]
) -> Signer:
    """One signer, with the certificate among `known` that it names."""
    try:
        matching = [one for one in known if _identifies(info["sid"], one)]
        _ = info["digest_algorithm"]["algorithm"].native, info["signature"].native
    except RAISED as error:
        raise Malformed("the signer cannot be read", "署名者を読み取れません") from error
    return Signer(signed=signed, info=info, certificate=_named(info, matching), others=known)


def _identifies(sid: cms.SignerIdentifier, certificate: x509.Certificate) -> bool:
    if sid.name == "issuer_and_serial_number":
        if sid.chosen["serial_number"].native != certificate.serial_number:
            return False
        return same_name(sid.chosen["issuer"], certificate.issuer)
    return bool(certificate.key_identifier == sid.chosen.native)


def _named(info: cms.SignerInfo, candidates: list[x509.Certificate]) -> x509.Certificate | None:
    """The candidate that the signed signing-certificate attribute names (RFC 5035)."""
    for candidate in candidates:
        if names_certificate(info, candidate) is not False:
            return candidate
    return candidates[0] if candidates else None


def names_certificate(info: cms.SignerInfo, certificate: x509.Certificate) -> bool | None:
    """Whether the signing-certificate attribute names the certificate; None without one.

    Version 1 and version 2 may be there together; then both must name it (RFC 5035 4).
    """
    try:
        named = [
            value["certs"][0]
            for kind in ("signing_certificate", "signing_certificate_v2")
            for value in find_cms_attribute_iter(info["signed_attrs"] or (), kind)
        ]
        if not named:
            return None
        return len(named) <= 2 and all(_is_named(certificate, one) for one in named)
    except RAISED:
        return False


def _is_named(certificate: x509.Certificate, named: tsp.ESSCertID | tsp.ESSCertIDv2) -> bool:
    """Whether an ESSCertID is of the certificate: its digest and, where given, its issuer."""
    algorithm = "sha1"  # of the first version, by definition
    if isinstance(named, tsp.ESSCertIDv2):
        algorithm = named["hash_algorithm"]["algorithm"].native
        if algorithm not in _HASHES:
            return False
    if hashlib.new(algorithm, certificate.dump()).digest() != named["cert_hash"].native:
        return False
    stated = named["issuer_serial"]
    if isinstance(stated, core.Void):
        return True
    names = stated["issuer"]
    return (
        len(names) == 1
        and names[0].name == "directory_name"
        and same_name(names[0].chosen, certificate.issuer)
        and stated["serial_number"].native == certificate.serial_number
    )


def weakness(signer: Signer, allowed: Algorithms) -> str:
    """Why the signature may not be relied on, or nothing (J-02)."""
    try:
        if signer.digest not in allowed.digests:
            return "a digest algorithm that is not on the list"
        found = signature_weakness(signer.info["signature_algorithm"], allowed)
        if not found and signer.certificate is not None:
            found = key_weakness(signer.certificate.public_key, allowed)
    except RAISED:
        return "an algorithm that cannot be read"
    return found


def is_intact(
    signer: Signer, content_type: str, digest: Callable[[str], bytes]
) -> tuple[bool, bool]:
    """Whether the digest and the signature value hold (RFC 5652 5.6); may raise one of `RAISED`.

    Both attributes must be there once, and an algorithm-protection attribute must say what the
    signer info says (RFC 6211 3).
    """
    info, attributes = signer.info, signer.info["signed_attrs"]
    if not attributes or signer.certificate is None:
        return False, False
    held = {
        kind: list(find_cms_attribute_iter(attributes, kind))
        for kind in ("content_type", "message_digest", "cms_algorithm_protection")
    }
    if len(held["content_type"]) != 1 or held["content_type"][0].native != content_type:
        return False, False
    if not all(_protects(one, info) for one in held["cms_algorithm_protection"]):
        return False, False
    stated = held["message_digest"]
    intact = len(stated) == 1 and stated[0].native == digest(signer.digest)
    return intact, _verifies(signer, signer.certificate)


def _protects(stated: cms.CMSAlgorithmProtection, info: cms.SignerInfo) -> bool:
    """Whether a protection attribute states the algorithms that were used."""
    return bool(
        stated["digest_algorithm"]["algorithm"] == info["digest_algorithm"]["algorithm"]
        and stated["signature_algorithm"].native == info["signature_algorithm"].native
    )


def _verifies(signer: Signer, certificate: x509.Certificate) -> bool:
    """Whether the signature value is of the signed attributes, by the certificate's key."""
    algorithm = signer.info["signature_algorithm"]
    value, signed = signer.info["signature"].native, signer.info["signed_attrs"].untag().dump()
    key = load_key(certificate.public_key.dump())
    try:
        name = algorithm["algorithm"].native
        hashed = _HASHES.get(
            signer.digest if name == "rsassa_pkcs1v15" else name.removesuffix("_rsa")
        )
        if hashed is not None and isinstance(key, rsa.RSAPublicKey):
            key.verify(value, signed, padding.PKCS1v15(), hashed)
        else:
            DefaultSignatureValidator().validate_signature(
                value,
                signed,
                certificate.public_key,
                algorithm,
                context=SignatureValidationContext(contextual_md_algorithm=signer.digest),
            )
    except InvalidSignature:
        return False
    return True


_HASHES = {
    "sha256": hashes.SHA256(),
    "sha384": hashes.SHA384(),
    "sha512": hashes.SHA512(),
}
"What is verified without a detour; the library knows the others. `weakness` asks the list."


def countersigns(signer: Signer, certificate: x509.Certificate, value: bytes) -> bool:
    """Whether a countersignature is over `value` and verifies (RFC 5652 11.4).

    Its signed attributes hold the digest, and no content type.
    """
    attributes = signer.info["signed_attrs"]
    if not attributes:
        return False
    kinds = [one["type"].native for one in attributes]
    if "content_type" in kinds or kinds.count("message_digest") != 1:
        return False
    (digest,) = find_cms_attribute_iter(attributes, "message_digest")
    if digest.native != hashlib.new(signer.digest, value).digest():
        return False
    return _verifies(signer, certificate)
