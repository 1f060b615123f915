"""The signature on a SAML assertion: the one accepted form, verified with a pinned certificate.

`security.md` B, "Accepted signature, precisely"; SAML 2.0 Core 5.4. Trust comes from
configuration, by issuer, and never from the message. What is returned is the signed bytes parsed
again: callers read nothing else (G2).
"""

import base64
import binascii
import logging
import re
from collections.abc import Iterable, Mapping
from datetime import datetime

from cryptography import x509
from cryptography.exceptions import InvalidSignature as InvalidKeySignature
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding
from lxml import etree
from signxml.algorithms import DigestAlgorithm, SignatureMethod
from signxml.exceptions import InvalidDigest, SignXMLException
from signxml.verifier import SignatureConfiguration, XMLVerifier

from gateway.errors import Invalid, Unauthenticated
from gateway.wire import xml

Trust = Mapping[str, tuple[x509.Certificate, ...]]
"Certificates by issuer: each may sign that issuer's assertions, and no other's."

# At DEBUG the library logs what it canonicalizes, which is the assertion (G12).
logging.getLogger("signxml").setLevel(logging.WARNING)

_EXCLUSIVE = "http://www.w3.org/2001/10/xml-exc-c14n#"
_ENVELOPED = "http://www.w3.org/2000/09/xmldsig#enveloped-signature"
_INCLUSIVE_NAMESPACES = f"{{{_EXCLUSIVE}}}InclusiveNamespaces"
_PREFIXES = re.compile(r"(?:#default|[A-Za-z_][\w.-]*)(?: (?:#default|[A-Za-z_][\w.-]*)){0,15}")
_METHODS = frozenset(
    {
        SignatureMethod.RSA_SHA256,
        SignatureMethod.RSA_SHA384,
        SignatureMethod.RSA_SHA512,
        SignatureMethod.ECDSA_SHA256,
        SignatureMethod.ECDSA_SHA384,
        SignatureMethod.ECDSA_SHA512,
    }
)
_DIGESTS = {
    DigestAlgorithm.SHA256: 32,
    DigestAlgorithm.SHA384: 48,
    DigestAlgorithm.SHA512: 64,
}
_METHOD_NAMES = frozenset(method.value for method in _METHODS)
_DIGEST_SIZES = {digest.value: size for digest, size in _DIGESTS.items()}
_CURVES = (ec.SECP256R1, ec.SECP384R1, ec.SECP521R1)
_LEAST_RSA, _MOST_RSA, _LEAST_EXPONENT = 2048, 8192, 3
_LONGEST_VALUE = 2048


def trust_of(issuers: Iterable[tuple[str, bytes]]) -> dict[str, tuple[x509.Certificate, ...]]:
    """Issuer names with their PEM certificates; an issuer may have several while keys roll.

    A certificate that may not sign is refused here, when the settings are read (B-05, J-02).
    """
    trust: dict[str, tuple[x509.Certificate, ...]] = {}
    for issuer, pem in issuers:
        try:
            certificates = x509.load_pem_x509_certificates(pem)
        except ValueError as error:
            raise Invalid(
                "the assertion certificate is not PEM: export it again",
                "アサーション証明書が PEM ではありません。書き出し直してください",
                at=issuer,
            ) from error
        for certificate in certificates:
            _check_certificate(certificate, issuer)
        trust[issuer] = (*trust.get(issuer, ()), *certificates)
    return trust


def _check_certificate(certificate: x509.Certificate, issuer: str) -> None:
    """Key kind, size, and a key usage that allows signing."""
    key = certificate.public_key()
    strong = (isinstance(key, ec.EllipticCurvePublicKey) and isinstance(key.curve, _CURVES)) or (
        isinstance(key, rsa.RSAPublicKey)
        and _LEAST_RSA <= key.key_size <= _MOST_RSA
        and key.public_numbers().e >= _LEAST_EXPONENT
    )
    if not strong:
        raise Invalid(
            "the assertion key is neither RSA of 2048 to 8192 bits nor ECDSA P-256, 384, 521",
            "アサーション鍵は RSA 2048〜8192 ビットか ECDSA P-256/384/521 に限ります",
            at=issuer,
        )
    try:
        usage = certificate.extensions.get_extension_for_class(x509.KeyUsage).value
    except x509.ExtensionNotFound:
        return
    if not (usage.digital_signature or usage.content_commitment):
        raise Invalid(
            "the certificate's key usage does not allow signatures",
            "証明書の鍵用途が署名を許しません",
            at=issuer,
        )


