"""Content time-stamps: when the signature was not there yet, and never when it was."""

import asyncio
from collections.abc import Callable, Sequence
from datetime import timedelta
from io import BytesIO

import pytest
from asn1crypto import cms, core
from lxml import etree
from pyhanko.pdf_utils.incremental_writer import IncrementalPdfFileWriter
from pyhanko.sign import signers
from pyhanko.sign.ades.api import CAdESSignedAttrSpec
from pyhanko.sign.fields import SigSeedSubFilter
from pyhanko_certvalidator.registry import SimpleCertificateStore

from gateway.demo import sign
from gateway.errors import UntrustedSignature
from gateway.hpki import cades_archive
from gateway.hpki.policy import SignaturePolicy
from gateway.hpki.trust import shipped
from gateway.hpki.verify import required, verify
from gateway.hpki.xades.names import DS, EXCLUSIVE, INCLUSIVE_10, XADES
from gateway.model.signature import Indication, SignatureReport
from tests import cades, pki, xades, xades_levels
from tests.cades import TEXT, attribute, signed_data, signer_info
from tests.hpki.test_cades import reasons
from tests.hpki.test_xades_levels import LATE, NEXT, authority
from tests.shared import needs_shared, shared

HERE = pki.hierarchy()
BEFORE = pki.BEFORE
INVALID, UNVERIFIABLE = Indication.INVALID, Indication.UNVERIFIABLE
NAME = "content-time-stamp"
FILES = {"a.pdf": b"%PDF-1.4 a referral", "b.txt": "検査".encode()}


def judge(content: bytes | cms.ContentInfo, **kind: object) -> SignatureReport:
    octets = content if isinstance(content, bytes) else content.dump()
    policy = pki.policy(**kind.pop("policy", {}))
    return verify(octets, policy, at=kind.pop("at", pki.NOW), **kind)


# --- CAdES and PAdES ------------------------------------------------------------------------------


def token(content: bytes = TEXT, moment=BEFORE, tsa: pki.Issued | None = None) -> core.Any:
    return core.Any.load(HERE.stamp(moment, tsa)(content))


def cms_with(*tokens: core.Any, stamped: bool = True) -> cms.ContentInfo:
    extra = [attribute(cades_archive.CONTENT_STAMP, one) for one in tokens]
    stamp = HERE.stamp() if stamped else None
    return signed_data([signer_info(TEXT, pki.doctor(), stamp=stamp, extra=extra)])


def test_it_is_the_lower_bound() -> None:
    report = judge(cms_with(token()))
    assert reasons(report) == ""
    (one,) = report.signatures
    assert (one.not_before, one.proven, one.format) == (BEFORE, pki.SIGNED, "CAdES-T")
    assert one.as_json()["times"]["not_before"] == BEFORE.isoformat()
    assert NAME in {check.name for check in one.checks}
    assert "not_before" not in judge(cades.cades()).signatures[0].as_json()["times"]


def test_it_proves_no_time_at_which_the_signature_was_there() -> None:
    report = judge(cms_with(token(), stamped=False), received=pki.SIGNED)
    assert reasons(report) == ""
    (one,) = report.signatures
    assert (one.not_before, one.proven, one.format) == (BEFORE, None, "CAdES-B")
    with pytest.raises(UntrustedSignature, match="time-stamp is required"):
        required(report, timestamp=True)
    wanted = {"timestamp_required": True}
    alone = judge(cms_with(token(), stamped=False), received=pki.SIGNED, policy=wanted)
    assert alone.indication is INVALID
    assert "time-stamp: there is no time-stamp" in reasons(alone)


def test_the_latest_of_several_counts() -> None:
    later = BEFORE + timedelta(days=1)
    report = judge(cms_with(token(), token(moment=later)))
    assert reasons(report) == ""
    assert report.signatures[0].not_before == later
    assert "more time-stamps" in reasons(judge(cms_with(*[token()] * 11)))


