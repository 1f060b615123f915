"""Documents whose signature could not be established yet: set aside, and looked at again (RD-23).

They are in no one's view. The description goes with the file, so that an erasure takes both.
"""

from collections.abc import Iterable
from datetime import timedelta
from typing import Any

from sqlalchemy import Connection

from gateway.errors import NotFound
from gateway.model.batch import Batch, Finding, Severity
from gateway.model.identifiers import PatientId
from gateway.record import removal, staging
from gateway.record.removal import Removed
from gateway.store.record import uploads, waiting
from gateway.store.record.waiting import WaitingDocument
from gateway.store.work import Work

__all__ = [
    "WaitingDocument",
    "about",
    "again",
    "any_due",
    "due",
    "filed",
    "let_go",
    "put",
    "put_upload",
    "settle",
    "still_waiting",
]

FORMAT = "document"
"Name of the format of what came through the document door."
_AGAIN = timedelta(hours=1)
_MOST = 50

_UNVERIFIABLE = Finding(
    code="signature-unverifiable", severity=Severity.WARNING, at="content",
    text="the signature cannot be verified now; it is verified again every hour",
    japanese="署名を今は検証できません。1時間ごとに再検証します",
)  # fmt: skip


def put(work: Work, file_id: str, chart: PatientId, entry: dict[str, Any]) -> None:
    """Set a received document aside with its description."""
    staging.set_aside(work, file_id, (_UNVERIFIABLE,))
    about(work, file_id, chart)
    waiting.insert_waiting(work.db, file_id, entry, work.now)


def put_upload(work: Work, file_id: str, found: Iterable[Finding]) -> None:
    """Set a file of an upload aside until its signature can be established: it has no entry."""
    staging.set_aside(work, file_id, found)
    waiting.insert_waiting(work.db, file_id, {}, work.now)


def again(work: Work, waited: WaitingDocument) -> None:
    """Let a file of an upload be worked through once more."""
    waiting.delete_waiting(work.db, waited.file)
    staging.requeue(work, waited.file)


def filed(work: Work, file_id: str, path: str, chart: PatientId) -> None:
    """A received document was filed: its file is about this chart, and is erased with it."""
    about(work, file_id, chart)
    staging.stage(work, file_id, Batch(path=path, format=FORMAT, patient=None))


def about(work: Work, file_id: str, chart: PatientId, format: str = FORMAT) -> None:
    """Say whose a received file is, so that it is erased with their chart."""
    file = uploads.select_file(work.db, file_id, locking=True)
    if file is None:
        raise NotFound("no such file", "ファイルが見つかりません")
    uploads.update_file(
        work.db, file._replace(domain=chart.domain, value=chart.value, format=format)
    )
    work.trail.patients.add(chart)


def due(work: Work) -> list[WaitingDocument]:
    """The documents whose turn it is."""
    return waiting.select_waiting(work.db, work.now - _AGAIN, _MOST)


def any_due(db: Connection) -> bool:
    """Whether any document waits at all; for the audit door's snapshot."""
    return waiting.any_waiting(db)


def still_waiting(work: Work, file_id: str) -> None:
    """It was verified again, with the same outcome."""
    waiting.update_tried(work.db, file_id, work.now)


def settle(work: Work, waited: WaitingDocument, found: Iterable[Finding] = ()) -> None:
    """It waits no longer: filed, or refused for what was found."""
    waiting.delete_waiting(work.db, waited.file)
    findings = tuple(found)
    if findings:
        staging.refuse_file(work, waited.file, findings)
    else:
        batch = Batch(path=waited.path, format=FORMAT, patient=None)
        staging.stage(work, waited.file, batch)


def let_go(work: Work, digests: Iterable[str]) -> None:
    """Bytes that were kept for something that was then refused: they go if nothing needs them."""
    removal.let_go(work, digests, Removed())
