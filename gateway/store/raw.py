"""Statements run raw on measured hot paths: SQLAlchemy's own work costs more than SQLite's there.

A statement is written once, with `?` for each value; `%s` is what PostgreSQL's driver reads. Values
go as the columns keep them: moments and JSON as text (`store/metadata.py`).
"""

from collections.abc import Sequence
from functools import cache
from typing import Any

from sqlalchemy import Connection, Table

from gateway.store.database import copy, execute, execute_many, fetch


@cache
def _marked(dialect: str, statement: str) -> str:
    return statement if dialect == "sqlite" else statement.replace("?", "%s")


def rows(db: Connection, statement: str, values: Sequence[object] = ()) -> list[Any]:
    """Every row that a statement finds."""
    return fetch(db, _marked(db.dialect.name, statement), values)


def run(db: Connection, statement: str, values: Sequence[object] = ()) -> None:
    """Run a statement that finds nothing."""
    execute(db, _marked(db.dialect.name, statement), values)


def some(count: int) -> str:
    """The marks of so many values, for `IN (…)`."""
    return ", ".join("?" * count)


def pairs(count: int) -> str:
    """The marks of so many pairs of values, for `VALUES …`."""
    return ", ".join(["(?, ?)"] * count)


def locking(db: Connection) -> str:
    """What a SELECT ends with so that others wait; a writing transaction on SQLite is alone."""
    return "" if writes_alone(db) else " FOR UPDATE"


def skipping(db: Connection) -> str:
    """The same, but for what others have locked: that is as if it were not there."""
    return "" if writes_alone(db) else " FOR UPDATE SKIP LOCKED"


def writes_alone(db: Connection) -> bool:
    """Whether nobody else writes while a writing transaction is open: what it read stays so."""
    return bool(db.dialect.name == "sqlite")


@cache
def _insert(dialect: str, table: str, columns: tuple[str, ...]) -> str:
    """The INSERT of one row; every name in it is a constant of the caller's module."""
    statement = f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({some(len(columns))})"  # noqa: S608
    return _marked(dialect, statement)


@cache
def _copy(table: str, columns: tuple[str, ...]) -> str:
    return f"COPY {table} ({', '.join(columns)}) FROM STDIN"


def insert(
    db: Connection, table: Table, columns: tuple[str, ...], values: Sequence[Sequence[object]]
) -> None:
    """Insert rows of a table; PostgreSQL takes several by COPY, as one statement."""
    if db.dialect.name == "sqlite":
        if values:
            execute_many(db, _insert("sqlite", table.name, columns), values)
    elif len(values) > 1:
        copy(db, _copy(table.name, columns), values)
    elif values:
        execute(db, _insert(db.dialect.name, table.name, columns), values[0])


def truth(db: Connection) -> tuple[object, object]:
    """False and True as a driver takes them at once: SQLite's looks for an adapter of a `bool`."""
    if db.dialect.name == "sqlite":
        return 0, 1
    return False, True


def savepoint(db: Connection, what: str) -> None:
    """Set, release or go back to the one savepoint that a transaction has at a time."""
    execute(db, what + " piece", ())
