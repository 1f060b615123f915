"""Statements on drop folders: which of their files were taken, as they were then."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import (
    BigInteger,
    Column,
    Connection,
    PrimaryKeyConstraint,
    Table,
    Text,
    delete,
    insert,
    select,
)

from gateway.store import raw
from gateway.store.metadata import METADATA, Moment

WATCHED = Table(
    "watched_file",
    METADATA,
    Column("folder", Text, nullable=False),
    Column("path", Text, nullable=False),
    Column("size", BigInteger, nullable=False),
    Column("modified", BigInteger, nullable=False),
    Column("receipt", Text, nullable=False),
    Column("refused", Text, nullable=False),
    PrimaryKeyConstraint("folder", "path"),
)
WATCH = Table(
    "watched_folder",
    METADATA,
    Column("folder", Text, primary_key=True),
    Column("facility", Text, nullable=False),
    Column("looked", Moment, nullable=False),
    Column("seen", BigInteger, nullable=False),
    Column("taken", BigInteger, nullable=False),
    Column("refused", BigInteger, nullable=False),
    Column("unfinished", BigInteger, nullable=False),
)
_COLUMNS = ("folder", "path", "size", "modified", "receipt", "refused")


@dataclass(frozen=True, slots=True, kw_only=True)
class WatchedRow:
    """One file of a drop folder that was dealt with; one that changes is another one."""

    path: str
    size: int
    modified: int
    "Nanoseconds, as the file system tells."
    receipt: str = ""
    refused: str = ""
    "Why it was not taken."


def select_known(db: Connection, folder: str, paths: Sequence[str]) -> dict[str, WatchedRow]:
    """Those of these files that were dealt with."""
    statement = (
        "SELECT path, size, modified, receipt, refused FROM watched_file "  # noqa: S608
        f"WHERE folder = ? AND path IN ({raw.some(len(paths))})"
    )
    return {
        path: WatchedRow(
            path=path, size=size, modified=modified, receipt=receipt, refused=refused
        )
        for path, size, modified, receipt, refused in raw.rows(db, statement, (folder, *paths))
    }  # fmt: skip


def delete_some(db: Connection, folder: str, most: int) -> int:
    """Forget so many files of a folder at most; how many."""
    found = raw.rows(db, "SELECT path FROM watched_file WHERE folder = ? LIMIT ?", (folder, most))
    for (path,) in found:
        delete_known(db, folder, path)
    return len(found)


def delete_known(db: Connection, folder: str, path: str) -> None:
    """Forget one file."""
    raw.run(db, "DELETE FROM watched_file WHERE folder = ? AND path = ?", (folder, path))


def replace_known(db: Connection, folder: str, found: Sequence[WatchedRow]) -> None:
    """Keep that these files were dealt with."""
    for row in found:
        delete_known(db, folder, row.path)
    raw.insert(
        db, WATCHED, _COLUMNS,
        [(folder, one.path, one.size, one.modified, one.receipt, one.refused) for one in found],
    )  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class WatchRow:
    """What the last look at a drop folder found, and what was done since it was first watched."""

    folder: str
    facility: str
    looked: datetime
    seen: int
    taken: int
    refused: int
    unfinished: int


def select_watches(db: Connection) -> list[WatchRow]:
    """Every drop folder."""
    return [WatchRow(**row._mapping) for row in db.execute(select(WATCH).order_by(WATCH.c.folder))]


def replace_watch(db: Connection, row: WatchRow) -> None:
    """Keep what a look found; what was taken and refused is added up."""
    before = db.execute(
        select(WATCH.c.taken, WATCH.c.refused).where(WATCH.c.folder == row.folder)
    ).first()
    taken, refused = before or (0, 0)
    db.execute(delete(WATCH).where(WATCH.c.folder == row.folder))
    db.execute(
        insert(WATCH).values(
            folder=row.folder, facility=row.facility, looked=row.looked, seen=row.seen,
            taken=row.taken + taken, refused=row.refused + refused, unfinished=row.unfinished,
        )
    )  # fmt: skip
