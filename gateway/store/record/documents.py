"""Statements on documents, on the ledger of provision, on erasure and its blobs."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import orjson
from sqlalchemy import (
    Connection,
    Select,
    and_,
    bindparam,
    delete,
    func,
    insert,
    select,
    union,
    union_all,
)
from sqlalchemy.dialects import postgresql, sqlite

from gateway.model.consent import Permit
from gateway.model.identifiers import PersonId
from gateway.store import raw
from gateway.store.identity import IDENTIFIER
from gateway.store.metadata import write_moment
from gateway.store.record import (
    DEPRECATION,
    DOCUMENT,
    DOCUMENT_ITEM,
    ERASURE,
    FILE,
    HELD_DOCUMENT,
    PROVISION,
    REMOVAL,
)
from gateway.store.record.registrations import REGISTRATION

_CHUNK = 500
_REFERRING = (FILE, DOCUMENT, HELD_DOCUMENT, REGISTRATION)
"Tables whose rows refer to stored bytes by `sha256`."
_COLUMNS = ("entry_uuid", "unique_id", "domain", "value", "facility", "category", "sha256", "file",
            "posted", "content")  # fmt: skip
_HOLDS = (
    "SELECT 1 FROM identifier JOIN held_document ON held_document.domain = identifier.domain "
    "AND held_document.value = identifier.value WHERE identifier.person = ? LIMIT 1"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class DocumentRow:
    """One document. `registered` is None while it is held apart from the shared record."""

    entry_uuid: str
    unique_id: str
    domain: str
    value: str
    facility: str
    category: str
    sha256: str
    file: str
    "The upload file it was made from; empty for a document filed as it is."
    posted: datetime
    content: dict[str, Any]
    registered: datetime | None = None
    deprecated: bool = False
    person: PersonId | None = None


def insert_document(db: Connection, row: DocumentRow) -> None:
    """Share a document, or hold it where it has no moment of registration."""
    if row.registered is None:
        raw.insert(db, HELD_DOCUMENT, _COLUMNS, [_values(row)])
    else:
        values = (*_values(row), write_moment(row.registered))
        raw.insert(db, DOCUMENT, (*_COLUMNS, "registered"), [values])


def insert_document_items(db: Connection, entry_uuid: str, items: Iterable[int]) -> None:
    """Say which items a document is made of."""
    raw.insert(db, DOCUMENT_ITEM, ("entry_uuid", "item"), [(entry_uuid, item) for item in items])


def insert_deprecation(db: Connection, entry_uuid: str, at: datetime) -> None:
    """Mark a document as replaced; twice is once."""
    dialect = sqlite if db.dialect.name == "sqlite" else postgresql
    values = {"entry_uuid": entry_uuid, "at": at}
    db.execute(dialect.insert(DEPRECATION).values(values).on_conflict_do_nothing())


def _shared() -> Select[Any]:
    return (
        select(DOCUMENT, DEPRECATION.c.at.is_not(None).label("deprecated"), IDENTIFIER.c.person)
        .join(
            IDENTIFIER,
            and_(IDENTIFIER.c.domain == DOCUMENT.c.domain, IDENTIFIER.c.value == DOCUMENT.c.value),
        )
        .outerjoin(DEPRECATION, DEPRECATION.c.entry_uuid == DOCUMENT.c.entry_uuid)
    )


_OF_PERSON = _shared().where(IDENTIFIER.c.person == bindparam("person"))
_NAMED = {
    column.name: _shared().where(column.in_(bindparam("wanted", expanding=True)))
    for column in (DOCUMENT.c.entry_uuid, DOCUMENT.c.unique_id)
}
"Made once: making a statement costs more than running it."


def select_documents(db: Connection, permit: Permit) -> list[DocumentRow]:
    """Every shared document of the permitted person; what of them is shown, `disclose` says."""
    return [_document(row) for row in db.execute(_OF_PERSON, {"person": permit.person})]


def select_documents_of_person(db: Connection, person: PersonId) -> list[DocumentRow]:
    """Every shared document of one person, for promotion and erasure."""
    rows = db.execute(
        _shared().where(IDENTIFIER.c.person == person).order_by(DOCUMENT.c.entry_uuid)
    )
    return [_document(row) for row in rows]


def select_documents_named(
    db: Connection, *, entry_uuids: Sequence[str] = (), unique_ids: Sequence[str] = ()
) -> list[DocumentRow]:
    """Shared documents by their ids, with the person each is about."""
    found: list[DocumentRow] = []
    for column, wanted in (("entry_uuid", entry_uuids), ("unique_id", unique_ids)):
        for start in range(0, len(wanted), _CHUNK):
            part = list(wanted[start : start + _CHUNK])
            found += [_document(row) for row in db.execute(_NAMED[column], {"wanted": part})]
    return found


def select_documents_of_facility(db: Connection, facility: str) -> list[DocumentRow]:
    """Every shared document that one facility provided."""
    rows = db.execute(_shared().where(DOCUMENT.c.facility == facility))
    return [_document(row) for row in rows]


def select_held(db: Connection, person: PersonId) -> list[DocumentRow]:
    """Every document held for the charts of one person."""
    if not raw.rows(db, _HOLDS, (person,)):
        return []
    rows = db.execute(
        select(HELD_DOCUMENT, IDENTIFIER.c.person)
        .join(
            IDENTIFIER,
            and_(
                IDENTIFIER.c.domain == HELD_DOCUMENT.c.domain,
                IDENTIFIER.c.value == HELD_DOCUMENT.c.value,
            ),
        )
        .where(IDENTIFIER.c.person == person)
        .order_by(HELD_DOCUMENT.c.entry_uuid)
    )
    return [DocumentRow(**row._mapping) for row in rows]


def select_series(
    db: Connection, domain: str, value: str, series: str
) -> tuple[list[DocumentRow], list[DocumentRow]]:
    """Shared and held documents of one chart that one item states, one version after another."""
    found = []
    for table in (DOCUMENT, HELD_DOCUMENT):
        rows = db.execute(select(table).where(table.c.domain == domain, table.c.value == value))
        every = [DocumentRow(**row._mapping) for row in rows]
        found.append([row for row in every if row.content.get("series") == series])
    return found[0], found[1]


def select_unique(db: Connection, unique_id: str) -> DocumentRow | None:
    """A document by its unique id, shared or held (FN-804)."""
    row = db.execute(select(DOCUMENT).where(DOCUMENT.c.unique_id == unique_id)).first()
    if row is None:
        row = db.execute(
            select(HELD_DOCUMENT).where(HELD_DOCUMENT.c.unique_id == unique_id)
        ).first()
    return None if row is None else DocumentRow(**row._mapping)


def select_entry(db: Connection, entry_uuid: str) -> DocumentRow | None:
    """A document by its entry's id, shared or held, and whether it was replaced."""
    for table in (DOCUMENT, HELD_DOCUMENT):
        row = db.execute(
            select(table, DEPRECATION.c.at.is_not(None).label("deprecated"))
            .outerjoin(DEPRECATION, DEPRECATION.c.entry_uuid == table.c.entry_uuid)
            .where(table.c.entry_uuid == entry_uuid)
        ).first()
        if row is not None:
            return _document(row)
    return None


