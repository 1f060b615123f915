"""The one `MetaData` every room's tables stand on, and the column types both databases share.

A moment is stored as RFC 3339 text in UTC with microseconds, so that text order is time order on
SQLite and PostgreSQL alike (`security.md` J-07: order never depends on a zone).
"""

from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

import orjson
from sqlalchemy import Dialect, MetaData, Text
from sqlalchemy.types import TypeDecorator

METADATA = MetaData(
    naming_convention={
        "ix": "ix_%(column_0_N_label)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
        "pk": "pk_%(table_name)s",
    }
)
"All tables of the gateway; a test compares them with what the Alembic revisions make."


@lru_cache(maxsize=256)
def write_moment(moment: datetime) -> str:
    """`2026-11-21T00:00:00.000000Z`: fixed width, sortable; refuses a moment without zone."""
    if moment.tzinfo is not UTC:
        if moment.tzinfo is None:
            raise ValueError("a moment without zone is never stored")
        moment = moment.astimezone(UTC)
    return moment.isoformat(timespec="microseconds")[:26] + "Z"


def read_moment(text: str) -> datetime:
    """The aware UTC moment that `write_moment` wrote."""
    return datetime.fromisoformat(text)


def time_ordered(at: datetime, id: str) -> str:
    """A random UUID with the time in front (RFC 9562 5.7): an index of such grows at its end."""
    time = f"{int(at.timestamp() * 1000):012x}"
    return f"{time[:8]}-{time[8:]}-7{id[15:]}"


class Moment(TypeDecorator[datetime]):
    """An aware datetime, kept as sortable RFC 3339 text in UTC."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> str | None:
        """Write the moment; None stays NULL."""
        return None if value is None else write_moment(value)

    def process_result_value(self, value: Any | None, dialect: Dialect) -> datetime | None:
        """Read the moment; NULL stays None."""
        return None if value is None else read_moment(value)


class Json(TypeDecorator[Any]):
    """A JSON value kept as text, written and read by orjson."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: Any | None, dialect: Dialect) -> str | None:
        """Write compact JSON; None stays NULL."""
        return None if value is None else orjson.dumps(value).decode()

    def process_result_value(self, value: Any | None, dialect: Dialect) -> Any | None:
        """Read JSON; NULL stays None."""
        return None if value is None else orjson.loads(value)
