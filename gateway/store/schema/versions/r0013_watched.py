"""Drop folders: which of their files were taken."""

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"


def upgrade() -> None:
    """Make the table."""
    text = sa.Text
    op.create_table(
        "watched_file",
        sa.Column("folder", text, nullable=False),
        sa.Column("path", text, nullable=False),
        sa.Column("size", sa.BigInteger, nullable=False),
        sa.Column("modified", sa.BigInteger, nullable=False),
        sa.Column("receipt", text, nullable=False),
        sa.Column("refused", text, nullable=False),
        sa.PrimaryKeyConstraint("folder", "path", name="pk_watched_file"),
    )
