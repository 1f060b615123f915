"""Every row of every table as plain values, and back: what a backup holds of a database.

The values are those that stand in the columns, so that a copy is the same on SQLite and PostgreSQL
and may go from one to the other. A room's own statements are for the room; here nothing is
understood, only copied.
"""

from base64 import b64decode, b64encode
from collections.abc import Iterator, Sequence
from typing import Any

from sqlalchemy import (
    Boolean,
    Connection,
    Float,
    Integer,
    LargeBinary,
    Table,
    column,
    func,
    insert,
    select,
    text,
    type_coerce,
)
from sqlalchemy import table as named
from sqlalchemy.types import TypeDecorator, TypeEngine

from gateway.store import (
    audit,
    codes,
    consent,
    credentials,
    identity,
    logins,
    members,
    record,
    replay,
)
from gateway.store.metadata import METADATA
from gateway.store.record import evidence, lists, registrations, reports, stamps, waiting, watched

_ROOMS = (audit, codes, consent, credentials, evidence, identity, lists, logins, members, record,
          replay, registrations, reports, stamps, waiting, watched)  # fmt: skip
"Imported for their tables: `METADATA` knows a table once its module is loaded."
_ROWS = 2000


class Uncopied(ValueError):
    """Rows that do not fit the table they are said to be of."""


def tables() -> list[Table]:
    """Every table that is kept, those that others refer to first.

    Who is logged in, about to be, has to wait or is to get a password is not (K-04).
    """
    passing = (logins.SESSION, logins.ATTEMPT, logins.TRY, credentials.HANDOVER)
    return [table for table in METADATA.sorted_tables if table not in passing]


def columns(table: Table) -> list[str]:
    """The names of a table's columns, in the order of its values."""
    return [str(one.name) for one in table.columns]


def dump(db: Connection, table: Table) -> Iterator[list[list[Any]]]:
    """The rows of a table in the order of its key, some at a time, as values that JSON can hold."""
    statement = select(*(type_coerce(one, _plain(one.type)) for one in table.columns))
    found = db.execute(
        statement.order_by(*table.primary_key.columns), execution_options={"yield_per": _ROWS}
    )
    binary = [isinstance(one.type, LargeBinary) for one in table.columns]
    for part in found.partitions(_ROWS):
        yield [
            [
                b64encode(value).decode() if is_binary and value is not None else value
                for value, is_binary in zip(row, binary, strict=True)
            ]
            for row in part
        ]


def load(db: Connection, table: Table, rows: Sequence[Sequence[Any]]) -> None:
    """Insert rows that `dump` gave; raises `Uncopied` where one is of another shape."""
    names = columns(table)
    binary = [isinstance(one.type, LargeBinary) for one in table.columns]
    known = tuple(_python(one.type) for one in table.columns)
    values = []
    for row in rows:
        if len(row) != len(names) or not all(
            value is None or type(value) is kind for value, kind in zip(row, known, strict=True)
        ):
            raise Uncopied(table.name)
        values.append(
            {
                name: b64decode(value) if is_binary and value is not None else value
                for name, value, is_binary in zip(names, row, binary, strict=True)
            }
        )
    if values:
        plain = named(table.name, *(column(one.name, _plain(one.type)) for one in table.columns))
        db.execute(insert(plain), values)


def finish(db: Connection) -> None:
    """Let the database go on numbering where the copied rows end."""
    if db.dialect.name != "postgresql":
        return  # SQLite numbers from the highest row there is
    for table in tables():
        key = table.autoincrement_column
        if key is None:
            continue
        db.execute(
            select(
                func.setval(
                    func.pg_get_serial_sequence(table.name, key.name),
                    select(func.coalesce(func.max(key), 1)).scalar_subquery(),
                    select(func.max(key).is_not(None)).scalar_subquery(),
                )
            )
        )


def occupied(db: Connection) -> str:
    """The first table that has a row; empty where none has."""
    for table in tables():
        if db.execute(select(text("1")).select_from(table).limit(1)).first() is not None:
            return table.name
    return ""


def _plain(kind: TypeEngine[Any]) -> TypeEngine[Any]:
    """The type that stands in the column."""
    return kind.impl_instance if isinstance(kind, TypeDecorator) else kind


def _python(kind: TypeEngine[Any]) -> type:
    """What a value of a column is in JSON."""
    plain = _plain(kind)
    if isinstance(plain, Boolean):
        return bool
    if isinstance(plain, Float):
        return float
    return int if isinstance(plain, Integer) else str
