"""Signed CMS data: who signed it, and whether what is signed is what is there (RFC 5652 5.4).

Used by time-stamp tokens, PDF signatures and CAdES. The CMS library is loaded with this module,
which takes a moment; `verify` loads it when a document needs it.
"""

import hashlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from asn1crypto import cms, x509
from cryptography.exceptions import InvalidSignature
from pyhanko.sign.general import check_ess_certid, find_cms_attribute_iter, match_issuer_serial
from pyhanko.sign.validation.generic_cms import validate_sig_integrity
from pyhanko_certvalidator.sig_validate import (
    DefaultSignatureValidator,
    SignatureValidationContext,
)

from gateway.errors import Malformed
from gateway.hpki.certificates import key_weakness, read_certificate, signature_weakness
from gateway.hpki.libraries import RAISED
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
        embedded = (
            read_certificate(choice.chosen.untag().dump())
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
        return bool(match_issuer_serial(sid.chosen, certificate))
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
        return len(named) <= 2 and all(check_ess_certid(certificate, one) for one in named)
    except RAISED:
        return False


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
    """Whether the digest and the signature value hold; raises one of `RAISED` otherwise."""
    if not signer.info["signed_attrs"]:
        return False, False
    intact, valid = validate_sig_integrity(
        signer.info, signer.certificate, content_type, digest(signer.digest)
    )
    return bool(intact), bool(valid)


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
    try:
        DefaultSignatureValidator().validate_signature(
            signer.info["signature"].native,
            attributes.untag().dump(),
            certificate.public_key,
            signer.info["signature_algorithm"],
            context=SignatureValidationContext(contextual_md_algorithm=signer.digest),
        )
    except InvalidSignature:
        return False
    return True