def fault(
    check: str, log: str, english: str = "the assertion is not acceptable"
) -> Unauthenticated:
    """One refusal of an assertion; the fixed text says nothing of its content (H-04)."""
    return Unauthenticated(
        english,
        "アサーションを受け入れられません",
        check=check,
        log=log,
        rule="ITI-40",
    )


def signed_part(
    assertion: etree._Element, certificates: tuple[x509.Certificate, ...], now: datetime
) -> tuple[etree._Element, x509.Certificate]:
    """The assertion as it was signed, and the certificate that proves it."""
    signature = xml.maybe(assertion, "ds:Signature")
    if signature is None:
        raise fault("signature", "SIG-MISSING")
    _check_profile(assertion, signature)
    last = fault("authentication", "PKI")
    for certificate in _candidates(signature, certificates):
        if not certificate.not_valid_before_utc <= now <= certificate.not_valid_after_utc:
            continue
        try:
            return _verify(assertion, certificate, now), certificate
        except Unauthenticated as refusal:
            last = refusal
    raise last


def _check_profile(assertion: etree._Element, signature: etree._Element) -> None:
    """The exact shape, before anything is computed (B-03, B-04, B-05)."""
    children = _names(signature)
    if children not in (
        ["SignedInfo", "SignatureValue"],
        ["SignedInfo", "SignatureValue", "KeyInfo"],
    ):
        raise fault("signature", "SIG-WRAP")
    info = xml.one(signature, "ds:SignedInfo")
    if _names(info) != ["CanonicalizationMethod", "SignatureMethod", "Reference"]:
        raise fault("signature", "SIG-REF")
    method, reference = xml.one(info, "ds:SignatureMethod"), xml.one(info, "ds:Reference")
    _check_canonicalization(xml.one(info, "ds:CanonicalizationMethod"))
    if method.get("Algorithm") not in _METHOD_NAMES or len(method):
        raise fault("algorithm", "SIG-ALG")
    if dict(reference.attrib) != {"URI": "#" + xml.attribute(assertion, "ID")}:
        raise fault("signature", "SIG-REF")
    if _names(reference) != ["Transforms", "DigestMethod", "DigestValue"]:
        raise fault("signature", "SIG-REF")
    transforms = xml.children(xml.one(reference, "ds:Transforms"))
    if [item.get("Algorithm") for item in transforms] != [_ENVELOPED, _EXCLUSIVE]:
        raise fault("algorithm", "SIG-ALG")
    if len(transforms[0]):
        raise fault("algorithm", "SIG-ALG")
    _check_canonicalization(transforms[1])
    digest = xml.one(reference, "ds:DigestMethod")
    size = _DIGEST_SIZES.get(digest.get("Algorithm", ""))
    if size is None or len(digest):
        raise fault("algorithm", "SIG-ALG")
    if len(_base64(xml.one(reference, "ds:DigestValue"))) != size:
        raise fault("signature", "SIG-REF")
    if not _base64(xml.one(signature, "ds:SignatureValue")):
        raise fault("signature", "SIG-REF")
    # Canonical XML leaves relative namespace names undefined (B-07).
    for element in assertion.iter(etree.Element):
        if any(":" not in (uri or ":") for uri in element.nsmap.values()):
            raise fault("signature", "SIG-C14N")


def _names(element: etree._Element) -> list[str]:
    """Local names of the children, each in the signature's own namespace."""
    found = []
    for child in xml.children(element):
        name = etree.QName(child)
        found.append(name.localname if name.namespace == xml.NAMESPACES["ds"] else "?")
    return found