def select_made_of(db: Connection, items: Sequence[int]) -> dict[str, list[int]]:
    """Current documents that contain any of these items, each with all of its items."""
    entries: set[str] = set()
    for start in range(0, len(items), _CHUNK):
        part = items[start : start + _CHUNK]
        entries.update(
            row[0]
            for row in db.execute(
                select(DOCUMENT_ITEM.c.entry_uuid)
                .outerjoin(DEPRECATION, DEPRECATION.c.entry_uuid == DOCUMENT_ITEM.c.entry_uuid)
                .where(DOCUMENT_ITEM.c.item.in_(part), DEPRECATION.c.entry_uuid.is_(None))
            )
        )
    found: dict[str, list[int]] = {}
    for entry in sorted(entries):
        rows = db.execute(
            select(DOCUMENT_ITEM.c.item)
            .where(DOCUMENT_ITEM.c.entry_uuid == entry)
            .order_by(DOCUMENT_ITEM.c.item)
        )
        found[entry] = [int(row[0]) for row in rows]
    return found


def delete_documents(
    db: Connection, entry_uuids: Iterable[str], *, held: bool = False, moving: bool = False
) -> None:
    """Take documents out, with what was said about them; held ones that move keep that."""
    wanted = list(entry_uuids)
    tables = [HELD_DOCUMENT] if held else [DOCUMENT_ITEM, DOCUMENT]
    if not moving:
        tables.append(DEPRECATION)
    for start in range(0, len(wanted), _CHUNK):
        part = wanted[start : start + _CHUNK]
        for table in tables:
            db.execute(delete(table).where(table.c.entry_uuid.in_(part)))


