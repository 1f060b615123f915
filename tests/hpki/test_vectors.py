"""Published documents: the real e-prescription, DSS, pyHanko, merlin and hostile XML.

`verified` is what nobody but the real prescription may be; beside it each file has the verdict and
the reason that this version gives it.
"""

import json
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path

import pytest
from lxml import etree

from gateway.hpki import path, revocation
from gateway.hpki.certificates import read_certificate
from gateway.hpki.hcrole import read_roles
from gateway.hpki.path import Chain
from gateway.hpki.policy import (
    SIGNING,
    Algorithms,
    Anchor,
    AnchorKind,
    SignaturePolicy,
)
from gateway.hpki.trust import shipped
from gateway.hpki.verify import verify
from gateway.model.signature import CheckOutcome, Indication, SignatureReport
from tests.shared import needs_shared, shared

VERIFIED, INVALID, UNVERIFIABLE = (
    Indication.VERIFIED,
    Indication.INVALID,
    Indication.UNVERIFIABLE,
)
AT = datetime(2026, 11, 24, tzinfo=UTC)
pytestmark = needs_shared


def vectors(*parts: str) -> Path:
    return shared("hpki", "vectors", *parts)


def judge(file: Path, *, test_cards: bool = True, at: datetime = AT) -> SignatureReport:
    policy = SignaturePolicy(trust=shipped(), accept_test=test_cards)
    return verify(file.read_bytes(), policy, at=at)


def reasons(report: SignatureReport) -> str:
    return "; ".join(
        f"{check.name}: {check.reason}"
        for one in report.signatures
        for check in one.checks
        if check.outcome is not CheckOutcome.PASSED
    )


# --- the real e-prescription ------------------------------------------------------------------


def test_the_real_prescription_verifies_where_test_cards_are_allowed() -> None:
    file = vectors("hpki-real", "xades", "prescription-004_01.xml")
    report = judge(file)
    assert reasons(report) == ""
    assert report.passed
    (one,) = report.signatures
    assert one.format == "XAdES-T"  # with lists of its own, and no references to them
    assert [role.text for role in one.roles] == ["Medical Doctor"]
    assert one.policy == "1.2.392.100495.1.5.1.1.0.1"
    assert one.proven == datetime(2022, 9, 7, 8, 18, 25, 197000, UTC)
    assert one.claimed == datetime(2022, 9, 7, 8, 8, 1, tzinfo=UTC)
    assert one.serial == "350"
    body = etree.fromstring(file.read_bytes()).find("Prescription/PrescriptionDocument")
    assert body is not None
    assert one.covered == etree.tostring(body, method="c14n")


def test_the_real_prescription_is_refused_where_they_are_not() -> None:
    report = judge(vectors("hpki-real", "xades", "prescription-004_01.xml"), test_cards=False)
    assert report.indication is INVALID
    assert "policy: a test card" in reasons(report)
    assert report.signatures[0].role is None


@pytest.mark.parametrize(
    ("at", "verdict", "reason"),
    [
        (datetime(2022, 9, 7, 8, 20, tzinfo=UTC), VERIFIED, ""),
        (datetime(2027, 6, 1, tzinfo=UTC), VERIFIED, ""),
        (datetime(2022, 9, 7, 8, 0, tzinfo=UTC), INVALID, "later than"),
        (datetime(2027, 6, 20, tzinfo=UTC), UNVERIFIABLE, "no usable revocation list"),
        (datetime(2034, 1, 1, tzinfo=UTC), UNVERIFIABLE, "has ended since"),
    ],
)
def test_the_real_prescription_through_the_years(at, verdict, reason) -> None:
    report = judge(vectors("hpki-real", "xades", "prescription-004_01.xml"), at=at)
    assert report.indication is verdict
    assert reason in reasons(report)


ALTERED = {
    "neg-reference-digest.xml": "algorithm: ",
    "neg-signature-base64.xml": "signature: the signature value does not verify",
    "neg-keyinfo-cert-tampered.xml": "signer: ",
    "neg-signedinfo-bad-encoding.xml": "structure: not well-formed",
    "frag-signaturevalue-missing.xml": "structure: ",
    "frag-signer-keyinfo-not-referenced.xml": "structure: ",
    "frag-signer-not-found.xml": "structure: ",
    "frag-signer-via-signingcertificatev2.xml": "structure: ",
    "frag-signer-via-x509issuerserial.xml": "structure: ",
    "frag-tst-base64.xml": "structure: ",
    "frag-tst-c14n-method-changed.xml": "time-stamp: it stamps something else",
    "frag-tst-imprint-mismatch.xml": "structure: ",
    "frag-tst-missing.xml": "structure: ",
}


