"""Rows of the identity room: domains, identifiers, demographics, link events.

The look-up of ITI-45 is one keyed statement, prepared once and run raw: its cost must not grow
with the number of persons.
"""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import orjson
from sqlalchemy import (
    Column,
    Connection,
    Index,
    Integer,
    Table,
    Text,
    delete,
    insert,
    select,
    update,
)
from sqlalchemy.dialects import postgresql, sqlite

from gateway.model.identifiers import Oid, PatientId, PersonId
from gateway.store import raw
from gateway.store.database import fetch
from gateway.store.metadata import METADATA, Json, Moment

DOMAIN = Table(
    "domain",
    METADATA,
    Column("oid", Text, primary_key=True),
    Column("kind", Text, nullable=False),
    Column("facility", Text, nullable=False),
    Column("pattern", Text, nullable=False),
)
IDENTIFIER = Table(
    "identifier",
    METADATA,
    Column("domain", Text, primary_key=True),
    Column("value", Text, primary_key=True),
    Column("person", Text, nullable=False),
    Column("survivor", Text, nullable=False),
    Column("since", Moment, nullable=False),
    Index("ix_identifier_person", "person", "survivor", "since"),
    # Clustered by key on SQLite: a look-up reads one tree, and the index covers the other one.
    sqlite_with_rowid=False,
)
DEMOGRAPHICS = Table(
    "demographics",
    METADATA,
    Column("domain", Text, primary_key=True),
    Column("value", Text, primary_key=True),
    Column("content", Json, nullable=False),
)
PERSON_NAME = Table(
    "person_name",
    METADATA,
    Column("domain", Text, primary_key=True),
    Column("value", Text, primary_key=True),
    Column("name", Text, primary_key=True),
    Column("birth", Text, nullable=False),
    Column("gender", Text, nullable=False),
    Index("ix_person_name_birth", "birth", "name"),
)
LINK_EVENT = Table(
    "link_event",
    METADATA,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("at", Moment, nullable=False),
    Column("kind", Text, nullable=False),
    Column("person", Text, nullable=False, index=True),
    Column("actor", Text, nullable=False),
    Column("content", Json, nullable=False),
)
_PERSON = {
    "sqlite": "SELECT person FROM identifier WHERE domain = ? AND value = ? AND survivor = ''",
    "postgresql": "SELECT person FROM identifier "
    "WHERE domain = %s AND value = %s AND survivor = ''",
}
_IDENTIFIER = "SELECT person, survivor FROM identifier WHERE domain = ? AND value = ?"
_STATED = "SELECT content FROM demographics WHERE domain = ? AND value = ?"
_DECLARED = {
    "sqlite": "SELECT 1 FROM domain WHERE oid = ?",
    "postgresql": "SELECT 1 FROM domain WHERE oid = %s",
}
_LINKED = {
    "sqlite": "SELECT domain, value FROM identifier WHERE person = ? AND survivor = '' "
    "ORDER BY domain, since DESC, value",
    "postgresql": "SELECT domain, value FROM identifier WHERE person = %s AND survivor = '' "
    "ORDER BY domain, since DESC, value",
}


@dataclass(frozen=True, slots=True)
class DomainRow:
    """One declared identifier domain."""

    oid: Oid
    kind: str
    "`shared`, `chart` or `neighbour`."
    facility: str
    pattern: str


@dataclass(frozen=True, slots=True)
class IdentifierRow:
    """One identifier and whose it is; `survivor` is set once it was merged away."""

    patient: PatientId
    person: PersonId
    survivor: str


def insert_domain(db: Connection, row: DomainRow) -> None:
    """Declare a domain."""
    db.execute(
        insert(DOMAIN).values(
            oid=row.oid, kind=row.kind, facility=row.facility, pattern=row.pattern
        )
    )


def select_domains(db: Connection) -> list[DomainRow]:
    """Every declared domain."""
    rows = db.execute(select(DOMAIN).order_by(DOMAIN.c.oid))
    return [DomainRow(Oid(r.oid), r.kind, r.facility, r.pattern) for r in rows]


def select_domain(db: Connection, oid: str) -> DomainRow | None:
    """One declared domain."""
    row = db.execute(select(DOMAIN).where(DOMAIN.c.oid == oid)).first()
    return None if row is None else DomainRow(Oid(row.oid), row.kind, row.facility, row.pattern)


def is_declared(db: Connection, oid: str) -> bool:
    """Whether a domain is declared."""
    return bool(fetch(db, _DECLARED[db.dialect.name], (str(oid),)))


def select_person(db: Connection, patient: PatientId) -> PersonId | None:
    """Whose identifier this is; None where it is unknown or was merged away."""
    statement = _PERSON[db.dialect.name]
    found = fetch(db, statement, (str(patient.domain), patient.value))
    return PersonId(found[0][0]) if found else None


def select_linked(db: Connection, person: PersonId) -> list[tuple[str, str]]:
    """Domain and value of every identifier of one person, the newest of a domain first (FN-209)."""
    return fetch(db, _LINKED[db.dialect.name], (person,))


def select_identifier(db: Connection, patient: PatientId) -> IdentifierRow | None:
    """One identifier, merged or not."""
    found = raw.rows(db, _IDENTIFIER, (str(patient.domain), patient.value))
    return IdentifierRow(patient, PersonId(found[0][0]), found[0][1]) if found else None


def select_persons(db: Connection, patients: Collection[PatientId]) -> dict[PatientId, PersonId]:
    """Whose these identifiers are, merged or not; those that are unknown are not among them."""
    if not patients:
        return {}
    statement = (
        "SELECT domain, value, person FROM identifier "  # noqa: S608
        f"WHERE (domain, value) IN (VALUES {raw.pairs(len(patients))})"
    )
    return {
        PatientId(Oid(domain), value): PersonId(person)
        for domain, value, person in raw.rows(db, statement, pair_values(patients))
    }


