"""Signed XML under attack: wrapping, ids, transforms, keys; and what is covered."""

import hashlib
from collections.abc import Callable
from copy import deepcopy

import pytest
from lxml import etree
from signxml import methods
from signxml.xades import XAdESSigner

from gateway.hpki.policy import Algorithms
from gateway.hpki.verify import verify
from gateway.hpki.xml import open_signature
from gateway.hpki.xml_profile import DS, XADES
from gateway.model.signature import CheckOutcome, Indication, SignatureReport
from tests import pki

Tree = etree._Element
FORGED = b"MSxFUDEK"
LETTER = (
    "<ClinicalDocument><title>診療情報提供書</title><text>本文</text></ClinicalDocument>".encode()
)
PRESCRIPTION = pki.prescription()
ENVELOPED = pki.enveloped(LETTER)


def judge(content: bytes) -> SignatureReport:
    return verify(content, pki.policy(), at=pki.NOW)


def edited(edit: Callable[[Tree], object], source: bytes = PRESCRIPTION) -> bytes:
    root = etree.fromstring(source)
    made = edit(root)
    return etree.tostring(made if isinstance(made, etree._Element) else root)


def the(root: Tree, path: str) -> Tree:
    (found,) = root.findall(path)
    return found


def body(root: Tree) -> Tree:
    return the(root, "Prescription/PrescriptionDocument")


def signature(root: Tree) -> Tree:
    return the(root, f".//{DS}Signature")


def reason(report: SignatureReport) -> str:
    (one,) = report.signatures
    return next(c.reason for c in one.checks if c.outcome is not CheckOutcome.PASSED)


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
    key_swapped: "missing or another one",
    retrieval: "missing or another one",
    no_signing_certificate: "missing or another one",
    issuer_serial("AAAA"): "missing or another one",
    issuer_serial("!"): "missing or another one",
    method("http://www.w3.org/2000/09/xmldsig#hmac-sha1"): "not on the list",
    method("http://www.w3.org/2000/09/xmldsig#rsa-sha1"): "not on the list",
    method("http://www.w3.org/2001/04/xmldsig-more#hmac-sha256"): "not on the list",
    method("http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha256"): "cannot be read",
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


def test_a_signed_list_of_files_is_not_read_yet() -> None:
    report = judge(edited(manifest))
    assert report.indication is Indication.UNVERIFIABLE


@pytest.mark.parametrize(
    ("edit", "name"),
    [
        (lambda root: setattr(body(root), "text", FORGED.decode()), "digest"),
        (lambda root: body(root).set("extra", "1"), "digest"),
        (lambda root: setattr(the(root, f".//{XADES}SigningTime"), "text", "2020-01-01T00:00:00Z"),
         "digest"),
        (lambda root: setattr(the(root, f".//{DS}SignatureValue"), "text", "AAAA"), "signature"),
        (lambda root: setattr(the(root, f".//{DS}SignatureValue"), "text", "%"), "signature"),
        (lambda root: root.set("{urn:x}y", "1"), "digest"),
        (lambda root: setattr(the(root, f".//{XADES}EncapsulatedTimeStamp"), "text", "%"),
         "time-stamp"),
    ],
)  # fmt: skip
def test_alterations_are_found(edit: Callable[[Tree], object], name: str) -> None:
    report = judge(edited(lambda root: (edit(root), None)[1]))
    assert report.indication is Indication.INVALID
    failed = {c.name for c in report.signatures[0].checks if c.outcome is CheckOutcome.FAILED}
    assert name in failed


# --- what is covered --------------------------------------------------------------------------


def test_a_prescription_covers_its_body_and_nothing_else() -> None:
    (one,) = judge(PRESCRIPTION).signatures
    expected = etree.tostring(body(etree.fromstring(PRESCRIPTION)), method="c14n")
    assert one.covered == expected
    assert one.covered_sha256 == hashlib.sha256(expected).hexdigest()
    assert not one.whole_document


