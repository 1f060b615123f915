"""Documents signed with the demo's cards: what a doctor's own system would send.

The gateway signs nothing as a doctor. These functions stand for the card and its software in the
demo and the tests: an e-prescription container (EPS 1.0, XAdES-T) and a PDF (PAdES-T).
"""

import hashlib
from base64 import b64encode
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from io import BytesIO
from pathlib import Path

from asn1crypto import keys, tsp
from asn1crypto import x509 as asn1
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)
from lxml import etree
from pyhanko.pdf_utils.incremental_writer import IncrementalPdfFileWriter
from pyhanko.sign import signers
from pyhanko.sign.fields import SigSeedSubFilter
from pyhanko.sign.timestamps import DummyTimeStamper
from pyhanko_certvalidator.registry import SimpleCertificateStore

from gateway.hpki.xades.canonical import canonical
from gateway.hpki.xades.names import DS, ENVELOPED, EXCLUSIVE, PROPERTIES, XADES
from gateway.wire import xml

Stamp = Callable[[bytes], bytes]
"Asks a time-stamp authority: bytes in, token out."
_SHA256 = "http://www.w3.org/2001/04/xmlenc#sha256"
_RSA_SHA256 = "http://www.w3.org/2001/04/xmldsig-more#rsa-sha256"
_PLAIN = "http://www.w3.org/TR/2001/REC-xml-c14n-20010315"


@dataclass(frozen=True, slots=True, kw_only=True)
class Card:
    """A signing certificate with its key, and what its owner encloses."""

    certificate: x509.Certificate
    key: rsa.RSAPrivateKey
    chain: Sequence[x509.Certificate] = ()
    crls: Sequence[bytes] = ()

    @property
    def der(self) -> bytes:
        """The certificate in DER."""
        return self.certificate.public_bytes(Encoding.DER)


def sign_prescription(csv: bytes, folder: Path, now: datetime) -> bytes:
    """An e-prescription signed with the demo's doctor card and stamped by its authority.

    `folder` is the installation that `gateway init --demo` made.
    """
    card, stamp = _demo(folder, now)
    return prescription(csv, card, stamp, now)


def sign_pdf(pdf: bytes, folder: Path, now: datetime) -> bytes:
    """A PDF signed with the demo's doctor card and stamped by its authority (PAdES-T)."""
    card, _ = _demo(folder, now)
    return pades(pdf, card, stamper(*_authority(folder), now))


def prescription(csv: bytes, card: Card, stamp: Stamp | None, now: datetime) -> bytes:
    """The e-prescription container around `csv`, signed as the published sample is."""
    document = xml.parse(
        b'<Document xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" id="Document">'
        b'<Prescription><PrescriptionManagement id="PrescriptionManagement">'
        b'<Version Value="EPS1.0"/></PrescriptionManagement>'
        b'<PrescriptionDocument id="PrescriptionDocument"></PrescriptionDocument>'
        b"<PrescriptionSign></PrescriptionSign></Prescription></Document>"
    )
    body = xml.one(document, "Prescription/PrescriptionDocument")
    body.text = b64encode(csv).decode("ascii")
    place = xml.one(document, "Prescription/PrescriptionSign")
    sign_element(document, place, card, stamp, now, uri="#PrescriptionDocument", body=body)
    return etree.tostring(document, xml_declaration=True, encoding="UTF-8")


def enveloped(content: bytes, card: Card, stamp: Stamp | None, now: datetime) -> bytes:
    """Any XML document with an enveloped XAdES signature as the last child of its root."""
    document = xml.parse(content)
    sign_element(document, document, card, stamp, now, uri="", body=document)
    return etree.tostring(document, xml_declaration=True, encoding="UTF-8")


