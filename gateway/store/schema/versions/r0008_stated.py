"""The chart id that a sender states beside a file whose format carries none."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    """Add the column; files that came before state none."""
    op.add_column(
        "upload_file", sa.Column("stated", sa.Text, nullable=False, server_default="")
    )  # fmt: skip
