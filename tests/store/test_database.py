"""Transactions, migrations and durability settings, on both databases."""

import importlib
import pkgutil
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

import gateway.store
from gateway.settings import SettingsError
from gateway.store import revisions
from gateway.store.database import Database, SchemaError
from gateway.store.metadata import METADATA


def _events(database: Database) -> int:
    with database.reading() as db:
        return int(db.execute(text("SELECT count(*) FROM audit_event")).scalar_one())


_INSERT = text(
    "INSERT INTO audit_event (key, at, kind, outcome, request, facility, content) "
    "VALUES (:key, '', '', 0, '', '', '')"
)


def test_what_is_committed_is_seen_and_what_fails_is_not(database: Database) -> None:
    with database.writing() as db:
        db.execute(_INSERT, {"key": "a"})
    assert _events(database) == 1
    with pytest.raises(ZeroDivisionError), database.writing() as db:
        db.execute(_INSERT, {"key": "b"})
        raise ZeroDivisionError
    assert _events(database) == 1
    with database.writing() as db:
        db.execute(_INSERT, {"key": "c"})
    assert _events(database) == 2


def test_a_read_sees_nothing_of_an_open_transaction(database: Database) -> None:
    with database.writing() as db:
        db.execute(_INSERT, {"key": "a"})
        assert _events(database) == 0
    assert _events(database) == 1


def test_sqlite_is_durable_by_its_settings(tmp_path: Path) -> None:
    with closing(Database(f"sqlite:///{tmp_path / 'x.db'}")) as database:
        with database.reading() as db:
            assert db.exec_driver_sql("PRAGMA journal_mode").scalar_one() == "wal"
            assert db.exec_driver_sql("PRAGMA synchronous").scalar_one() == 2
            assert db.exec_driver_sql("PRAGMA foreign_keys").scalar_one() == 1


def test_migrating_twice_changes_nothing(database: Database) -> None:
    assert database.migrate() == revisions.newest() == database.schema_version()
    database.check_schema()


def test_revisions_are_those_that_alembic_finds_in_a_row() -> None:
    from alembic.script import ScriptDirectory

    found = ScriptDirectory(str(revisions.FOLDER))
    assert [one.revision for one in found.walk_revisions()] == revisions.known()[::-1]
    assert found.get_current_head() == revisions.newest()


def test_a_newer_schema_is_refused(database: Database) -> None:
    with database.writing() as db:
        db.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(SchemaError, match="newer"):
        database.migrate()
    with pytest.raises(SchemaError, match="newer"):
        database.check_schema()


def test_an_empty_database_asks_to_be_migrated(tmp_path: Path) -> None:
    with (
        closing(Database(f"sqlite:///{tmp_path / 'x.db'}")) as database,
        pytest.raises(SchemaError, match="gateway migrate"),
    ):
        database.check_schema()


def test_the_revisions_make_what_the_tables_say(database: Database) -> None:
    from alembic.autogenerate import compare_metadata
    from alembic.runtime.migration import MigrationContext

    for module in pkgutil.walk_packages(gateway.store.__path__, "gateway.store."):
        if not module.name.startswith("gateway.store.schema."):
            importlib.import_module(module.name)  # declares its tables
    with database.engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, METADATA) == []


@pytest.mark.parametrize("url", ["mysql://x/y", "not a url", "sqlite+aiosqlite:///x"])
def test_another_kind_of_database_is_a_wrong_setting(url: str) -> None:
    with pytest.raises(SettingsError, match="database"):
        Database(url)


@pytest.mark.parametrize("table", ["audit_event", "audit_patient", "audit_seal"])
@pytest.mark.parametrize("verb", ["UPDATE", "DELETE"])
def test_append_only_tables_refuse_changes(database: Database, table: str, verb: str) -> None:
    with database.writing() as db:
        db.execute(_INSERT, {"key": "a"})
        db.execute(text("INSERT INTO audit_patient VALUES ('2.999', '1', 'a')"))
        db.execute(text("INSERT INTO audit_seal VALUES (1, 1, 'h')"))
    column = {"audit_event": "content", "audit_patient": "value", "audit_seal": "hash"}[table]
    change = f"UPDATE {table} SET {column} = 'x'" if verb == "UPDATE" else f"DELETE FROM {table}"
    with pytest.raises(DBAPIError, match="append-only"), database.writing() as db:
        db.execute(text(change))


def test_items_that_came_before_are_found_by_their_resource(tmp_path: Path) -> None:
    """Revision 0016 marks what is there, with what stands beside it."""
    from alembic import command

    from gateway.store.database import _alembic
    from gateway.store.record import items

    with closing(Database(f"sqlite:///{tmp_path / 'old.db'}")) as database:
        with database.engine.connect() as connection:
            command.upgrade(_alembic(connection), "0015")
            for number in range(450):  # more files than are looked at in one go
                beside = f"{number:036d}"
                content = (
                    f'{{"resource":{{"id":"r"}},"companions":[{{"id":"{beside}"}}],"source":{{}}}}'
                )
                connection.execute(
                    text(
                        "INSERT INTO staged_item (file, facility, source, domain, value, category, "
                        "key, version, cancelled, posted, content, custody) VALUES (:file, 'a', "
                        "'emr', '2.999', '1', 'lab_result', :file, '1', 0, "
                        "'2026-11-01T00:00:00.000000Z', :content, 1)"
                    ),
                    {"file": f"f{number}", "content": content},
                )
            connection.commit()
        database.migrate()
        with database.reading() as db:
            for number in (0, 199, 200, 449):
                found = items.select_versions_of_resource(db, f"{number:036d}")
                assert [(row.file, shared) for row, shared in found] == [(f"f{number}", False)]
            assert len(items.select_versions_of_resource(db, "r")) == 450