def sign_element(
    document: etree._Element,
    place: etree._Element,
    card: Card,
    stamp: Stamp | None,
    now: datetime,
    *,
    uri: str,
    body: etree._Element,
) -> None:
    """Append a XAdES signature over `body` to `place` (ETSI EN 319 132-1)."""
    body_digest = _digest(canonical(body, None))
    signature = etree.SubElement(place, f"{DS}Signature", nsmap={"ds": DS[1:-1]}, Id="Sign")
    info = etree.SubElement(signature, f"{DS}SignedInfo")
    value = etree.SubElement(signature, f"{DS}SignatureValue", Id="Sign-Value")
    key_info = etree.SubElement(signature, f"{DS}KeyInfo", Id="Sign-KeyInfo")
    data = etree.SubElement(key_info, f"{DS}X509Data")
    etree.SubElement(data, f"{DS}X509Certificate").text = _base64(card.der)
    holder = etree.SubElement(signature, f"{DS}Object")
    qualifying = etree.SubElement(
        holder, f"{XADES}QualifyingProperties", nsmap={"xa": XADES[1:-1]}, Target="#Sign"
    )
    properties = _properties(qualifying, card, now)
    etree.SubElement(info, f"{DS}CanonicalizationMethod", Algorithm=EXCLUSIVE)
    etree.SubElement(info, f"{DS}SignatureMethod", Algorithm=_RSA_SHA256)
    transforms = (ENVELOPED, _PLAIN) if uri == "" else ()
    _reference(info, uri, body_digest, transforms)
    _reference(info, "#Sign-KeyInfo", _digest(canonical(key_info, EXCLUSIVE)), (EXCLUSIVE,))
    signed = _digest(canonical(properties, EXCLUSIVE))
    _reference(info, "#Sign-Properties", signed, (EXCLUSIVE,), PROPERTIES)
    value.text = _base64(
        card.key.sign(canonical(info, EXCLUSIVE), padding.PKCS1v15(), hashes.SHA256())
    )
    if stamp is not None:
        _unsigned(qualifying, card, stamp(canonical(value, None)))


def _properties(parent: etree._Element, card: Card, now: datetime) -> etree._Element:
    properties = etree.SubElement(parent, f"{XADES}SignedProperties", Id="Sign-Properties")
    about = etree.SubElement(properties, f"{XADES}SignedSignatureProperties")
    moment = now.astimezone(UTC).replace(microsecond=0).isoformat()
    etree.SubElement(about, f"{XADES}SigningTime").text = moment
    named = etree.SubElement(about, f"{XADES}SigningCertificateV2")
    digest = etree.SubElement(etree.SubElement(named, f"{XADES}Cert"), f"{XADES}CertDigest")
    etree.SubElement(digest, f"{DS}DigestMethod", Algorithm=_SHA256)
    etree.SubElement(digest, f"{DS}DigestValue").text = _digest(card.der)
    return properties


def _reference(
    info: etree._Element, uri: str, digest: str, transforms: Sequence[str], kind: str = ""
) -> None:
    reference = etree.SubElement(info, f"{DS}Reference", URI=uri)
    if kind:
        reference.set("Type", kind)
    if transforms:
        steps = etree.SubElement(reference, f"{DS}Transforms")
        for algorithm in transforms:
            etree.SubElement(steps, f"{DS}Transform", Algorithm=algorithm)
    etree.SubElement(reference, f"{DS}DigestMethod", Algorithm=_SHA256)
    etree.SubElement(reference, f"{DS}DigestValue").text = digest


def _unsigned(qualifying: etree._Element, card: Card, token: bytes) -> None:
    """The time-stamp, and the certificates and lists that a verifier will want."""
    outer = etree.SubElement(qualifying, f"{XADES}UnsignedProperties")
    unsigned = etree.SubElement(outer, f"{XADES}UnsignedSignatureProperties")
    stamp = etree.SubElement(unsigned, f"{XADES}SignatureTimeStamp")
    etree.SubElement(stamp, f"{XADES}EncapsulatedTimeStamp").text = _base64(token)
    if card.chain:
        values = etree.SubElement(unsigned, f"{XADES}CertificateValues")
        for one in card.chain:
            encapsulated = etree.SubElement(values, f"{XADES}EncapsulatedX509Certificate")
            encapsulated.text = _base64(one.public_bytes(Encoding.DER))
    if card.crls:
        lists = etree.SubElement(unsigned, f"{XADES}RevocationValues")
        lists = etree.SubElement(lists, f"{XADES}CRLValues")
        for crl in card.crls:
            etree.SubElement(lists, f"{XADES}EncapsulatedCRLValue").text = _base64(crl)


