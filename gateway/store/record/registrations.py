"""Statements on signed documents that stand for registrations: append-only, like the ledger."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Column, Connection, Table, Text, insert, select

from gateway.model.identifiers import PersonId
from gateway.store.metadata import METADATA, Json, Moment

REGISTRATION = Table(
    "registration_document",
    METADATA,
    Column("id", Text, primary_key=True),
    Column("person", Text, nullable=False, index=True),
    Column("kind", Text, nullable=False),
    Column("at", Moment, nullable=False),
    Column("domain", Text, nullable=False),
    Column("value", Text, nullable=False),
    Column("sha256", Text, nullable=False, unique=True),
    Column("report", Json, nullable=False),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class RegistrationRow:
    """One document and the entry of the ledger that it stands for."""

    id: str
    person: PersonId
    kind: str
    "`consent`, `exclusion` or `withdrawal`."
    at: datetime
    "The moment of the entry."
    domain: str
    value: str
    "The shared patient id."
    sha256: str
    report: dict[str, Any]


def insert_registration(db: Connection, row: RegistrationRow) -> None:
    """Keep a document's row."""
    db.execute(
        insert(REGISTRATION).values(
            id=row.id, person=row.person, kind=row.kind, at=row.at, domain=row.domain,
            value=row.value, sha256=row.sha256, report=row.report,
        )
    )  # fmt: skip


def select_registration(db: Connection, sha256: str) -> RegistrationRow | None:
    """What a document stands for already."""
    row = db.execute(select(REGISTRATION).where(REGISTRATION.c.sha256 == sha256)).first()
    return None if row is None else RegistrationRow(**row._mapping)


def select_registrations(db: Connection, person: PersonId) -> list[RegistrationRow]:
    """The documents of one person's registrations, oldest first."""
    found = db.execute(
        select(REGISTRATION)
        .where(REGISTRATION.c.person == person)
        .order_by(REGISTRATION.c.at, REGISTRATION.c.id)
    )
    return [RegistrationRow(**row._mapping) for row in found]
