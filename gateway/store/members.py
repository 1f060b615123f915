"""Rows of the members room: facilities, contracts, certificates, users, and what became of them."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from sqlalchemy import (
    Boolean,
    Column,
    Connection,
    Integer,
    Table,
    Text,
    delete,
    func,
    insert,
    select,
    update,
)

from gateway.store.metadata import METADATA, Json, Moment

FACILITY = Table(
    "facility",
    METADATA,
    Column("name", Text, primary_key=True),
    Column("kind", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("content", Json, nullable=False),
)
CERTIFICATE = Table(
    "certificate",
    METADATA,
    Column("sha256", Text, primary_key=True),
    Column("facility", Text, nullable=False, index=True),
    Column("revoked", Boolean, nullable=False),
)
CONTRACT = Table(
    "contract",
    METADATA,
    Column("id", Text, primary_key=True),
    Column("kind", Text, nullable=False),
    Column("facility", Text, nullable=False, index=True),
    Column("lab", Text, nullable=False),
    Column("starts", Text, nullable=False),
    Column("ends", Text, nullable=False),
)
WITHHELD = Table(
    "withheld_category",
    METADATA,
    Column("facility", Text, primary_key=True),
    Column("category", Text, primary_key=True),
)
MEMBER = Table(
    "member",
    METADATA,
    Column("name", Text, primary_key=True),
    Column("facility", Text, nullable=False, index=True),
    Column("position", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("content", Json, nullable=False),
)
MEMBER_EVENT = Table(
    "member_event",
    METADATA,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("at", Moment, nullable=False),
    Column("subject", Text, nullable=False, index=True),
    Column("what", Text, nullable=False),
    Column("actor", Text, nullable=False),
    Column("content", Json, nullable=False),
)


@dataclass(frozen=True, slots=True)
class FacilityRow:
    """One facility."""

    name: str
    kind: str
    state: str
    content: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class ContractRow:
    """One contract; `ends` is empty where it is open."""

    id: str
    kind: str
    facility: str
    lab: str
    starts: str
    ends: str


@dataclass(frozen=True, slots=True)
class MemberRow:
    """One user."""

    name: str
    facility: str
    position: str
    state: str
    content: Mapping[str, Any]


def insert_facility(db: Connection, row: FacilityRow) -> None:
    """Add a facility."""
    db.execute(
        insert(FACILITY).values(
            name=row.name, kind=row.kind, state=row.state, content=dict(row.content)
        )
    )


def update_facility(db: Connection, row: FacilityRow) -> None:
    """Let a facility be as `row` says."""
    db.execute(
        update(FACILITY)
        .where(FACILITY.c.name == row.name)
        .values(kind=row.kind, state=row.state, content=dict(row.content))
    )


def select_facility(db: Connection, name: str, *, locking: bool = False) -> FacilityRow | None:
    """One facility; `locking` keeps others from changing it until this Work ends."""
    statement = select(FACILITY).where(FACILITY.c.name == name)
    if locking:
        statement = statement.with_for_update()
    row = db.execute(statement).first()
    return None if row is None else FacilityRow(*row)


def select_facilities(db: Connection) -> list[FacilityRow]:
    """Every facility."""
    return [FacilityRow(*row) for row in db.execute(select(FACILITY).order_by(FACILITY.c.name))]


def is_named(db: Connection, lower: str) -> bool:
    """Whether a user has a name, in whatever letters."""
    found = select(MEMBER.c.name).where(func.lower(MEMBER.c.name) == lower)
    return db.execute(found.limit(1)).first() is not None


def insert_certificate(db: Connection, sha256: str, facility: str) -> None:
    """Bind a client certificate."""
    db.execute(insert(CERTIFICATE).values(sha256=sha256, facility=facility, revoked=False))


def revoke_certificate(db: Connection, sha256: str) -> None:
    """Mark a certificate as revoked; it is never bound again."""
    db.execute(update(CERTIFICATE).where(CERTIFICATE.c.sha256 == sha256).values(revoked=True))


def select_certificates(db: Connection) -> list[tuple[str, str, bool]]:
    """Fingerprint, facility and whether it is revoked."""
    return [(r[0], r[1], r[2]) for r in db.execute(select(CERTIFICATE))]


def select_certificate(db: Connection, sha256: str) -> tuple[str, bool] | None:
    """Whose certificate this is, and whether it is revoked."""
    row = db.execute(
        select(CERTIFICATE.c.facility, CERTIFICATE.c.revoked).where(CERTIFICATE.c.sha256 == sha256)
    ).first()
    return None if row is None else (row[0], row[1])


def insert_contract(db: Connection, row: ContractRow) -> None:
    """Add a contract."""
    db.execute(
        insert(CONTRACT).values(
            id=row.id, kind=row.kind, facility=row.facility, lab=row.lab, starts=row.starts,
            ends=row.ends,
        )
    )  # fmt: skip


def update_contract_end(db: Connection, contract: str, ends: date) -> bool:
    """End a contract with a day; False where there is none."""
    done = db.execute(
        update(CONTRACT).where(CONTRACT.c.id == contract).values(ends=ends.isoformat())
    )
    return done.rowcount > 0


def select_contracts(db: Connection, facility: str | None = None) -> list[ContractRow]:
    """Every contract, or those of one facility."""
    statement = select(CONTRACT).order_by(CONTRACT.c.id)
    if facility is not None:
        statement = statement.where(CONTRACT.c.facility == facility)
    return [ContractRow(*row) for row in db.execute(statement)]


def select_withheld(db: Connection) -> list[tuple[str, str]]:
    """Facility and category of everything that is switched off."""
    return [(r[0], r[1]) for r in db.execute(select(WITHHELD))]


def insert_withheld(db: Connection, facility: str, category: str) -> None:
    """Switch a category off."""
    delete_withheld(db, facility, category)
    db.execute(insert(WITHHELD).values(facility=facility, category=category))


def delete_withheld(db: Connection, facility: str, category: str) -> None:
    """Switch a category on."""
    db.execute(
        delete(WITHHELD).where(WITHHELD.c.facility == facility, WITHHELD.c.category == category)
    )


def insert_member(db: Connection, row: MemberRow) -> None:
    """Add a user."""
    db.execute(
        insert(MEMBER).values(
            name=row.name, facility=row.facility, position=row.position, state=row.state,
            content=dict(row.content),
        )
    )  # fmt: skip


def update_member(db: Connection, row: MemberRow) -> None:
    """Let a user be as `row` says."""
    db.execute(
        update(MEMBER)
        .where(MEMBER.c.name == row.name)
        .values(position=row.position, content=dict(row.content))
    )


def update_member_state(db: Connection, name: str, state: str) -> None:
    """Let a user be in another state."""
    db.execute(update(MEMBER).where(MEMBER.c.name == name).values(state=state))


def select_member(db: Connection, name: str) -> MemberRow | None:
    """One user."""
    row = db.execute(select(MEMBER).where(MEMBER.c.name == name)).first()
    return None if row is None else MemberRow(*row)


def select_members(db: Connection) -> list[MemberRow]:
    """Every user."""
    return [MemberRow(*row) for row in db.execute(select(MEMBER).order_by(MEMBER.c.name))]


def insert_event(
    db: Connection, *, at: datetime, subject: str, what: str, actor: str, content: dict[str, Any]
) -> None:
    """Append a transition: time, person, reason (section 4)."""
    db.execute(
        insert(MEMBER_EVENT).values(at=at, subject=subject, what=what, actor=actor, content=content)
    )


def select_events(db: Connection, subject: str) -> list[tuple[datetime, str, str, dict[str, Any]]]:
    """When, what, who and why, of one facility, user or contract; oldest first."""
    rows = db.execute(
        select(MEMBER_EVENT.c.at, MEMBER_EVENT.c.what, MEMBER_EVENT.c.actor, MEMBER_EVENT.c.content)
        .where(MEMBER_EVENT.c.subject == subject)
        .order_by(MEMBER_EVENT.c.id)
    )
    return [(r[0], r[1], r[2], r[3]) for r in rows]
