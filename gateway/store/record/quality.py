"""Statements for a facility's quality sheet: its files and items, one after another."""

from collections.abc import Iterator
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Table, exists, func, select

from gateway.store.record import FILE, ITEM, STAGED, UPLOAD, contents
from gateway.store.record.items import Beside

_AT_ONCE = 500


def select_deliveries(
    db: Connection, facility: str
) -> Iterator[tuple[str, str, str, str, list[dict[str, str]], datetime]]:
    """Parent, state, format, version, findings and reception of every file and part."""
    last = ""
    while True:
        rows = db.execute(
            select(
                FILE.c.id, FILE.c.parent, FILE.c.state, FILE.c.format, FILE.c.version,
                FILE.c.findings, UPLOAD.c.received,
            )
            .join(UPLOAD, UPLOAD.c.receipt == FILE.c.receipt)
            .where(FILE.c.facility == facility, FILE.c.id > last)
            .order_by(FILE.c.id)
            .limit(_AT_ONCE)
        ).all()  # fmt: skip
        for _, *row in rows:
            yield tuple(row)
        if len(rows) < _AT_ONCE:
            return
        last = rows[-1][0]


def count_categories(db: Connection, facility: str) -> dict[str, tuple[int, int]]:
    """Category to how many item versions are staged, and how many are shared."""
    found: dict[str, tuple[int, int]] = {}
    for place, table in enumerate((STAGED, ITEM)):
        rows: Any = db.execute(
            select(table.c.category, func.count())
            .where(table.c.facility == facility)
            .group_by(table.c.category)
        )
        for category, number in rows:
            staged, shared = found.get(category, (0, 0))
            found[category] = (number, shared) if place == 0 else (staged, number)
    return found


def _newer(table: Table, other: Any) -> Any:
    """Whether there is a newer version of the same item."""
    return exists().where(
        other.c.domain == table.c.domain,
        other.c.value == table.c.value,
        other.c.key == table.c.key,
        other.c.version > table.c.version,
    )


def select_contents(db: Connection, facility: str, containing: str) -> Iterator[str]:
    """The contents of the newest versions of a facility's items that contain a text."""
    for table in (STAGED, ITEM):
        beside = Beside(db, table)
        newer = [_newer(table, other.alias()) for other in (STAGED, ITEM)]
        last = 0
        while rows := db.execute(
            select(table.c.id, table.c.domain, table.c.value, table.c.content)
            .where(
                table.c.facility == facility,
                table.c.id > last,
                table.c.content.contains(containing) | ~contents.stands_alone(table.c.content),
                table.c.cancelled.is_(False),
                *(~one for one in newer),
            )
            .order_by(table.c.id)
            .limit(_AT_ONCE)
        ).all():
            for row in rows:
                content = beside.complete(row.domain, row.value, row.content)
                if containing in content:
                    yield content
            last = rows[-1][0]