def pades(pdf: bytes, card: Card, authority: DummyTimeStamper | None) -> bytes:
    """A PAdES signature over `pdf` (ETSI EN 319 142-1); the card encloses its chain."""
    enclosed = SimpleCertificateStore()
    for one in card.chain:
        enclosed.register(asn1.Certificate.load(one.public_bytes(Encoding.DER)))
    signer = signers.SimpleSigner(
        signing_cert=asn1.Certificate.load(card.der),
        signing_key=_asn1_key(card.key),
        cert_registry=enclosed,
    )
    about = signers.PdfSignatureMetadata(
        field_name="Signature", md_algorithm="sha256", subfilter=SigSeedSubFilter.PADES
    )
    written = signers.sign_pdf(
        IncrementalPdfFileWriter(BytesIO(pdf)), about, signer=signer, timestamper=authority
    )
    return bytes(written.getbuffer())


def token_maker(certificate: x509.Certificate, key: rsa.RSAPrivateKey, now: datetime) -> Stamp:
    """A time-stamp authority whose clock stands at `now`."""
    authority = stamper(certificate, key, now)

    def stamp(content: bytes) -> bytes:
        imprint = tsp.MessageImprint(
            {
                "hash_algorithm": {"algorithm": "sha256"},
                "hashed_message": hashlib.sha256(content).digest(),
            }
        )
        request = tsp.TimeStampReq({"version": 1, "message_imprint": imprint, "cert_req": True})
        answer = authority.request_tsa_response(request)
        return bytes(answer["time_stamp_token"].dump())

    return stamp


def stamper(
    certificate: x509.Certificate, key: rsa.RSAPrivateKey, now: datetime
) -> DummyTimeStamper:
    """The same authority in the form that the PDF library asks for."""
    return DummyTimeStamper(
        tsa_cert=asn1.Certificate.load(certificate.public_bytes(Encoding.DER)),
        tsa_key=_asn1_key(key),
        fixed_dt=now.astimezone(UTC).replace(microsecond=0),
    )


def _asn1_key(key: rsa.RSAPrivateKey) -> keys.PrivateKeyInfo:
    return keys.PrivateKeyInfo.load(
        key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
    )


def _demo(folder: Path, now: datetime) -> tuple[Card, Stamp]:
    place = folder / "pki" / "hpki"
    certificate, key = _pair(place / "doctor-sign")
    chain = [_certificate(place / "signing-ca.pem"), _certificate(place / "root.pem")]
    crls = [path.read_bytes() for path in sorted((place / "crl").glob("*.crl"))]
    card = Card(certificate=certificate, key=key, chain=chain, crls=crls)
    return card, token_maker(*_authority(folder), now)


def _authority(folder: Path) -> tuple[x509.Certificate, rsa.RSAPrivateKey]:
    return _pair(folder / "pki" / "hpki" / "tsa")


def _pair(place: Path) -> tuple[x509.Certificate, rsa.RSAPrivateKey]:
    key = load_pem_private_key(place.with_suffix(".key").read_bytes(), None)
    if not isinstance(key, rsa.RSAPrivateKey):
        raise TypeError(f"{place.name}.key is not an RSA key")
    return _certificate(place.with_suffix(".pem")), key


def _certificate(path: Path) -> x509.Certificate:
    return x509.load_pem_x509_certificate(path.read_bytes())


def _digest(content: bytes) -> str:
    return _base64(hashlib.sha256(content).digest())


def _base64(content: bytes) -> str:
    return b64encode(content).decode("ascii")
