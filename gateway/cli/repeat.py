"""`gateway verify --document ID`: a stored verdict made again from what was kept with it.

SIG-06: the result is repeatable later.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any

from gateway.cli.common import now, speaking
from gateway.errors import Malformed
from gateway.hpki import opened as opened_checks
from gateway.hpki import timestamp
from gateway.hpki.certificates import fingerprint, names
from gateway.hpki.evidence import rebuild
from gateway.hpki.policy import SignaturePolicy, Trust
from gateway.hpki.revocation import read_list
from gateway.hpki.verify import verify
from gateway.model.evidence import named
from gateway.model.signature import CheckOutcome, SignatureReport
from gateway.record import stamps
from gateway.record.stamps import StampRow


@dataclass(frozen=True, slots=True, kw_only=True)
class Repeated:
    """A verdict that was made again, beside the one that is stored."""

    report: SignatureReport
    stored: dict[str, Any]
    missing: tuple[str, ...]
    "Digests of evidence that is not here."
    unkept: bool
    "No evidence was kept with the verdict: it is from before evidence was."
    compared: bool
    "As of the stored moment, so that both must be the same."
    archived: tuple[dict[str, Any], ...] = ()
    "The gateway's own time-stamps on it, the newest first, each judged at the next one's time."
    trusted: tuple[str, ...] = ()
    "Whom a file of evidence trusts, where its maker chose them."

    @property
    def stamped_wrongly(self) -> bool:
        """Whether a time-stamp of our own does not hold."""
        return any(one["outcome"] == CheckOutcome.FAILED.value for one in self.archived)

    @property
    def same(self) -> bool:
        """Whether verdict, signers, proven times and every check are as they were."""
        try:
            stored = _essence(self.stored)
        except (KeyError, TypeError, AttributeError):  # a file of evidence may hold anything
            return False
        return bool(stored == _essence(self.report.as_json()))

    def as_json(self) -> dict[str, Any]:
        """The report with what it was compared with."""
        return {
            **self.report.as_json(),
            "stored": {
                "verdict": self.stored["verdict"],
                "verified": self.stored["times"]["verified"],
                "same": self.same if self.compared else None,
                "missing": list(self.missing),
                "evidence_kept": not self.unkept,
                "trusted": list(self.trusted),
                "archive_time_stamps": list(self.archived),
            },
        }

    def lines(self) -> Iterator[str]:
        """What is said beside the report, for people."""
        verdict, when = self.stored["verdict"], self.stored["times"]["verified"]
        yield ""
        yield f"stored verdict / 保存済みの判定: {verdict} ({when})"
        if self.unkept:
            yield (
                "no evidence was kept with it: it is from before evidence was kept; judged with"
                " nothing but what is in the document"
            )
            yield "この判定には証拠が保存されていません。文書内の情報だけで検証しました。"
        for one in self.archived:
            yield f"archive time-stamp / アーカイブタイムスタンプ: {one['time']} {one['outcome']}"
        for authority in self.trusted:
            yield f"trusted by the file / 証拠ファイルが信頼する認証局: {authority}"
        for digest in self.missing:
            yield f"evidence is missing / 証拠がありません: {digest}"
        if not self.compared:
            yield "judged anew, with other lists or another trust than then"
            yield "当時とは異なる失効リストまたは信頼設定で検証しました。"
        elif self.same:
            yield "the same verdict from what was kept / 保存した証拠から同じ判定になりました"
        else:
            yield "NOT the same verdict / 保存済みの判定と異なります"


def repeat(
    config: Path, identity: str, at: datetime | None, trust: Trust | None, *, test_cards: bool
) -> Repeated:
    """Make a stored verdict again: as it was, or as of `at` with the lists made by then.

    `trust` replaces what was trusted then by what is trusted now.
    """
    from gateway.app import trusted_now
    from gateway.cli import opened
    from gateway.model.audit import EventKind
    from gateway.record import evidence

    with speaking(), opened.work(config, EventKind.VIEW, reading=True) as (gateway, work):
        judging = (
            trusted_now(gateway) if stamps.any_kept(work.db) else SignaturePolicy(trust=Trust())
        )
        kept = evidence.find(work, identity)
        stamped = stamps.kept(work.db, kept.owner)
        lists = [] if at is None else evidence.lists_until(work, kept, at)
        policy, unkept = SignaturePolicy(trust=Trust()), True
        with suppress(Malformed):
            policy, unkept = rebuild(kept.evidence), False
    if trust is not None:
        judging = SignaturePolicy(trust=trust, accept_test=test_cards)
        policy = SignaturePolicy(trust=trust, accept_test=test_cards)
    more = Trust(crls=tuple(read_list(one) for one in lists))
    policy = replace(policy, trust=policy.trust | more)
    report = verify(kept.content, policy, at=at or kept.at, received=kept.received)
    return Repeated(
        report=report, stored=kept.report, missing=kept.missing, unkept=unkept,
        compared=at is None and trust is None,
        archived=tuple(_archived(stamped, kept.report, judging, at or now())),
    )  # fmt: skip


def repeat_file(
    content: bytes, detached: Mapping[str, bytes], zipped: bytes, at: datetime | None
) -> Repeated:
    """Make the verdict of a file of evidence again, on the document that it is about."""
    from gateway.hpki.evidence_file import unpack

    with speaking():
        stored, evidence = unpack(zipped)
        policy = rebuild(evidence)
    moment, received = (
        one and datetime.fromisoformat(one)
        for one in (stored["times"]["verified"], stored["times"]["received"])
    )
    report = verify(content, policy, at=at or moment, received=received, detached=detached)
    missing = named(stored) - {one.sha256 for one in evidence}
    return Repeated(
        report=report, stored=stored, missing=tuple(sorted(missing)), unkept=False,
        compared=at is None, trusted=tuple(_pinned(policy)),
    )  # fmt: skip


def _archived(
    stamped: Sequence[StampRow], report: dict[str, Any], policy: SignaturePolicy, at: datetime
) -> Iterator[dict[str, Any]]:
    """The verdict on each stamp: the newest as of `at`, an older one at the next one's time.

    One that does not hold proves nothing for those before it; one made after `at` is passed over.
    """
    around = timestamp.Surroundings(
        policy=policy, helpers=(), crls=policy.trust.crls, now=at, received=None
    )
    for place, row in reversed(list(enumerate(stamped))):
        if row.at > at:
            continue
        found = timestamp.judge(row.token, row.stamped.encode(), around)
        check = found.check
        if not stamps.is_about(row, report, stamped[place - 1] if place else None):
            check = opened_checks.failed(
                timestamp.NAME,
                "it is about something else",
                "別の対象に付与されています",
                "RFC 3161 2.4.2",
            )
        yield {
            "number": row.number, "time": row.at.isoformat(), "ends": row.ends.isoformat(),
            "outcome": check.outcome.value, "reason": check.reason, "reason_ja": check.japanese,
        }  # fmt: skip
        around = replace(around, received=found.time)


def _pinned(policy: SignaturePolicy) -> Iterator[str]:
    """Whom a file of evidence trusts: whoever reads it must know them from elsewhere."""
    for one in policy.trust.anchors:
        subject, _ = names(one.certificate)
        yield f"{one.kind.value} {subject} sha256:{fingerprint(one.certificate)}"


def _essence(report: dict[str, Any]) -> Any:
    """What two reports must have in common to be the same verdict."""
    return report["verdict"], [_signature(one) for one in report["signatures"]]


def _signature(one: dict[str, Any]) -> Any:
    inner = [
        [_signature(each) for each in one.get(key, ())] for key in ("embedded", "countersignatures")
    ]
    checks = [(check["name"], check["outcome"]) for check in one["checks"]]
    return (
        one["format"], one["verdict"], one["signer"], one["times"], one["covered"]["sha256"],
        checks, inner,
    )  # fmt: skip