def test_it_is_judged_at_the_time_that_the_signature_is_proven_for() -> None:
    """Its authority has ended since; the signature time-stamp shows that it was there in time."""
    report = judge(cms_with(token(tsa=authority(1))), at=LATE)
    assert report.signatures[0].not_before == BEFORE
    alone = judge(cms_with(token(tsa=authority(1)), stamped=False), at=LATE)
    assert alone.indication is not Indication.VERIFIED
    assert f"{NAME}: its certificate has ended since" in reasons(alone)


@pytest.mark.parametrize(
    ("held", "reason"),
    [
        (lambda: token(TEXT + b" "), "it stamps something else"),
        (lambda: token(core.OctetString(TEXT).dump()), "it stamps something else"),
        (lambda: token(moment=pki.AFTER), "its time is later than"),
        (lambda: token(tsa=pki.rogue().tsa), "its authority is not on the list"),
        (lambda: core.Any.load(core.OctetString(b"x").dump()), "the token cannot be read"),
    ],
    ids=["another content", "with tag and length", "after the signature", "a rogue", "no token"],
)
def test_a_bad_one_is_said(held: Callable[[], core.Any], reason: str) -> None:
    report = judge(cms_with(held()))
    assert not report.passed
    assert f"{NAME}: {reason}" in reasons(report)
    assert report.signatures[0].not_before is None
    assert report.signatures[0].proven == pki.SIGNED


def test_one_in_the_unsigned_attributes_is_none() -> None:
    info = signer_info(TEXT, pki.doctor(), stamp=HERE.stamp())
    cades.add(info, attribute(cades_archive.CONTENT_STAMP, token()))
    report = judge(signed_data([info]))
    assert report.passed
    assert report.signatures[0].not_before is None


def _signer() -> signers.SimpleSigner:
    store = SimpleCertificateStore()
    store.register(pki.parsed(HERE.signing))
    return signers.SimpleSigner(
        signing_cert=pki.parsed(pki.doctor()),
        signing_key=sign._asn1_key(pki.hand(pki.doctor()).key),
        cert_registry=store,
    )


def test_another_library_makes_them() -> None:
    """pyHanko's content time-stamps, in CMS and in PDF; one clock for both of its stamps."""
    authority_ = sign.stamper(HERE.tsa.certificate, HERE.tsa.key, pki.SIGNED)
    spec = CAdESSignedAttrSpec(timestamp_content=True)
    made = asyncio.run(
        _signer().async_sign_general_data(
            TEXT, "sha256", detached=False, use_cades=True, timestamper=authority_,
            signed_attr_settings=signers.pdf_cms.PdfCMSSignedAttributes(cades_signed_attrs=spec),
        )
    )  # fmt: skip
    about = signers.PdfSignatureMetadata(
        field_name="Signature", md_algorithm="sha256", subfilter=SigSeedSubFilter.PADES,
        cades_signed_attr_spec=spec,
    )  # fmt: skip
    pdf = signers.sign_pdf(
        IncrementalPdfFileWriter(BytesIO(pki.page())), about, signer=_signer(),
        timestamper=authority_,
    )  # fmt: skip
    for content in (made.dump(), bytes(pdf.getbuffer())):
        report = judge(content)
        assert reasons(report) == ""
        assert report.signatures[0].not_before == pki.SIGNED


@needs_shared
@pytest.mark.parametrize(
    ("name", "count"),
    [
        ("cades/cades-b-copied-cnttst.p7m", 2),
        ("cades/cades-t-copied-sigtst.p7m", 1),
        ("cades/cades-two-sig-copied-tst.p7m", 2),
        ("xades/xades-t-copied-sigtst.xml", 1),
    ],
)
def test_those_of_another_project_are_over_what_we_say(name: str, count: int) -> None:
    """Made by DSS; its test authority is nobody's here, and nothing else is against them."""
    content = (shared("hpki", "vectors", "dss") / name).read_bytes()
    report = verify(content, SignaturePolicy(trust=shipped()), at=pki.NOW)
    found = [c for one in report.signatures for c in one.checks if c.name == NAME]
    assert len(found) == count
    assert all("its authority is not on the list" in check.reason for check in found)