def insert_provision(
    db: Connection, *, at: datetime, occasion: str, facility: str, domain: str, value: str,
    content: dict[str, Any],
) -> None:  # fmt: skip
    """Enter when third-party provision came about (LNK-03)."""
    raw.insert(
        db, PROVISION, ("at", "occasion", "facility", "domain", "value", "content"),
        [(write_moment(at), occasion, facility, str(domain), value, _json(content))],
    )  # fmt: skip


def select_provisions(db: Connection, person: PersonId) -> list[dict[str, Any]]:
    """The ledger of provision about one person, oldest first."""
    rows = db.execute(
        select(PROVISION)
        .join(
            IDENTIFIER,
            and_(
                IDENTIFIER.c.domain == PROVISION.c.domain, IDENTIFIER.c.value == PROVISION.c.value
            ),
        )
        .where(IDENTIFIER.c.person == person)
        .order_by(PROVISION.c.id)
    )
    return [dict(row._mapping) for row in rows]


def insert_erasure(
    db: Connection, *, id: str, at: datetime, reason: str, actor: str, content: dict[str, Any]
) -> None:  # fmt: skip
    """Enter what was erased: counts, ids and digests, no content (WDR-08, M-09)."""
    db.execute(insert(ERASURE).values(id=id, at=at, reason=reason, actor=actor, content=content))


def select_erasures(db: Connection) -> list[dict[str, Any]]:
    """Every erasure, oldest first."""
    rows = db.execute(select(ERASURE).order_by(ERASURE.c.at, ERASURE.c.id))
    return [dict(row._mapping) for row in rows]


def insert_removals(db: Connection, digests: Iterable[str], since: datetime) -> None:
    """Let the bytes of these blobs go, once nothing refers to them."""
    dialect = sqlite if db.dialect.name == "sqlite" else postgresql
    for digest in digests:
        values = {"sha256": digest, "since": since}
        db.execute(dialect.insert(REMOVAL).values(values).on_conflict_do_nothing())


def select_removals(db: Connection, limit: int) -> list[str]:
    """Blobs that are to go."""
    return [row[0] for row in db.execute(select(REMOVAL.c.sha256).limit(limit))]


def delete_removal(db: Connection, digest: str) -> None:
    """The blob went, or stays for a reason."""
    db.execute(delete(REMOVAL).where(REMOVAL.c.sha256 == digest))


def is_referenced(db: Connection, digest: str) -> bool:
    """Whether anything still refers to a blob."""
    counted = union_all(
        *(
            select(func.count()).select_from(table).where(table.c.sha256 == digest)
            for table in _REFERRING
        )
    )
    return any(row[0] for row in db.execute(counted))


def select_referenced(db: Connection) -> list[str]:
    """Every blob that something refers to, in order."""
    found = union(*(select(table.c.sha256) for table in _REFERRING))
    return sorted(row[0] for row in db.execute(found))


def select_unreferenced(db: Connection, digests: Sequence[str]) -> list[str]:
    """Those of these blobs that nothing refers to."""
    referred: set[str] = set()
    for start in range(0, len(digests), _CHUNK):
        part = digests[start : start + _CHUNK]
        for table in _REFERRING:
            found = db.execute(select(table.c.sha256).where(table.c.sha256.in_(part)).distinct())
            referred.update(row[0] for row in found)
    return [digest for digest in digests if digest not in referred]


def select_unconsented(db: Connection, participants: Iterable[PersonId]) -> dict[str, int]:
    """Person to number of shared documents, for persons who do not take part (AUD-05)."""
    counted = db.execute(
        select(IDENTIFIER.c.person, func.count())
        .select_from(DOCUMENT)
        .outerjoin(
            IDENTIFIER,
            and_(IDENTIFIER.c.domain == DOCUMENT.c.domain, IDENTIFIER.c.value == DOCUMENT.c.value),
        )
        .group_by(IDENTIFIER.c.person)
    )
    known = set(participants)
    return {person or "": count for person, count in counted if person not in known}


def _values(row: DocumentRow) -> tuple[object, ...]:
    """The values of the columns that held and shared documents have in common."""
    return (
        row.entry_uuid, row.unique_id, str(row.domain), row.value, row.facility, row.category,
        row.sha256, row.file, write_moment(row.posted), _json(row.content),
    )  # fmt: skip


def _json(content: dict[str, Any]) -> str:
    return orjson.dumps(content).decode()


def _document(row: Any) -> DocumentRow:
    values = dict(row._mapping)
    values["deprecated"] = bool(values["deprecated"])
    return DocumentRow(**values)
