"""Whose signature it is: the certificate that the signed properties name (EN 319 132-1 5.2.2)."""

import hashlib

from asn1crypto import tsp, x509

from gateway.errors import Malformed
from gateway.hpki.certificates import decode_base64, readable
from gateway.hpki.libraries import RAISED
from gateway.hpki.policy import Algorithms
from gateway.hpki.xades import refusals
from gateway.hpki.xades.names import DIGESTS, DS, XADES
from gateway.hpki.xades.places import Parts

_MOST = 30
"Certificates looked at in KeyInfo."


def find(
    parts: Parts, enclosed: tuple[x509.Certificate, ...], allowed: Algorithms
) -> tuple[x509.Certificate, tuple[x509.Certificate, ...]]:
    """The signer's certificate, and what else KeyInfo holds.

    It must be in KeyInfo where KeyInfo has certificates; otherwise it may be among the values
    that came along (`enclosed`). Raises `Unfit`.
    """
    given: list[x509.Certificate] = []
    serials: set[str] = set()
    damaged = False
    if parts.key_info is not None:
        if any(child.tag == f"{DS}RetrievalMethod" for child in parts.key_info):
            raise refusals.no_signer()
        try:
            place = f"{DS}X509Data/{DS}X509Certificate"
            ders = [decode_base64(one.text) for one in parts.key_info.findall(place)[:_MOST]]
        except Malformed as error:
            raise refusals.no_signer() from error
        given = list(readable(ders))
        damaged = len(given) < len(ders)
        place = f"{DS}X509Data/{DS}X509IssuerSerial/{DS}X509SerialNumber"
        serials = {(one.text or "").strip() for one in parts.key_info.findall(place)}
    place = f"{XADES}SignedSignatureProperties/{XADES}SigningCertificate"
    named = [*parts.properties.findall(place), *parts.properties.findall(f"{place}V2")]
    if len(named) != 1:
        raise refusals.no_signer()
    for candidate in given or enclosed:
        if _is_named(parts, candidate, allowed):
            if serials and str(candidate.serial_number) not in serials:
                raise refusals.no_signer()
            return candidate, tuple(one for one in given if one is not candidate)
    if not damaged and all(
        one.ca for one in (*given, *enclosed)
    ):  # nobody's, or only those of authorities
        raise refusals.absent_signer()
    raise refusals.no_signer()


def _is_named(parts: Parts, candidate: x509.Certificate, allowed: Algorithms) -> bool:
    """Whether SigningCertificate or SigningCertificateV2 names it: digest, issuer and serial."""
    place = f"{XADES}SignedSignatureProperties/{XADES}SigningCertificate"
    named = [*parts.properties.findall(place), *parts.properties.findall(f"{place}V2")]
    first = named[0].find(f"{XADES}Cert")
    if first is None:
        return False
    method = first.find(f"{XADES}CertDigest/{DS}DigestMethod")
    value = first.findtext(f"{XADES}CertDigest/{DS}DigestValue")
    digest = DIGESTS.get("" if method is None else method.get("Algorithm") or "")
    if digest is None or digest not in allowed.digests:
        return False
    try:
        if hashlib.new(digest, candidate.dump()).digest() != decode_base64(value):
            return False
        serial = first.findtext(f"{XADES}IssuerSerial/{DS}X509SerialNumber")
        if serial is not None and serial.strip() != str(candidate.serial_number):
            return False
        second = first.findtext(f"{XADES}IssuerSerialV2")
        return second is None or _matches(decode_base64(second), candidate)
    except (Malformed, *RAISED):  # type: ignore[misc]
        return False


def _matches(issuer_serial: bytes, candidate: x509.Certificate) -> bool:
    """Whether an IssuerSerial of RFC 5035 is the certificate's."""
    read = tsp.IssuerSerial.load(issuer_serial, strict=True)
    names = [one.chosen for one in read["issuer"] if one.name == "directory_name"]
    return (
        len(names) == 1
        and names[0].hashable == candidate.issuer.hashable
        and read["serial_number"].native == candidate.serial_number
    )
