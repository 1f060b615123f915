"""Documents that DSS made, with content and archive time-stamps: what it makes, we verify."""

import random
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path

import pytest

from gateway.hpki.certificates import read_certificate
from gateway.hpki.policy import Anchor, AnchorKind, SignaturePolicy, Trust
from gateway.hpki.revocation import read_list
from gateway.hpki.verify import verify
from gateway.model.signature import Indication, SignatureReport, SignedFile
from tests.hpki import test_fuzz, test_fuzz_cms
from tests.hpki.test_cades import reasons
from tests.hpki.test_fuzz import every, gained, mutated, signed_part

FOLDER = Path(__file__).parent / "dss"
AT = datetime(2026, 12, 1, tzinfo=UTC)
LETTER = {"letter.txt": "紹介状\r\n".encode()}
BOTH = {**LETTER, "report.txt": "検査\r\n".encode()}
MADE: dict[str, tuple[str, dict[str, bytes], int, int]] = {
    # level, content beside it, content time-stamps, archive time-stamps
    "cades-content.p7m": ("CAdES-T", {}, 1, 0),
    "cades-lt.p7m": ("CAdES-LT", {}, 0, 0),
    "cades-lta.p7m": ("CAdES-LTA", {}, 1, 1),
    "cades-lta-twice.p7m": ("CAdES-LTA", {}, 1, 2),
    "cades-lta-detached.p7s": ("CAdES-LTA", LETTER, 0, 1),
    "xades-content.xml": ("XAdES-T", {}, 1, 0),
    "xades-lta.xml": ("XAdES-A", {}, 0, 1),
    "xades-lta-enveloping.xml": ("XAdES-A", {}, 1, 1),
    "xades-lta-detached.xml": ("XAdES-A", BOTH, 1, 1),
}


PDFS = {
    # level, signatures, document time-stamps
    "page-t-second.pdf": ("PAdES-T", 2, 0),
    "page-lta-twice.pdf": ("PAdES-LTA", 1, 2),
    "form-lta.pdf": ("PAdES-LTA", 1, 1),
    "itext-form-second.pdf": ("PAdES-T", 2, 0),
    "itext-hybrid-lta.pdf": ("PAdES-LTA", 1, 1),
    "itext-lta-twice.pdf": ("PAdES-LTA", 1, 2),
    "itext-streams-lta.pdf": ("PAdES-LTA", 1, 1),
}


@cache
def policy(folder: Path = FOLDER) -> SignaturePolicy:
    root, tsa, signing = (
        read_certificate((folder / f"{name}.der").read_bytes())
        for name in ("root", "tsa-root", "signing")
    )
    lists = [read_list(file.read_bytes()) for file in sorted(folder.glob("*.crl"))]
    return SignaturePolicy(
        trust=Trust(
            anchors=(
                Anchor(kind=AnchorKind.HPKI, certificate=root),
                Anchor(kind=AnchorKind.TSA, certificate=tsa),
            ),
            certificates=(signing,),
            crls=tuple(lists),
        )
    )


def judge(content: bytes, beside: dict[str, bytes]) -> SignatureReport:
    return verify(content, policy(), at=AT, detached=beside)


def test_every_document_is_looked_at() -> None:
    assert {file.name for file in FOLDER.glob("*.[px]*")} == set(MADE)
    assert all((FOLDER / name).read_bytes() == content for name, content in BOTH.items())


def hunt(name: str, chance: random.Random, count: int) -> int:
    """Judge that many mutated copies of a document; how many of them still verified.

    Raises where anything is raised, or where anything else than in the original is said.
    """
    pdf = name in PDFS
    beside = {} if pdf else MADE[name][1]
    wanted = policy(FOLDER / "pades") if pdf else policy()
    content = (FOLDER / "pades" / name if pdf else FOLDER / name).read_bytes()
    ways = [mutated]
    if not pdf:
        ways.append(test_fuzz.rearranged if name.endswith("xml") else test_fuzz_cms.rearranged)
    original = verify(content, wanted, at=AT, detached=beside)
    verified = 0
    for _ in range(count):
        report = verify(chance.choice(ways)(content, chance), wanted, at=AT, detached=beside)
        if report.passed:
            verified += 1
            assert said(report) <= said(original)
            assert not gained(original.signatures, report.signatures)
    return verified


