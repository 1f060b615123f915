"""The evidence of verdicts, kept with the reports, and found again when one is repeated (SIG-06).

A piece is kept once, however many reports rest on it, and goes with the last of them: certificates
name people. Lists of the archive stay; they name nobody.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection

from gateway.errors import Inconsistent, NotFound
from gateway.model.evidence import Evidence, named
from gateway.model.identifiers import Oid, PatientId
from gateway.model.signature import SignatureReport
from gateway.record import lists
from gateway.store.blobs import Damaged
from gateway.store.record import evidence as rows
from gateway.store.record import stamps
from gateway.store.work import Work


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """A stored verdict with what it was made of."""

    report: dict[str, Any]
    content: bytes
    "The bytes that were verified."
    evidence: tuple[Evidence, ...]
    missing: tuple[str, ...]
    "Digests that the report names and that are not here."
    owner: str = ""
    "Id of the document's entry, or of the received file."

    @property
    def at(self) -> datetime:
        """When it was verified."""
        return datetime.fromisoformat(self.report["times"]["verified"])

    @property
    def received(self) -> datetime | None:
        """When it had come to us."""
        found = self.report["times"]["received"]
        return datetime.fromisoformat(found) if found else None


def keep(work: Work, owner: str, report: SignatureReport, place: str = "") -> None:
    """Keep what a report rests on; `owner` is the document's entry or the received file."""
    if not report.evidence:
        return
    rows.lock_using(work.db)
    rows.insert_evidence(work.db, report.evidence, work.now)
    rows.replace_uses(work.db, owner, place, (one.sha256 for one in report.evidence))


def forget(work: Work, owners: Iterable[str]) -> None:
    """Let the evidence of what was deleted go, unless another report rests on it.

    Where another transaction is keeping evidence at this moment, `sweep` takes it.
    """
    asked = sorted(set(owners))
    here = rows.select_owned(work.db, asked)
    without = [one for one in asked if one not in here]
    stamps.delete_stamps(work.db, without)
    gone = rows.delete_uses(work.db, without)
    if gone:
        _remove(work, gone)


def any_unused(db: Connection) -> bool:
    """Whether there is evidence that nothing rests on; for the audit door's snapshot."""
    return bool(rows.select_unused(db, 1))


def sweep(work: Work, most: int = 1000) -> None:
    """Remove evidence that nothing rests on: of reports that were replaced, or missed before."""
    _remove(work, rows.select_unused(work.db, most))


def _remove(work: Work, digests: Iterable[str]) -> None:
    if rows.try_lock_alone(work.db):
        count = rows.delete_unused(work.db, digests)
        if count:
            work.trail.detail["evidence_removed"] = count


def find(work: Work, identity: str) -> Kept:
    """The verdict on a document by its unique id or entry id, or on a received file by its digest.

    Raises `NotFound`; `Inconsistent` where the bytes are gone.
    """
    plain = identity.strip().removeprefix("urn:oid:")
    found = rows.select_reported(work.db, plain)
    if not found and not plain.startswith("urn:uuid:"):
        found = rows.select_reported(work.db, f"urn:uuid:{plain}")
    if not found:
        raise NotFound("no verdict on a signature is stored under this id",
                       "このIDの検証結果はありません", at="document")  # fmt: skip
    one = found[0]
    if one.domain:
        work.trail.patients.add(PatientId(Oid(one.domain), one.value))
    work.trail.objects.append(f"{plain} sha256:{one.sha256}")
    wanted = named(one.report)
    pieces = rows.select_evidence(work.db, sorted(wanted))
    return Kept(
        owner=one.owner,
        report=one.report,
        content=_content(work, one),
        evidence=tuple(pieces),
        missing=tuple(sorted(wanted - {piece.sha256 for piece in pieces})),
    )


def lists_until(work: Work, kept: Kept, moment: datetime) -> list[bytes]:
    """The archived lists that tell about these signatures and had been made by a moment."""
    times = [one["times"]["proven"] for one in kept.report["signatures"]]
    moments = [datetime.fromisoformat(one) for one in times if one]
    return lists.known_at(work.db, moment, [*moments, kept.received or kept.at])


def _content(work: Work, one: rows.Reported) -> bytes:
    """The bytes that were verified, or at least those that the signature covers."""
    for digest in dict.fromkeys((one.report["file_sha256"], one.sha256)):
        try:
            return work.blobs.read(str(digest))
        except Damaged:
            continue
    raise Inconsistent("the bytes that were verified are not kept any more",
                       "検証した内容は保存されていません", at="document")  # fmt: skip