# --- XAdES ----------------------------------------------------------------------------------------

FORMS: dict[str, Callable[..., xades.Made]] = {
    "enveloped": lambda **kind: xades.enveloped(etree.fromstring("<a><b>紹介状</b></a>"), **kind),
    "enveloping": lambda **kind: xades.enveloping(b"%PDF-1.4", **kind),
    "element": lambda **kind: xades.enveloping(etree.fromstring("<a xml:lang='ja'>紹</a>"), **kind),
    "beside": lambda **kind: xades.beside(
        etree.fromstring('<r xmlns:u="urn:u" xml:lang="ja"><p Id="A">処</p><p Id="B"/></r>'),
        "A", "B", **kind,
    ),
    "detached": lambda **kind: xades.detached(FILES, **kind),
    "list": lambda **kind: xades.manifest(FILES, **kind),
    "dispensing": lambda **kind: xades.dispensing(**kind)[1],
}  # fmt: skip
Before = Callable[[etree._Element, list[xades.Signs]], None]


def stamping(
    which: Sequence[int] | None = None, *, method: str | None = None, **kind: object
) -> Before:
    """Stamp all that is signed, or some of it in that order."""

    def before(properties: etree._Element, signs: list[xades.Signs]) -> None:
        chosen = signs if which is None else [signs[number] for number in which]
        octets = kind.pop("octets", [one.octets(method or INCLUSIVE_10) for one in chosen])
        name = properties.get("Id", "").removesuffix("-Properties")
        included = None if which is None else [f"#{name}-R{number}" for number in which]
        xades_levels.stamp_contents(
            properties, octets, kind.get("moment", BEFORE), included=included, method=method
        )

    return before


def judged(made: xades.Made, files: dict[str, bytes] | None = None) -> SignatureReport:
    return xades.judge(made, files)


@pytest.mark.parametrize("method", [None, EXCLUSIVE])
@pytest.mark.parametrize("form", FORMS)
def test_over_all_that_is_signed(form: str, method: str | None) -> None:
    made = FORMS[form](before=stamping(method=method))
    xades.stamp(made)
    files = FILES if form in ("detached", "list") else None
    report = judged(made, files)
    assert reasons(report) == ""
    (one,) = report.signatures
    assert (one.not_before, one.proven) == (BEFORE, pki.SIGNED)


@pytest.mark.parametrize("which", [[0], [1], [0, 1], [1, 0]])
def test_over_some_of_it_in_its_order(which: list[int]) -> None:
    for form, files in (("beside", None), ("detached", FILES)):
        made = FORMS[form](before=stamping(which))
        report = judged(xades.stamped(made), files)
        assert reasons(report) == ""
        assert report.signatures[0].not_before == BEFORE


def test_over_a_file_of_a_signed_list() -> None:
    def before(properties: etree._Element, _: list[xades.Signs]) -> None:
        xades_levels.stamp_contents(properties, [FILES["b.txt"]], BEFORE, included=["#Second"])

    made = xades.manifest(FILES, before=before, marks={"b.txt": "Second"})
    report = judged(xades.stamped(made), FILES)
    assert reasons(report) == ""
    assert report.signatures[0].not_before == BEFORE


def test_without_the_files_it_says_nothing() -> None:
    made = xades.stamped(xades.detached(FILES, before=stamping()))
    report = judged(made, {"a.pdf": FILES["a.pdf"]})
    assert report.indication is UNVERIFIABLE
    assert NAME not in {check.name for one in report.signatures for check in one.checks}


def _without_include(element: etree._Element) -> None:
    for one in element.findall(f"{XADES}Include"):
        element.remove(one)


def _not_its_data(element: etree._Element) -> None:
    element.find(f"{XADES}Include").attrib.pop("referencedData")


def _another_id(element: etree._Element) -> None:
    element.find(f"{XADES}Include").set("URI", "#nobody")


