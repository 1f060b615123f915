"""Uploads that carry a signature of their own: judged before anything is made of them.

An invalid signature, or a due one that is missing, refuses the file (SIG-05); one that cannot be
established now sets it aside until it can (RD-23); and what items are made of must be what the
signature covers, not what came (J-06).
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Protocol

from gateway.errors import Invalid, UntrustedSignature
from gateway.model.batch import Finding
from gateway.model.category import Category
from gateway.model.network import SignaturePolicyKeys
from gateway.model.signature import Indication, SignatureReport
from gateway.record import documents
from gateway.standardize import FORMATS
from gateway.standardize.findings import finding
from gateway.standardize.format import Upload

_KIND = Category.PRESCRIPTION.value
"Document kind of the one format that is signed, in `signature.required` of a policy."
_BLANKS = b" \t\r\n"


class Verifier(Protocol):
    """Who signed a file, established in a process of its own (E-11)."""

    def __call__(
        self, file: Path, *, at: datetime, received: datetime
    ) -> tuple[SignatureReport, tuple[str, ...]]:
        """The report, and words for what in the file would act; raises `Invalid`, `Busy`."""


@dataclass(frozen=True, slots=True)
class Signatures:
    """Establishes signatures."""

    verify: Verifier
    clock: Callable[[], datetime]

    def report(self, file: Path, received: datetime) -> SignatureReport:
        """Who signed a file of an upload that came at `received`."""
        return self.verify(file, at=self.clock(), received=received)[0]


@dataclass(frozen=True, slots=True)
class Judged:
    """What a report means for a file that is not refused."""

    waits: bool
    "Not established now."
    finding: Finding


def evidence(upload: Upload) -> bytes:
    """What a signature has to cover of a file; empty where the file carries none."""
    for one in FORMATS:
        if one.signed is not None and one.recognise(upload):
            return one.signed(upload)
    return b""


def judge(rule: SignaturePolicyKeys, report: SignatureReport | None, covering: bytes) -> Judged:
    """Judge a file by its report; None where nobody here can establish signatures.

    Raises `UntrustedSignature` with the report, or `Invalid` where other bytes are signed.
    """
    if report is None or _waiting(report):
        return Judged(True, finding("signature-unverifiable", "content"))
    if not documents.satisfies(rule, _KIND, _prescribing(report)):
        raise _due(report)
    if not report.signed:
        return Judged(False, finding("signature-missing", "content"))
    wanted = covering.translate(None, _BLANKS)
    if not any(wanted in one.covered.translate(None, _BLANKS) for one in report.signatures):
        raise Invalid(
            "these are not the signed bytes", "署名対象と内容が異なります",
            at="content", rule="J-06", log="DOCSIG",
        )  # fmt: skip
    return Judged(False, finding("signature-verified", "content"))


def judge_enclosing(report: SignatureReport | None) -> Judged:
    """Judge a file that is signed with its content inside; None as for `judge`.

    Which kinds of documents need a signature is judged of what is inside. Raises
    `UntrustedSignature` with the report.
    """
    if report is None or _waiting(report):
        return Judged(True, finding("signature-unverifiable", "content"))
    if not report.passed:
        raise _untrusted("there is no signature in it", "署名がありません", report)
    return Judged(False, finding("signature-verified", "content"))


def judge_inside(
    rule: SignaturePolicyKeys, around: SignatureReport, inner: SignatureReport, covering: bytes
) -> Judged:
    """Judge what has a place for a signature of its own and stands in a signed envelope.

    Where its own is there, that is what counts, as without an envelope; else the envelope's, which
    is over all of it. Raises as `judge` does.
    """
    if inner.signed:
        return judge(rule, inner, covering)
    if not documents.satisfies(rule, _KIND, around):
        raise _due(around)
    return Judged(False, finding("signature-verified", "content"))


def _due(report: SignatureReport) -> UntrustedSignature:
    return _untrusted(
        "a prescription needs a signature with a health-care role, and a time-stamp",
        "医師資格証等による電子署名とタイムスタンプが必要です", report,
    )  # fmt: skip


def _waiting(report: SignatureReport) -> bool:
    """Whether a signature cannot be established now; raises where one is wrong."""
    if report.signed and report.indication is Indication.UNVERIFIABLE:
        return True
    if report.signed and not report.passed:
        raise _untrusted("the signature does not verify", "署名を検証できません", report)
    return False


def _prescribing(report: SignatureReport) -> SignatureReport:
    """With the signatures of prescriptions inside of dispensing documents, which are due there."""
    inner = tuple(one for outer in report.signatures for one in outer.embedded)
    return replace(report, signatures=(*report.signatures, *inner))


def _untrusted(english: str, japanese: str, report: SignatureReport) -> UntrustedSignature:
    return UntrustedSignature(english, japanese, report=report)
