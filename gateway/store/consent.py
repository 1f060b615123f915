"""Rows of the consent room: the ledger, append-only by trigger."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

import orjson
from sqlalchemy import Column, Connection, Integer, Table, Text, func, insert, select

from gateway.model.identifiers import PersonId
from gateway.store.database import fetch
from gateway.store.metadata import METADATA, Json, Moment

ENTRY = Table(
    "consent_entry",
    METADATA,
    Column("person", Text, primary_key=True),
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("kind", Text, nullable=False),
    Column("at", Moment, nullable=False),
    Column("actor", Text, nullable=False),
    Column("content", Json, nullable=False),
    sqlite_with_rowid=False,
)
_STANDING = {
    "sqlite": "SELECT kind, content FROM consent_entry WHERE person = ? ORDER BY number",
    "postgresql": "SELECT kind, content FROM consent_entry WHERE person = %s ORDER BY number",
}


@dataclass(frozen=True, slots=True)
class EntryRow:
    """One line of the ledger."""

    kind: str
    "`submission`, `grant`, `exclusion` or `withdrawal`."
    at: datetime
    actor: str
    content: dict[str, Any]


def insert_entry(db: Connection, person: PersonId, row: EntryRow) -> None:
    """Append a line; the caller holds the person's lock."""
    last = db.execute(
        select(func.coalesce(func.max(ENTRY.c.number), 0)).where(ENTRY.c.person == person)
    ).scalar_one()
    db.execute(
        insert(ENTRY).values(
            person=person, number=last + 1, kind=row.kind, at=row.at, actor=row.actor,
            content=row.content,
        )
    )  # fmt: skip


def select_entries(db: Connection, person: PersonId) -> list[EntryRow]:
    """Every line about one person, oldest first."""
    rows = db.execute(select(ENTRY).where(ENTRY.c.person == person).order_by(ENTRY.c.number))
    return [EntryRow(row.kind, row.at, row.actor, row.content) for row in rows]


def select_standing(db: Connection, person: PersonId) -> list[tuple[str, str]]:
    """Kind and raw content of every line about one person: on the path of each disclosure."""
    return fetch(db, _STANDING[db.dialect.name], (person,))


def read_content(content: str) -> dict[str, Any]:
    """The content of a line that `select_standing` gave."""
    found: dict[str, Any] = orjson.loads(content)
    return found


def select_participants(db: Connection) -> list[PersonId]:
    """Persons whose last grant or withdrawal is a grant, for consistency checks (AUD-05)."""
    spoken = ENTRY.alias("spoken")
    last = (
        select(spoken.c.person, func.max(spoken.c.number).label("number"))
        .where(spoken.c.kind.in_(("grant", "withdrawal")))
        .group_by(spoken.c.person)
        .subquery()
    )
    rows = db.execute(
        select(ENTRY.c.person)
        .join(last, (last.c.person == ENTRY.c.person) & (last.c.number == ENTRY.c.number))
        .where(ENTRY.c.kind == "grant")
        .order_by(ENTRY.c.person)
    )
    return [PersonId(row[0]) for row in rows]
