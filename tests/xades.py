"""Signed XML of every form and level, made step by step as the standards say.

Nothing of the reader is used here but names: octets, digests and the input of archive time-stamps
are written down a second time (XMLDSig 3.1, EN 319 132-1 5, TS 101 903 7 and 8).
"""

import hashlib
from base64 import b64encode
from collections.abc import Callable, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass, field
from datetime import UTC, datetime

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding
from lxml import etree

from gateway.cli.demo_authority import Issued
from gateway.hpki.verify import verify
from gateway.hpki.xades.names import (
    BASE64,
    COUNTERSIGNED,
    DS,
    EXCLUSIVE,
    FILTER2,
    INCLUSIVE_10,
    MANIFEST,
    PROPERTIES,
    XADES,
    XADES141,
)
from gateway.model.signature import CheckOutcome, Indication, SignatureReport
from tests import pki

Tree = etree._Element
Octets = Callable[[str], bytes]
"What a reference signs; the argument is the method for what no transform canonicalises."
PDF = b"%PDF-1.4 a referral"
PHARMACIST = pki.cards()["pharmacist"]
VERIFIED, INVALID, UNVERIFIABLE = (
    Indication.VERIFIED,
    Indication.INVALID,
    Indication.UNVERIFIABLE,
)
SHA256 = "http://www.w3.org/2001/04/xmlenc#sha256"
RSA_SHA256 = "http://www.w3.org/2001/04/xmldsig-more#rsa-sha256"
_NS = {"ds": DS[1:-1], "xa": XADES[1:-1], "xb": XADES141[1:-1]}


def c14n(element: Tree, method: str = INCLUSIVE_10) -> bytes:
    """Canonical, where the element stands; the library leaves inherited `xml:` attributes away."""
    space = "{http://www.w3.org/XML/1998/namespace}"
    if method != EXCLUSIVE:
        taken = {name: value for above in reversed(list(element.iterancestors()))
                 for name, value in above.attrib.items() if name.startswith(space)}  # fmt: skip
        if taken.keys() - element.attrib.keys():
            root = etree.fromstring(etree.tostring(element, method="c14n"))
            for name in taken.keys() - root.attrib.keys():
                root.set(name, taken[name])
            return etree.tostring(root, method="c14n")
    return etree.tostring(element, method="c14n", exclusive=method == EXCLUSIVE)


def b64(content: bytes) -> str:
    return b64encode(content).decode("ascii")


def digest(content: bytes) -> str:
    return b64(hashlib.sha256(content).digest())


@dataclass(frozen=True)
class Signs:
    """One reference: its URI, what it signs, and the transforms that say so."""

    uri: str
    octets: Octets
    transforms: Sequence[str] = ()
    kind: str = ""


@dataclass
class Made:
    """A signature as it is being made."""

    signature: Tree
    signs: list[Signs] = field(default_factory=list)

    @property
    def qualifying(self) -> Tree:
        (found,) = self.signature.iterfind(f"{DS}Object/{XADES}QualifyingProperties")
        return found

    @property
    def unsigned(self) -> Tree:
        outer = self.qualifying.find(f"{XADES}UnsignedProperties")
        if outer is None:
            outer = etree.SubElement(self.qualifying, f"{XADES}UnsignedProperties")
            etree.SubElement(outer, f"{XADES}UnsignedSignatureProperties")
        return outer[0]

    @property
    def value(self) -> Tree:
        (found,) = self.signature.iterfind(f"{DS}SignatureValue")
        return found


