"""Statements on the parts of files that are about several people."""

from collections.abc import Sequence

from sqlalchemy import ColumnElement, Connection, delete, func, literal_column, select, update

from gateway.store.record import FILE
from gateway.store.record.uploads import PENDING, RECEIVED, FileRow


def select_last(db: Connection, file: str) -> int:
    """The number of the last part that was cut from a file so far; 0 where there is none."""
    statement = select(func.max(FILE.c.part)).where(FILE.c.parent == file)
    return int(db.execute(statement).scalar_one() or 0)


def is_released(db: Connection, file: str) -> bool:
    """Whether the first part of a file waits no more for the others to be cut."""
    statement = select(FILE.c.state).where(FILE.c.parent == file, FILE.c.part == 1)
    return db.execute(statement).scalar_one_or_none() not in (None, PENDING)


def select_states(db: Connection, receipt: str) -> dict[str, dict[str, int]]:
    """File to state to number of its parts, of one upload."""
    found: dict[str, dict[str, int]] = {}
    rows = db.execute(
        select(FILE.c.parent, FILE.c.state, func.count())
        .where(FILE.c.receipt == receipt, FILE.c.parent != "")
        .group_by(FILE.c.parent, FILE.c.state)
    )
    for file, state, number in rows:
        found.setdefault(file, {})[state] = number
    return found


def select_findings(db: Connection, file: str, limit: int) -> list[list[dict[str, str]]]:
    """The findings of a file's parts in order, of so many parts that have any."""
    rows = db.execute(
        select(FILE.c.findings)
        .where(FILE.c.parent == file, FILE.c.findings != literal_column("'[]'"))
        .order_by(FILE.c.part)
        .limit(limit)
    )
    return [row[0] for row in rows]


def release_parts(db: Connection, file: str, first: int, end: int) -> None:
    """Let the parts of a file that is wholly cut be worked on, from number `first` before `end`."""
    db.execute(update(FILE).where(*_pending(file, first, end)).values(state=RECEIVED))


def delete_pending(db: Connection, file: str, first: int, end: int) -> None:
    """Forget the parts of a file that is refused before it is wholly cut."""
    db.execute(delete(FILE).where(*_pending(file, first, end)))


def _pending(file: str, first: int, end: int) -> tuple[ColumnElement[bool], ...]:
    """Parts of a file that wait for the others, by number."""
    return (
        FILE.c.parent == file, FILE.c.part >= first, FILE.c.part < end, FILE.c.state == PENDING
    )  # fmt: skip


def update_blob(db: Connection, before: str, after: str, originals: Sequence[FileRow]) -> None:
    """Let every row that refers to bytes refer to their blanked copy, and say what they were."""
    for row in originals:
        db.execute(update(FILE).where(FILE.c.id == row.id).values(original=row.received_sha256))
    db.execute(update(FILE).where(FILE.c.sha256 == before).values(sha256=after))


def update_bytes(db: Connection, file: FileRow, after: str) -> None:
    """Let one file refer to other bytes than those it was received with, and say what they were."""
    values = {"sha256": after, "original": file.received_sha256}
    db.execute(update(FILE).where(FILE.c.id == file.id).values(values))


def select_sharing(db: Connection, sha256: str) -> list[FileRow]:
    """Whole files that have these bytes, and were not blanked before."""
    rows = db.execute(select(FILE).where(FILE.c.sha256 == sha256, FILE.c.parent == ""))
    return [FileRow(**row._mapping) for row in rows]
