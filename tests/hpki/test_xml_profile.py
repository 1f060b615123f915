"""Signed XML under attack: wrapping, ids, transforms, keys. Each is refused with its reason."""

from collections.abc import Callable
from copy import deepcopy

import pytest
from lxml import etree

from gateway.hpki.xades.names import DS, XADES
from gateway.model.signature import Indication
from tests import pki
from tests.hpki.test_xml import FORGED, Tree, body, edited, judge, reason, signature, the

# --- wrapping ---------------------------------------------------------------------------------


def forged_beside(root: Tree) -> None:
    """The signed body is moved away, a forged one takes its place."""
    real = body(root)
    forged = deepcopy(real)
    forged.text = FORGED.decode()
    place = real.getparent()
    assert place is not None
    place.replace(real, forged)
    etree.SubElement(root, "Elsewhere").append(real)


def forged_without_id(root: Tree) -> None:
    forged_beside(root)
    del body(root).attrib["id"]


def forged_with_upper_id(root: Tree) -> None:
    """The verifier resolves `Id` before `id`: the real body hides under `Id` elsewhere."""
    forged_beside(root)
    moved = the(root, "Elsewhere/PrescriptionDocument")
    moved.set("Id", moved.attrib.pop("id"))


def renamed_hideout(root: Tree) -> None:
    """The real body hides under another name, with the id that is signed."""
    forged_without_id(root)
    the(root, "Elsewhere/PrescriptionDocument").tag = "Anything"


def id_in_another_namespace(root: Tree) -> None:
    forged_without_id(root)
    moved = the(root, "Elsewhere/PrescriptionDocument")
    moved.tag = "Anything"
    moved.set("{urn:x}Id", moved.attrib.pop("id"))


def second_body(root: Tree) -> None:
    forged = deepcopy(body(root))
    forged.text = FORGED.decode()
    forged.set("id", "Other")
    the(root, "Prescription").append(forged)


def whole_document_nested(root: Tree) -> Tree:
    outer = deepcopy(root)
    body(outer).text = FORGED.decode()
    signature(outer).append(root)
    return outer


def body_inside_the_signature(root: Tree) -> None:
    forged_beside(root)
    moved = the(root, "Elsewhere/PrescriptionDocument")
    etree.SubElement(signature(root), f"{DS}Object").append(moved)


def two_prescriptions(root: Tree) -> None:
    forged = deepcopy(the(root, "Prescription"))
    the(forged, "PrescriptionDocument").text = FORGED.decode()
    root.insert(0, forged)


def signature_moved(root: Tree) -> None:
    root.append(signature(root))


def second_signature(root: Tree) -> None:
    the(root, "Prescription/PrescriptionSign").append(deepcopy(signature(root)))


def duplicate_id(root: Tree) -> None:
    etree.SubElement(root, "Other").set("id", "PrescriptionDocument")


def reference_removed(root: Tree) -> None:
    info = the(root, f".//{DS}SignedInfo")
    info.remove(info.findall(f"{DS}Reference")[0])


def reference_to_the_root(root: Tree) -> None:
    the(root, f".//{DS}SignedInfo").findall(f"{DS}Reference")[0].set("URI", "#Document")


def reference_outside(root: Tree) -> None:
    first = the(root, f".//{DS}SignedInfo").findall(f"{DS}Reference")[0]
    first.set("URI", "http://elsewhere.invalid/body")


def reference_by_pointer(root: Tree) -> None:
    first = the(root, f".//{DS}SignedInfo").findall(f"{DS}Reference")[0]
    first.set("URI", "#xpointer(id('PrescriptionDocument'))")


def reference_with_two_hashes(root: Tree) -> None:
    the(root, f".//{DS}SignedInfo").findall(f"{DS}Reference")[0].set(
        "URI", "##PrescriptionDocument"
    )


def transform(algorithm: str) -> Callable[[Tree], None]:
    def edit(root: Tree) -> None:
        first = the(root, f".//{DS}SignedInfo").findall(f"{DS}Reference")[0]
        steps = etree.Element(f"{DS}Transforms")
        etree.SubElement(steps, f"{DS}Transform", Algorithm=algorithm)
        first.insert(0, steps)

    return edit


def type_elsewhere(root: Tree) -> None:
    references = the(root, f".//{DS}SignedInfo").findall(f"{DS}Reference")
    references[0].set("Type", references[2].attrib.pop("Type"))


