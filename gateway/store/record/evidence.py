"""Statements on the evidence of verdicts: each piece once, and the reports that rest on it.

A revocation list that is in the archive of lists is not stored a second time.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import (
    Column,
    Connection,
    LargeBinary,
    PrimaryKeyConstraint,
    Table,
    Text,
    delete,
    insert,
    or_,
    select,
    text,
)
from sqlalchemy.dialects import postgresql, sqlite

from gateway.model.evidence import Evidence, EvidenceKind
from gateway.store.metadata import METADATA, Moment
from gateway.store.record import DOCUMENT, FILE, HELD_DOCUMENT
from gateway.store.record.lists import LIST
from gateway.store.record.registrations import REGISTRATION
from gateway.store.record.reports import REPORT

EVIDENCE = Table(
    "evidence",
    METADATA,
    Column("sha256", Text, primary_key=True),
    Column("kind", Text, nullable=False),
    Column("kept", Moment, nullable=False),
    Column("content", LargeBinary, nullable=False),
)
USE = Table(
    "evidence_use",
    METADATA,
    Column("owner", Text, nullable=False),
    Column("place", Text, nullable=False),
    Column("sha256", Text, nullable=False, index=True),
    PrimaryKeyConstraint("owner", "place", "sha256"),
)
_CHUNK = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class Reported:
    """A stored report, and what it is about."""

    owner: str
    "Id of the document's entry, of the received file, or of a registration's document."
    place: str
    "Of the report in a file; empty for a document, or a file itself."
    domain: str
    value: str
    sha256: str
    "Of the bytes that were filed or received."
    report: dict[str, Any]


_LOCK = 0xE51D
_USING = text("SELECT pg_advisory_xact_lock_shared(:key)")
_ALONE = text("SELECT pg_try_advisory_xact_lock(:key)")


def lock_using(db: Connection) -> None:
    """Let no piece be deleted that this transaction finds here, until its end.

    SQLite has one writing transaction at a time, so there is nothing to lock.
    """
    if db.dialect.name == "postgresql":
        db.execute(_USING, {"key": _LOCK})


def try_lock_alone(db: Connection) -> bool:
    """Whether nobody else is using pieces, until the end of this transaction; never waits."""
    if db.dialect.name != "postgresql":
        return True
    return bool(db.execute(_ALONE, {"key": _LOCK}).scalar_one())


def insert_evidence(db: Connection, pieces: Sequence[Evidence], now: datetime) -> None:
    """Keep the pieces that are not here yet; what another transaction brings at once is one."""
    dialect = sqlite if db.dialect.name == "sqlite" else postgresql
    digests = [one.sha256 for one in pieces]
    known = {
        row[0]
        for table in (EVIDENCE, LIST)
        for row in db.execute(select(table.c.sha256).where(table.c.sha256.in_(digests)))
    }
    new = {one.sha256: one for one in pieces if one.sha256 not in known}
    for digest, one in sorted(new.items()):
        values = {"sha256": digest, "kind": one.kind.value, "kept": now, "content": one.content}
        db.execute(dialect.insert(EVIDENCE).values(values).on_conflict_do_nothing())


def replace_uses(db: Connection, owner: str, place: str, digests: Iterable[str]) -> None:
    """What one report rests on, whatever it rested on before."""
    db.execute(delete(USE).where(USE.c.owner == owner, USE.c.place == place))
    rows = [{"owner": owner, "place": place, "sha256": one} for one in dict.fromkeys(digests)]
    if rows:
        db.execute(insert(USE), rows)


def select_used(db: Connection, owner: str, place: str) -> list[str]:
    """The digests that one report rests on."""
    found = db.execute(select(USE.c.sha256).where(USE.c.owner == owner, USE.c.place == place))
    return sorted(row[0] for row in found)


def select_evidence(db: Connection, digests: Sequence[str]) -> list[Evidence]:
    """The pieces that are here, those in the archive of lists too."""
    wanted = list(digests)
    found = [
        Evidence(kind=EvidenceKind(row.kind), sha256=row.sha256, content=bytes(row.content))
        for row in db.execute(select(EVIDENCE).where(EVIDENCE.c.sha256.in_(wanted)))
    ]
    lists = select(LIST.c.sha256, LIST.c.content).where(LIST.c.sha256.in_(wanted))
    found += [
        Evidence(kind=EvidenceKind.LIST, sha256=row.sha256, content=bytes(row.content))
        for row in db.execute(lists)
    ]
    return sorted({one.sha256: one for one in found}.values(), key=lambda one: one.sha256)


def delete_uses(db: Connection, owners: Sequence[str]) -> set[str]:
    """Let go of what some owners rested on; the digests."""
    let_go: set[str] = set()
    for start in range(0, len(owners), _CHUNK):
        part = list(owners[start : start + _CHUNK])
        mine = USE.c.owner.in_(part)
        let_go.update(row[0] for row in db.execute(select(USE.c.sha256).where(mine).distinct()))
        db.execute(delete(USE).where(mine))
    return let_go


def select_unused(db: Connection, most: int) -> list[str]:
    """Pieces that no report rests on any more."""
    found = db.execute(
        select(EVIDENCE.c.sha256)
        .outerjoin(USE, USE.c.sha256 == EVIDENCE.c.sha256)
        .where(USE.c.sha256.is_(None))
        .limit(most)
    )
    return [row[0] for row in found]


def delete_unused(db: Connection, digests: Iterable[str]) -> int:
    """Delete those of these pieces that no report rests on any more; how many."""
    count = 0
    for digest in sorted(digests):
        used = db.execute(select(USE.c.sha256).where(USE.c.sha256 == digest).limit(1)).first()
        if used is None:
            count += db.execute(delete(EVIDENCE).where(EVIDENCE.c.sha256 == digest)).rowcount
    return count


def select_owned(db: Connection, owners: Sequence[str]) -> set[str]:
    """Those of these owners that are still here."""
    found: set[str] = set()
    columns = (DOCUMENT.c.entry_uuid, HELD_DOCUMENT.c.entry_uuid, FILE.c.id, REGISTRATION.c.id)
    for start in range(0, len(owners), _CHUNK):
        part = list(owners[start : start + _CHUNK])
        for column in columns:
            found.update(row[0] for row in db.execute(select(column).where(column.in_(part))))
    return found


def select_reported(db: Connection, identity: str) -> list[Reported]:
    """The stored reports about a document by one of its ids, or about files with this digest."""
    found = []
    for table in (DOCUMENT, HELD_DOCUMENT):
        named = or_(table.c.unique_id == identity, table.c.entry_uuid == identity)
        for row in db.execute(select(table).where(named)):
            if row.content.get("report"):
                found.append(
                    Reported(
                        owner=row.entry_uuid, place="", domain=row.domain, value=row.value,
                        sha256=row.sha256, report=row.content["report"],
                    )
                )  # fmt: skip
    files = (
        select(FILE.c.id, FILE.c.domain, FILE.c.value, FILE.c.sha256, REPORT.c.at, REPORT.c.report)
        .join(FILE, FILE.c.id == REPORT.c.file)
        .where(FILE.c.sha256 == identity)
        .order_by(FILE.c.id, REPORT.c.at)
    )
    for row in db.execute(files):
        found.append(
            Reported(
                owner=row.id, place=row.at, domain=row.domain, value=row.value,
                sha256=row.sha256, report=row.report,
            )
        )  # fmt: skip
    stands_for = or_(REGISTRATION.c.id == identity, REGISTRATION.c.sha256 == identity)
    for row in db.execute(select(REGISTRATION).where(stands_for)):
        found.append(
            Reported(
                owner=row.id, place="", domain=row.domain, value=row.value, sha256=row.sha256,
                report=row.report,
            )
        )  # fmt: skip
    return found
