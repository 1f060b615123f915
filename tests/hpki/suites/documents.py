"""Documents: the real e-prescription and its altered copies, DSS, pyHanko, merlin, hostile XML."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from gateway.hpki.policy import SignaturePolicy
from gateway.hpki.trust import shipped
from gateway.hpki.verify import verify
from gateway.model.signature import CheckOutcome, Indication, SignatureReport
from tests.hpki.suites.case import Case

AT = datetime(2026, 11, 24, tzinfo=UTC)
CORE = {
    "structure", "content", "signer", "digest", "signature", "coverage", "algorithm",
    "signed-attributes",
}  # fmt: skip
"Checks that need no trust: the authorities of other people's documents are not known here."


def cases(vectors: Path) -> Iterator[Case]:
    """Every document of the five suites."""
    yield from _hpki(vectors / "hpki-real")
    yield from _dss(vectors / "dss")
    yield from _pdf(vectors / "pyhanko")
    yield from _merlin(vectors / "xmldsig")
    yield from _hostile(vectors / "xmlbad")


def judge(file: Path) -> SignatureReport:
    """The report with the shipped trust, where test cards are accepted."""
    policy = SignaturePolicy(trust=shipped(), accept_test=True)
    return verify(file.read_bytes(), policy, at=AT)


def _said(report: SignatureReport, names: set[str] | None = None) -> str:
    """The verdict, with the first reason against it."""
    if not report.signed:
        return "unsigned"
    for one in report.signatures:
        for check in one.checks:
            counts = names is None or check.name in names
            if counts and check.outcome is not CheckOutcome.PASSED:
                return f"{report.indication.value}: {check.reason}"
    return report.indication.value


def _core(report: SignatureReport) -> str:
    """`valid` where every check that needs no trust passed; else why not."""
    said = _said(report, CORE)
    return said if ":" in said or not report.signed else "valid"


def _hpki(folder: Path) -> Iterator[Case]:
    for case in json.loads((folder / "expected.json").read_text())["xades"]:
        report = judge(folder / case["file"])
        expected = "; ".join(
            f"{key} {case[key]}" for key in ("core", "timestamp", "signer") if key in case
        )
        named = "serial 350" in case.get("signer", "")
        if case.get("core") == "valid":
            passed = report.passed
        elif named:
            passed = any(one.serial == "350" for one in report.signatures)
        else:
            passed = not report.passed
        yield Case(
            suite="HPKI e-prescription and altered copies",
            name=Path(case["file"]).name,
            expected=expected,
            found=_said(report),
            passed=passed,
        )


def _dss(folder: Path) -> Iterator[Case]:
    for case in json.loads((folder / "expected.json").read_text())["cases"]:
        report = judge(folder / case["file"])
        found = _core(report)
        refuse = "must be refused" in case["note"]
        yield Case(
            suite=f"DSS {case['file'].partition('/')[0]}",
            name=case["file"].partition("/")[2],
            expected=f"{case['core']}{', to be refused' if refuse else ''}",
            found=found,
            passed=(found == "valid") is (case["core"] == "valid" and not refuse)
            and not report.passed,  # nobody's authority is known here
        )


def _pdf(folder: Path) -> Iterator[Case]:
    for case in json.loads((folder / "expected.json").read_text())["pdf-coverage"]["cases"]:
        found = _core(judge(folder / case["file"]))
        yield Case(
            suite="pyHanko PDF coverage",
            name=Path(case["file"]).name,
            expected=case.get("must", "entire file"),
            found=found,
            passed=(found == "valid") is ("must" not in case),
        )


def _merlin(folder: Path) -> Iterator[Case]:
    """All verify mathematically, with SHA-1, DSA or HMAC: they must be refused."""
    for file in sorted(folder.rglob("*.xml")):
        report = judge(file)
        yield Case(
            suite=f"XMLDSig {file.parent.name}",
            name=file.name,
            expected="refuse by algorithm",
            found=_said(report),
            passed=report.signed and report.indication is not Indication.VERIFIED,
        )


def _hostile(folder: Path) -> Iterator[Case]:
    for file in sorted(folder.glob("*.xml")):
        found = _said(judge(file))
        harmless = file.name.startswith("simple")
        yield Case(
            suite="hostile XML",
            name=file.name,
            expected="harmless" if harmless else "refuse before signature work",
            found=found,
            passed=found == ("unsigned" if harmless else "invalid: DOCTYPE is not allowed"),
        )
