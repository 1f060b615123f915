"""XML signatures: the e-prescription container and enveloped XAdES (ETSI EN 319 132-1).

The tree is parsed once, judged by our profile (`xml_profile`), and verified by the signature
library with the signer's certificate handed in: nothing in the document is trusted. What callers
use afterwards is the bytes that were digested, never a second search in the tree (G2, J-06).
"""

import hashlib
from collections.abc import Iterable
from datetime import UTC, datetime

from asn1crypto import tsp, x509
from cryptography import x509 as pyca
from lxml import etree
from signxml.algorithms import CanonicalizationMethod, DigestAlgorithm, SignatureMethod
from signxml.exceptions import InvalidDigest, InvalidSignature
from signxml.verifier import VerifyResult
from signxml.xades.xades import XAdESSignatureConfiguration, XAdESVerifier

from gateway.errors import Malformed, Refusal
from gateway.hpki.certificates import decode_base64, key_weakness, read_certificate
from gateway.hpki.libraries import RAISED
from gateway.hpki.opened import Opened, Unfit, failed, passed
from gateway.hpki.policy import Algorithms
from gateway.hpki.xml_profile import (
    DIGESTS,
    DS,
    EXCLUSIVE,
    SIGNATURES,
    XADES,
    Parts,
    canonical,
    check_signed,
    locate,
    without_signature,
)
from gateway.model.signature import Check
from gateway.wire import xml

SECTION = "XMLDSig 3.2"
_MOST = 30
"Certificates, lists and tokens looked at in one signature."
_SIGNED = b"http://www.w3.org/2000/09/xmldsig#"
_TRACES = (_SIGNED, _SIGNED.decode().encode("utf-16-le"), _SIGNED.decode().encode("utf-16-be"))


def open_signature(content: bytes, allowed: Algorithms) -> Opened | None:
    """The signature of an XML document; None where it is unsigned.

    What cannot be read safely counts as signed where it shows any trace of a signature, so that
    nobody files a damaged signed document as an unsigned one; so does any DOCTYPE.
    """
    try:
        if b"\x00" in content[:4]:  # UTF-16 without its mark: a parser would guess
            raise Malformed("encoding", "文字コードが認められません", log="XML-ENC")
        root = xml.parse(content)
    except Refusal as refusal:
        if refusal.log != "XML-DTD" and not any(trace in content for trace in _TRACES):
            return None
        return Opened(form="XML", checks=(failed("structure", refusal.english, refusal.japanese),))
    try:
        parts = locate(root)
        if parts is None:
            return None
        count, index = check_signed(parts, allowed)
        certificate, helpers = _signer(parts, allowed)
    except Unfit as unfit:
        return Opened(form="XAdES", checks=(unfit.check,))
    checks, results = _verify(parts, certificate, count, allowed)
    claimed, covered = None, b""
    if results:
        claimed, covered = _claimed(results), results[index].signed_data
        if not _same(parts, results[index]):
            checks = (
                failed(
                    "structure",
                    "what is signed is not the document's body",
                    "本文が署名対象と一致しません",
                ),
            )
            covered = b""
    return Opened(
        form="XAdES",
        checks=checks,
        certificate=certificate,
        helpers=(*helpers, *_certificates(parts)),
        crls=tuple(_values(parts.unsigned, f"{XADES}EncapsulatedCRLValue")),
        tokens=tuple(_tokens(parts)),
        claimed=claimed,
        covered=covered,
        whole_document=parts.enveloped and bool(covered),
    )


def _signer(
    parts: Parts, allowed: Algorithms
) -> tuple[x509.Certificate, tuple[x509.Certificate, ...]]:
    """The certificate that the signed properties name (EN 319 132-1 5.2.2).

    It must be in KeyInfo where KeyInfo has certificates; otherwise it may be among the values
    that came along.
    """
    given: list[x509.Certificate] = []
    serials: set[str] = set()
    if parts.key_info is not None:
        if any(child.tag == f"{DS}RetrievalMethod" for child in parts.key_info):
            raise _no_signer()
        try:
            for element in parts.key_info.findall(f"{DS}X509Data/{DS}X509Certificate")[:_MOST]:
                given.append(read_certificate(decode_base64(element.text)))
        except Malformed as error:
            raise _no_signer() from error
        place = f"{DS}X509Data/{DS}X509IssuerSerial/{DS}X509SerialNumber"
        serials = {(one.text or "").strip() for one in parts.key_info.findall(place)}
    for candidate in given or _certificates(parts):
        if _is_named(parts, candidate, allowed):
            if serials and str(candidate.serial_number) not in serials:
                raise _no_signer()
            return candidate, tuple(one for one in given if one is not candidate)
    raise _no_signer()


