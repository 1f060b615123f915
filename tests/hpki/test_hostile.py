"""Documents made to be misread: told for what they are, in time, and nothing else verified."""

import hashlib
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from asn1crypto import cms, core, tsp
from asn1crypto import x509 as asn1
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from lxml import etree

from gateway.cli import demo_authority as make
from gateway.hpki import timestamp
from gateway.hpki.policy import SignaturePolicy, Size
from gateway.hpki.verify import verify
from gateway.hpki.xades.names import DS, EXCLUSIVE, INCLUSIVE_10, INCLUSIVE_11, MANIFEST
from gateway.model.signature import CheckOutcome
from tests import cades, pki, xades, xades_levels
from tests.hpki.test_timestamp import VALUE, around, token
from tests.xades import INVALID, VERIFIED, Made, Signs, judge, reasons

HERE = pki.hierarchy()


# --- what kind of document it is ------------------------------------------------------------------


def with_marks(text: str) -> Made:
    return xades.stamped(xades.enveloped(etree.fromstring(f"<a>{text}</a>")))


def test_letters_of_another_kind_do_not_hide_a_signature() -> None:
    good = xades.written(with_marks("%PDF-1.7 1 mg"))
    assert judge(good).indication is VERIFIED
    report = judge(good.replace(b"1 mg", b"9 mg"))
    assert report.indication is INVALID
    assert "altered" in reasons(report)
    assert judge(b"<!-- %PDF-1.7 -->" + good).indication is VERIFIED
    assert judge(b"<a>%PDF-1.7</a>").signatures == ()


def test_utf_16_with_its_mark_is_read_and_without_is_told() -> None:
    text = xades.written(with_marks("処方")).decode()
    for written in (text, '<?xml version="1.0" encoding="UTF-16"?>' + text):
        for codec in ("utf-16-le", "utf-16-be"):
            marked = judge(f"\ufeff{written}".encode(codec))
            assert marked.indication is VERIFIED
            assert "処方".encode() in marked.signatures[0].covered
            bare = judge(written.encode(codec))
            assert bare.indication is INVALID
            assert reasons(bare) == "structure: UTF-16 without its byte order mark"


# --- canonicalisation -----------------------------------------------------------------------------

COMMENTS = [
    f"{EXCLUSIVE}WithComments",
    f"{INCLUSIVE_10}#WithComments",
    f"{INCLUSIVE_11}#WithComments",
]


@pytest.mark.parametrize("method", COMMENTS)
def test_methods_with_comments(method: str) -> None:
    """They count in SignedInfo; a reference within the document never has any."""
    root = etree.fromstring("<r><p Id='One'>a<!-- not signed -->b</p></r>")
    part = root[0]
    made = xades.sign(root, lambda _: [Signs("#One", lambda _: _c14n(part, method), [method])])
    info = made.signature.find(f"{DS}SignedInfo")
    info.insert(0, etree.Comment("signed"))
    info.find(f"{DS}CanonicalizationMethod").set("Algorithm", method)
    octets = _c14n(info, method, comments=True)
    made.value.text = xades.b64(
        pki.doctor().key.sign(octets, xades.padding.PKCS1v15(), hashes.SHA256())
    )
    report = judge(xades.stamped(made))
    assert reasons(report) == ""
    assert report.signatures[0].covered == b'<p Id="One">ab</p>'
    info[0].text = "another"
    assert "the signature value does not verify" in reasons(judge(made))


def _c14n(element: xades.Tree, method: str, *, comments: bool = False) -> bytes:
    exclusive = method.startswith(EXCLUSIVE)
    return etree.tostring(element, method="c14n", exclusive=exclusive, with_comments=comments)


def test_a_file_is_not_canonicalised_with_comments() -> None:
    made = xades.sign(
        etree.Element(f"{DS}Signature", nsmap=xades._NS, Id="Sig"),
        lambda _: [Signs("a.xml", lambda _: b"<a></a>", COMMENTS[:1])],
        wrap=False,
    )
    report = judge(made, {"a.xml": b"<a/>"})
    assert report.indication is INVALID
    assert "transform or canonicalisation is not on the list" in reasons(report)


