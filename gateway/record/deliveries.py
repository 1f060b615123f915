"""Folders taken in under one receipt, some files at a time: what was taken, so that it goes on.

A file is noted in the transaction that adds it to the receipt, as it is of drop folders
(`record/watched.py`): a `kill -9` at any moment neither repeats nor forgets one. The notes go once
all of the folder was worked through; until then the same command goes on where it was.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from sqlalchemy import Connection

from gateway.store.record import uploads
from gateway.store.record import watched as rows
from gateway.store.record.watched import WatchedRow
from gateway.store.work import Work

RECEIVING, RECEIVED, CLOSING = "receiving", "received", "closing"
_ROOM = "delivery"
"Where deliveries are kept among drop folders, which are absolute paths."
_PORTION = 2000


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """A folder that is on its way in."""

    key: str
    "What is delivered for whom: the same command finds it again."
    receipt: str
    state: str = RECEIVING
    files: int = 0
    "How many files the receipt has so far."

    @property
    def _notes(self) -> str:
        return f"{_ROOM} {self.receipt}"


def begun(db: Connection, key: str) -> Delivery | None:
    """The delivery that was begun and not ended."""
    found = rows.select_known(db, _ROOM, [key]).get(key)
    if found is None:
        return None
    files = uploads.count_files(db, found.receipt)
    return Delivery(key=key, receipt=found.receipt, state=found.refused, files=files)


def is_receiving(db: Connection, receipt: str) -> bool:
    """Whether more files may come under a receipt."""
    found = rows.select_known(db, f"{_ROOM} {receipt}", [""]).get("")
    return found is not None and found.refused == RECEIVING


def known(db: Connection, delivery: Delivery, paths: Sequence[str]) -> dict[str, WatchedRow]:
    """Those of these files that the delivery has."""
    return rows.select_known(db, delivery._notes, paths)


def note(work: Work, delivery: Delivery, found: Sequence[WatchedRow]) -> Delivery:
    """These files were added; with the first ones the delivery begins."""
    if not delivery.files:
        _mark(work, delivery)
    rows.replace_known(work.db, delivery._notes, found)
    return replace(delivery, files=delivery.files + len(found))


def change(work: Work, delivery: Delivery, state: str) -> Delivery:
    """All of it was received, or worked through."""
    changed = replace(delivery, state=state)
    _mark(work, changed)
    return changed


def forget(db: Connection, delivery: Delivery) -> bool:
    """Forget some of the notes of a delivery that is closing; False once none is left."""
    if rows.delete_some(db, delivery._notes, _PORTION):
        return True
    rows.delete_known(db, _ROOM, delivery.key)
    return False


def _mark(work: Work, delivery: Delivery) -> None:
    for folder, path in ((_ROOM, delivery.key), (delivery._notes, "")):
        row = WatchedRow(
            path=path, size=0, modified=0, receipt=delivery.receipt, refused=delivery.state
        )
        rows.replace_known(work.db, folder, [row])