def said(report: SignatureReport) -> set[object]:
    """What is covered, of a PDF without the signature value."""
    found: set[object] = set()
    for one in every(report.signatures):
        found.add(signed_part(one.covered) if one.whole_document else one.covered_sha256)
        found.update(one.files)
    return found


@pytest.mark.parametrize("name", PDFS)
def test_a_changed_pdf_covers_nothing_else(name: str) -> None:
    hunt(name, random.Random(name), 5)  # noqa: S311


@pytest.mark.parametrize("name", MADE)
def test_it_verifies(name: str) -> None:
    level, beside, contents, archives = MADE[name]
    report = judge((FOLDER / name).read_bytes(), beside)
    assert reasons(report) == ""
    (one,) = report.signatures
    assert one.format == level
    names = [check.name for check in one.checks]
    found = [names.count(kind) for kind in ("content-time-stamp", "archive-time-stamp")]
    assert found == [contents, archives]
    assert one.proven is not None
    if contents:
        assert one.not_before is not None
        assert one.not_before <= one.proven < one.not_before + timedelta(seconds=10)
    if name.startswith("cades"):
        assert one.covered == LETTER["letter.txt"]
    elif beside:
        assert [file.name for file in one.files] == list(BOTH)
        assert all(isinstance(file, SignedFile) for file in one.files)
    else:
        assert "紹介状".encode() in one.covered


@pytest.mark.parametrize("name", MADE)
def test_changed_it_covers_nothing_else(name: str) -> None:
    hunt(name, random.Random(name), 12)  # noqa: S311
    _, beside, _, _ = MADE[name]
    for one in beside:
        changed = {**beside, one: beside[one] + b" "}
        assert not judge((FOLDER / name).read_bytes(), changed).passed


# --- PDF, by way of PDFBox and iText -------------------------------------------------------------


def test_every_pdf_is_looked_at() -> None:
    assert {file.name for file in (FOLDER / "pades").glob("*.pdf")} == {*PDFS, "clobbered.pdf"}


def test_a_pdf_that_takes_the_number_of_its_references_again_is_open() -> None:
    """PDFBox did so where a file with cross-reference streams was signed a second time."""
    content = (FOLDER / "pades" / "clobbered.pdf").read_bytes()
    report = verify(content, policy(FOLDER / "pades"), at=AT)
    assert report.indication is Indication.UNVERIFIABLE
    assert "uses the number of its cross-references again" in reasons(report)
    second = content.rindex(b"/ByteRange")
    first = content[: content.rindex(b"%%EOF", 0, second) + len(b"%%EOF\n")]
    assert reasons(verify(first, policy(FOLDER / "pades"), at=AT)) == ""


@pytest.mark.parametrize("name", PDFS)
def test_a_pdf_verifies(name: str) -> None:
    """PDFBox gives a field for a time-stamp an appearance of nothing.

    iText adds to the form's resources, and writes what belongs to one signature indirectly.
    In cross-reference streams it gives back a number that no object had. Word processors write
    cross-references of both kinds.
    """
    level, count, stamps = PDFS[name]
    content = (FOLDER / "pades" / name).read_bytes()
    report = verify(content, policy(FOLDER / "pades"), at=AT)
    assert reasons(report) == ""
    assert [one.format for one in report.signatures] == [level] * count
    assert [one.whole_document for one in report.signatures] == [False] * (count - 1) + [True]
    names = [check.name for one in report.signatures for check in one.checks]
    assert names.count("archive-time-stamp") == stamps
