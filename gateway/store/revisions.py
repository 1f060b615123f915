"""Which revisions of the schema there are, and at which one a database is.

Told without Alembic: only who migrates needs it, and loading it is a fifth of the way to `ready`.
"""

from pathlib import Path

from sqlalchemy import Connection, inspect, text

FOLDER = Path(__file__).parent / "schema"
"Where Alembic finds the revisions, each `versions/r0001_….py` under its number."


def known() -> list[str]:
    """Every revision that this program has, oldest first."""
    return sorted(path.name[1:5] for path in (FOLDER / "versions").glob("r[0-9]*_*.py"))


def newest() -> str:
    """The newest revision that this program has."""
    return known()[-1]


def current(connection: Connection) -> str:
    """The revision that a database is at; empty where there is none yet."""
    if not inspect(connection).has_table("alembic_version"):
        return ""
    found = connection.execute(text("SELECT version_num FROM alembic_version"))
    return found.scalar_one_or_none() or ""
