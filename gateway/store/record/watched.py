"""Statements on drop folders: which of their files were taken, as they were then."""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import BigInteger, Column, Connection, PrimaryKeyConstraint, Table, Text

from gateway.store import raw
from gateway.store.metadata import METADATA

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


def replace_known(db: Connection, folder: str, found: Sequence[WatchedRow]) -> None:
    """Keep that these files were dealt with."""
    for row in found:
        raw.run(db, "DELETE FROM watched_file WHERE folder = ? AND path = ?", (folder, row.path))
    raw.insert(
        db, WATCHED, _COLUMNS,
        [(folder, one.path, one.size, one.modified, one.receipt, one.refused) for one in found],
    )  # fmt: skip
