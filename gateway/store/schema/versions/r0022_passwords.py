"""Passwords of users, as salted hashes (CRD-01)."""

import sqlalchemy as sa
from alembic import op

revision = "0022"
down_revision = "0021"


def upgrade() -> None:
    """Make the table."""
    op.create_table(
        "password",
        sa.Column("member", sa.Text, primary_key=True),
        sa.Column("changed", sa.Text, nullable=False),
        sa.Column("content", sa.Text, nullable=False),
    )
