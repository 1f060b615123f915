"""Which file made which resource, instead of an index of every item's resource."""

import json
import zlib
from collections.abc import Iterator
from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0016"
down_revision = "0015"
_MARK = sa.table("resource_mark", sa.column("file"), sa.column("marks"))
_AT_ONCE = 200


def upgrade() -> None:
    """Make the table, and fill it from what is there."""
    op.create_table(
        "resource_mark",
        sa.Column("file", sa.Text, primary_key=True),
        sa.Column("marks", sa.LargeBinary, nullable=False),
        sqlite_with_rowid=False,
    )
    for table in ("staged_item", "item"):
        _fill(op.get_bind(), sa.table(table, sa.column("file"), sa.column("content")))
        op.drop_index(f"ix_{table}_resource", table)


def _fill(connection: sa.Connection, table: sa.TableClause) -> None:
    """Add the marks of a table's rows, some files at a time."""
    file, content = table.c.file, table.c.content
    last = ""
    while files := list(
        connection.scalars(
            sa.select(file).where(file > last).distinct().order_by(file).limit(_AT_ONCE)
        )
    ):
        found = {
            one.file: bytes(one.marks)
            for one in connection.execute(sa.select(_MARK).where(_MARK.c.file.in_(files)))
        }
        for one in connection.execute(sa.select(file, content).where(file.in_(files))):
            found[one.file] = found.get(one.file, b"") + b"".join(_marks(one.content))
        connection.execute(sa.delete(_MARK).where(_MARK.c.file.in_(files)))
        made = [{"file": one, "marks": marks} for one, marks in found.items() if marks]
        if made:
            connection.execute(sa.insert(_MARK), made)
        last = files[-1]


def _marks(content: str) -> Iterator[bytes]:
    """The marks of an item's resource and of what stands beside it."""
    whole: dict[str, Any] = json.loads(content)
    for resource in (whole["resource"], *whole["companions"]):
        if "id" in resource:
            yield zlib.crc32(resource["id"].encode()).to_bytes(4)
