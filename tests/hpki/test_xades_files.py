"""Detached XAdES and signed lists of files: each file handed in, and each of them matching."""

import hashlib
from collections.abc import Callable
from copy import deepcopy
from datetime import timedelta

import pytest
from lxml import etree

from gateway.hpki.xades.names import BASE64, DS, EXCLUSIVE, INCLUSIVE_10, XADES141
from gateway.model.signature import CheckOutcome, SignedFile
from tests import pki, xades, xades_levels
from tests.xades import INVALID, PDF, UNVERIFIABLE, Tree, judge, reasons, stamped, the

FILES = {"a.pdf": PDF, "検査/b.txt": b"HbA1c 6.1"}


def test_one_file_beside_the_signature_is_covered() -> None:
    made = stamped(xades.detached({"a.pdf": PDF}))
    report = judge(made, {"a.pdf": PDF})
    assert reasons(report) == ""
    (one,) = report.signatures
    assert (one.covered, one.whole_document) == (PDF, False)
    assert one.files == (SignedFile("a.pdf", hashlib.sha256(PDF).hexdigest()),)
    assert one.as_json()["covered"]["files"][0]["name"] == "a.pdf"


FORMS = {"detached": xades.detached, "manifest": xades.manifest}
PROBLEM = {"detached": "digest: ", "manifest": "manifest: "}


@pytest.mark.parametrize("form", FORMS)
def test_several_files_are_covered_each_by_its_name(form: str) -> None:
    report = judge(stamped(FORMS[form](FILES)), FILES)
    assert reasons(report) == ""
    (one,) = report.signatures
    assert one.covered == b""
    assert one.files == tuple(
        SignedFile(name, hashlib.sha256(content).hexdigest()) for name, content in FILES.items()
    )


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize(
    ("files", "verdict", "reason"),
    [
        ({}, UNVERIFIABLE, "was not handed in"),
        ({"a.pdf": PDF}, UNVERIFIABLE, "was not handed in"),
        ({**FILES, "a.pdf": PDF + b"\n"}, INVALID, "altered"),
        ({"a.pdf": PDF[:-1]}, INVALID, "altered"),
        ({**FILES, "c.txt": b""}, INVALID, "content: a file that was handed in is not signed"),
        ({"A.PDF": PDF, "検査/b.txt": FILES["検査/b.txt"]}, INVALID, "is not signed here"),
        ({"a.pdf": FILES["検査/b.txt"], "検査/b.txt": PDF}, INVALID, "altered"),
    ],
)
def test_files_missing_altered_added_or_swapped(form, files, verdict, reason) -> None:
    report = judge(stamped(FORMS[form](FILES)), files)
    assert report.indication is verdict
    assert reason in reasons(report)
    assert report.signatures[0].covered == b""
    assert verdict is UNVERIFIABLE or "content" in reasons(report) or not report.signatures[0].files


@pytest.mark.parametrize(
    "uri",
    ["http://elsewhere.invalid/a.pdf", "file:///etc/passwd", "//host/a", "/etc/passwd",
     "../a.pdf", "a/../b", "a//b", "a?b", "a%2F..%2Fb", "x:y", "a#b", "C:\\a"],
)  # fmt: skip
def test_names_that_are_addresses_are_never_looked_up(uri: str) -> None:
    for form in FORMS.values():
        made = stamped(form({uri: PDF}))
        report = judge(made, {uri: PDF})
        assert report.indication is INVALID
        assert "points outside" in reasons(report)


def test_an_xml_file_may_be_signed_in_its_canonical_form() -> None:
    content = b"<a  b='1'/>"
    root = etree.Element(f"{DS}Signature", Id="Sig")
    canonical = b'<a b="1"></a>'
    made = xades.sign(
        root, lambda _: [xades.Signs("a.xml", lambda _: canonical, [EXCLUSIVE])], wrap=False
    )
    report = judge(stamped(made), {"a.xml": content})
    assert reasons(report) == ""
    assert report.signatures[0].covered == canonical
    assert "cannot be read" in reasons(judge(made, {"a.xml": b"<!DOCTYPE a><a/>"}))