def _the_element_itself(element: etree._Element) -> None:
    element.find(f"{XADES}Include").set("URI", "#A")


def _the_properties(element: etree._Element) -> None:
    element.find(f"{XADES}Include").set("URI", "#Sig-R2")


def _swapped(element: etree._Element) -> None:
    element.insert(0, element[1])


def _doubled(element: etree._Element) -> None:
    element.insert(0, etree.fromstring(etree.tostring(element[0])))


MISNAMED = f"{NAME}: a content time-stamp does not include what is signed"
ATTACKS: dict[Callable[[etree._Element], None], str] = {
    _without_include: MISNAMED,
    _not_its_data: MISNAMED,
    _another_id: MISNAMED,
    _the_element_itself: MISNAMED,
    _the_properties: MISNAMED,
    _swapped: f"{NAME}: it stamps something else",
    _doubled: MISNAMED,
}


@pytest.mark.parametrize("attack", ATTACKS, ids=lambda one: one.__name__)
def test_what_it_includes_must_be_what_is_signed(attack: Callable[..., None]) -> None:
    """The signer himself wrote it so: everything else about the signature holds."""
    plain = stamping([0, 1])

    def before(properties: etree._Element, signs: list[xades.Signs]) -> None:
        plain(properties, signs)
        attack(properties.find(f"{XADES}SignedDataObjectProperties")[0])

    report = judged(xades.stamped(FORMS["beside"](before=before)))
    assert report.indication is INVALID
    assert ATTACKS[attack] in reasons(report)


@pytest.mark.parametrize(
    ("kind", "verdict", "reason"),
    [
        ({"octets": [b"something else"]}, INVALID, "it stamps something else"),
        ({"moment": NEXT}, INVALID, "its time is later than"),
    ],
)
def test_a_bad_one_is_said_of_xml(kind, verdict, reason) -> None:
    report = judged(xades.stamped(FORMS["beside"](before=stamping(**kind))))
    assert report.indication is verdict
    assert f"{NAME}: {reason}" in reasons(report)
    assert report.signatures[0].not_before is None


@pytest.mark.parametrize(
    ("name", "reason"),
    [("Include", "Include"), ("ReferenceInfo", "Include"), ("XMLTimeStamp", "XML")],
)
def test_what_is_not_read_leaves_it_open(name: str, reason: str) -> None:
    def before(properties: etree._Element, signs: list[xades.Signs]) -> None:
        stamping()(properties, signs)
        element = properties.find(f"{XADES}SignedDataObjectProperties")[0]
        element.insert(0, etree.Element(f"{XADES}{name}", URI="#Sig-R0"))

    report = judged(xades.stamped(FORMS["beside"](before=before)))
    assert report.indication is UNVERIFIABLE
    assert reason in reasons(report)


def test_one_that_is_changed_breaks_the_signature() -> None:
    made = xades.stamped(FORMS["beside"](before=stamping()))
    (element,) = made.qualifying.iter(f"{XADES}AllDataObjectsTimeStamp")
    other = HERE.stamp(BEFORE - timedelta(days=1))(b"x")
    element.find(f"{XADES}EncapsulatedTimeStamp").text = xades.b64(other)
    report = judged(made)
    assert report.indication is INVALID
    assert "digest: what is signed was altered" in reasons(report)
    assert report.signatures[0].not_before is None
    assert made.signature.find(f"{DS}SignedInfo") is not None


def test_every_token_of_a_container_is_judged() -> None:
    for other, verdict in ((None, Indication.VERIFIED), (b"something else", INVALID)):
        made = FORMS["enveloping"]()
        element = xades.stamp(made)
        octets = xades.c14n(made.value) if other is None else other
        second = etree.SubElement(element, f"{XADES}EncapsulatedTimeStamp")
        second.text = xades.b64(HERE.stamp(pki.SIGNED - timedelta(hours=1))(octets))
        report = judged(made)
        assert report.indication is verdict
        if other is None:
            assert report.signatures[0].proven == pki.SIGNED - timedelta(hours=1)
