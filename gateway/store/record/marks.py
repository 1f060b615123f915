"""Which file made a resource: four bytes of each, one row a file, looked through in order.

An index of resources would cost intake a page for every item, each elsewhere. Whoever asks where
one resource comes from can wait for some hundred bytes a file to be read, and that finds what
stands beside an item as well. Marks may coincide: what is found is looked at.
"""

import zlib
from collections.abc import Iterable

from sqlalchemy import Connection

from gateway.store import raw
from gateway.store.record import MARK

_MARKED = {
    "sqlite": "SELECT file FROM resource_mark WHERE instr(marks, ?) > 0",
    "postgresql": "SELECT file FROM resource_mark WHERE position(? IN marks) > 0",
}


def mark(resource: str) -> bytes:
    """The mark of a resource, by its id."""
    return zlib.crc32(resource.encode()).to_bytes(4)


def insert_marks(db: Connection, file: str, resources: Iterable[str]) -> None:
    """Remember what a file made."""
    made = b"".join(map(mark, resources))
    if made:
        raw.insert(db, MARK, ("file", "marks"), [(file, made)])


def add_marks(db: Connection, file: str, resources: Iterable[str]) -> None:
    """Remember what a file made as well, when it was looked at again."""
    before = raw.rows(db, "SELECT marks FROM resource_mark WHERE file = ?", (file,))
    if not before:
        insert_marks(db, file, resources)
        return
    made = bytes(before[0][0]) + b"".join(map(mark, resources))
    raw.run(db, "UPDATE resource_mark SET marks = ? WHERE file = ?", (made, file))


def select_marked(db: Connection, resource: str) -> list[str]:
    """The files that may have made a resource."""
    return [row[0] for row in raw.rows(db, _MARKED[db.dialect.name], (mark(resource),))]


def delete_marks(db: Connection, file: str) -> None:
    """Forget what a file made."""
    raw.run(db, "DELETE FROM resource_mark WHERE file = ?", (file,))
