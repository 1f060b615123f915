"""Issues SAML 2.0 assertions as a neighbour's identity provider would (ITI TF-2: 3.40).

Written for black-box cases: everything that a case may want to get wrong is an argument. Signs
with exclusive canonicalization and `cryptography`, independently of the gateway's verifier.
"""

import base64
import uuid
from collections.abc import Sequence
from copy import deepcopy
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from lxml import etree
from lxml.builder import ElementMaker

SAML = "urn:oasis:names:tc:SAML:2.0:assertion"
DS = "http://www.w3.org/2000/09/xmldsig#"
XSI = "http://www.w3.org/2001/XMLSchema-instance"
HL7 = "urn:hl7-org:v3"
WSSE = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-secext-1.0.xsd"
EXCLUSIVE = "http://www.w3.org/2001/10/xml-exc-c14n#"
ENVELOPED = DS + "enveloped-signature"
BEARER = "urn:oasis:names:tc:SAML:2.0:cm:bearer"
HOLDER_OF_KEY = "urn:oasis:names:tc:SAML:2.0:cm:holder-of-key"
SENDER_VOUCHES = "urn:oasis:names:tc:SAML:2.0:cm:sender-vouches"
XSPA = "urn:oasis:names:tc:xspa:1.0:subject:"
ROLE = "urn:oasis:names:tc:xacml:2.0:subject:role"
PURPOSE = XSPA + "purposeofuse"
HOME = "urn:ihe:iti:xca:2010:homeCommunityId"
RESOURCE = "urn:oasis:names:tc:xacml:2.0:resource:resource-id"

_MORE = "http://www.w3.org/2001/04/xmldsig-more#"
_ENC = "http://www.w3.org/2001/04/xmlenc#"
_HASHES: dict[str, hashes.HashAlgorithm] = {
    "sha1": hashes.SHA1(),  # noqa: S303
    "sha256": hashes.SHA256(),
    "sha384": hashes.SHA384(),
    "sha512": hashes.SHA512(),
}
_DIGESTS = {
    "sha1": DS + "sha1",
    "sha256": _ENC + "sha256",
    "sha384": _MORE + "sha384",
    "sha512": _ENC + "sha512",
}

_saml = ElementMaker(namespace=SAML, nsmap={"saml": SAML})
_ds = ElementMaker(namespace=DS, nsmap={"ds": DS})

Key = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey


@dataclass(frozen=True, slots=True)
class Coded:
    """A code with its system, as `hl7:Role` and `hl7:PurposeOfUse` carry it."""

    code: str
    system: str
    display: str = ""


DOCTOR = Coded("112247003", "2.16.840.1.113883.6.96", "Medical doctor")
TREATMENT = Coded("TREATMENT", "2.16.840.1.113883.3.18.7.1", "Treatment")


@dataclass(frozen=True, slots=True, kw_only=True)
class Issuer:
    """Who signs: name, key, and the certificate that goes into KeyInfo."""

    name: str
    key: Key
    certificate: x509.Certificate | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Statement:
    """What one assertion says; the defaults are those of a treating doctor."""

    audience: Sequence[str] = ()
    "One AudienceRestriction each; none leaves the element out."
    subject: str = "doctor-1"
    name: str = "Doctor One"
    organization: str = "Neighbour Hospital"
    organization_id: str = ""
    home: str = ""
    roles: Sequence[Coded | str] = (DOCTOR,)
    purposes: Sequence[Coded | str] = (TREATMENT,)
    resource: str = ""
    not_before: datetime | None = None
    "None means one minute before `at`."
    life: timedelta = timedelta(minutes=10)
    method: str = BEARER
    confirmation: dict[str, str] = field(default_factory=dict)
    "Attributes of SubjectConfirmationData."
    holder: x509.Certificate | None = None
    one_time_use: bool = False
    id: str = ""


def load_key(pem: bytes) -> Key:
    """A private key from PEM without password."""
    key = serialization.load_pem_private_key(pem, None)
    if not isinstance(key, rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey):
        raise ValueError("the key is neither RSA nor ECDSA")
    return key


def stamp(moment: datetime) -> str:
    """A moment as SAML writes it."""
    text = moment.astimezone(UTC).isoformat(timespec="milliseconds")
    return text.replace(".000+", "+").replace("+00:00", "Z")


def build(issuer: str, statement: Statement, at: datetime) -> etree._Element:
    """The assertion without its signature."""
    start = statement.not_before or at - timedelta(minutes=1)
    conditions = _saml.Conditions(
        NotBefore=stamp(start), NotOnOrAfter=stamp(start + statement.life)
    )
    for audience in statement.audience:
        conditions.append(_saml.AudienceRestriction(_saml.Audience(audience)))
    if statement.one_time_use:
        conditions.append(_saml.OneTimeUse())
    return _saml.Assertion(
        _saml.Issuer(issuer),
        _saml.Subject(_saml.NameID(statement.subject), _confirmation(statement)),
        conditions,
        _saml.AuthnStatement(
            _saml.AuthnContext(
                _saml.AuthnContextClassRef("urn:oasis:names:tc:SAML:2.0:ac:classes:X509")
            ),
            AuthnInstant=stamp(start),
        ),
        _attributes(statement),
        ID=statement.id or f"_{uuid.uuid4()}",
        IssueInstant=stamp(start),
        Version="2.0",
    )