def _listed_twice(listing: Tree) -> None:
    listing.append(deepcopy(listing[0]))


def _unlisted(listing: Tree) -> None:
    listing.remove(listing[1])


def _emptied(listing: Tree) -> None:
    for one in list(listing):
        listing.remove(one)


def _pointing_inside(listing: Tree) -> None:
    listing[0].set("URI", "#Sig-Value")


def _transformed(listing: Tree) -> None:
    steps = etree.Element(f"{DS}Transforms")
    etree.SubElement(steps, f"{DS}Transform", Algorithm=BASE64)
    listing[0].insert(0, steps)


def _weak(listing: Tree) -> None:
    the(listing[0], f"{DS}DigestMethod").set("Algorithm", "http://www.w3.org/2000/09/xmldsig#sha1")


@pytest.mark.parametrize(
    ("attack", "reason"),
    [
        (_listed_twice, "where this kind of document"),
        (_unlisted, "digest: what is signed was altered"),
        (_emptied, "where this kind of document"),
        (_pointing_inside, "points outside"),
        (_transformed, "transform"),
        (_weak, "algorithm: "),
    ],
)
def test_attacks_on_the_list(attack: Callable[[Tree], None], reason: str) -> None:
    made = stamped(xades.manifest(FILES))
    attack(the(made.signature, f".//{DS}Manifest"))
    report = judge(made, FILES)
    assert report.indication is INVALID
    assert reason in reasons(report)
    assert report.signatures[0].files == ()


def test_a_list_that_holds_for_the_signature_must_also_hold_for_the_files() -> None:
    """The signature is intact in every sense of XMLDSig; what it lists is not."""
    made = stamped(xades.manifest(FILES))
    report = judge(made, {**FILES, "a.pdf": b"another"})
    passed = {c.name for c in report.signatures[0].checks if c.outcome is CheckOutcome.PASSED}
    assert {"digest", "signature"} <= passed
    assert report.indication is INVALID


def test_a_second_list_cannot_stand_beside_the_signed_one() -> None:
    made = stamped(xades.manifest(FILES))
    evil = etree.SubElement(made.signature, f"{DS}Object")
    evil.append(deepcopy(the(made.signature, f".//{DS}Manifest")))
    evil[0].set("Id", "Evil")
    assert "something that is not signed" in reasons(judge(made, FILES))


# --- renewed digests (EN 319 132-1 5.5.3) --------------------------------------------------------

SHA512 = "http://www.w3.org/2001/04/xmlenc#sha512"


def renew(made: xades.Made, files: dict[str, bytes], method: str = EXCLUSIVE) -> Tree:
    """Add digests of the listed files by SHA-512, each naming its reference by a digest too."""
    element = etree.SubElement(made.unsigned, f"{XADES141}RenewedDigestsV2")
    etree.SubElement(element, f"{DS}CanonicalizationMethod", Algorithm=method)
    etree.SubElement(element, f"{DS}DigestMethod", Algorithm=SHA512)
    for reference in made.signature.findall(f".//{DS}Manifest/{DS}Reference"):
        value = etree.SubElement(element, f"{XADES141}RecomputedDigestValue")
        for name, octets in (
            ("NewSDODigestValue", files[reference.get("URI")]),
            ("OriginalRefDigest", xades.c14n(reference, method)),
        ):
            digest = hashlib.sha512(octets).digest()
            etree.SubElement(value, f"{XADES141}{name}").text = xades.b64(digest)
    return element


def renewed() -> xades.Made:
    made = stamped(xades.manifest(FILES))
    renew(made, FILES)
    return made