@pytest.mark.parametrize("name", ALTERED)
def test_altered_copies_and_fragments_are_refused(name: str) -> None:
    report = judge(vectors("hpki-real", "xades", name))
    assert report.indication is INVALID
    assert ALTERED[name] in reasons(report)


def test_every_published_copy_is_looked_at() -> None:
    here = {file.name for file in vectors("hpki-real", "xades").glob("*.xml")}
    assert here == {*ALTERED, "prescription-004_01.xml", "neg-no-signature.xml"}
    assert not judge(vectors("hpki-real", "xades", "neg-no-signature.xml")).signed


def _cases() -> list[dict]:
    return json.loads(vectors("hpki-real", "expected.json").read_text())["paths"]


@pytest.mark.parametrize("number", range(6))
def test_published_paths(number: int) -> None:
    """Path, policy and revocation of test cards, as two other validators found them."""
    case = _cases()[number]
    folder = vectors("hpki-real")

    def certificate(name: str):
        return read_certificate((folder / name).read_bytes())

    moment = datetime.fromisoformat(case["at"])
    found = path.validate(
        certificate(case["ee"]),
        [certificate(name) for name in case["via"]],
        [Anchor(kind=AnchorKind.HPKI, certificate=shipped().anchors[0].certificate)],
        moment=moment,
        policies=frozenset({SIGNING}),
        algorithms=Algorithms(),
    )
    expected = case["basic_path"]
    if expected.startswith("invalid"):
        assert found == (path.EXPIRED if "expired" in expected else path.UNKNOWN_ISSUER)
        return
    assert isinstance(found, Chain)
    assert found.policies == frozenset()  # "invalid" in the published policy column
    lists = [revocation.read_list((folder / name).read_bytes()) for name in case["crls"]]
    standing = {
        revocation.status(
            subject, issuer, lists, moment=moment, now=moment, grace=timedelta(0),
            digests=Algorithms().digests,
        ).standing.value
        for subject, issuer in found.links
    }  # fmt: skip
    if expected == "valid":
        assert standing == {"good"}
        assert [role.text for role in read_roles(found.certificates[0])] == case["role"][1:]
    else:
        assert standing & {"stale", "missing"}


# --- other people's documents -----------------------------------------------------------------

UNKNOWN_ISSUER = "path: no path leads to a trusted authority"
ANOTHER = "signer: the certificate that the signature names is missing or another one"
DSS = {
    "xades/dss-signed.xml": (INVALID, UNKNOWN_ISSUER),
    "xades/dss-signed-altered-refRemoved.xml": (INVALID, "are not signed"),
    "xades/dss-signed-altered-signedPropsRemoved.xml": (INVALID, "are not signed"),
    "xades/xades-t-copied-sigtst.xml": (INVALID, "time-stamp: it stamps something else"),
    "xades/xades-t-duplicated-sigtst.xml": (INVALID, UNKNOWN_ISSUER),
    "xades/xades-extended-t.xml": (INVALID, UNKNOWN_ISSUER),
    "xades/xades-tampered-keyinfo.xml": (INVALID, ANOTHER),
    "xades/xades-tampered-manifest.xml": (INVALID, "digest: what is signed was altered"),
    "xades/xades-tampered-reference.xml": (INVALID, "digest: what is signed was altered"),
    "xades/xades-sign-cert-v1-wrong-serialnumber.xml": (INVALID, ANOTHER),
    "xades/xades-sign-cert-v2-wrong-digest.xml": (INVALID, ANOTHER),
    "xades/xades-sign-cert-v2-wrong-issuer-serial.xml": (INVALID, ANOTHER),
    "xades/xades-wrong-sign-cert-digest.xml": (INVALID, ANOTHER),
    "xades/xades-no-keyinfo-sign-cert.xml": (
        UNVERIFIABLE, "signer: the signer's certificate did not come along"
    ),
    "xades/xades-not-base64-sigValue.xml": (INVALID, "signature: the signature value"),
    "xades/xades-unknown-digest-algo.xml": (INVALID, "algorithm: "),
    "xades/xades-unsupported-signature-algorithm.xml": (INVALID, "algorithm: "),
    "xades/xades-with-no-name-reference.xml": (INVALID, "structure: a reference points outside"),
    "xades/xsw/XSW-enveloping-fake-manifest.xml": (INVALID, "structure: the signature or what"),
    "xades/xsw/XSW-enveloping-fake-object.xml": (INVALID, "structure: the signature or what"),
    "pades/pdf-signed-original.pdf": (INVALID, UNKNOWN_ISSUER),
    "pades/pades-bes.pdf": (INVALID, UNKNOWN_ISSUER),
    "pades/pades-t-duplicated-sigtst.pdf": (INVALID, UNKNOWN_ISSUER),
    "pades/pdf-signed-corrupted.pdf": (INVALID, "structure: the signed PDF file cannot be read"),
    "pades/pdf-signed-out-of-byteRange.pdf": (INVALID, "coverage: "),
    "pades/pdf-signed-added-page.pdf": (INVALID, "coverage: "),
    "pades/pades-spoofing-replaced-reason.pdf": (INVALID, "coverage: "),
    "pades/pades-bes-no-certificates.pdf": (UNVERIFIABLE, "signer: the signer's certificate"),
    "pades/pades-unsupported-signature-algorithm.pdf": (INVALID, "algorithm: "),
    "pades/pdf-double-signer-info.pdf": (INVALID, "structure: "),
    "pades/pdf-byterange-overlap.pdf": (INVALID, "coverage: "),
}  # fmt: skip
CORE = {"structure", "signer", "digest", "signature", "coverage", "algorithm"}