def sign(
    place: Tree,
    signs: Callable[[Tree], Sequence[Signs]],
    *,
    card: Issued | None = None,
    name: str = "Sig",
    objects: Sequence[Tree] = (),
    moment: datetime = pki.SIGNED,
    wrap: bool = True,
    before: Callable[[Tree, list[Signs]], None] | None = None,
) -> Made:
    """Append a signature to `place`; `signs` is asked when everything but the digests is there.

    `before` may still add to the signed properties; then each reference has an id.
    """
    card = card or pki.doctor()
    signature = etree.SubElement(place, f"{DS}Signature", nsmap=_NS, Id=name) if wrap else place
    info = etree.SubElement(signature, f"{DS}SignedInfo")
    etree.SubElement(signature, f"{DS}SignatureValue", Id=f"{name}-Value")
    key_info = etree.SubElement(signature, f"{DS}KeyInfo", Id=f"{name}-KeyInfo")
    data = etree.SubElement(key_info, f"{DS}X509Data")
    etree.SubElement(data, f"{DS}X509Certificate").text = b64(card.der)
    holder = etree.SubElement(signature, f"{DS}Object")
    qualifying = etree.SubElement(holder, f"{XADES}QualifyingProperties", Target=f"#{name}")
    properties = etree.SubElement(qualifying, f"{XADES}SignedProperties", Id=f"{name}-Properties")
    about = etree.SubElement(properties, f"{XADES}SignedSignatureProperties")
    etree.SubElement(about, f"{XADES}SigningTime").text = moment.astimezone(UTC).isoformat()
    cert = etree.SubElement(etree.SubElement(about, f"{XADES}SigningCertificateV2"), f"{XADES}Cert")
    digest_element(etree.SubElement(cert, f"{XADES}CertDigest"), card.der)
    signature.extend(objects)
    chosen = list(signs(signature))
    if before is not None:
        before(properties, chosen)
    made = Made(signature, [
        *chosen,
        Signs(f"#{name}-Properties", lambda _: c14n(properties, EXCLUSIVE), [EXCLUSIVE],
              PROPERTIES),
    ])  # fmt: skip
    etree.SubElement(info, f"{DS}CanonicalizationMethod", Algorithm=EXCLUSIVE)
    etree.SubElement(info, f"{DS}SignatureMethod", Algorithm=RSA_SHA256)
    for number, one in enumerate(made.signs):
        reference = etree.SubElement(info, f"{DS}Reference", URI=one.uri)
        if before is not None:
            reference.set("Id", f"{name}-R{number}")
        if one.kind:
            reference.set("Type", one.kind)
        _transforms(reference, one.transforms)
        digest_element(reference, one.octets(INCLUSIVE_10))
    seal(made, card)
    return made


def seal(made: Made, card: Issued | None = None) -> None:
    """Sign SignedInfo as it stands."""
    info = made.signature.find(f"{DS}SignedInfo")
    key = (card or pki.doctor()).key
    made.value.text = b64(key.sign(c14n(info, EXCLUSIVE), padding.PKCS1v15(), hashes.SHA256()))


def _transforms(reference: Tree, algorithms: Sequence[str]) -> None:
    if algorithms:
        steps = etree.SubElement(reference, f"{DS}Transforms")
        for algorithm in algorithms:
            step = etree.SubElement(steps, f"{DS}Transform", Algorithm=algorithm)
            if algorithm == FILTER2:
                path = etree.SubElement(step, f"{{{FILTER2}}}XPath", Filter="subtract")
                path.text = "/descendant::ds:Signature"


def digest_element(parent: Tree, content: bytes) -> None:
    etree.SubElement(parent, f"{DS}DigestMethod", Algorithm=SHA256)
    etree.SubElement(parent, f"{DS}DigestValue").text = digest(content)


# --- forms ------------------------------------------------------------------------------------


def without_signatures(root: Tree) -> Tree:
    copy = deepcopy(root)
    for one in copy.findall(f"{DS}Signature"):
        copy.remove(one)
    return copy


def enveloped(root: Tree, **about: object) -> Made:
    """A signature in the document that it signs; several are left out, each by all."""
    transforms = about.pop("transforms", [FILTER2, EXCLUSIVE])
    return sign(
        root,
        lambda _: [Signs("", lambda _: c14n(without_signatures(root), EXCLUSIVE), transforms)],
        **about,
    )


def enveloping(content: bytes | Tree, **about: object) -> Made:
    """A signature that carries what it signs: bytes in base64, or an element."""
    name = about.setdefault("name", "Sig")
    carried = etree.Element(f"{DS}Object", Id=f"{name}-Object")
    if isinstance(content, bytes):
        carried.text = b64(content)
        signs = Signs(f"#{name}-Object", lambda _: content, [BASE64])
    else:
        carried.append(content)
        signs = Signs(f"#{name}-Object", lambda method: c14n(carried, method))
    root = etree.Element(f"{DS}Signature", nsmap=_NS, Id=name)
    return sign(root, lambda _: [signs], objects=[carried], wrap=False, **about)


def detached(files: dict[str, bytes], **about: object) -> Made:
    """A signature beside files, each with a reference of its own."""
    name = about.setdefault("name", "Sig")
    root = etree.Element(f"{DS}Signature", nsmap=_NS, Id=name)
    return sign(
        root,
        lambda _: [Signs(uri, lambda _, one=one: one) for uri, one in files.items()],
        wrap=False,
        **about,
    )


