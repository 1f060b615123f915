"""Our strict profile of signed XML: where the signature stands, what it signs, with what.

All of it is looked at before any cryptography (B-04): one signature at its place, references that
are resolved by position and never by the first id that matches (A-08, B-01, B-03), and no
transform but canonicalisation and the removal of the signature itself. Two kinds are read: the
e-prescription container (EPS 1.0) and the enveloped XAdES signature.
"""

import re
from copy import deepcopy
from dataclasses import dataclass

from lxml import etree

from gateway.hpki.opened import Unfit, failed, unknown
from gateway.hpki.policy import Algorithms
from gateway.model.signature import Check

DS = "{http://www.w3.org/2000/09/xmldsig#}"
XADES = "{http://uri.etsi.org/01903/v1.3.2#}"
EXCLUSIVE = "http://www.w3.org/2001/10/xml-exc-c14n#"
INCLUSIVE = (
    "http://www.w3.org/TR/2001/REC-xml-c14n-20010315",
    "http://www.w3.org/2006/12/xml-c14n11",
)
CANONICAL = frozenset({EXCLUSIVE, *INCLUSIVE})
ENVELOPED = "http://www.w3.org/2000/09/xmldsig#enveloped-signature"
PROPERTIES = "http://uri.etsi.org/01903#SignedProperties"
DIGESTS = {
    "http://www.w3.org/2001/04/xmlenc#sha256": "sha256",
    "http://www.w3.org/2001/04/xmldsig-more#sha384": "sha384",
    "http://www.w3.org/2001/04/xmlenc#sha512": "sha512",
}
SIGNATURES = {
    **{
        f"http://www.w3.org/2001/04/xmldsig-more#rsa-{digest}": ("rsassa_pkcs1v15", digest)
        for digest in ("sha256", "sha384", "sha512")
    },
    **{
        f"http://www.w3.org/2007/05/xmldsig-more#{digest}-rsa-MGF1": ("rsassa_pss", digest)
        for digest in ("sha256", "sha384", "sha512")
    },
    **{
        f"http://www.w3.org/2001/04/xmldsig-more#ecdsa-{digest}": ("ecdsa", digest)
        for digest in ("sha256", "sha384", "sha512")
    },
}
SECTION = "XMLDSig 4.4"
_NAME = re.compile(r"#([A-Za-z_][A-Za-z0-9_.\-]{0,255})")
_BY_ID = etree.XPath("//*[@*[local-name()='Id' or local-name()='ID' or local-name()='id']=$id]")


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """The parts of one signed document, each found by position."""

    root: etree._Element
    signature: etree._Element
    body: etree._Element
    "What must be signed: the prescription, or the whole document."
    enveloped: bool
    location: str
    "Where the signature stands, as the signature library wants it."
    info: etree._Element
    value: etree._Element
    key_info: etree._Element | None
    properties: etree._Element
    unsigned: etree._Element | None
    references: int = 0
    "How many things are signed."
    index: int = 0
    "Which of them is the body."


def locate(root: etree._Element) -> Parts | None:
    """The parts of a signed document; None without signature, `Unfit` where it is out of place."""
    signatures = list(root.iter(f"{DS}Signature"))
    if not signatures:
        return None
    if root.tag == f"{DS}Signature":
        raise Unfit(
            unknown(
                "structure",
                "enveloping signatures are not read by this version",
                "包含（enveloping）署名はこの版では読み取れません",
            )
        )
    if root.tag == "Document" and root.find("Dispensing") is not None:
        raise Unfit(
            unknown(
                "structure",
                "dispensing documents are not read by this version",
                "調剤情報の署名はこの版では読み取れません",
            )
        )
    container = root.tag == "Document" and root.find("Prescription") is not None
    if container:
        place, location = f"Prescription/PrescriptionSign/{DS}Signature", "./Prescription"
        body = _only(root, "Prescription/PrescriptionDocument")
        if len(list(root.iter("{*}PrescriptionDocument"))) != 1:
            raise _misplaced()
        location += "/PrescriptionSign/"
    else:
        place, location, body = f"{DS}Signature", "./", root
    if len(signatures) > 1 and not container:
        raise Unfit(
            unknown(
                "structure",
                "several signatures in one document are not read by this version",
                "一つの文書に複数の署名があるものはこの版では読み取れません",
            )
        )
    signature = _only(root, place)
    if len(signatures) != 1:
        raise _misplaced()
    return _parts(root, signature, body, location, enveloped=not container)


def _parts(
    root: etree._Element,
    signature: etree._Element,
    body: etree._Element,
    location: str,
    *,
    enveloped: bool,
) -> Parts:
    if next(signature.iter(f"{DS}Manifest"), None) is not None:
        raise Unfit(
            unknown(
                "structure",
                "signed lists of files are not read by this version",
                "署名されたファイル一覧（Manifest）はこの版では読み取れません",
            )
        )
    holder = _only(signature, f"{DS}Object")
    qualifying = _only(holder, f"{XADES}QualifyingProperties")
    if len([child for child in holder if isinstance(child.tag, str)]) != 1:
        raise _misplaced()
    if qualifying.get("Target") != f"#{signature.get('Id')}":
        raise _misplaced()
    return Parts(
        root=root,
        signature=signature,
        body=body,
        enveloped=enveloped,
        location=location,
        info=_only(signature, f"{DS}SignedInfo"),
        value=_only(signature, f"{DS}SignatureValue"),
        key_info=_at_most_one(signature, f"{DS}KeyInfo"),
        properties=_only(qualifying, f"{XADES}SignedProperties"),
        unsigned=_at_most_one(
            qualifying, f"{XADES}UnsignedProperties/{XADES}UnsignedSignatureProperties"
        ),
    )


