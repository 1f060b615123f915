"""Enveloped and enveloping XAdES, and signatures beside parts of their document.

For each positive its attacks; `test_xades_levels` has those on time-stamps.
"""

import hashlib
from collections.abc import Callable
from copy import deepcopy

import pytest
from lxml import etree

from gateway.hpki.xades.names import DS, ENVELOPED, EXCLUSIVE, FILTER2, XPATH
from gateway.model.signature import SignedFile
from tests import pki, xades
from tests.xades import (
    INVALID,
    PDF,
    PHARMACIST,
    UNVERIFIABLE,
    VERIFIED,
    Tree,
    judge,
    reasons,
    stamped,
    the,
)

LETTER = '<letter xmlns="urn:letter" xml:lang="ja"><text Id="Text">紹介状</text></letter>'


def letter() -> Tree:
    return etree.fromstring(LETTER)


def parts() -> Tree:
    return etree.fromstring(
        '<record xmlns:u="urn:u" xml:lang="ja"><part Id="One">処方</part>'
        '<u:part Id="Two"/></record>'
    )


# --- enveloped --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "transforms", [[ENVELOPED], [ENVELOPED, EXCLUSIVE], [FILTER2, EXCLUSIVE], [ENVELOPED, FILTER2]]
)
def test_ways_to_leave_the_signature_out(transforms: list[str]) -> None:
    root = letter()
    method = {"method": "c14n", "exclusive": EXCLUSIVE in transforms}
    expected = etree.tostring(letter(), **method)
    made = xades.sign(root, lambda _: [xades.Signs("", lambda _: expected, transforms)])
    report = judge(stamped(made))
    assert reasons(report) == ""
    (one,) = report.signatures
    assert (one.covered, one.whole_document) == (expected, True)


def test_leaving_out_by_xpath_is_read_only_as_it_is_usually_written() -> None:
    for path, expected in (
        ("not(ancestor-or-self::ds:Signature)", VERIFIED),
        ("self::text()", INVALID),
    ):
        root = letter()
        whole = xades.c14n(letter(), EXCLUSIVE)
        made = xades.sign(
            root, lambda _, o=whole: [xades.Signs("", lambda _: o, [XPATH, EXCLUSIVE])]
        )
        etree.SubElement(
            the(root, f".//{DS}Transform[@Algorithm='{XPATH}']"), f"{DS}XPath"
        ).text = path
        xades.seal(made)
        report = judge(stamped(made))
        assert report.indication is expected
        assert expected is VERIFIED or "transform" in reasons(report)


def test_two_doctors_sign_one_document() -> None:
    root = letter()
    stamped(xades.enveloped(root))
    stamped(xades.enveloped(root, name="Second", card=PHARMACIST))
    report = judge(root)
    assert reasons(report) == ""
    assert [one.role.text for one in report.signatures if one.role] == [
        "Medical Doctor",
        "Pharmacist",
    ]
    assert {one.covered for one in report.signatures} == {xades.c14n(letter(), EXCLUSIVE)}


def test_the_verdict_is_that_of_the_weakest_signature() -> None:
    for card, verdict in (("expired", INVALID), ("unknown role", UNVERIFIABLE)):
        root = letter()
        stamped(xades.enveloped(root))
        stamped(xades.enveloped(root, name="Second", card=pki.cards()[card]))
        report = judge(root)
        assert report.indication is verdict
        assert [one.indication for one in report.signatures] == [VERIFIED, verdict]


def test_a_signature_that_covers_another_one_breaks_it() -> None:
    """With the plain transform a later signature is part of what the earlier one would sign."""
    root = letter()
    stamped(xades.enveloped(root, transforms=[ENVELOPED, EXCLUSIVE]))
    stamped(xades.enveloped(root, name="Second"))
    assert "digest: what is signed was altered" in reasons(judge(root))


def test_a_stranger_cannot_hide_content_in_a_signature_of_his_own() -> None:
    """Everything in a signature that is left out must be signed by that signature."""
    root = letter()
    stamped(xades.enveloped(root))
    other = xades.enveloping(b"<letter>forged</letter>", name="Other", card=PHARMACIST)
    root.append(stamped(other).signature)
    assert "something that is not signed" in reasons(judge(root))
    box = etree.Element("box")
    for name, card, content in (("A", pki.doctor(), PDF), ("B", PHARMACIST, b"forged")):
        box.append(stamped(xades.enveloping(content, name=name, card=card)).signature)
    report = judge(box)
    assert report.indication is INVALID
    assert "not over the same content" in reasons(report)


# --- enveloping -------------------------------------------------------------------------------


def test_enveloped_bytes_are_what_was_signed() -> None:
    report = judge(stamped(xades.enveloping(PDF)))
    assert reasons(report) == ""
    (one,) = report.signatures
    assert (one.covered, one.whole_document) == (PDF, False)
    assert one.covered_sha256 == hashlib.sha256(PDF).hexdigest()


