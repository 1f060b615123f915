"""Rows of loaded code masters: one a version, and its text in pages.

A version is never changed; it may be ended. Its pages are the text that is searched in memory
(`model/codebook.py`), so that a process reads some hundred rows instead of some hundred thousand.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import (
    Column,
    Connection,
    Integer,
    PrimaryKeyConstraint,
    Table,
    Text,
    UniqueConstraint,
    func,
    insert,
    select,
    update,
)

from gateway.store.metadata import METADATA, Moment

MASTER = Table(
    "code_master",
    METADATA,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("kind", Text, nullable=False),
    Column("name", Text, nullable=False),
    Column("version", Text, nullable=False),
    Column("facility", Text, nullable=False),
    Column("starts", Text, nullable=False),
    Column("ends", Text, nullable=False),
    Column("digest", Text, nullable=False),
    Column("entries", Integer, nullable=False),
    Column("loaded_by", Text, nullable=False),
    Column("loaded", Moment, nullable=False),
    UniqueConstraint("kind", "name", "version", "facility", name="uq_code_master_version"),
)
PAGE = Table(
    "code_page",
    METADATA,
    Column("master", Integer, nullable=False),
    Column("number", Integer, nullable=False),
    Column("content", Text, nullable=False),
    PrimaryKeyConstraint("master", "number"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class MasterRow:
    """One version of a master."""

    id: int = 0
    kind: str
    name: str
    version: str
    facility: str
    "Of a map, whose codes it is about; empty for a master."
    starts: str
    "First day as YYYY-MM-DD."
    ends: str
    "Last day; empty while it is open."
    digest: str
    entries: int
    loaded_by: str
    loaded: datetime


def insert_master(db: Connection, row: MasterRow, pages: Iterable[str]) -> int:
    """Add a version with its pages; its id."""
    values = {
        column.name: getattr(row, column.name) for column in MASTER.columns if column.name != "id"
    }
    done = db.execute(insert(MASTER).values(values).returning(MASTER.c.id))
    identity = int(done.scalar_one())
    for number, content in enumerate(pages):
        db.execute(insert(PAGE).values(master=identity, number=number, content=content))
    return identity


def select_masters(db: Connection) -> list[MasterRow]:
    """Every version, in the order in which they were loaded."""
    rows: Any = db.execute(select(MASTER).order_by(MASTER.c.id))
    return [MasterRow(**row._mapping) for row in rows]


def select_state(db: Connection) -> tuple[int, int, str]:
    """Cheap to ask, and another after every load and every end."""
    row = db.execute(
        select(func.count(), func.coalesce(func.max(MASTER.c.id), 0),
               func.coalesce(func.max(MASTER.c.ends), ""))
    ).one()  # fmt: skip
    ended = db.execute(select(func.count()).where(MASTER.c.ends != "")).scalar_one()
    return int(row[0]), int(row[1]), f"{row[2]} {ended}"


def select_text(db: Connection, master: int) -> str:
    """The text of a version."""
    rows = db.execute(select(PAGE.c.content).where(PAGE.c.master == master).order_by(PAGE.c.number))
    return "".join(row[0] for row in rows)


def update_end(db: Connection, master: int, ends: str) -> None:
    """Say the last day of a version."""
    db.execute(update(MASTER).where(MASTER.c.id == master).values(ends=ends))
