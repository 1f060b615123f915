"""Statements on archive time-stamps of our own, and on the documents that need one."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import (
    Column,
    Connection,
    Integer,
    LargeBinary,
    PrimaryKeyConstraint,
    Table,
    Text,
    delete,
    func,
    insert,
    or_,
    select,
    union_all,
)

from gateway.store.metadata import METADATA, Moment
from gateway.store.record import DOCUMENT, HELD_DOCUMENT
from gateway.store.record.evidence import USE

STAMP = Table(
    "document_stamp",
    METADATA,
    Column("owner", Text, nullable=False),
    Column("number", Integer, nullable=False),
    Column("at", Moment, nullable=False),
    Column("ends", Moment, nullable=False),
    Column("stamped", Text, nullable=False),
    Column("token", LargeBinary, nullable=False),
    PrimaryKeyConstraint("owner", "number"),
)
_CHUNK = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class StampRow:
    """One time-stamp."""

    owner: str
    "Id of the document's entry."
    number: int
    "1, and one more for each renewal."
    at: datetime
    "The moment that it proves."
    ends: datetime
    "When its authority's certificate ends."
    stamped: str
    "What is stamped, as text."
    token: bytes


def insert_stamp(db: Connection, row: StampRow) -> None:
    """Add a stamp."""
    db.execute(
        insert(STAMP).values(
            owner=row.owner, number=row.number, at=row.at, ends=row.ends, stamped=row.stamped,
            token=row.token,
        )
    )  # fmt: skip


def select_stamps(db: Connection, owner: str) -> list[StampRow]:
    """The stamps of a document, oldest first."""
    rows = db.execute(select(STAMP).where(STAMP.c.owner == owner).order_by(STAMP.c.number))
    return [StampRow(**row._mapping) for row in rows]


def any_stamp(db: Connection) -> bool:
    """Whether there is any."""
    return db.execute(select(STAMP.c.owner).limit(1)).first() is not None


def select_due(db: Connection, before: datetime, after: str, limit: int) -> Sequence[str]:
    """Documents with a verdict whose newest stamp ends before a moment, or that have none.

    In the order of their ids, those after `after`.
    """
    newest = select(STAMP.c.owner, func.max(STAMP.c.ends).label("ends")).group_by(STAMP.c.owner)
    stamp = newest.subquery()
    filed = union_all(select(DOCUMENT.c.entry_uuid), select(HELD_DOCUMENT.c.entry_uuid)).subquery()
    judged = select(USE.c.owner).where(USE.c.place == "").distinct().subquery()
    statement = (
        select(filed.c.entry_uuid)
        .join(judged, judged.c.owner == filed.c.entry_uuid)
        .outerjoin(stamp, stamp.c.owner == filed.c.entry_uuid)
        .where(or_(stamp.c.ends.is_(None), stamp.c.ends < before), filed.c.entry_uuid > after)
        .order_by(filed.c.entry_uuid)
        .limit(limit)
    )
    return [row[0] for row in db.execute(statement)]


def delete_stamps(db: Connection, owners: Iterable[str]) -> None:
    """Let the stamps of documents go that went."""
    asked = sorted(set(owners))
    for start in range(0, len(asked), _CHUNK):
        db.execute(delete(STAMP).where(STAMP.c.owner.in_(asked[start : start + _CHUNK])))
