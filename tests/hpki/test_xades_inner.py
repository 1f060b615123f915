"""Signatures inside of what is signed and about signatures: dispensing, countersignatures."""

import time
from collections.abc import Callable
from copy import deepcopy
from datetime import timedelta

import pytest
from lxml import etree

from gateway.hpki.verify import required
from gateway.hpki.xades.names import DS, XADES
from tests import pki, xades, xades_levels
from tests.xades import INVALID, PDF, PHARMACIST, VERIFIED, Tree, judge, reasons, stamped, the

# --- dispensing -------------------------------------------------------------------------------

LATER = pki.SIGNED + timedelta(hours=2)


def dispensed(**about: object) -> tuple[Tree, xades.Made]:
    root, made = xades.dispensing(**about)
    xades.stamp(made, LATER)
    return root, made


def test_a_dispensing_document_and_the_prescription_in_it() -> None:
    root, _ = dispensed()
    report = judge(root)
    assert reasons(report) == ""
    (outer,) = report.signatures
    assert [role.text for role in outer.roles] == ["Pharmacist"]
    assert outer.covered == xades.c14n(the(root, "Dispensing"))
    (inner,) = outer.embedded
    assert (inner.indication, [role.text for role in inner.roles]) == (VERIFIED, ["Medical Doctor"])
    assert (inner.proven, outer.proven) == (pki.SIGNED, LATER)
    required(report, frozenset({"Pharmacist"}), timestamp=True)
    with pytest.raises(Exception, match="role"):  # the doctor signed what is inside, not this
        required(report, frozenset({"Medical Doctor"}))
    told = outer.as_json()
    assert told["embedded"][0]["signer"]["role"] == "Medical Doctor"


def test_the_time_of_the_outer_signature_proves_the_inner_one() -> None:
    """hpki/README section 6, check 6: the card ended after dispensing, before verification."""
    ends = pki.cards()["ends after signing"]
    prescription = pki.prescription(ends, stamped=None)
    root, _ = dispensed(prescription=prescription)
    assert reasons(judge(root)) == ""
    unstamped, _ = xades.dispensing(prescription=prescription)
    assert "embedded: the document inside: the certificate had expired" in reasons(judge(unstamped))


def test_an_outer_time_proves_nothing_where_the_outer_signature_is_broken() -> None:
    prescription = pki.prescription(pki.cards()["ends after signing"], stamped=None)
    root, _ = dispensed(prescription=prescription)
    the(root, "Dispensing/DispensingDocument").text = "AAAA"
    (outer,) = judge(root).signatures
    assert outer.indication is INVALID
    assert outer.embedded[0].indication is INVALID


def _inner_changed(root: Tree) -> None:
    the(root, ".//PrescriptionDocument").text = "AAAA"


def _inner_signature_removed(root: Tree) -> None:
    the(root, ".//PrescriptionSign").clear()


def _inner_moved(root: Tree) -> None:
    the(root, "Dispensing").append(the(root, ".//PrescriptionDocument"))


def _second_dispensing(root: Tree) -> None:
    root.append(deepcopy(the(root, "Dispensing")))


def _prescription_beside(root: Tree) -> None:
    etree.SubElement(root, "Prescription")


def _outer_elsewhere(root: Tree) -> None:
    root.append(the(root, f"DispensingSign/{DS}Signature"))


def _outer_over_the_prescription(root: Tree) -> None:
    reference = the(root, f"DispensingSign/{DS}Signature/{DS}SignedInfo").find(f"{DS}Reference")
    reference.set("URI", "#PrescriptionDocument")


@pytest.mark.parametrize(
    ("attack", "reason"),
    [
        (lambda root: setattr(the(root, "Dispensing/DispensingDocument"), "text", "AAAA"),
         "digest: what is signed was altered"),
        (_inner_changed, "embedded: the document inside: what is signed was altered"),
        (_inner_signature_removed, "where this kind of document"),
        (_inner_moved, "where this kind of document"),
        (_second_dispensing, "where this kind of document"),
        (_prescription_beside, "where this kind of document"),
        (_outer_elsewhere, "where this kind of document"),
        (_outer_over_the_prescription, "where this kind of document"),
    ],
)  # fmt: skip
def test_attacks_on_dispensing_documents(attack: Callable[[Tree], None], reason: str) -> None:
    root, _ = dispensed()
    attack(root)
    report = judge(root)
    assert report.indication is INVALID
    assert reason in reasons(report)


def test_a_prescription_by_nobody_stays_so_in_a_dispensing_document() -> None:
    for card in ("rogue twin", "test card", "expired"):
        root, _ = dispensed(prescription=pki.prescription(pki.cards()[card]))
        report = judge(root)
        assert report.indication is INVALID
        assert "embedded: the document inside: " in reasons(report)


