"""Which resource an item is, and which mapping made what of a file: for tracing them back."""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"


def upgrade() -> None:
    """Add the columns. Rows that came before are found by their content (they never change)."""
    for table in ("staged_item", "item"):
        op.add_column(table, sa.Column("resource", sa.Text, nullable=False, server_default=""))
        op.create_index(f"ix_{table}_resource", table, ["resource"])
    op.add_column("upload_file", sa.Column("mapping", sa.Text, nullable=False, server_default=""))
