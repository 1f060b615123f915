"""Consent: the ledger of grants, exclusions and withdrawals, append-only."""

import sqlalchemy as sa
from alembic import op

from gateway.store.schema.append_only import protect

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Make the ledger."""
    op.create_table(
        "consent_entry",
        sa.Column("person", sa.Text, nullable=False),
        sa.Column("number", sa.Integer, nullable=False, autoincrement=False),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("at", sa.Text, nullable=False),
        sa.Column("actor", sa.Text, nullable=False),
        sa.Column("content", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("person", "number", name="pk_consent_entry"),
        sqlite_with_rowid=False,
    )
    protect(op.get_bind(), "consent_entry")
