"""Signed CMS data: who signed it, and whether what is signed is what is there (RFC 5652 5.4).

Used by time-stamp tokens and by PDF signatures. The CMS library is loaded with this module, which
takes a moment; `verify` loads it when a document needs it.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from asn1crypto import cms, x509
from pyhanko.sign.general import check_ess_certid, extract_signer_info, match_issuer_serial
from pyhanko.sign.validation.generic_cms import get_signing_cert_attr, validate_sig_integrity

from gateway.errors import Malformed
from gateway.hpki.certificates import key_weakness, read_certificate, signature_weakness
from gateway.hpki.libraries import RAISED
from gateway.hpki.policy import Algorithms

MOST_CERTIFICATES = 30
"Certificates looked at in one CMS object."


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
    try:
        info = extract_signer_info(signed)
        embedded = tuple(
            read_certificate(choice.chosen.untag().dump())
            for choice in list(signed["certificates"] or ())[:MOST_CERTIFICATES]
            if choice.name == "certificate"
        )
        known = (*embedded, *helpers)
        matching = [one for one in known if _identifies(info["sid"], one)]
        _ = info["digest_algorithm"]["algorithm"].native, info["signature"].native
    except RAISED as error:
        raise Malformed("the signer cannot be read", "署名者を読み取れません") from error
    certificate = _named(info, matching)
    return Signer(signed=signed, info=info, certificate=certificate, others=known)


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
    """Whether the signing-certificate attribute names the certificate; None without one."""
    try:
        attributes = info["signed_attrs"]
        named = get_signing_cert_attr(attributes) if attributes else None
        if named is None:
            return None
        return bool(check_ess_certid(certificate, named["certs"][0]))
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