def test_an_enveloped_element_is_what_was_signed() -> None:
    report = judge(stamped(xades.enveloping(letter())))
    assert reasons(report) == ""
    (one,) = report.signatures
    assert LETTER.encode() in one.covered
    assert not one.whole_document


def _forged_object(made: xades.Made) -> None:
    etree.SubElement(made.signature, f"{DS}Object", Id="Evil").text = "QUJD"


def _wrapped_object(made: xades.Made) -> None:
    real = the(made.signature, f"{DS}Object[@Id='Sig-Object']")
    forged = etree.Element(f"{DS}Object", Id="Evil")
    forged.text = "QUJD"
    made.signature.replace(real, forged)
    etree.SubElement(etree.SubElement(made.signature, f"{DS}Object"), "wrapper").append(real)


def _more_in_the_object(made: xades.Made) -> None:
    etree.SubElement(the(made.signature, f"{DS}Object[@Id='Sig-Object']"), "more")


def _comment_in_base64(made: xades.Made) -> None:
    the(made.signature, f"{DS}Object[@Id='Sig-Object']").insert(0, etree.Comment("x"))


def _same_id_twice(made: xades.Made) -> None:
    the(made.signature, f"{DS}Object[@Id='Sig-Object']").set("id", "Sig-Object")


def _id_elsewhere(made: xades.Made) -> None:
    made.value.set("ID", "Sig-Object")


def _whole_of_itself(made: xades.Made) -> None:
    reference = the(made.signature, f"{DS}SignedInfo").find(f"{DS}Reference")
    reference.set("URI", "")
    xades.seal(made)


def _bytes_changed(made: xades.Made) -> None:
    the(made.signature, f"{DS}Object[@Id='Sig-Object']").text = xades.b64(PDF + b" ")


@pytest.mark.parametrize(
    ("attack", "reason"),
    [
        (_forged_object, "something that is not signed"),
        (_wrapped_object, "where this kind of document"),
        (_more_in_the_object, "cannot be read"),
        (_comment_in_base64, "cannot be read"),
        (_same_id_twice, "occurs more than once"),
        (_id_elsewhere, "occurs more than once"),
        (_whole_of_itself, "points outside"),
        (_bytes_changed, "digest: what is signed was altered"),
    ],
)
def test_attacks_on_what_is_enveloped(attack: Callable[[xades.Made], None], reason: str) -> None:
    made = stamped(xades.enveloping(PDF))
    attack(made)
    report = judge(made)
    assert report.indication is INVALID
    assert reason in reasons(report)
    assert report.signatures[0].covered == b""


# --- beside elements of the same document -----------------------------------------------------


def test_parts_of_a_document_are_said_to_be_parts() -> None:
    root = parts()
    report = judge(stamped(xades.beside(root, "One", "Two")))
    assert reasons(report) == ""
    (one,) = report.signatures
    assert (one.covered, one.whole_document) == (b"", False)
    expected = [hashlib.sha256(xades.c14n(child)).hexdigest() for child in root[:2]]
    assert one.files == (SignedFile("#One", expected[0]), SignedFile("#Two", expected[1]))


def test_one_part_is_covered_with_the_attributes_that_it_inherits() -> None:
    root = etree.fromstring(
        '<record xmlns:u="urn:u" xml:lang="ja"><part Id="One">処方</part></record>'
    )
    report = judge(stamped(xades.beside(root, "One")))
    assert reasons(report) == ""
    assert report.signatures[0].covered == (
        '<part xmlns:u="urn:u" Id="One" xml:lang="ja">処方</part>'.encode()
    )


def _unsigned_beside(root: Tree) -> None:
    etree.SubElement(root, "part").text = "別の処方"


def _text_beside(root: Tree) -> None:
    root.text = "別の処方"


def _moved_away(root: Tree) -> None:
    real = the(root, "*[@Id='One']")
    forged = deepcopy(real)
    forged.text = "別の処方"
    root.replace(real, forged)
    etree.SubElement(root, "elsewhere").append(real)


def _moved_without_id(root: Tree) -> None:
    _moved_away(root)
    del root[0].attrib["Id"]


@pytest.mark.parametrize(
    ("attack", "reason"),
    [
        (_unsigned_beside, "something that is not signed"),
        (_text_beside, "something that is not signed"),
        (_moved_away, "occurs more than once"),
        (_moved_without_id, "where this kind of document"),
        (lambda root: root[0].set("x", "1"), "digest: "),
        (lambda root: root.set("{http://www.w3.org/XML/1998/namespace}lang", "en"), "digest: "),
    ],
)
def test_attacks_on_signed_parts(attack: Callable[[Tree], None], reason: str) -> None:
    root = parts()
    stamped(xades.beside(root, "One", "Two"))
    attack(root)
    report = judge(root)
    assert report.indication is INVALID
    assert reason in reasons(report)