def target_elsewhere(root: Tree) -> None:
    the(root, f".//{XADES}QualifyingProperties").set("Target", "#Other")


def manifest(root: Tree) -> None:
    etree.SubElement(the(root, f".//{DS}Object"), f"{DS}Manifest")


# --- keys and algorithms ----------------------------------------------------------------------


def key_swapped(root: Tree) -> None:
    other = etree.fromstring(pki.prescription(pki.cards()["pharmacist"]))
    given = the(other, f".//{DS}X509Certificate").text
    the(root, f".//{DS}X509Certificate").text = given


def retrieval(root: Tree) -> None:
    etree.SubElement(the(root, f".//{DS}KeyInfo"), f"{DS}RetrievalMethod", URI="#x")


def method(algorithm: str) -> Callable[[Tree], None]:
    return lambda root: the(root, f".//{DS}SignatureMethod").set("Algorithm", algorithm)


def digest(algorithm: str) -> Callable[[Tree], None]:
    return lambda root: (
        the(root, f".//{DS}SignedInfo")
        .findall(f".//{DS}DigestMethod")[0]
        .set("Algorithm", algorithm)
    )


def no_signing_certificate(root: Tree) -> None:
    named = the(root, f".//{XADES}SigningCertificateV2")
    parent = named.getparent()
    assert parent is not None
    parent.remove(named)


def issuer_serial(text: str) -> Callable[[Tree], None]:
    def edit(root: Tree) -> None:
        cert = the(root, f".//{XADES}SigningCertificateV2/{XADES}Cert")
        etree.SubElement(cert, f"{XADES}IssuerSerialV2").text = text

    return edit


ATTACKS = {
    forged_beside: "where this kind of document",
    forged_without_id: "where this kind of document",
    forged_with_upper_id: "where this kind of document",
    renamed_hideout: "where this kind of document",
    id_in_another_namespace: "where this kind of document",
    second_body: "where this kind of document",
    whole_document_nested: "where this kind of document",
    body_inside_the_signature: "where this kind of document",
    two_prescriptions: "where this kind of document",
    signature_moved: "where this kind of document",
    second_signature: "where this kind of document",
    duplicate_id: "occurs more than once",
    reference_removed: "are not signed",
    reference_to_the_root: "where this kind of document",
    reference_outside: "points outside",
    reference_by_pointer: "points outside",
    reference_with_two_hashes: "points outside",
    transform("http://www.w3.org/TR/1999/REC-xslt-19991116"): "transform",
    transform("http://www.w3.org/TR/1999/REC-xpath-19991116"): "transform",
    transform("http://www.w3.org/2000/09/xmldsig#base64"): "transform",
    transform("http://www.w3.org/2000/09/xmldsig#enveloped-signature"): "does not verify",
    type_elsewhere: "where this kind of document",
    target_elsewhere: "where this kind of document",
    manifest: "where this kind of document",
    key_swapped: "missing or another one",
    retrieval: "missing or another one",
    no_signing_certificate: "missing or another one",
    issuer_serial("AAAA"): "missing or another one",
    issuer_serial("!"): "missing or another one",
    method("http://www.w3.org/2000/09/xmldsig#hmac-sha1"): "not on the list",
    method("http://www.w3.org/2000/09/xmldsig#rsa-sha1"): "not on the list",
    method("http://www.w3.org/2001/04/xmldsig-more#hmac-sha256"): "not on the list",
    method("http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha256"): "not for this kind of key",
    method("http://www.w3.org/2001/04/xmldsig-more#rsa-sha512"): "value does not verify",
    digest("http://www.w3.org/2000/09/xmldsig#sha1"): "not on the list",
    digest("urn:x"): "not on the list",
}


@pytest.mark.parametrize("attack", ATTACKS, ids=lambda one: f"{one.__qualname__.split('.')[0]}")
def test_attacks_are_refused_each_with_its_reason(attack: Callable[[Tree], object]) -> None:
    report = judge(edited(attack))
    assert report.indication is Indication.INVALID
    assert ATTACKS[attack] in reason(report)
    assert report.signatures[0].covered == b""


@pytest.mark.parametrize("source", [pki.prescription(), pki.enveloped(b"<a><b>1</b></a>")])
def test_relative_namespaces_have_no_canonical_form(source: bytes) -> None:
    at = source.index(b">", source.index(b"?>") + 2)
    report = judge(source[:at] + b' xmlns:r="relative"' + source[at:])
    assert report.indication is Indication.INVALID