def test_what_is_not_signed_may_change_and_is_not_covered() -> None:
    def edit(root: Tree) -> None:
        the(root, "Prescription/PrescriptionManagement").set("note", "unsigned")

    changed = judge(edited(edit))
    assert changed.passed
    assert changed.signatures[0].covered == judge(PRESCRIPTION).signatures[0].covered
    assert b"unsigned" not in changed.signatures[0].covered


def test_an_enveloped_signature_covers_the_document_without_itself() -> None:
    report = judge(ENVELOPED)
    assert report.passed
    (one,) = report.signatures
    assert one.covered == LETTER
    assert (one.whole_document, one.format) == (True, "XAdES-T")


def test_comments_are_not_covered() -> None:
    """A-07: who reads the covered bytes reads what was digested."""
    commented = ENVELOPED.replace("本文".encode(), "本<!-- -->文".encode())
    report = judge(commented)
    assert report.passed
    assert report.signatures[0].covered == LETTER


@pytest.mark.parametrize(
    "attack",
    [
        lambda root: setattr(the(root, "text"), "text", "別の本文"),
        lambda root: etree.SubElement(root, "more"),
        lambda root: setattr(root, "text", " "),
        lambda root: root.insert(0, etree.Element("before")),
        lambda root: setattr(signature(root), "tail", "behind"),
    ],
)
def test_any_change_around_an_enveloped_signature_is_found(attack) -> None:
    report = judge(edited(lambda root: (attack(root), None)[1], ENVELOPED))
    assert report.indication is Indication.INVALID
    assert reason(report) in ("what is signed was altered", "the signature cannot be read")


def test_other_places_and_forms_are_not_verified() -> None:
    inner = etree.fromstring(ENVELOPED)
    wrapped = etree.Element("Envelope")
    wrapped.append(inner)
    assert judge(etree.tostring(wrapped)).indication is Indication.INVALID
    alone = etree.tostring(signature(etree.fromstring(ENVELOPED)))
    assert judge(alone).indication is Indication.UNVERIFIABLE
    twice = edited(lambda root: root.append(deepcopy(signature(root))), ENVELOPED)
    assert judge(twice).indication is Indication.UNVERIFIABLE
    dispensing = (
        b'<Document><Dispensing/><s:Signature xmlns:s="' + DS[1:-1].encode() + b'"/></Document>'
    )
    assert judge(dispensing).indication is Indication.UNVERIFIABLE


def test_signing_inside_a_default_namespace() -> None:
    letter = b'<a xmlns="urn:hl7-org:v3" xmlns:p="urn:p"><b p:c="1">x</b>\n</a>'
    report = judge(pki.enveloped(letter))
    assert report.passed
    assert report.signatures[0].covered == letter


def _by_another_signer(root: Tree, **about: object) -> bytes:
    card = pki.doctor()
    made = XAdESSigner(method=methods.enveloped).sign(
        root, key=card.key, cert=[card.certificate, pki.hierarchy().signing.certificate], **about
    )
    return etree.tostring(made)


def test_documents_of_another_signer_are_read() -> None:
    letter = _by_another_signer(etree.fromstring(LETTER))
    container = etree.fromstring(
        f'<Document id="D"><Prescription><PrescriptionDocument id="Body">QUJD'
        f'</PrescriptionDocument><PrescriptionSign><s:Signature xmlns:s="{DS[1:-1]}"'
        f' Id="placeholder"/></PrescriptionSign></Prescription></Document>'
    )
    prescription = _by_another_signer(container, reference_uri="#Body")
    for content, covered in (
        (letter, LETTER),
        (prescription, b'<PrescriptionDocument id="Body">QUJD</PrescriptionDocument>'),
    ):
        report = verify(content, pki.policy(), at=pki.NOW, received=pki.SIGNED)
        assert report.passed
        assert report.signatures[0].format == "XAdES-BES"
        assert report.signatures[0].covered == covered
        damaged = content.replace(b"QUJD", b"QUJE").replace(b"title>", b"titel>")
        assert verify(damaged, pki.policy(), at=pki.NOW).indication is Indication.INVALID


def test_without_any_certificate_there_is_no_signer() -> None:
    opened = open_signature(
        edited(lambda root: the(root, f".//{DS}X509Data").clear()), Algorithms()
    )
    assert opened is not None
    assert opened.certificate is None