def manifest(files: dict[str, bytes], **about: object) -> Made:
    """A signature over a list of files; `marks` gives some of its references an id."""
    marks = about.pop("marks", {})
    carried = etree.Element(f"{DS}Object")
    listing = etree.SubElement(carried, f"{DS}Manifest", Id="List")
    for uri, one in files.items():
        digest_element(etree.SubElement(listing, f"{DS}Reference", URI=uri), one)
        if uri in marks:
            listing[-1].set("Id", marks[uri])
    root = etree.Element(f"{DS}Signature", nsmap=_NS, Id=about.setdefault("name", "Sig"))
    return sign(
        root,
        lambda _: [Signs("#List", lambda _: c14n(listing, EXCLUSIVE), [EXCLUSIVE], MANIFEST)],
        objects=[carried],
        wrap=False,
        **about,
    )


def beside(root: Tree, *ids: str, **about: object) -> Made:
    """A signature beside the elements that it signs."""
    found = {one: root.find(f"*[@Id='{one}']") for one in ids}
    return sign(
        root,
        lambda _: [Signs(f"#{one}", lambda method, at=at: c14n(at, method))
                   for one, at in found.items()],
        **about,
    )  # fmt: skip


def countersign(made: Made, **about: object) -> Made:
    """A signature over the value of another one, in its unsigned properties."""
    place = etree.SubElement(made.unsigned, f"{XADES}CounterSignature")
    about.setdefault("name", "Counter")
    return sign(
        place,
        lambda _: [Signs(f"#{made.value.get('Id')}", lambda _: c14n(made.value, EXCLUSIVE),
                         [EXCLUSIVE], COUNTERSIGNED)],
        **about,
    )  # fmt: skip


DISPENSING = (
    b'<Document xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" id="Document">'
    b'<DispensingManagement id="DispensingManagement"><Version Value="EPD1.0"/>'
    b'</DispensingManagement><Dispensing id="Dispensing"><ReferencePrescription>'
    b'<PrescriptionManagement id="PrescriptionManagement"><Version Value="EPS1.0"/>'
    b'</PrescriptionManagement></ReferencePrescription>'
    b'<DispensingDocument id="DispensingDocument">MSxFRDEK</DispensingDocument></Dispensing>'
    b"<DispensingSign/></Document>"
)  # fmt: skip


def dispensing(
    prescription: bytes | None = None,
    card: Issued | None = None,
    **about: object,
) -> tuple[Tree, Made]:
    """A dispensing document around a signed prescription, signed by a pharmacist."""
    root = etree.fromstring(DISPENSING)
    holder = root.find("Dispensing/ReferencePrescription")
    given = etree.fromstring(prescription or pki.prescription())
    for name in ("PrescriptionDocument", "PrescriptionSign"):
        holder.append(given.find(f"Prescription/{name}"))
    body = root.find("Dispensing")
    made = sign(
        root.find("DispensingSign"),
        lambda _: [Signs("#Dispensing", lambda method: c14n(body, method))],
        card=card or pki.cards()["pharmacist"],
        name="DispensingSig",
        **about,
    )
    return root, made


# --- levels -----------------------------------------------------------------------------------


def stamp(made: Made, moment: datetime = pki.SIGNED, tsa: Issued | None = None,
          tag: str = f"{XADES}SignatureTimeStamp", method: str | None = None,
          content: bytes | None = None) -> Tree:  # fmt: skip
    """Add a time-stamp, over the signature value unless `content` says what."""
    content = c14n(made.value, method or INCLUSIVE_10) if content is None else content
    token = pki.hierarchy().stamp(moment, tsa)(content)
    element = etree.SubElement(made.unsigned, tag, Id=f"T{len(made.unsigned)}")
    if method is not None:
        etree.SubElement(element, f"{DS}CanonicalizationMethod", Algorithm=method)
    etree.SubElement(element, f"{XADES}EncapsulatedTimeStamp").text = b64(token)
    return element


# --- asking -----------------------------------------------------------------------------------


def written(element: Tree | Made) -> bytes:
    """The document as it is sent."""
    root = element.signature if isinstance(element, Made) else element
    return etree.tostring(root.getroottree().getroot())


def judge(content: Tree | Made | bytes, files: Mapping[str, bytes] | None = None,
          at: datetime = pki.NOW, **policy: object) -> SignatureReport:  # fmt: skip
    """What the verifier says of it."""
    given = content if isinstance(content, bytes) else written(content)
    return verify(given, pki.policy(**policy), at=at, detached=files or {})


def reasons(report: SignatureReport) -> str:
    """Name and reason of every check that did not pass."""
    return "; ".join(
        f"{check.name}: {check.reason}"
        for one in report.signatures
        for check in one.checks
        if check.outcome is not CheckOutcome.PASSED
    )


def stamped(made: Made) -> Made:
    """With a signature time-stamp: T."""
    stamp(made)
    return made


def the(root: Tree, path: str) -> Tree:
    """The one element at a path."""
    (found,) = root.findall(path)
    return found