def pair_values(patients: Iterable[PatientId]) -> list[str]:
    """Domain and value of each identifier, one after the other, as a statement takes them."""
    return [one for patient in patients for one in (str(patient.domain), patient.value)]


def select_identifiers(db: Connection, person: PersonId) -> list[IdentifierRow]:
    """Every identifier of one person, merged ones included."""
    rows = db.execute(
        select(IDENTIFIER)
        .where(IDENTIFIER.c.person == person)
        .order_by(IDENTIFIER.c.domain, IDENTIFIER.c.value)
    )
    return [
        IdentifierRow(PatientId(Oid(r.domain), r.value), PersonId(r.person), r.survivor)
        for r in rows
    ]


def lock_persons(db: Connection, persons: Iterable[PersonId]) -> None:
    """Lock all identifiers of these persons, in one order, so that no two Works wait in a ring.

    A writing transaction on SQLite is alone anyway.
    """
    if db.dialect.name == "postgresql":
        db.execute(
            select(IDENTIFIER.c.value)
            .where(IDENTIFIER.c.person.in_(list(persons)))
            .order_by(IDENTIFIER.c.domain, IDENTIFIER.c.value)
            .with_for_update()
        ).all()


def insert_identifier(
    db: Connection, patient: PatientId, person: PersonId, since: datetime
) -> bool:
    """Add an identifier; False where somebody else added it at the same moment (FN-409)."""
    values = {
        "domain": patient.domain, "value": patient.value, "person": person, "survivor": "",
        "since": since,
    }  # fmt: skip
    dialect = sqlite if db.dialect.name == "sqlite" else postgresql
    statement = dialect.insert(IDENTIFIER).values(values).on_conflict_do_nothing()
    return db.execute(statement.returning(IDENTIFIER.c.person)).first() is not None


def update_person(db: Connection, patients: Iterable[PatientId], person: PersonId) -> None:
    """Let identifiers belong to another person."""
    for patient in patients:
        db.execute(
            update(IDENTIFIER)
            .where(IDENTIFIER.c.domain == patient.domain, IDENTIFIER.c.value == patient.value)
            .values(person=person)
        )


def update_survivor(db: Connection, subsumed: PatientId, survivor: PatientId) -> None:
    """Mark an identifier as merged into another of its domain."""
    db.execute(
        update(IDENTIFIER)
        .where(IDENTIFIER.c.domain == subsumed.domain, IDENTIFIER.c.value == subsumed.value)
        .values(survivor=survivor.value)
    )


def clear_survivor(db: Connection, patient: PatientId) -> None:
    """Let an identifier no longer be merged away."""
    db.execute(
        update(IDENTIFIER)
        .where(IDENTIFIER.c.domain == patient.domain, IDENTIFIER.c.value == patient.value)
        .values(survivor="")
    )


def select_demographics(db: Connection, patient: PatientId) -> dict[str, Any] | None:
    """What the source of this identifier says about the person."""
    found = raw.rows(db, _STATED, (str(patient.domain), patient.value))
    return orjson.loads(found[0][0]) if found else None


def replace_demographics(
    db: Connection,
    patient: PatientId,
    content: dict[str, Any],
    names: Sequence[str],
    birth: str,
    gender: str,
) -> None:
    """Keep the newest statement of a source and the keys by which it is found."""
    delete_demographics(db, patient)
    key = {"domain": patient.domain, "value": patient.value}
    db.execute(insert(DEMOGRAPHICS).values(**key, content=content))
    if names:
        db.execute(
            insert(PERSON_NAME),
            [{**key, "name": name, "birth": birth, "gender": gender} for name in names],
        )


def delete_demographics(db: Connection, patient: PatientId) -> None:
    """Forget what the source of this identifier said about the person."""
    for table in (DEMOGRAPHICS, PERSON_NAME):
        db.execute(
            delete(table).where(table.c.domain == patient.domain, table.c.value == patient.value)
        )


def select_persons_named(db: Connection, names: Sequence[str], birth: str) -> list[tuple[str, str]]:
    """Persons with one of these name keys and this birth date, with the gender on record."""
    rows = db.execute(
        select(IDENTIFIER.c.person, PERSON_NAME.c.gender)
        .join(
            PERSON_NAME,
            (PERSON_NAME.c.domain == IDENTIFIER.c.domain)
            & (PERSON_NAME.c.value == IDENTIFIER.c.value),
        )
        .where(
            PERSON_NAME.c.birth == birth,
            PERSON_NAME.c.name.in_(names),
            IDENTIFIER.c.survivor == "",
        )
        .distinct()
        .order_by(IDENTIFIER.c.person)
        .limit(100)
    )
    return [(row[0], row[1]) for row in rows]


def insert_link_event(
    db: Connection, *, at: datetime, kind: str, person: str, actor: str, content: dict[str, Any]
) -> None:
    """Append what happened to a person's identifiers, with the state before it (G14, FN-405)."""
    db.execute(
        insert(LINK_EVENT).values(at=at, kind=kind, person=person, actor=actor, content=content)
    )


def select_link_events(db: Connection, person: PersonId) -> list[tuple[str, dict[str, Any]]]:
    """Kind and content of each event of one person, oldest first."""
    rows = db.execute(
        select(LINK_EVENT.c.kind, LINK_EVENT.c.content)
        .where(LINK_EVENT.c.person == person)
        .order_by(LINK_EVENT.c.id)
    )
    return [(row[0], row[1]) for row in rows]