def check_signed(parts: Parts, allowed: Algorithms) -> tuple[int, int]:
    """How many things are signed, and which is the body; `Unfit` for anything unexpected."""
    method = _only(parts.info, f"{DS}CanonicalizationMethod").get("Algorithm")
    if method not in CANONICAL:
        raise Unfit(_transform())
    mechanism = SIGNATURES.get(_algorithm(parts.info, "SignatureMethod"))
    if (
        mechanism is None
        or mechanism[0] not in allowed.signatures
        or mechanism[1] not in allowed.digests
    ):
        raise Unfit(_weak())
    seen: list[etree._Element] = []
    for reference in parts.info.findall(f"{DS}Reference"):
        target = _target(parts, reference)
        if any(target is one for one in seen):
            raise _misplaced()
        seen.append(target)
        if (target is parts.properties) != (reference.get("Type") == PROPERTIES):
            raise _misplaced()
        _check_transforms(parts, reference, body=target is parts.body)
        if DIGESTS.get(_algorithm(reference, "DigestMethod")) not in allowed.digests:
            raise Unfit(_weak())
    for needed in (parts.body, parts.properties):
        if not any(needed is one for one in seen):
            raise _unsigned()
    return len(seen), next(index for index, one in enumerate(seen) if one is parts.body)


def _target(parts: Parts, reference: etree._Element) -> etree._Element:
    """What a reference points at: by its id, which must be the only one, and at its place."""
    uri = reference.get("URI")
    if uri == "" and parts.enveloped:
        return parts.body
    found = _NAME.fullmatch(uri or "")
    if found is None:
        raise Unfit(
            failed(
                "structure",
                "a reference points outside of the document or is not a plain id",
                "文書の外、または識別子以外を参照しています",
                SECTION,
            )
        )
    targets = _BY_ID(parts.root, id=found[1])
    expected = [parts.properties, parts.body]
    if parts.key_info is not None:
        expected.append(parts.key_info)
    if not isinstance(targets, list) or len(targets) != 1:
        raise Unfit(
            failed(
                "structure",
                "a signed id is missing or occurs more than once",
                "署名対象の識別子がないか、重複しています",
                SECTION,
            )
        )
    places = [place for place, element in enumerate(expected) if element is targets[0]]
    if not places:
        raise _misplaced()
    return expected[places[0]]


def _check_transforms(parts: Parts, reference: etree._Element, *, body: bool) -> None:
    """Nothing but canonicalisation, and before it, for the body, the removal of the signature.

    The removal is needed where the signature stands inside the body; elsewhere it changes nothing,
    and signers that write it all the same are read.
    """
    found = [step.get("Algorithm") for step in reference.findall(f"{DS}Transforms/{DS}Transform")]
    removes = body and found[:1] == [ENVELOPED]
    if body and parts.enveloped and not removes:
        raise Unfit(_transform())
    found = found[1:] if removes else found
    if len(found) > 1 or not CANONICAL.issuperset(found):
        raise Unfit(_transform())


def canonical(element: etree._Element, method: str | None) -> bytes:
    """The element canonicalised where it stands; inclusive C14N 1.0 where no method is named."""
    if method is not None and method not in CANONICAL:
        raise Unfit(_transform())
    try:
        return etree.tostring(
            element, method="c14n", exclusive=method == EXCLUSIVE, with_comments=False
        )
    except etree.LxmlError as error:  # relative namespaces have no canonical form (B-07)
        raise Unfit(_transform()) from error


def without_signature(parts: Parts) -> etree._Element:
    """A copy of the document without its signature; the text around it stays."""
    place = parts.root.index(parts.signature)
    copy = deepcopy(parts.root)
    signature = copy[place]
    tail = signature.tail or ""
    if place:
        before = copy[place - 1]
        before.tail = (before.tail or "") + tail
    else:
        copy.text = (copy.text or "") + tail
    signature.tail = None
    copy.remove(signature)
    return copy


def _algorithm(parent: etree._Element, name: str) -> str:
    return _only(parent, f"{DS}{name}").get("Algorithm") or ""


def _only(parent: etree._Element, place: str) -> etree._Element:
    found = parent.findall(place)
    if len(found) != 1:
        raise _misplaced()
    return found[0]


def _at_most_one(parent: etree._Element, place: str) -> etree._Element | None:
    found = parent.findall(place)
    if len(found) > 1:
        raise _misplaced()
    return found[0] if found else None


def _misplaced() -> Unfit:
    return Unfit(
        failed(
            "structure",
            "the signature or what it signs is not where this kind of document has it",
            "署名または署名対象が所定の位置にありません",
            SECTION,
        )
    )


def _unsigned() -> Unfit:
    return Unfit(
        failed(
            "structure",
            "the document body or the signature's properties are not signed",
            "本文または署名属性が署名されていません",
            SECTION,
        )
    )


def _transform() -> Check:
    return failed(
        "structure",
        "a transform or canonicalisation is not on the list",
        "認められない変換または正規化です",
        SECTION,
    )


def _weak() -> Check:
    return failed(
        "algorithm",
        "a signature or digest algorithm is not on the list",
        "署名またはハッシュの方式が認められません",
        SECTION,
    )
