"""Statements on items: staged apart from shared, versions side by side."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import Connection, Select, Table, and_, func, select

from gateway.model.batch import CLAIMED
from gateway.model.category import Category
from gateway.model.identifiers import PersonId
from gateway.store import raw
from gateway.store.identity import IDENTIFIER
from gateway.store.metadata import read_moment, write_moment
from gateway.store.record import ITEM, STAGED, contents
from gateway.store.record.marks import select_marked
from gateway.wire import fhir

_CHUNK = 500
_COLUMNS = (
    "file", "facility", "source", "domain", "value", "category", "key", "version", "cancelled",
    "posted", "content", "resource",
)  # fmt: skip
_STAGED_COLUMNS = (*_COLUMNS, "custody")
_SHARED_COLUMNS = (*_COLUMNS, "registered")
_IDS = "SELECT id, key, version FROM item WHERE file = ?"
_NAMES = ", ".join(_COLUMNS)
_CHARTS = "(domain, value) IN (SELECT domain, value FROM identifier WHERE person = ?)"
_KINDS = f"SELECT DISTINCT facility, category FROM staged_item WHERE {_CHARTS}"  # noqa: S608
_CLAIMS = (
    f"SELECT 1 FROM item WHERE domain = ? AND value = ? AND key >= '{CLAIMED}' "  # noqa: S608
    f"AND key < '{CLAIMED[:-1]}{chr(ord(CLAIMED[-1]) + 1)}' LIMIT 1"
)


Origin = tuple[str, str, str]
"File, key and version of an item."


class ItemRow(NamedTuple):
    """One version of one item. `id` is 0 until it is stored."""

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
    "JSON: `resource`, `companions`, and `source`, the bytes it came from; whole when read."
    resource: str = ""
    "Id of the resource; empty for an ending, and for rows older than this column."
    custody: bool = False
    registered: datetime | None = None
    "When it became part of the shared record; None while it is staged."
    id: int = 0

    @property
    def origin(self) -> Origin:
        """What tells it apart where it is in memory before it is stored."""
        return self.file, self.key, self.version


@dataclass(frozen=True, slots=True)
class Shared:
    """An item of the shared record, as documents are made of it."""

    category: Category
    resource: dict[str, Any]
    companions: tuple[dict[str, Any], ...]
    source: dict[str, Any]
    "`file`, `at`, `start`, `end`: the bytes it came from."


def read_content(row: ItemRow) -> Shared:
    """The item as a document or a view takes it."""
    whole = fhir.loads(row.content)
    companions = tuple(whole["companions"])
    return Shared(Category(row.category), whole["resource"], companions, whole["source"])


def insert_staged(db: Connection, rows: Sequence[ItemRow]) -> None:
    """Stage items."""
    truth = raw.truth(db)
    values = [(*_values(row, truth), truth[row.custody]) for row in rows]
    raw.insert(db, STAGED, _STAGED_COLUMNS, values)


def insert_shared(db: Connection, rows: Sequence[ItemRow], registered: datetime) -> list[ItemRow]:
    """Put items into the shared record that were never staged; they have ids, in order."""
    truth, moment = raw.truth(db), write_moment(registered)
    values = [(*_values(row, truth), moment) for row in rows]
    raw.insert(db, ITEM, _SHARED_COLUMNS, values)
    ids: dict[Origin, int] = {}
    for file in {row.file for row in rows}:
        for id, key, version in raw.rows(db, _IDS, (file,)):
            ids[file, key, version] = id
    return [row._replace(id=ids[row.origin], custody=False, registered=registered) for row in rows]


def _values(row: ItemRow, truth: tuple[object, object]) -> tuple[object, ...]:
    return (
        row.file, row.facility, row.source, str(row.domain), row.value, row.category, row.key,
        row.version, truth[row.cancelled], write_moment(row.posted), row.content, row.resource,
    )  # fmt: skip


def share(db: Connection, rows: Sequence[ItemRow], registered: datetime) -> list[ItemRow]:
    """Move staged items into the shared record, as they are; they have new ids, in order."""
    moment = write_moment(registered)
    ids: dict[tuple[str, ...], int] = {}
    for part in _parts([row.id for row in rows]):
        statement = (
            f"INSERT INTO item ({_NAMES}, registered) SELECT {_NAMES}, ? FROM staged_item "  # noqa: S608
            f"WHERE id IN ({raw.some(len(part))}) ORDER BY id "
            "RETURNING id, domain, value, key, version"
        )
        for id, *which in raw.rows(db, statement, (moment, *part)):
            ids[tuple(which)] = id
    delete_staged(db, (row.id for row in rows))
    return [
        row._replace(id=ids[str(row.domain), row.value, row.key, row.version], custody=False,
                     registered=registered)
        for row in rows
    ]  # fmt: skip


def unshare(db: Connection, rows: Sequence[ItemRow]) -> None:
    """Stage shared items again, under custody; `delete_items` takes them out."""
    for part in _parts([row.id for row in rows]):
        raw.run(
            db,
            f"INSERT INTO staged_item ({_NAMES}, custody) SELECT {_NAMES}, ? FROM item "  # noqa: S608
            f"WHERE id IN ({raw.some(len(part))}) ORDER BY id",
            (True, *part),
        )


def _parts(ids: Iterable[int]) -> list[list[int]]:
    """Ids in order, so many as one statement takes."""
    wanted = sorted(ids)
    return [wanted[start : start + _CHUNK] for start in range(0, len(wanted), _CHUNK)]


def select_versions(
    db: Connection, domain: str, value: str, keys: Iterable[str]
) -> dict[str, dict[str, str]]:
    """Key to version to content of what is there of one chart, staged or shared."""
    found: dict[str, dict[str, str]] = {}
    chart = (str(domain), value)
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


def select_waiting(
    db: Connection, person: PersonId, provided: Callable[[str, str], bool]
) -> list[ItemRow]:
    """What is staged of one person and `provided`, by facility and category; oldest first."""
    kinds = [kind for kind in raw.rows(db, _KINDS, (person,)) if provided(*kind)]
    if not kinds:
        return []
    either = " OR ".join(["(facility = ? AND category = ?)"] * len(kinds))
    where = f"{_CHARTS} AND ({either})"
    values = (person, *(value for kind in kinds for value in kind))
    return _read(db, STAGED, where, values)


def select_touched(db: Connection, arriving: Sequence[ItemRow]) -> list[ItemRow]:
    """The shared items that the arrival of these may change, oldest first.

    These are the versions of the same items. Where claims are among them or beside them, which may
    say the same as an order (`twins`), they are all of the facility, chart and category.
    """
    found: dict[int, ItemRow] = {}
    charts: dict[tuple[str, str], list[ItemRow]] = defaultdict(list)
    for row in arriving:
        charts[str(row.domain), row.value].append(row)
    for chart, rows in charts.items():
        keys = sorted({row.key for row in rows})
        for start in range(0, len(keys), _CHUNK):
            part = keys[start : start + _CHUNK]
            where = f"domain = ? AND value = ? AND key IN ({raw.some(len(part))})"
            found.update((row.id, row) for row in _read(db, ITEM, where, (*chart, *part)))
        if not (any(key.startswith(CLAIMED) for key in keys) or raw.rows(db, _CLAIMS, chart)):
            continue
        where = "domain = ? AND value = ? AND facility = ? AND category = ?"
        for kind in sorted({(row.facility, row.category) for row in rows}):
            found.update((row.id, row) for row in _read(db, ITEM, where, (*chart, *kind)))
    return [found[id] for id in sorted(found)]


def select_staged(db: Connection, person: PersonId) -> list[ItemRow]:
    """Everything staged for the charts of one person, merged charts included; oldest first."""
    return _of_person(db, STAGED, person)


def select_items(db: Connection, person: PersonId) -> list[ItemRow]:
    """Every version of every item that is shared for one person; oldest first."""
    return _of_person(db, ITEM, person)


def select_items_by_id(db: Connection, ids: Iterable[int]) -> list[ItemRow]:
    """Shared items by their ids."""
    found: list[ItemRow] = []
    for part in _parts(ids):
        found += _items(db, ITEM, select(ITEM).where(ITEM.c.id.in_(part)).order_by(ITEM.c.id))
    return found


def select_items_of_facility(db: Connection, facility: str) -> list[ItemRow]:
    """Every shared item that one facility provided."""
    return _items(db, ITEM, select(ITEM).where(ITEM.c.facility == facility).order_by(ITEM.c.id))


def select_versions_of_resource(db: Connection, resource: str) -> list[tuple[ItemRow, bool]]:
    """Every version of the item that is this resource, else of those that have it beside them.

    With each, whether it is shared.
    """
    files = select_marked(db, resource)
    found: list[tuple[ItemRow, bool]] = []
    for table, shared in ((STAGED, False), (ITEM, True)):
        for start in range(0, len(files), _CHUNK):
            part = files[start : start + _CHUNK]
            statement = select(table).where(
                table.c.file.in_(part), table.c.content.contains(resource)
            )
            found += [(row, shared) for row in _items(db, table, statement)]
    own = [one for one in found if fhir.loads(one[0].content)["resource"].get("id") == resource]
    return own or found


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
    statement = (
        select(table)
        .join(
            IDENTIFIER,
            and_(IDENTIFIER.c.domain == table.c.domain, IDENTIFIER.c.value == table.c.value),
        )
        .where(IDENTIFIER.c.person == person)
        .order_by(table.c.id)
    )
    return _items(db, table, statement)


def _delete(db: Connection, table: Table, ids: Iterable[int]) -> None:
    for part in _parts(ids):
        raw.run(db, f"DELETE FROM {table.name} WHERE id IN ({raw.some(len(part))})", part)  # noqa: S608


def _items(db: Connection, table: Table, statement: Select[Any]) -> list[ItemRow]:
    """The rows of a table that a statement finds, each whole."""
    found = [ItemRow(**row._mapping) for row in db.execute(statement)]
    if all(contents.is_whole(row.content) for row in found):
        return found
    beside = Beside(db, table)
    return [
        row._replace(content=beside.complete(row.domain, row.value, row.content)) for row in found
    ]


def _read(db: Connection, table: Table, where: str, values: Sequence[object]) -> list[ItemRow]:
    """The rows of a table where this holds, whole and in the order of their ids."""
    last = "custody" if table is STAGED else "registered"
    statement = f"SELECT {_NAMES}, {last}, id FROM {table.name} WHERE {where} ORDER BY id"  # noqa: S608
    beside = Beside(db, table)
    found = []
    for *head, cancelled, posted, content, resource, more, id in raw.rows(db, statement, values):
        is_staged = table is STAGED
        row = ItemRow._make(
            (
                *head, bool(cancelled), read_moment(posted), content, resource,
                is_staged and bool(more), None if is_staged else read_moment(more), id,
            )
        )  # fmt: skip
        whole = beside.complete(row.domain, row.value, content)
        found.append(row if whole is content else row._replace(content=whole))
    return found


class Beside:
    """Makes contents whole, by what stands with other items of their file."""

    def __init__(self, db: Connection, table: Table) -> None:
        self._db = db
        self._statement = (
            f"SELECT content FROM {table.name} "  # noqa: S608
            "WHERE domain = ? AND value = ? AND key = ? AND version = ?"
        )
        self._known: dict[tuple[str, ...], dict[str, str]] = {}

    def complete(self, domain: str, value: str, content: str) -> str:
        """The content by itself, of an item of this chart."""
        return contents.completed(
            content, lambda id, place: self._companions(domain, value, *place)[id]
        )

    def _companions(self, *which: str) -> dict[str, str]:
        known = self._known.get(which)
        if known is None:
            ((content,),) = raw.rows(self._db, self._statement, tuple(map(str, which)))
            known = self._known[which] = contents.companions_of(content)
        return known
