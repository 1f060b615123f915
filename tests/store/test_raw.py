"""Rows that are written raw are what a statement would have written, on both databases."""

import pytest
from sqlalchemy import (
    Boolean,
    Column,
    Connection,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    Text,
)

from gateway.errors import Busy
from gateway.store import raw
from gateway.store.database import Database

_TABLE = Table(
    "raw_row", MetaData(), Column("id", Integer, primary_key=True),
    Column("name", Text, unique=True), Column("holds", Boolean), Column("content", LargeBinary),
)  # fmt: skip
_ODD = [
    "", "\\", "\\N", "\\.", "a\tb", "a\nb", "a\r\nb", "\x08\x0b", "漢字と髙﨑", "𠮷野家", "'\"%s?",
    '{"text": "two\\nlines"}', " ", "null",
]  # fmt: skip


@pytest.fixture
def table(database: Database) -> None:
    with database.writing() as db:
        _TABLE.create(db)


def rows(db: Connection) -> list[tuple[object, ...]]:
    found = raw.rows(db, "SELECT name, holds, content FROM raw_row ORDER BY id")
    return [
        (name, None if holds is None else bool(holds), None if data is None else bytes(data))
        for name, holds, data in found
    ]


@pytest.mark.usefixtures("table")
@pytest.mark.parametrize("at_once", [1, len(_ODD)])
def test_values_are_kept_as_they_are(database: Database, at_once: int) -> None:
    with database.writing() as db:
        truth = raw.truth(db)
        values = [(name, truth[bool(name)], name.encode() + b"\0\xff") for name in _ODD]
        for start in range(0, len(values), at_once):
            part = values[start : start + at_once]
            raw.insert(db, _TABLE, ("name", "holds", "content"), part)
    with database.reading() as db:
        assert rows(db) == [(name, bool(name), name.encode() + b"\0\xff") for name in _ODD]


@pytest.mark.usefixtures("table")
@pytest.mark.parametrize("count", [0, 1, 3])
def test_what_is_missing_stays_missing(database: Database, count: int) -> None:
    with database.writing() as db:
        raw.insert(db, _TABLE, ("name", "holds", "content"), [(None, None, None)] * count)
    with database.reading() as db:
        assert rows(db) == [(None, None, None)] * count


@pytest.mark.usefixtures("table")
@pytest.mark.parametrize("count", [1, 3])
def test_one_that_cannot_be_kept_undoes_them_all_and_the_database_goes_on(
    database: Database, count: int
) -> None:
    with database.writing() as db:
        raw.insert(db, _TABLE, ("name",), [("a",)])
    more = [(f"{number}",) for number in range(1, count)]
    with pytest.raises(Exception, match=r"(?i)unique") as told, database.writing() as db:
        raw.insert(db, _TABLE, ("name",), [*more, ("a",)])
    assert not isinstance(told.value, Busy), "it would be tried again and again"
    with database.writing() as db:
        raw.insert(db, _TABLE, ("name",), [("b",), ("c",)])
    with database.reading() as db:
        assert [name for name, *_ in rows(db)] == ["a", "b", "c"]


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
@pytest.mark.usefixtures("table")
def test_a_server_that_ends_the_connection_is_busy_and_nothing_is_kept(
    database: Database,
) -> None:
    with pytest.raises(Busy), database.writing() as db:
        (mine,) = raw.rows(db, "SELECT pg_backend_pid()")[0]
        with database.reading() as other:
            raw.rows(other, "SELECT pg_terminate_backend(?)", (mine,))
        raw.insert(db, _TABLE, ("name",), [("a",), ("b",)])
    with database.reading() as db:
        assert rows(db) == []


def test_a_new_database_is_set_up_for_long_values(database: Database) -> None:
    """SQLite by larger pages, PostgreSQL by a faster packing where it was built with it."""
    with database.reading() as db:
        if database.kind == "sqlite":
            assert db.exec_driver_sql("PRAGMA page_size").scalar_one() == 8192
            return
        ways = "SELECT enumvals, setting FROM pg_settings WHERE name = 'default_toast_compression'"
        ((offered, chosen),) = raw.rows(db, ways)
    assert chosen == ("lz4" if "lz4" in offered else "pglz")
