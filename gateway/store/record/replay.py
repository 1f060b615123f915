"""Statements for replaying staged originals: charts, their files in order, the rows of an item."""

from collections.abc import Iterable
from typing import NamedTuple

from sqlalchemy import Connection, func, select

from gateway.store.record import FILE, ITEM, STAGED, UPLOAD
from gateway.store.record.items import Beside
from gateway.store.record.uploads import STANDARDIZED, FileRow

_CHUNK = 500


class Chart(NamedTuple):
    """One chart with staged originals, and how many."""

    domain: str
    value: str
    files: int


class Held(NamedTuple):
    """One version of an item, as far as a comparison needs it."""

    file: str
    key: str
    version: str
    cancelled: bool
    category: str
    content: str


def select_charts(db: Connection, facility: str, formats_not: str) -> list[Chart]:
    """Every chart that has read files, of one facility or of all."""
    chosen = [FILE.c.facility == facility] if facility else []
    rows = db.execute(
        select(FILE.c.domain, FILE.c.value, func.count())
        .where(
            FILE.c.state == STANDARDIZED, FILE.c.domain != "", FILE.c.format != formats_not, *chosen
        )
        .group_by(FILE.c.domain, FILE.c.value)
        .order_by(FILE.c.domain, FILE.c.value)
    )
    return [Chart(*row) for row in rows]


def select_files(db: Connection, domain: str, value: str, formats_not: str) -> list[FileRow]:
    """The read files and parts about one chart, the oldest statement first, then as they came.

    So a newer statement that lacks what an older one says anew ends it, whichever came first.
    """
    rows = db.execute(
        select(FILE)
        .join(UPLOAD, UPLOAD.c.receipt == FILE.c.receipt)
        .where(
            FILE.c.domain == domain, FILE.c.value == value, FILE.c.state == STANDARDIZED,
            FILE.c.format != formats_not,
        )
        .order_by(FILE.c.version, UPLOAD.c.received, UPLOAD.c.receipt, FILE.c.number, FILE.c.part)
    )  # fmt: skip
    return [FileRow(**row._mapping) for row in rows]


def select_held(db: Connection, domain: str, value: str, keys: Iterable[str]) -> list[Held]:
    """Every version of items by their keys, staged or shared."""
    found = []
    wanted = sorted(keys)
    for start in range(0, len(wanted), _CHUNK):
        part = wanted[start : start + _CHUNK]
        for table in (STAGED, ITEM):
            rows = db.execute(
                select(table.c.file, table.c.key, table.c.version, table.c.cancelled,
                       table.c.category, table.c.content)
                .where(table.c.domain == domain, table.c.value == value, table.c.key.in_(part))
            )  # fmt: skip
            beside = Beside(db, table)
            for file, key, version, cancelled, category, content in rows:
                content = beside.complete(domain, value, content)
                found.append(Held(file, key, version, cancelled, category, content))
    return found


def select_keys_of_file(db: Connection, file: str) -> set[str]:
    """The keys of what a file became."""
    found: set[str] = set()
    for table in (STAGED, ITEM):
        found.update(row[0] for row in db.execute(select(table.c.key).where(table.c.file == file)))
    return found
