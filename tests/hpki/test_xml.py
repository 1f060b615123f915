"""Signed XML: alterations, what is covered, other signers. Attacks: `test_xml_profile`."""

import hashlib
from collections.abc import Callable
from copy import deepcopy

import pytest
from lxml import etree
from signxml import methods
from signxml.xades import XAdESSigner

from gateway.hpki.policy import Algorithms
from gateway.hpki.verify import verify
from gateway.hpki.xades.names import DS, XADES
from gateway.hpki.xades.reader import open_signatures
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
    assert judge(alone).indication is Indication.INVALID
    twice = edited(lambda root: root.append(deepcopy(signature(root))), ENVELOPED)
    assert judge(twice).indication is Indication.INVALID


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
    (opened,) = open_signatures(
        edited(lambda root: the(root, f".//{DS}X509Data").clear()), Algorithms(), {}
    )
    assert opened.certificate is None