# --- certificates ---------------------------------------------------------------------------------


@pytest.mark.parametrize("algorithm", ["md5", "sha1", "sha224"])
def test_a_certificate_is_not_named_by_a_weak_digest(algorithm: str) -> None:
    """By SHA-1 in the first version, which knows no other; the second one has a choice."""
    card = pki.doctor()
    digest = hashlib.new(algorithm, card.der).digest()
    value = tsp.SigningCertificateV2(
        {"certs": [{"hash_algorithm": {"algorithm": algorithm}, "cert_hash": digest}]}
    )
    info = cades.signer_info(
        cades.TEXT, card, names=[cades.attribute("signing_certificate_v2", value)],
        stamp=HERE.stamp(),
    )  # fmt: skip
    report = judge(cades.signed_data([info]).dump())
    assert report.indication is INVALID
    assert "names another certificate" in reasons(report)


def unreadable() -> bytes:
    """A certificate with an alternative name that is none."""
    key, name = pki.doctor().key, make.name("Odd")
    alternative = x509.UnrecognizedExtension(x509.ObjectIdentifier("2.5.29.17"), b"\x04\x01x")
    builder = (
        x509.CertificateBuilder().subject_name(name).issuer_name(name).serial_number(5)
        .public_key(key.public_key()).not_valid_before(pki.BEFORE).not_valid_after(pki.AFTER)
        .add_extension(alternative, critical=False)
    )  # fmt: skip
    return builder.sign(key, hashes.SHA256()).public_bytes(pki.Encoding.DER)


def test_a_certificate_beside_that_cannot_be_read_spoils_nothing() -> None:
    odd = asn1.Certificate.load(unreadable())
    object_ = cms.ContentInfo.load(cades.cades())
    held = object_["content"]["certificates"]
    choices = [cms.CertificateChoices("certificate", odd), *held]
    object_["content"]["certificates"] = cms.CertificateSet(choices)
    assert reasons(judge(object_.dump())) == ""
    made = xades.enveloped(etree.fromstring("<a/>"))
    data = made.signature.find(f"{DS}KeyInfo/{DS}X509Data")
    element = etree.SubElement(data, f"{DS}X509Certificate")
    element.text = xades.b64(unreadable())
    assert reasons(judge(xades.stamped(made))) == ""
    data.remove(data[0])
    report = judge(made)
    assert report.indication is INVALID
    assert "missing or another one" in reasons(report)


def test_the_signers_own_key_has_a_size_by_date() -> None:
    """Under authorities whose keys are large, too."""
    born, end = datetime(2020, 1, 1, tzinfo=UTC), datetime(2035, 12, 31, tzinfo=UTC)
    keys = [ec.generate_private_key(ec.SECP384R1()) for _ in range(2)]
    root = make.issue(make.name("EC Root"), keys[0], None, make.authority(), serial=1,
                      since=born, until=end)  # fmt: skip
    about = (*make.authority(), make.policies(pki.SIGNING),
             make.points(make.authorities_only(root)[0]))  # fmt: skip
    signing = make.issue(make.name("EC"), keys[1], root, about, serial=2, since=born, until=end)
    here = replace(HERE, root=root, signing=signing)
    card = here.card()
    content = cades.signed_data(
        [cades.signer_info(cades.TEXT, card)], certificates=[card, signing]
    ).dump()

    def said(*sizes: Size) -> str:
        policy = SignaturePolicy(trust=replace(here.trust(), sizes=sizes))
        return reasons(verify(content, policy, at=pki.SIGNED))

    assert said() == ""
    assert said(Size(3072, pki.AFTER)) == ""
    assert said(Size(3072, pki.BEFORE)).startswith("path: the certificate's own key is too weak")


# --- time-stamps ----------------------------------------------------------------------------------