@pytest.mark.parametrize("method", [EXCLUSIVE, INCLUSIVE_10])
def test_renewed_digests_hold_beside_those_of_the_list(method: str) -> None:
    made = stamped(xades.manifest(FILES))
    renew(made, FILES, method)
    xades_levels.archive(made, pki.AFTER)
    renew(made, FILES)  # and once more, before the next archive time-stamp
    xades_levels.archive(made, pki.AFTER + timedelta(days=1))
    report = judge(made, FILES)
    assert reasons(report) == ""
    assert "renewed-digests" in {check.name for check in report.signatures[0].checks}
    assert judge(made, {"a.pdf": PDF}).indication is UNVERIFIABLE


def test_a_file_whose_old_digest_was_broken_is_found_out() -> None:
    """Two files of one SHA-256 are not to be had: the newer digest is of another file."""
    made = stamped(xades.manifest(FILES))
    renew(made, {**FILES, "a.pdf": b"the genuine one"})
    report = judge(made, FILES)
    assert report.indication is INVALID
    assert "renewed-digests: a file of the signed list does not match" in reasons(report)
    assert report.signatures[0].files == ()


def _of_another_list(element: Tree) -> None:
    the(element[2], f"{XADES141}OriginalRefDigest").text = xades.b64(bytes(64))


def _renewed_swapped(element: Tree) -> None:
    one, two = element.findall(f".//{XADES141}NewSDODigestValue")
    one.text, two.text = two.text, one.text


def _renewed_by_sha1(element: Tree) -> None:
    the(element, f"{DS}DigestMethod").set("Algorithm", "http://www.w3.org/2000/09/xmldsig#sha1")


def _canonicalised_otherwise(element: Tree) -> None:
    the(element, f"{DS}CanonicalizationMethod").set("Algorithm", INCLUSIVE_10)


def _no_method(element: Tree) -> None:
    element.remove(element[0])


def _no_value(element: Tree) -> None:
    del element[2:]


def _half_a_value(element: Tree) -> None:
    element[2].remove(element[2][0])


def _no_base64(element: Tree) -> None:
    element[2][0].text = "!"


RENEWED: dict[Callable[[Tree], None], str] = {
    _of_another_list: "renewed-digests: a renewed digest is of no file",
    _renewed_swapped: "renewed-digests: a file of the signed list does not match",
    _renewed_by_sha1: "algorithm: ",
    _canonicalised_otherwise: "renewed-digests: a renewed digest is of no file",
    _no_method: "structure: ",
    _no_value: "structure: ",
    _half_a_value: "structure: ",
    _no_base64: "structure: ",
}


@pytest.mark.parametrize("attack", RENEWED, ids=lambda one: one.__name__)
def test_attacks_on_renewed_digests(attack: Callable[[Tree], None]) -> None:
    made = renewed()
    attack(the(made.unsigned, f"{XADES141}RenewedDigestsV2"))
    report = judge(made, FILES)
    assert report.indication is INVALID
    assert RENEWED[attack] in reasons(report)


def test_renewed_digests_that_are_archived_cannot_be_taken_away() -> None:
    made = renewed()
    xades_levels.archive(made, pki.AFTER)
    assert judge(made, FILES).passed
    made.unsigned.remove(the(made.unsigned, f"{XADES141}RenewedDigestsV2"))
    assert "archive-time-stamp: it stamps something else" in reasons(judge(made, FILES))


def test_renewed_digests_without_a_list_are_of_nothing() -> None:
    made = stamped(xades.detached(FILES))
    element = renew(stamped(xades.manifest(FILES)), FILES)
    made.unsigned.append(element)
    assert "renewed-digests: a renewed digest is of no file" in reasons(judge(made, FILES))


def test_the_withdrawn_form_is_told_to_be_unread() -> None:
    made = stamped(xades.manifest(FILES))
    etree.SubElement(made.unsigned, f"{XADES141}RenewedDigests")
    report = judge(made, FILES)
    assert report.indication is UNVERIFIABLE
    assert "withdrawn form" in reasons(report)


def test_a_crowd_of_renewals_is_not_looked_at() -> None:
    made = renewed()
    for _ in range(10):
        made.unsigned.append(deepcopy(made.unsigned[-1]))
    assert "more signatures or references than are looked at" in reasons(judge(made, FILES))
