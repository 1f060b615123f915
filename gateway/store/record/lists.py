"""Statements on revocation lists: every one that came, for good, and how their sources are."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import (
    Column,
    Connection,
    Index,
    Integer,
    LargeBinary,
    Table,
    Text,
    UniqueConstraint,
    func,
    or_,
    select,
    update,
)
from sqlalchemy.dialects import postgresql, sqlite

from gateway.store.metadata import METADATA, Json, Moment

LIST = Table(
    "revocation_list",
    METADATA,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("sha256", Text, nullable=False),
    Column("series", Text, nullable=False),
    Column("issuer", Text, nullable=False),
    Column("number", Text, nullable=False),
    Column("since", Moment, nullable=False),
    Column("until", Moment, nullable=False),
    Column("received", Moment, nullable=False),
    Column("source", Text, nullable=False),
    Column("entries", Integer, nullable=False),
    Column("keeps", Text, nullable=False),
    Column("anomalies", Json, nullable=False),
    Column("content", LargeBinary, nullable=False),
    UniqueConstraint("sha256", name="uq_revocation_list_sha256"),
    Index("ix_revocation_list_series", "series", "since"),
)
SOURCE = Table(
    "revocation_source",
    METADATA,
    Column("name", Text, primary_key=True),
    Column("due", Moment, nullable=False),
    Column("tried", Moment),
    Column("fetched", Moment),
    Column("failures", Integer, nullable=False),
    Column("problem", Text, nullable=False),
    Column("japanese", Text, nullable=False),
    Column("series", Text, nullable=False),
    Column("alarmed", Moment),
)
_FACTS = [column for column in LIST.columns if column.name != "content"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ListRow:
    """One revocation list as it came, without its bytes."""

    id: int = 0
    sha256: str
    series: str
    "Lists of one authority and one scope."
    issuer: str
    "SHA-256 of the authority's certificate."
    number: str
    "CRL number; empty where it has none."
    since: datetime
    "thisUpdate."
    until: datetime
    "nextUpdate."
    received: datetime
    source: str
    entries: int
    keeps: str
    "The list before it, where that one says what no other list in use says."
    anomalies: list[dict[str, Any]]


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceRow:
    """How a source is."""

    name: str
    due: datetime
    tried: datetime | None = None
    fetched: datetime | None = None
    "When it gave a list that was accepted, new or not."
    failures: int = 0
    "Since then."
    problem: str = ""
    japanese: str = ""
    series: str = ""
    "Of the list that it gave."
    alarmed: datetime | None = None


def insert_list(db: Connection, row: ListRow, content: bytes) -> bool:
    """Keep a list for good; False where it is here already."""
    dialect = sqlite if db.dialect.name == "sqlite" else postgresql
    values = {column.name: getattr(row, column.name) for column in _FACTS if column.name != "id"}
    made = dialect.insert(LIST).values(**values, content=content).on_conflict_do_nothing()
    return bool(db.execute(made).rowcount)


def select_lists(db: Connection, series: str = "") -> list[ListRow]:
    """Every list, or those of one series, as they came."""
    statement = select(*_FACTS).order_by(LIST.c.id)
    if series:
        statement = statement.where(LIST.c.series == series)
    return [ListRow(**row._mapping) for row in db.execute(statement)]


def select_list(db: Connection, sha256: str) -> ListRow | None:
    """One list by its digest."""
    row = db.execute(select(*_FACTS).where(LIST.c.sha256 == sha256)).first()
    return None if row is None else ListRow(**row._mapping)


def select_newest(db: Connection, series: str) -> ListRow | None:
    """The list of a series that was made last; of two of one moment, the one that came last."""
    row = db.execute(
        select(*_FACTS)
        .where(LIST.c.series == series)
        .order_by(LIST.c.since.desc(), LIST.c.id.desc())
        .limit(1)
    ).first()
    return None if row is None else ListRow(**row._mapping)


def select_contents(db: Connection, digests: Sequence[str]) -> list[bytes]:
    """The bytes of some lists, in the order in which they came."""
    rows = db.execute(
        select(LIST.c.content).where(LIST.c.sha256.in_(list(digests))).order_by(LIST.c.id)
    )
    return [bytes(row[0]) for row in rows]


def select_around(db: Connection, moments: Iterable[datetime]) -> list[str]:
    """Digests of the lists that were in force at these moments, and of the next ones."""
    every = [row[0] for row in db.execute(select(LIST.c.series).distinct())]
    found: dict[str, None] = {}
    for series in every:
        for moment in moments:
            ours = select(LIST.c.sha256).where(LIST.c.series == series)
            before = ours.where(LIST.c.since <= moment).order_by(LIST.c.since.desc(), LIST.c.id)
            after = ours.where(LIST.c.since > moment).order_by(LIST.c.since, LIST.c.id)
            for statement in (before, after):
                found.update((row[0], None) for row in db.execute(statement.limit(1)))
    return list(found)


def count_lists(db: Connection) -> int:
    """How many there are; the archive only grows."""
    return int(db.execute(select(func.count()).select_from(LIST)).scalar_one())


def select_sources(db: Connection) -> dict[str, SourceRow]:
    """Every source that was ever asked, by name."""
    found = db.execute(select(SOURCE).order_by(SOURCE.c.name))
    return {row.name: SourceRow(**row._mapping) for row in found}


def insert_source(db: Connection, row: SourceRow) -> None:
    """A source that is new; one that is known stays as it is."""
    dialect = sqlite if db.dialect.name == "sqlite" else postgresql
    values = {column.name: getattr(row, column.name) for column in SOURCE.columns}
    db.execute(dialect.insert(SOURCE).values(values).on_conflict_do_nothing())


def update_claimed(db: Connection, name: str, now: datetime, until: datetime) -> bool:
    """Take the turn of a source that is due; False where another process has it."""
    done = db.execute(
        update(SOURCE)
        .where(SOURCE.c.name == name, SOURCE.c.due <= now)
        .values(due=until, tried=now)
    )
    return bool(done.rowcount)


def update_source(db: Connection, row: SourceRow) -> None:
    """How a source is now."""
    values = {
        column.name: getattr(row, column.name)
        for column in SOURCE.columns
        if column.name not in ("name", "alarmed")
    }
    db.execute(update(SOURCE).where(SOURCE.c.name == row.name).values(values))


def update_alarmed(db: Connection, name: str, now: datetime | None, since: datetime | None) -> bool:
    """Say the alarm, unless it was said after `since`; without a moment, take it back."""
    statement = update(SOURCE).where(SOURCE.c.name == name)
    if now is None:
        statement = statement.where(SOURCE.c.alarmed.is_not(None))
    else:
        statement = statement.where(or_(SOURCE.c.alarmed.is_(None), SOURCE.c.alarmed <= since))
    return bool(db.execute(statement.values(alarmed=now)).rowcount)
