"""Statements on items: staged apart from shared, versions side by side."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Table, and_, delete, func, select

from gateway.model.category import Category
from gateway.model.identifiers import PersonId
from gateway.store import raw
from gateway.store.identity import IDENTIFIER
from gateway.store.metadata import write_moment
from gateway.store.record import ITEM, STAGED
from gateway.wire import fhir

_CHUNK = 500
_COLUMNS = (
    "file", "facility", "source", "domain", "value", "category", "key", "version", "cancelled",
    "posted", "content", "resource",
)  # fmt: skip
_STAGED_COLUMNS = (*_COLUMNS, "custody")
_ITEM_COLUMNS = (*_COLUMNS, "id", "registered")
_CHART = (
    "SELECT 1 WHERE EXISTS (SELECT 1 FROM staged_item WHERE domain = ? AND value = ?) "
    "OR EXISTS (SELECT 1 FROM item WHERE domain = ? AND value = ?)"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class ItemRow:
    """One version of one item. `id` is 0 until it is stored."""

    id: int = 0
    file: str
    facility: str
    source: str
    domain: str
    value: str
    category: str
    key: str
    version: str
    cancelled: bool
    posted: datetime
    content: str
    "JSON: `resource`, `companions`, and `source`, the bytes it came from."
    resource: str = ""
    "Id of the resource; empty for an ending, and for rows older than this column."
    custody: bool = False
    registered: datetime | None = None
    "When it became part of the shared record; None while it is staged."


@dataclass(frozen=True, slots=True)
class Shared:
    """An item of the shared record, as documents are made of it."""

    category: Category
    resource: dict[str, Any]
    companions: tuple[dict[str, Any], ...]
    source: dict[str, Any]
    "`file`, `at`, `start`, `end`: the bytes it came from."


def write_content(
    resource: dict[str, Any], companions: Sequence[dict[str, Any]], source: dict[str, Any]
) -> str:
    """The content of a row; decimals as they were written."""
    whole = {"resource": resource, "companions": list(companions), "source": source}
    return fhir.dumps(whole).decode()


def read_content(row: ItemRow) -> Shared:
    """The item as a document or a view takes it."""
    whole = fhir.loads(row.content)
    companions = tuple(whole["companions"])
    return Shared(Category(row.category), whole["resource"], companions, whole["source"])


def insert_staged(db: Connection, rows: Sequence[ItemRow]) -> None:
    """Stage items."""
    raw.insert(db, STAGED, _STAGED_COLUMNS, [(*_values(row), row.custody) for row in rows])


def insert_items(db: Connection, rows: Sequence[ItemRow], registered: datetime) -> list[int]:
    """Share items; their new ids, in order."""
    if not rows:
        return []
    ids = _next_ids(db, len(rows))
    moment = write_moment(registered)
    values = [(*_values(row), id, moment) for row, id in zip(rows, ids, strict=True)]
    raw.insert(db, ITEM, _ITEM_COLUMNS, values)
    return ids


def _next_ids(db: Connection, count: int) -> list[int]:
    """Ids for shared items to come, rising."""
    if db.dialect.name == "sqlite":  # a writing transaction is alone
        (found,) = raw.rows(db, "SELECT coalesce(max(id), 0) FROM item")
        return list(range(found[0] + 1, found[0] + 1 + count))
    drawn = "SELECT nextval(pg_get_serial_sequence('item', 'id')) FROM generate_series(1, ?)"
    return sorted(row[0] for row in raw.rows(db, drawn, (count,)))


def select_versions(
    db: Connection, domain: str, value: str, keys: Iterable[str]
) -> dict[str, dict[str, str]]:
    """Key to version to content of what is there of one chart, staged or shared."""
    found: dict[str, dict[str, str]] = {}
    chart = (str(domain), value)
    if not raw.rows(db, _CHART, chart * 2):
        return found
    wanted = list(keys)
    for start in range(0, len(wanted), _CHUNK):
        part = wanted[start : start + _CHUNK]
        for table in ("staged_item", "item"):
            statement = (
                f"SELECT key, version, content FROM {table} "  # noqa: S608
                f"WHERE domain = ? AND value = ? AND key IN ({raw.some(len(part))})"
            )
            for key, version, content in raw.rows(db, statement, (*chart, *part)):
                found.setdefault(key, {})[version] = content
    return found


def select_scope(
    db: Connection, domain: str, value: str, scope: str
) -> dict[str, tuple[str, bool, str]]:
    """Newest version, whether it is cancelled, and category of each key below a prefix."""
    newest: dict[str, tuple[str, bool, str]] = {}
    values: tuple[object, ...] = (str(domain), value, len(scope), scope)
    within = "substr(key, 1, ?) = ?"
    if db.dialect.name == "sqlite":  # whose text is ordered by its bytes: the index finds it
        within += " AND key >= ? AND key < ?"
        values = (*values, scope, scope + "\U0010ffff")
    for table in ("staged_item", "item"):
        statement = (
            f"SELECT key, version, cancelled, category FROM {table} "  # noqa: S608
            f"WHERE domain = ? AND value = ? AND {within}"
        )
        for key, version, cancelled, category in raw.rows(db, statement, values):
            if key not in newest or version >= newest[key][0]:
                newest[key] = (version, bool(cancelled), category)
    return newest


def select_statements(
    db: Connection, domain: str, value: str, scope: str, *, after: str
) -> dict[str, set[str]]:
    """Versions in which a file stated the whole of a scope, later than one, and their keys."""
    found: dict[str, set[str]] = {}
    whole = set()
    for table in (STAGED, ITEM):
        rows = db.execute(
            select(table.c.key, table.c.version, table.c.content).where(
                table.c.domain == domain,
                table.c.value == value,
                func.substr(table.c.key, 1, len(scope)) == scope,
                table.c.version > after,
            )
        )
        for key, version, content in rows:
            # A correction within one version (`1~1`) or a replay of it (`1!1`) is of the same one.
            stated = version.partition("~")[0].partition("!")[0]
            found.setdefault(stated, set()).add(key)
            if fhir.loads(content)["source"].get("scope") == scope:
                whole.add(stated)
    return {version: keys for version, keys in found.items() if version in whole}


def select_staged(db: Connection, person: PersonId) -> list[ItemRow]:
    """Everything staged for the charts of one person, merged charts included; oldest first."""
    return _of_person(db, STAGED, person)


def select_items(db: Connection, person: PersonId) -> list[ItemRow]:
    """Every version of every item that is shared for one person; oldest first."""
    return _of_person(db, ITEM, person)


def select_items_by_id(db: Connection, ids: Iterable[int]) -> list[ItemRow]:
    """Shared items by their ids."""
    wanted = list(ids)
    found: list[ItemRow] = []
    for start in range(0, len(wanted), _CHUNK):
        part = wanted[start : start + _CHUNK]
        found += [_item(row) for row in db.execute(select(ITEM).where(ITEM.c.id.in_(part)))]
    return sorted(found, key=lambda row: row.id)


def select_items_of_facility(db: Connection, facility: str) -> list[ItemRow]:
    """Every shared item that one facility provided."""
    rows = db.execute(select(ITEM).where(ITEM.c.facility == facility).order_by(ITEM.c.id))
    return [_item(row) for row in rows]


def select_versions_of_resource(db: Connection, resource: str) -> list[tuple[ItemRow, bool]]:
    """Every version of the item that is this resource or has it beside it; whether it is shared.

    Rows older than the column, and resources beside an item, are found by their content.
    """
    found: list[tuple[ItemRow, bool]] = []
    for table, shared in ((STAGED, False), (ITEM, True)):
        rows = db.execute(select(table).where(table.c.resource == resource)).all()
        if not rows:
            rows = db.execute(select(table).where(table.c.content.contains(resource))).all()
        found += [(_item(row), shared) for row in rows]
    return found


def delete_staged(db: Connection, ids: Iterable[int]) -> None:
    """Take items out of staging."""
    _delete(db, STAGED, ids)


def delete_items(db: Connection, ids: Iterable[int]) -> None:
    """Take items out of the shared record."""
    _delete(db, ITEM, ids)


def select_unconsented(db: Connection, participants: Iterable[PersonId]) -> dict[str, int]:
    """Person to number of shared items, for persons who do not take part (AUD-05)."""
    counted = db.execute(
        select(IDENTIFIER.c.person, func.count())
        .select_from(ITEM)
        .outerjoin(
            IDENTIFIER,
            and_(IDENTIFIER.c.domain == ITEM.c.domain, IDENTIFIER.c.value == ITEM.c.value),
        )
        .group_by(IDENTIFIER.c.person)
    )
    known = set(participants)
    return {person or "": count for person, count in counted if person not in known}


def _of_person(db: Connection, table: Table, person: PersonId) -> list[ItemRow]:
    rows = db.execute(
        select(table)
        .join(
            IDENTIFIER,
            and_(IDENTIFIER.c.domain == table.c.domain, IDENTIFIER.c.value == table.c.value),
        )
        .where(IDENTIFIER.c.person == person)
        .order_by(table.c.id)
    )
    return [_item(row) for row in rows]


def _delete(db: Connection, table: Table, ids: Iterable[int]) -> None:
    wanted = list(ids)
    for start in range(0, len(wanted), _CHUNK):
        db.execute(delete(table).where(table.c.id.in_(wanted[start : start + _CHUNK])))


def _values(row: ItemRow) -> tuple[object, ...]:
    """The values of the columns that staged and shared items have in common."""
    return (
        row.file, row.facility, row.source, str(row.domain), row.value, row.category, row.key,
        row.version, row.cancelled, write_moment(row.posted), row.content, row.resource,
    )  # fmt: skip


def _item(row: Any) -> ItemRow:
    return ItemRow(**row._mapping)
