"""Receipts: what became of an upload (`INTERFACES.md` section 7), for its sender and its facility.

A file about several people is told as one file: its parts' items and findings together.
"""

from typing import Any

from sqlalchemy import Connection

from gateway.errors import NotFound
from gateway.model.caller import CallerKind
from gateway.record import deliveries, queue, reports
from gateway.store.record import parts, uploads
from gateway.store.record import reports as report_rows
from gateway.store.record.uploads import FileRow
from gateway.store.work import Work

_MOST_FINDINGS = 1000
"Findings of parts that a receipt tells; how many parts have which state is told of all."

_ORDER = (uploads.SET_ASIDE, uploads.STANDARDIZED, uploads.DUPLICATE, uploads.REFUSED)
"The state of a file is the first of these that one of its parts has."


def receipt(
    work: Work, receipt_id: str, *, first: int = 0, most: int | None = None
) -> dict[str, Any]:
    """State of an upload and its files; raises `NotFound` for anybody else's (G8).

    Of an upload of many files, `most` of them from the number `first`; how far all of it is, is
    told anyway.
    """
    found = head(work, receipt_id)
    return {**found, "files": files(work.db, receipt_id, first=first, most=most)}


def head(work: Work, receipt_id: str) -> dict[str, Any]:
    """State of an upload without its files; raises `NotFound` for anybody else's (G8)."""
    upload = uploads.select_upload(work.db, receipt_id)
    caller = work.caller
    mine = upload is not None and (
        caller.kind in (CallerKind.OPERATOR, CallerKind.JOB)
        or caller.facility in (upload.sender, upload.facility)
    )
    if upload is None or not mine:
        raise NotFound("no such receipt", "受付番号が見つかりません", rule="STG-02")
    coming = deliveries.is_receiving(work.db, receipt_id)  # first: what comes is counted after it
    far = queue.progress(work.db, receipt_id)
    state = "working" if far.started else "received"
    return {
        "receipt": upload.receipt,
        "state": state if far.waiting or coming else "done",
        "facility": upload.facility,
        "source": upload.source,
        "received": upload.received.isoformat(),
        "progress": _progress(far, coming=coming),
    }


def _progress(far: queue.Progress, *, coming: bool) -> dict[str, Any]:
    """How far it is; `files` and the seconds that are left are those of what is known by now."""
    left = None if far.left is None else round(far.left)
    made: dict[str, Any] = {"files": far.files, "done": far.done, "seconds_left": left}
    if far.cut is not None:
        made["cut"] = round(far.cut, 3)
    if coming:
        made["receiving"] = True
    return made


def files(
    db: Connection, receipt_id: str, *, first: int = 0, most: int | None = None
) -> list[dict[str, Any]]:
    """What became of the files of an upload, or of `most` of them from the number `first`."""
    found = uploads.select_files(db, receipt_id, first=first, most=most)
    if not found:
        return []
    numbers = (found[0].number, found[-1].number)
    # Each statement sees what is committed by then, so states come before what they speak of: a
    # file that is told as worked through has its items counted.
    states = parts.select_states(db, receipt_id)
    counts = uploads.count_items(db, receipt_id, numbers)
    signed = report_rows.select_reports_of_receipt(db, receipt_id, numbers)
    made = [_file(db, file, counts, states.get(file.id, {})) for file in found]
    for told, file in zip(made, found, strict=True):
        if file.id in signed:
            told["signatures"] = [reports.told(*one) for one in signed[file.id].items()]
    return made


def _file(
    db: Connection, file: FileRow, counts: dict[str, tuple[int, int]], states: dict[str, int]
) -> dict[str, Any]:
    """One file; `states` are how many of its parts have which state."""
    staged, promoted = counts.get(file.id, (0, 0))
    findings = list(file.findings)
    state = file.state
    if states:
        waiting = states.get(uploads.RECEIVED, 0) + states.get(uploads.PENDING, 0)
        state = next((one for one in _ORDER if one in states), uploads.RECEIVED)
        state = uploads.RECEIVED if waiting else state
        for found in parts.select_findings(db, file.id, _MOST_FINDINGS):
            findings += found
    elif state == uploads.SPLIT:
        state = uploads.STANDARDIZED  # every part of it was erased since
    made: dict[str, Any] = {
        "path": file.path,
        "sha256": file.received_sha256,
        "size": file.size,
        "state": state,
        "format": file.format,
        "items": {"staged": staged, "promoted": promoted},
        "findings": findings[:_MOST_FINDINGS],
    }
    if states:
        made["parts"] = dict(sorted(states.items()))
    return made