def _confirmation(statement: Statement) -> etree._Element:
    element = _saml.SubjectConfirmation(Method=statement.method)
    if statement.confirmation or statement.holder is not None:
        held = _saml.SubjectConfirmationData(**statement.confirmation)
        if statement.holder is not None:
            held.append(key_info(statement.holder))
        element.append(held)
    return element


def _attributes(statement: Statement) -> etree._Element:
    found = _saml.AttributeStatement()
    plain = {
        XSPA + "subject-id": statement.name,
        XSPA + "organization": statement.organization,
        XSPA + "organization-id": statement.organization_id,
        HOME: statement.home,
        RESOURCE: statement.resource,
    }
    for name, value in plain.items():
        if value:
            found.append(_saml.Attribute(_saml.AttributeValue(value), Name=name))
    for name, element, codes in (
        (ROLE, "Role", statement.roles),
        (PURPOSE, "PurposeOfUse", statement.purposes),
    ):
        if codes:
            values = [_coded(element, code) for code in codes]
            found.append(_saml.Attribute(*values, Name=name))
    return found


def _coded(name: str, code: Coded | str) -> etree._Element:
    """A coded element as XUA wants it, or the plain text that some partners send."""
    if isinstance(code, str):
        return _saml.AttributeValue(code)
    element = etree.Element(f"{{{HL7}}}{name}", nsmap={"hl7": HL7, "xsi": XSI})
    element.set("code", code.code)
    element.set("codeSystem", code.system)
    if code.display:
        element.set("displayName", code.display)
    element.set(f"{{{XSI}}}type", "hl7:CE")
    return _saml.AttributeValue(element)


def sign(
    assertion: etree._Element,
    issuer: Issuer,
    *,
    digest: str = "sha256",
    prefixes: str = "",
) -> etree._Element:
    """The assertion with an enveloped signature after its Issuer."""
    signed = deepcopy(assertion)
    algorithm = _HASHES[digest]
    transform = _ds.Transform(Algorithm=EXCLUSIVE)
    if prefixes:
        etree.SubElement(
            transform, f"{{{EXCLUSIVE}}}InclusiveNamespaces", nsmap={"ec": EXCLUSIVE}
        ).set("PrefixList", prefixes)
    canonical = etree.tostring(
        signed, method="c14n", exclusive=True, inclusive_ns_prefixes=prefixes.split() or None
    )
    info = _ds.SignedInfo(
        _ds.CanonicalizationMethod(Algorithm=EXCLUSIVE),
        _ds.SignatureMethod(Algorithm=method_uri(issuer.key, digest)),
        _ds.Reference(
            _ds.Transforms(_ds.Transform(Algorithm=ENVELOPED), transform),
            _ds.DigestMethod(Algorithm=_DIGESTS[digest]),
            _ds.DigestValue(encode(_hash(canonical, algorithm))),
            URI=f"#{signed.get('ID')}",
        ),
    )
    signature = _ds.Signature(info, _ds.SignatureValue())
    signed.insert(1, signature)
    resign(signature, issuer.key, digest)
    if issuer.certificate is not None:
        signature.append(key_info(issuer.certificate))
    return signed


def resign(signature: etree._Element, key: Key, digest: str = "sha256") -> None:
    """Sign SignedInfo as it stands now, so that a case may change it first."""
    info = signature.find(f"{{{DS}}}SignedInfo")
    value = signature.find(f"{{{DS}}}SignatureValue")
    if info is None or value is None:
        raise ValueError("not a signature")
    canonical = etree.tostring(info, method="c14n", exclusive=True)
    value.text = encode(_signature(key, canonical, _HASHES[digest]))


def _signature(key: Key, content: bytes, algorithm: hashes.HashAlgorithm) -> bytes:
    if isinstance(key, rsa.RSAPrivateKey):
        return key.sign(content, padding.PKCS1v15(), algorithm)
    size = (key.key_size + 7) // 8
    pair = decode_dss_signature(key.sign(content, ec.ECDSA(algorithm)))
    return b"".join(number.to_bytes(size) for number in pair)


def _hash(content: bytes, algorithm: hashes.HashAlgorithm) -> bytes:
    digest = hashes.Hash(algorithm)
    digest.update(content)
    return digest.finalize()


def method_uri(key: Key, digest: str) -> str:
    """The SignatureMethod algorithm of a key and a digest."""
    kind = "rsa" if isinstance(key, rsa.RSAPrivateKey) else "ecdsa"
    return (DS if (kind, digest) == ("rsa", "sha1") else _MORE) + f"{kind}-{digest}"


def key_info(certificate: x509.Certificate) -> etree._Element:
    """KeyInfo with one certificate."""
    der = certificate.public_bytes(serialization.Encoding.DER)
    return _ds.KeyInfo(_ds.X509Data(_ds.X509Certificate(encode(der))))


def encode(content: bytes) -> str:
    """Base64 text."""
    return base64.b64encode(content).decode()


def security(*tokens: etree._Element) -> etree._Element:
    """A `wsse:Security` header block holding the tokens."""
    block = etree.Element(f"{{{WSSE}}}Security", nsmap={"wsse": WSSE})
    block.extend(tokens)
    return block