@cache
def _dss_core() -> dict[str, str]:
    cases = json.loads(vectors("dss", "expected.json").read_text())["cases"]
    return {case["file"]: case["core"] for case in cases}


@pytest.mark.parametrize("name", DSS)
def test_dss(name: str) -> None:
    """Their authorities are unknown here; what can be judged without trust is as they expect."""
    verdict, reason = DSS[name]
    report = judge(vectors("dss", name))
    assert report.indication is verdict
    assert reason in reasons(report)
    core = [
        check
        for one in report.signatures
        for check in one.checks
        if check.name in CORE and check.outcome is not CheckOutcome.PASSED
    ]
    if _dss_core()[name] != "valid":
        assert core
    elif reason == UNKNOWN_ISSUER:
        assert not core


def test_every_dss_file_of_our_formats_is_looked_at() -> None:
    assert set(DSS) == {name for name in _dss_core() if not name.startswith("cades")}


PYHANKO = {
    "base.pdf": "structure: ",  # the signature value in it is a row of zeros
    "tail-uncovered.pdf": "coverage: ",
    "signature-gap-too-big.pdf": "coverage: ",
    "one-byterange.pdf": "coverage: ",
    "weird-byterange.pdf": "coverage: ",
}


@pytest.mark.parametrize("name", PYHANKO)
def test_pdf_coverage(name: str) -> None:
    report = judge(vectors("pyhanko", "pdf-coverage", name))
    assert report.indication is INVALID
    assert PYHANKO[name] in reasons(report)


def _files(folder: str) -> list[str]:
    from tests.shared import SHARED

    if SHARED is None:
        return []
    found = (SHARED / "hpki" / "vectors" / folder).rglob("*.xml")
    return sorted(str(file.relative_to(SHARED / "hpki" / "vectors")) for file in found)


OUTSIDE = "structure: a reference points outside"
WEAK = "algorithm: a signature or digest algorithm is not on the list"
MERLIN = {
    "exc-signature": WEAK,
    "signature": "structure: DOCTYPE is not allowed",
    "signature-enveloped-dsa": WEAK,
    "signature-enveloping-b64-dsa": WEAK,
    "signature-enveloping-dsa": WEAK,
    "signature-enveloping-hmac-sha1": WEAK,
    "signature-enveloping-hmac-sha1-40": WEAK,
    "signature-enveloping-rsa": WEAK,
    "signature-external-b64-dsa": OUTSIDE,
    "signature-external-dsa": OUTSIDE,
    "signature-keyname": OUTSIDE,
    "signature-retrievalmethod-rawx509crt": OUTSIDE,
    "signature-x509-crt": OUTSIDE,
    "signature-x509-crt-crl": OUTSIDE,
    "signature-x509-is": OUTSIDE,
    "signature-x509-ski": OUTSIDE,
    "signature-x509-sn": OUTSIDE,
}
"""Mathematically valid, with SHA-1, DSA and HMAC, some over addresses in the network."""


@pytest.mark.parametrize("name", _files("xmldsig"))
def test_merlin_is_refused(name: str) -> None:
    report = judge(vectors(name))
    assert report.signed
    assert report.indication is INVALID
    assert MERLIN[Path(name).stem] in reasons(report)


@pytest.mark.parametrize("name", _files("xmlbad"))
def test_hostile_xml_is_refused_before_anything_else(name: str) -> None:
    report = judge(vectors(name))
    if Path(name).name.startswith("simple"):
        assert not report.signed
    else:
        assert report.indication is INVALID
        assert "structure: DOCTYPE is not allowed" in reasons(report)
