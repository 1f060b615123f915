"""The published suites as one table: nothing left out, nothing unexplained, the page true."""

from collections import Counter
from pathlib import Path

import pytest

from tests.hpki.suites import case
from tests.hpki.suites.__main__ import COMMAND, everything
from tests.hpki.suites.case import Case, Explained
from tests.shared import needs_shared, shared

PAGE = Path(__file__).resolve().parents[2] / "docs" / "signature-suites.md"


@pytest.fixture(scope="module")
def cases() -> list[Case]:
    return everything(shared("hpki", "vectors"))


@needs_shared
def test_every_difference_is_explained(cases: list[Case]) -> None:
    rows = case.explained()
    assert case.unexplained(cases, rows) == []
    assert case.unused(cases, rows) == []


@needs_shared
def test_the_page_says_what_the_suites_say(cases: list[Case]) -> None:
    wanted = case.table(cases, case.explained(), COMMAND)
    assert PAGE.read_text("utf-8") == wanted, f"write it anew: {COMMAND}"


@needs_shared
def test_no_file_and_no_case_is_left_out(cases: list[Case]) -> None:
    vectors = shared("hpki", "vectors")
    counts = Counter(one.suite.split()[0] for one in cases)
    names = {(one.suite.split()[0], one.name) for one in cases}
    assert len(names) == len(cases) - 8  # the responses are asked about two messages
    assert counts["PKITS"] == 92
    assert counts["x509-limbo"] == 82
    for suite, folder, patterns in (
        ("DSS", "dss", ("xades/**/*.xml", "cades/*", "pades/*.pdf")),
        ("XMLDSig", "xmldsig", ("**/*.xml",)),
        ("hostile", "xmlbad", ("*.xml",)),
    ):
        files = [one for pattern in patterns for one in (vectors / folder).glob(pattern)]
        assert counts[suite] == len(files)
    altered = [one for one in cases if one.suite == "HPKI e-prescription and altered copies"]
    assert {one.name for one in altered} == {
        file.name for file in (vectors / "hpki-real" / "xades").glob("*")
    }
    tokens = [one for one in cases if one.suite == "RFC 3161 responses"]
    assert len(tokens) == len(list((vectors / "rfc3161").rglob("*.tsr")))
    covers = [one for one in cases if one.suite == "pyHanko PDF coverage"]
    assert len(covers) == len(list((vectors / "pyhanko" / "pdf-coverage").glob("*.pdf")))
    assert counts["hcRole"] == 5


@needs_shared
def test_what_must_be_refused_is_never_accepted(cases: list[Case]) -> None:
    """A difference may be stricter; where it is laxer, the path is judged further elsewhere."""
    laxer = [
        one for one in cases if not one.passed and one.found in ("valid", "SUCCESS", "verified")
    ]
    assert {one.suite.split()[0] for one in laxer} == {"x509-limbo"}


def test_a_row_explains_only_what_it_is_about() -> None:
    one = Case(suite="A b", name="c", expected="valid", found="invalid: d", passed=False)
    row = Explained(suite="A *", case="c", ours="d", reason="r", section="s")
    assert case.unexplained([one], [row]) == []
    assert case.unused([one], [row]) == []
    other = Explained(suite="A *", case="c", ours="e", reason="r", section="s")
    assert case.unexplained([one], [other]) == [one]
    assert case.unused([one], [other]) == [other]
