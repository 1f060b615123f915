"""Levels of XAdES: what is added to a signature after signing, step by step (`tests.xades`)."""

from collections.abc import Sequence
from datetime import datetime

from cryptography.hazmat.primitives.serialization import Encoding
from lxml import etree

from gateway.cli.demo_authority import Issued
from gateway.hpki.xades.names import DS, INCLUSIVE_10, XADES, XADES141
from tests import pki
from tests.xades import Made, Tree, b64, c14n, digest_element, stamp


def values(made: Made, certificates: Sequence[Issued] | None = None,
           lists: Sequence[bytes] | None = None) -> None:  # fmt: skip
    """Add certificate and revocation values: X-L."""
    here = pki.hierarchy()
    if certificates is None:
        certificates = [here.signing, here.root]
    if lists is None:
        lists = [der(here.crl()), der(here.sarl)]
    _certificates(etree.SubElement(made.unsigned, f"{XADES}CertificateValues"), certificates)
    _lists(etree.SubElement(made.unsigned, f"{XADES}RevocationValues"), lists)


def validation_data(made: Made, certificates: Sequence[Issued], lists: Sequence[bytes]) -> None:
    """Add what a time-stamp needs to be judged (EN 319 132-1 5.5.1)."""
    element = etree.SubElement(made.unsigned, f"{XADES141}TimeStampValidationData")
    _certificates(etree.SubElement(element, f"{XADES}CertificateValues"), certificates)
    _lists(etree.SubElement(element, f"{XADES}RevocationValues"), lists)


def _certificates(parent: Tree, certificates: Sequence[Issued]) -> None:
    for one in certificates:
        etree.SubElement(parent, f"{XADES}EncapsulatedX509Certificate").text = b64(one.der)


def _lists(parent: Tree, lists: Sequence[bytes]) -> None:
    inner = etree.SubElement(parent, f"{XADES}CRLValues")
    for one in lists:
        etree.SubElement(inner, f"{XADES}EncapsulatedCRLValue").text = b64(one)


def der(one: object) -> bytes:
    return one.crl.public_bytes(Encoding.DER)


def refer(made: Made, certificates: Sequence[bytes], lists: Sequence[bytes],
          *, newer: bool = False) -> None:  # fmt: skip
    """Add references to certificates and lists: C."""
    space, suffix = (XADES141, "V2") if newer else (XADES, "")
    complete = etree.SubElement(made.unsigned, f"{space}CompleteCertificateRefs{suffix}")
    inner = etree.SubElement(complete, f"{space}CertRefs" if newer else f"{XADES}CertRefs")
    for one in certificates:
        cert = etree.SubElement(inner, f"{XADES}Cert")
        digest_element(etree.SubElement(cert, f"{XADES}CertDigest"), one)
    complete = etree.SubElement(made.unsigned, f"{XADES}CompleteRevocationRefs")
    inner = etree.SubElement(complete, f"{XADES}CRLRefs")
    for one in lists:
        reference = etree.SubElement(inner, f"{XADES}CRLRef")
        digest_element(etree.SubElement(reference, f"{XADES}DigestAlgAndValue"), one)


def stamp_references(made: Made, moment: datetime, *, whole: bool = True,
                     newer: bool = False, method: str | None = None) -> Tree:  # fmt: skip
    """Add SigAndRefsTimeStamp, or RefsOnlyTimeStamp: X."""
    space, suffix = (XADES141, "V2") if newer else (XADES, "")
    certificates = f"{space}CompleteCertificateRefs{suffix}"
    names = [certificates, f"{XADES}CompleteRevocationRefs"]
    first = [made.value] if whole else []
    if whole:
        names.append(f"{XADES}SignatureTimeStamp")
    elements = [*first, *(one for one in made.unsigned if one.tag in names)]
    content = b"".join(c14n(one, method or INCLUSIVE_10) for one in elements)
    tag = f"{space}{'SigAndRefs' if whole else 'RefsOnly'}TimeStamp{suffix}"
    return stamp(made, moment, tag=tag, content=content, method=method)


def stamp_contents(
    properties: Tree, contents: Sequence[bytes], moment: datetime, *,
    included: Sequence[str] | None = None, method: str | None = None, tsa: Issued | None = None,
) -> Tree:  # fmt: skip
    """Add a content time-stamp to the signed properties: over all, or over what is included."""
    place = properties.find(f"{XADES}SignedDataObjectProperties")
    if place is None:
        place = etree.SubElement(properties, f"{XADES}SignedDataObjectProperties")
    kind = "AllDataObjectsTimeStamp" if included is None else "IndividualDataObjectsTimeStamp"
    element = etree.SubElement(place, f"{XADES}{kind}")
    for uri in included or ():
        etree.SubElement(element, f"{XADES}Include", URI=uri, referencedData="true")
    if method is not None:
        etree.SubElement(element, f"{DS}CanonicalizationMethod", Algorithm=method)
    token = pki.hierarchy().stamp(moment, tsa)(b"".join(contents))
    etree.SubElement(element, f"{XADES}EncapsulatedTimeStamp").text = b64(token)
    return element


def archive_input(made: Made, method: str = INCLUSIVE_10, *, newer: bool = True) -> bytes:
    """What an archive time-stamp added now is over, step by step."""
    parts = [one.octets(method) for one in made.signs]
    for name in ("SignedInfo", "SignatureValue", "KeyInfo"):
        parts.append(c14n(made.signature.find(f"{DS}{name}"), method))
    parts.extend(c14n(one, method) for one in made.unsigned)
    referred = {one.uri for one in made.signs}
    for one in made.signature.findall(f"{DS}Object"):
        if one.find(f"{XADES}QualifyingProperties") is not None:
            continue
        if newer or f"#{one.get('Id')}" not in referred:
            parts.append(c14n(one, method))
    return b"".join(parts)


def archive(made: Made, moment: datetime, tsa: Issued | None = None, *, newer: bool = True,
            method: str | None = None, content: bytes | None = None) -> Tree:  # fmt: skip
    """Add an archive time-stamp: A."""
    if content is None:
        content = archive_input(made, method or INCLUSIVE_10, newer=newer)
    tag = f"{XADES141 if newer else XADES}ArchiveTimeStamp"
    return stamp(made, moment, tsa, tag, method, content)
