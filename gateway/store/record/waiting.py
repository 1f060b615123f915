"""Statements on documents whose signature could not be established yet (SIG-05, RD-23)."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Column, Connection, ForeignKey, Integer, Table, Text, insert, select, update

from gateway.store.metadata import METADATA, Json, Moment
from gateway.store.record import FILE, UPLOAD

WAITING = Table(
    "document_waiting",
    METADATA,
    Column("file", Text, ForeignKey(FILE.c.id, ondelete="CASCADE"), primary_key=True),
    Column("entry", Json, nullable=False),
    Column("tried", Moment, nullable=False, index=True),
    Column("attempts", Integer, nullable=False),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class WaitingDocument:
    """One document that was set aside: its file, and its entry as it was described."""

    file: str
    sender: str
    facility: str
    path: str
    sha256: str
    entry: dict[str, Any]
    received: datetime
    attempts: int


def insert_waiting(db: Connection, file: str, entry: dict[str, Any], at: datetime) -> None:
    """Keep the description of a document with its file; it goes when the file goes."""
    db.execute(insert(WAITING).values(file=file, entry=entry, tried=at, attempts=1))


def select_waiting(db: Connection, before: datetime, limit: int) -> list[WaitingDocument]:
    """Documents last tried before a moment, the longest waiting first."""
    rows = db.execute(
        select(
            WAITING.c.file, UPLOAD.c.sender, FILE.c.facility, FILE.c.path, FILE.c.sha256,
            WAITING.c.entry, UPLOAD.c.received, WAITING.c.attempts,
        )
        .join(FILE, FILE.c.id == WAITING.c.file)
        .join(UPLOAD, UPLOAD.c.receipt == FILE.c.receipt)
        .where(WAITING.c.tried < before)
        .order_by(WAITING.c.tried)
        .limit(limit)
    )  # fmt: skip
    return [WaitingDocument(**row._mapping) for row in rows]


def update_tried(db: Connection, file: str, at: datetime) -> None:
    """It was tried once more, and still waits."""
    db.execute(
        update(WAITING)
        .where(WAITING.c.file == file)
        .values(tried=at, attempts=WAITING.c.attempts + 1)
    )


def delete_waiting(db: Connection, file: str) -> None:
    """It waits no longer."""
    db.execute(WAITING.delete().where(WAITING.c.file == file))


def any_waiting(db: Connection) -> bool:
    """Whether any document waits."""
    return db.execute(select(WAITING.c.file).limit(1)).first() is not None