def test_a_dispensing_document_without_prescription_has_one_signature() -> None:
    root = etree.fromstring(xades.DISPENSING)
    body = the(root, "Dispensing")
    body.remove(the(body, "ReferencePrescription"))
    made = xades.sign(
        the(root, "DispensingSign"),
        lambda _: [xades.Signs("#Dispensing", lambda _: xades.c14n(body))], card=PHARMACIST,
    )  # fmt: skip
    report = judge(stamped(made))
    assert reasons(report) == ""
    assert report.signatures[0].embedded == ()


# --- countersignatures ------------------------------------------------------------------------


def countersigned(card: str = "pharmacist") -> tuple[xades.Made, xades.Made]:
    made = stamped(xades.enveloping(PDF))
    counter = stamped(xades.countersign(made, card=pki.cards()[card]))
    return made, counter


def test_a_countersignature_is_reported_under_its_signature() -> None:
    made, _ = countersigned()
    report = judge(made)
    assert reasons(report) == ""
    (one,) = report.signatures
    (counter,) = one.countersignatures
    assert [role.text for role in counter.roles] == ["Pharmacist"]
    assert counter.covered == b""
    assert [role.text for role in one.roles] == ["Medical Doctor"]
    with pytest.raises(Exception, match="role"):  # never one of the document's signers
        required(report, frozenset({"Pharmacist"}))
    assert one.as_json()["countersignatures"][0]["signer"]["role"] == "Pharmacist"


def test_a_countersigner_needs_no_role_but_a_card() -> None:
    assert reasons(judge(countersigned("no role")[0])) == ""
    for card in ("expired", "rogue twin", "log-in card"):
        report = judge(countersigned(card)[0])
        assert report.indication is INVALID
        assert "countersignature: a countersignature: " in reasons(report)


def test_an_archive_stamp_keeps_a_countersignature_too() -> None:
    """The countersigner's card ended meanwhile; the stamp behind says that it was there before."""
    for behind, verdict in ((True, VERIFIED), (False, INVALID)):
        made = stamped(xades.enveloping(PDF))
        if not behind:
            xades_levels.archive(made, pki.SIGNED + timedelta(days=1))
        xades.countersign(made, card=pki.cards()["ends after signing"])
        if behind:
            xades_levels.archive(made, pki.SIGNED + timedelta(days=1))
        assert judge(made).indication is verdict


def _by_another_key(made: xades.Made, counter: xades.Made) -> None:
    key = the(counter.signature, f".//{DS}X509Certificate")
    key.text = xades.b64(pki.rogue().card().der)


def _of_another_signature(made: xades.Made, counter: xades.Made) -> None:
    foreign = countersigned()[1]
    counter.signature.getparent().replace(counter.signature, foreign.signature)


def _over_something_else(made: xades.Made, counter: xades.Made) -> None:
    reference = the(counter.signature, f"{DS}SignedInfo").find(f"{DS}Reference")
    reference.set("URI", "#Sig-Object")
    xades.seal(counter, PHARMACIST)


def _as_a_second_signature(made: xades.Made, counter: xades.Made) -> None:
    made.signature.append(counter.signature)


def _in_signed_properties(made: xades.Made, counter: xades.Made) -> None:
    the(made.qualifying, f"{XADES}SignedProperties").append(counter.signature.getparent())


@pytest.mark.parametrize(
    ("attack", "reason"),
    [
        (_by_another_key, "missing or another one"),
        (_of_another_signature, "what is signed was altered"),
        (_over_something_else, "where this kind of document"),
        (_as_a_second_signature, "where this kind of document"),
        (_in_signed_properties, "where this kind of document"),
    ],
)
def test_attacks_with_countersignatures(attack, reason: str) -> None:
    made, counter = countersigned()
    if attack is _of_another_signature:
        xades.seal(made)
        made = stamped(xades.enveloping(PDF + b"2"))
        counter = stamped(xades.countersign(made, card=PHARMACIST))
    attack(made, counter)
    report = judge(made)
    assert report.indication is INVALID
    assert reason in reasons(report)


def test_a_crowd_of_signatures_is_not_looked_at() -> None:
    root = etree.fromstring("<a/>")
    for number in range(11):
        xades.enveloped(root, name=f"S{number}")
    assert "more signatures" in reasons(judge(root))


@pytest.mark.parametrize("part", ["objects", "stamps", "references"])
def test_a_crowd_costs_no_more_than_reading_it(part: str) -> None:
    """G9: what would be looked at pair by pair is counted first."""
    made = xades.enveloping(PDF)
    info = the(made.signature, f"{DS}SignedInfo")
    for number in range(20_000):
        if part == "objects":
            etree.SubElement(made.signature, f"{DS}Object", Id=f"O{number}")
        elif part == "stamps":
            etree.SubElement(made.unsigned, f"{XADES}SignatureTimeStamp")
        else:
            info.append(deepcopy(info[-1]))
    content = xades.written(made)
    begun = time.process_time()
    report = judge(content)
    assert time.process_time() - begun < 2
    assert report.indication is INVALID
    assert "more signatures or references" in reasons(report)