@pytest.mark.parametrize("change", ["critical", "plain", "version"])
def test_a_token_says_nothing_that_is_not_understood(change: str) -> None:
    def altered(info: tsp.TSTInfo) -> None:
        if change == "version":
            info["version"] = 2
            return
        extension = {"extn_id": "2.999.1", "critical": change == "critical",
                     "extn_value": b"\x05\x00"}  # fmt: skip
        info["extensions"] = tsp.Extensions([extension])

    check = timestamp.judge(resigned(altered), VALUE, around()).check
    if change == "plain":
        assert check.outcome is CheckOutcome.PASSED
    else:
        assert (check.outcome, check.reason) == (CheckOutcome.FAILED, "the token cannot be read")


def resigned(alter: Callable[[tsp.TSTInfo], None]) -> bytes:
    """A token that says something else, signed anew by its authority."""
    object_ = cms.ContentInfo.load(token())
    signed = object_["content"]
    info = tsp.TSTInfo.load(bytes(signed["encap_content_info"]["content"]))
    alter(info)
    signed["encap_content_info"]["content"] = cms.ParsableOctetString(info.dump(force=True))
    signer = signed["signer_infos"][0]
    digest = hashlib.sha256(info.dump()).digest()
    kept = [one for one in signer["signed_attrs"] if one["type"].native != "message_digest"]
    attribute = cades.attribute("message_digest", core.OctetString(digest))
    signer["signed_attrs"] = cms.CMSAttributes([*kept, attribute])
    octets = signer["signed_attrs"].untag().dump()
    signer["signature"] = HERE.tsa.key.sign(octets, xades.padding.PKCS1v15(), hashes.SHA256())
    return object_.dump(force=True)


# --- work -----------------------------------------------------------------------------------------


def _in_time(made: Made | bytes, files: dict[str, bytes] | None = None) -> str:
    begun = time.process_time()
    report = judge(made, files)
    assert time.process_time() - begun < 3
    assert report.indication is not VERIFIED
    return reasons(report)


def test_one_reference_is_included_once() -> None:
    """Else a megabyte could say to digest the document ten thousand times."""
    parts = [f"P{number}" for number in range(300)]
    root = etree.fromstring("<r>" + "".join(f"<p Id='{one}'/>" for one in parts) + "</r>")
    count = 10_000

    def before(properties: xades.Tree, signs: list[Signs]) -> None:
        octets = signs[-1].octets(INCLUSIVE_10)
        named = [f"#Sig-R{len(parts) - 1}"] * count
        xades_levels.stamp_contents(properties, [octets] * count, pki.BEFORE, included=named)

    made = xades.stamped(xades.beside(root, *parts, before=before))
    assert "does not include what is signed" in _in_time(made)


def listing(*lists: dict[str, bytes]) -> Made:
    """Signed, with a list (ds:Manifest) for each of these: address to bytes of a file."""
    root = etree.Element(f"{DS}Signature", nsmap=xades._NS, Id="Sig")
    signed = []
    for number, files in enumerate(lists):
        one = etree.SubElement(etree.Element(f"{DS}Object"), f"{DS}Manifest", Id=f"L{number}")
        for uri, content in files.items():
            xades.digest_element(etree.SubElement(one, f"{DS}Reference", URI=uri), content)
        signed.append(one)
    return xades.sign(
        root,
        lambda _: [
            Signs(f"#{one.get('Id')}", lambda _, one=one: xades.c14n(one, EXCLUSIVE), [EXCLUSIVE],
                  MANIFEST)
            for one in signed
        ],
        objects=[one.getparent() for one in signed],
        wrap=False,
    )  # fmt: skip


def test_a_file_is_listed_once() -> None:
    """Else many lists could say to digest one large file as many times."""
    large = {"f": b"x" * 2_000_000}
    made = listing(large, large)
    assert "is not where this kind of document has it" in _in_time(made, large)


def test_many_lists_of_many_files() -> None:
    made = listing(*({f"f{number}-{place}": b"" for place in range(100)} for number in range(20)))
    assert "more signatures or references than are looked at" in _in_time(made)
