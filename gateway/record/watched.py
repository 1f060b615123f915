"""What was taken from drop folders; kept here, for nothing is ever written into a source (STG-08).

A file is known by folder, path, size and time of change, in the transaction of its receipt: so a
restart, or a `kill -9` at any moment, sends nothing again and forgets nothing.
"""

from collections.abc import Sequence

from sqlalchemy import Connection

from gateway.store.record import watched as rows
from gateway.store.record.watched import WatchedRow, WatchRow
from gateway.store.work import Work

__all__ = ["WatchRow", "WatchedRow", "known", "looked", "note", "watches"]


def known(db: Connection, folder: str, paths: Sequence[str]) -> dict[str, WatchedRow]:
    """Those of these files that were dealt with, for the audit door's snapshot."""
    return rows.select_known(db, folder, paths)


def note(work: Work, folder: str, found: Sequence[WatchedRow]) -> None:
    """These files were dealt with."""
    rows.replace_known(work.db, folder, found)


def looked(db: Connection, found: WatchRow) -> None:
    """What a look at a drop folder found; what was taken and refused is added to what was."""
    rows.replace_watch(db, found)


def watches(db: Connection) -> list[WatchRow]:
    """Every drop folder as its watcher saw it last."""
    return rows.select_watches(db)
