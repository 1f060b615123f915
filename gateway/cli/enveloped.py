"""`gateway standardize FILE.p7m`: the envelope opened as intake opens it, with its verdict.

Pure, like the rest of `standardize`: whom to trust is what ships with the product, or a file.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from gateway.errors import Invalid
from gateway.hpki.cades import content_inside
from gateway.hpki.policy import SignaturePolicy
from gateway.hpki.verify import verify
from gateway.intake import envelopes, signed
from gateway.model.batch import Batch, Finding
from gateway.model.signature import Indication, SignatureReport
from gateway.standardize.format import Upload

_WORDS: Mapping[Indication, str] = {
    Indication.VERIFIED: "verified 検証済み",
    Indication.INVALID: "invalid 無効",
    Indication.UNVERIFIABLE: "unverifiable 検証できません",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Opened:
    """What an envelope holds, and what verification says of it."""

    envelope: Upload
    inner: Upload
    report: SignatureReport
    finding: Finding
    own: SignatureReport | None = None
    "Of a signature that what is inside has itself: an e-prescription's."

    def placed(self, batches: Iterable[Batch]) -> tuple[Batch, ...]:
        """What was read inside, as of the envelope; each of several carries the one verdict."""
        return tuple(
            replace(
                envelopes.placed(self.envelope, self.inner.content, batch),
                format=envelopes.PREFIX + batch.format if batch.format else "",
                findings=(self.finding, *batch.findings),
            )
            for batch in batches
        )


def as_json(report: SignatureReport, own: SignatureReport | None = None) -> dict[str, Any]:
    """The verdicts, as they stand beside the items."""
    told = {"signature": report.as_json()}
    if own is not None:
        told["signature_inside"] = own.as_json()
    return told


def lines(report: SignatureReport, own: SignatureReport | None = None) -> Iterator[str]:
    """The same for people."""
    yield from _lines("signature 署名", report)
    if own is not None:
        yield from _lines("signature inside 内側の署名", own)


def open_envelope(upload: Upload, policy: SignaturePolicy, now: datetime) -> Opened:
    """Open an envelope; raises what intake raises where it refuses one.

    One whose signature cannot be established here is opened all the same: nothing is kept of it.
    """
    report = verify(upload.content, policy, at=now)
    envelopes.refuse_detached(report)
    judged = signed.judge_enclosing(report)
    content = report.signatures[-1].covered or content_inside(upload.content)
    if not content:
        raise Invalid("nothing is inside", "署名の中に内容がありません", at="content", rule="J-06")
    inner = envelopes.inside(upload, content)
    own = verify(content, policy, at=now) if signed.evidence(inner) else None
    return Opened(
        envelope=upload, inner=inner, report=report, finding=judged.finding,
        own=own if own is not None and own.signed else None,
    )  # fmt: skip


def _lines(name: str, report: SignatureReport) -> Iterator[str]:
    for one in report.signatures:
        roles = ", ".join(role.text for role in one.roles) or "no role 資格なし"
        proven = f", {one.proven.isoformat()}" if one.proven else ""
        yield f"  {name}: {_WORDS[one.indication]} {one.format}, {roles}{proven}"
        for check in one.checks:
            if check.outcome.value != "passed":
                yield f"    {check.name} {check.outcome.value}: {check.reason} {check.japanese}"
