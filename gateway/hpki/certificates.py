"""Certificates as values that are wholly read: nothing is parsed later, where it could fail."""

from base64 import b64decode
from collections.abc import Iterable, Iterator
from functools import lru_cache

from asn1crypto import algos, keys, pem, x509
from cryptography import x509 as pyca
from cryptography.hazmat.primitives.asymmetric.types import PublicKeyTypes
from cryptography.hazmat.primitives.serialization import load_der_public_key
from cryptography.x509.oid import NameOID

from gateway.errors import Malformed
from gateway.hpki.libraries import RAISED
from gateway.hpki.policy import Algorithms

LONGEST = 64 * 1024
"Bytes of one certificate; real ones have about 2000."
_DIRECTORY = "2.5.29.9"
"Subject directory attributes: read by `hcrole` alone, as the profile writes them."


@lru_cache(maxsize=128)
def read_certificate(der: bytes) -> x509.Certificate:
    """One certificate, every part of it parsed; anything odd is `Malformed` (RFC 5280 4).

    The same few authorities come with every document, so the last ones read are kept.
    """
    if len(der) > LONGEST:
        raise _unreadable()
    try:
        certificate = x509.Certificate.load(der, strict=True)
        _ = (
            certificate.subject.hashable,
            certificate.issuer.hashable,
            certificate.serial_number,
            certificate.not_valid_before,
            certificate.not_valid_after,
            certificate.critical_extensions,
            certificate.public_key.algorithm,
            certificate.hash_algo,
        )
        names = []
        for extension in certificate["tbs_certificate"]["extensions"]:
            names.append(extension["extn_id"].dotted)
            if names[-1] != _DIRECTORY:
                _ = extension["extn_value"].parsed.native
    except RAISED as error:
        raise _unreadable() from error
    if len(names) != len(set(names)) or certificate.serial_number <= 0:
        raise _unreadable()
    return certificate


def readable(ders: Iterable[bytes]) -> Iterator[x509.Certificate]:
    """Those that can be read, of certificates that came along: none of the others is needed.

    A path through one that is left out is not found, and a signer that is left out is missing.
    """
    for der in ders:
        try:
            yield read_certificate(der)
        except Malformed:
            continue


def read_all(content: bytes) -> tuple[x509.Certificate, ...]:
    """The certificates of a file: one in DER, or one or more in PEM."""
    try:
        found = [content]
        if pem.detect(content):
            found = [der for _, _, der in pem.unarmor(content, multiple=True)]
    except RAISED as error:
        raise _unreadable() from error
    return tuple(read_certificate(der) for der in found)


def decode_base64(text: str | None) -> bytes:
    """Base64 with white space, and nothing else; `Malformed` otherwise."""
    try:
        return b64decode("".join((text or "").split()).encode("ascii"), validate=True)
    except ValueError as error:
        raise Malformed("not base64", "base64 ではありません") from error


def describe(certificate: x509.Certificate | None) -> tuple[str, str, str]:
    """Subject, issuer (RFC 4514) and serial number of a certificate, for people."""
    if certificate is None:
        return "", "", ""
    return *names(certificate), str(certificate.serial_number)


def names(certificate: x509.Certificate) -> tuple[str, str]:
    """Subject and issuer in RFC 4514, for people."""
    try:
        read = pyca.load_der_x509_certificate(certificate.dump())
        words = {NameOID.SERIAL_NUMBER: "serialNumber"}
        return read.subject.rfc4514_string(words), read.issuer.rfc4514_string(words)
    except RAISED:
        return str(certificate.subject.human_friendly), str(certificate.issuer.human_friendly)


def fingerprint(certificate: x509.Certificate) -> str:
    """SHA-256 of the certificate."""
    return bytes(certificate.sha256).hex()


@lru_cache(maxsize=128)
def load_key(der: bytes) -> PublicKeyTypes:
    """A public key, ready to verify with; raises one of `RAISED`."""
    return load_der_public_key(der)


def public_key(certificate: x509.Certificate) -> PublicKeyTypes:
    """The key, ready to verify with; raises one of `RAISED`."""
    return load_der_public_key(certificate.public_key.dump())


def key_weakness(key: keys.PublicKeyInfo, allowed: Algorithms) -> str:
    """Why a key may not be relied on, or nothing (J-02)."""
    try:
        return _weakness(key, allowed)
    except RAISED:
        return "a key that cannot be read"


def _weakness(key: keys.PublicKeyInfo, allowed: Algorithms) -> str:
    kind = key.algorithm
    if kind in ("rsa", "rsassa_pss"):
        numbers = key["public_key"].parsed
        bits = numbers["modulus"].native.bit_length()
        exponent = numbers["public_exponent"].native
        if not allowed.smallest_rsa <= bits <= allowed.largest_rsa:
            return f"an RSA key of {bits} bits"
        if exponent < 3 or exponent % 2 == 0 or exponent.bit_length() > 64:
            return "an RSA key with a bad exponent"
        return ""
    if kind == "ec":
        form, curve = key.curve
        if form != "named" or curve not in allowed.curves:
            return "an elliptic curve that is not on the list"
        return ""
    return "a kind of key that is not on the list"


def signature_weakness(mechanism: algos.SignedDigestAlgorithm, allowed: Algorithms) -> str:
    """Why a signature algorithm may not be relied on, or nothing (J-02)."""
    if mechanism.signature_algo not in allowed.signatures:
        return "a signature algorithm that is not on the list"
    if mechanism["algorithm"].native == mechanism.signature_algo == "rsassa_pkcs1v15":
        return ""  # CMS may name the digest beside it; the caller judges that one
    if mechanism.hash_algo not in allowed.digests:
        return "a digest algorithm that is not on the list"
    return ""


def _unreadable() -> Malformed:
    return Malformed("a certificate cannot be read", "証明書を読み取れません", rule="J-01")