def _check_canonicalization(element: etree._Element) -> None:
    """Exclusive, without comments; a prefix list is what it says, and nothing else is inside."""
    if element.get("Algorithm") != _EXCLUSIVE:
        raise fault("algorithm", "SIG-C14N")
    children = xml.children(element)
    if not children:
        return
    only = children[0]
    if len(children) > 1 or only.tag != _INCLUSIVE_NAMESPACES or len(only):
        raise fault("algorithm", "SIG-C14N")
    if not _PREFIXES.fullmatch(only.get("PrefixList", "")):
        raise fault("algorithm", "SIG-C14N")


def _base64(element: etree._Element) -> bytes:
    """The bytes of a plain base64 element: no comment, no child, no stray character."""
    text = "".join((element.text or "").split())
    if len(element) or len(text) > _LONGEST_VALUE:
        raise fault("signature", "SIG-REF")
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise fault("signature", "SIG-REF") from error


def _candidates(
    signature: etree._Element, certificates: tuple[x509.Certificate, ...]
) -> tuple[x509.Certificate, ...]:
    """The issuer's certificates that KeyInfo does not contradict (B-06).

    KeyInfo is outside the signature, so that it proves nothing; but one that names another key
    was changed, or comes from somebody else.
    """
    info = xml.maybe(signature, "ds:KeyInfo")
    if info is None:
        return certificates
    named: list[bytes] = []
    for child in xml.children(info):
        if child.tag == xml.clark("ds:X509Data"):
            named += [_base64_long(item) for item in xml.many(child, "ds:X509Certificate")]
        elif child.tag == xml.clark("ds:KeyValue"):
            certificates = tuple(item for item in certificates if _same_key(child, item))
        else:
            raise fault("authentication", "SIG-KEY")
    if named:
        certificates = tuple(item for item in certificates if _der(item) in named)
    if not certificates:
        raise fault("authentication", "SIG-KEY")
    return certificates


def _base64_long(element: etree._Element) -> bytes:
    """A certificate's bytes; IPF breaks its lines with carriage returns."""
    try:
        return base64.b64decode("".join(xml.text(element).split()), validate=True)
    except (binascii.Error, ValueError) as error:
        raise fault("authentication", "SIG-KEY") from error


def _same_key(value: etree._Element, certificate: x509.Certificate) -> bool:
    """Whether an RSA KeyValue is this certificate's key; other kinds are not compared."""
    key = certificate.public_key()
    if not isinstance(key, rsa.RSAPublicKey):
        return False
    numbers = key.public_numbers()
    modulus = xml.maybe(value, "ds:RSAKeyValue/ds:Modulus")
    exponent = xml.maybe(value, "ds:RSAKeyValue/ds:Exponent")
    if modulus is None or exponent is None:
        return False
    return (
        int.from_bytes(_base64_long(modulus)) == numbers.n
        and int.from_bytes(_base64_long(exponent)) == numbers.e
    )


def _der(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(Encoding.DER)


def _verify(
    assertion: etree._Element, certificate: x509.Certificate, now: datetime
) -> etree._Element:
    """Digest and signature; the library sees the assertion alone, cut out of the message."""
    configuration = SignatureConfiguration(
        location="./",
        expect_references=1,
        signature_methods=_METHODS,
        digest_algorithms=frozenset(_DIGESTS),
        verification_time=now,
    )
    parser = etree.XMLParser(resolve_entities=False, no_network=True, huge_tree=False)
    try:
        result = XMLVerifier().verify(
            assertion,
            x509_cert=certificate,
            expect_config=configuration,
            id_attribute="ID",
            parser=parser,
        )
    except InvalidDigest as error:
        raise fault("signature", "SIG-REF") from error
    except (SignXMLException, InvalidKeySignature, etree.LxmlError, ValueError) as error:
        raise fault("signature", "SIG-KEY") from error
    if isinstance(result, list) or result.signed_xml is None or not result.signed_data:
        raise fault("signature", "SIG-C14N")
    signed: etree._Element = result.signed_xml
    same = signed.tag == assertion.tag and signed.get("ID") == assertion.get("ID")
    if not same or next(signed.iter(xml.clark("ds:Signature")), None) is not None:
        raise fault("signature", "SIG-WRAP")
    return signed
