"""What a new connection is told before anybody uses it."""

from typing import Any


def prepare_sqlite(cache: int, connection: Any, _record: Any) -> None:
    """What every SQLite connection needs (`STYLE.md` section 9)."""
    for statement in (
        "PRAGMA page_size=8192",  # of a new file: a file about one patient has half as many pages
        "PRAGMA journal_mode=WAL",
        "PRAGMA synchronous=FULL",
        "PRAGMA foreign_keys=ON",
        "PRAGMA temp_store=MEMORY",
        f"PRAGMA cache_size=-{cache * 1024}",
        "PRAGMA secure_delete=ON",
        "PRAGMA wal_autocheckpoint=2000",  # pages: intake writes the same ones again and again
    ):
        connection.execute(statement)


def prepare_postgresql(connection: Any, _record: Any) -> None:
    """Long values are packed by LZ4 where the server can: its own way takes a third of its time."""
    connection.execute(
        "SELECT set_config(name, 'lz4', false) FROM pg_settings "
        "WHERE name = 'default_toast_compression' AND 'lz4' = ANY(enumvals)"
    )
    connection.commit()