def _is_named(parts: Parts, candidate: x509.Certificate, allowed: Algorithms) -> bool:
    """Whether SigningCertificate or SigningCertificateV2 names it: digest, issuer and serial."""
    place = f"{XADES}SignedSignatureProperties/{XADES}SigningCertificate"
    named = [*parts.properties.findall(place), *parts.properties.findall(f"{place}V2")]
    if len(named) != 1:
        return False
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


def _verify(
    parts: Parts, certificate: x509.Certificate, count: int, allowed: Algorithms
) -> tuple[tuple[Check, ...], list[VerifyResult]]:
    """Digests and the signature value, by the signature library with the certificate handed in."""
    if key_weakness(certificate.public_key, allowed):
        weak = failed(
            "algorithm",
            "the signer's key is too weak",
            "署名者の鍵が弱いため認められません",
            SECTION,
        )
        return (weak,), []
    configuration = XAdESSignatureConfiguration(
        location=parts.location,
        expect_references=count,
        verification_time=certificate.not_valid_before,
        default_reference_c14n_method=CanonicalizationMethod.CANONICAL_XML_1_0,
        signature_methods=frozenset(map(SignatureMethod, SIGNATURES)),
        digest_algorithms=frozenset(map(DigestAlgorithm, DIGESTS)),
    )
    try:
        results = XAdESVerifier().verify(
            parts.root,
            x509_cert=pyca.load_der_x509_certificate(certificate.dump()),
            expect_config=configuration,
        )
    except InvalidDigest:
        return (_altered(),), []
    except InvalidSignature:
        return (_forged(),), []
    except RAISED:
        return (
            failed("structure", "the signature cannot be read", "署名を読み取れません", SECTION),
        ), []
    return (
        passed(
            "structure", "the signature is where it must be", "署名は所定の位置にあります", SECTION
        ),
        passed("digest", "what is signed is unaltered", "署名対象は改変されていません", SECTION),
        passed("signature", "the signature value verifies", "署名値は正しいです", SECTION),
    ), list(results)


def _same(parts: Parts, result: VerifyResult) -> bool:
    """Whether the element that was verified is the body at its place (surprising ids, B-01)."""
    if result.signed_xml is None:
        return False
    body = without_signature(parts) if parts.enveloped else parts.body
    try:
        return canonical(body, EXCLUSIVE) == canonical(result.signed_xml, EXCLUSIVE)
    except Unfit:
        return False


def _claimed(results: Iterable[VerifyResult]) -> datetime | None:
    """The signing time in the signed properties: a claim, no proof."""
    for result in results:
        if result.signed_xml is not None and result.signed_xml.tag == f"{XADES}SignedProperties":
            text = result.signed_xml.findtext(
                f"{XADES}SignedSignatureProperties/{XADES}SigningTime"
            )
            try:
                moment = datetime.fromisoformat((text or "").strip())
            except ValueError:
                return None
            return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return None


def _certificates(parts: Parts) -> list[x509.Certificate]:
    """Certificates among the unsigned properties; what cannot be read helps nobody."""
    found = []
    for value in _values(parts.unsigned, f"{XADES}EncapsulatedX509Certificate"):
        try:
            found.append(read_certificate(value))
        except Malformed:
            continue
    return found


def _values(parent: etree._Element | None, name: str) -> list[bytes]:
    """Base64 values anywhere below `parent`, up to a limit."""
    found: list[bytes] = []
    for element in () if parent is None else parent.iter(name):
        if len(found) == _MOST:
            break
        try:
            found.append(decode_base64(element.text))
        except Malformed:
            continue
    return found


def _tokens(parts: Parts) -> list[tuple[bytes, bytes]]:
    """Signature time-stamps with what they must be over (EN 319 132-1 5.3); damaged ones too."""
    if parts.unsigned is None:
        return []
    found: list[tuple[bytes, bytes]] = []
    for stamp in parts.unsigned.findall(f"{XADES}SignatureTimeStamp")[:_MOST]:
        method = stamp.find(f"{DS}CanonicalizationMethod")
        tokens = stamp.findall(f"{XADES}EncapsulatedTimeStamp")
        try:
            stamped = canonical(parts.value, None if method is None else method.get("Algorithm"))
            token = decode_base64(tokens[0].text) if len(tokens) == 1 else b""
        except (Unfit, Malformed):
            token, stamped = b"", b""
        found.append((token, stamped))
    return found


def _no_signer() -> Unfit:
    return Unfit(
        failed(
            "signer",
            "the certificate that the signature names is missing or another one",
            "署名が示す証明書がないか、一致しません",
            "EN 319 132-1 5.2.2",
        )
    )


def _altered() -> Check:
    return failed("digest", "what is signed was altered", "署名対象が改変されています", SECTION)


def _forged() -> Check:
    return failed(
        "signature", "the signature value does not verify", "署名値が正しくありません", SECTION
    )
