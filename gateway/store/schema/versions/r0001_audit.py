"""The audit trail: events, whom they concern, and the seals of the chain."""

import sqlalchemy as sa
from alembic import op

from gateway.store.schema.append_only import protect

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Make the three append-only tables."""
    op.create_table(
        "audit_event",
        sa.Column("id", sa.Integer, primary_key=True, autoincrement=True),
        sa.Column("key", sa.Text, nullable=False),
        sa.Column("at", sa.Text, nullable=False),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("outcome", sa.Integer, nullable=False),
        sa.Column("request", sa.Text, nullable=False),
        sa.Column("facility", sa.Text, nullable=False),
        sa.Column("content", sa.Text, nullable=False),
        sa.UniqueConstraint("key", name="uq_audit_event_key"),
    )
    op.create_index("ix_audit_event_request", "audit_event", ["request"])
    op.create_table(
        "audit_patient",
        sa.Column("domain", sa.Text, nullable=False),
        sa.Column("value", sa.Text, nullable=False),
        sa.Column("event", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("domain", "value", "event", name="pk_audit_patient"),
    )
    op.create_table(
        "audit_seal",
        sa.Column("sequence", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("event", sa.Integer, nullable=False),
        sa.Column("hash", sa.Text, nullable=False),
        sa.UniqueConstraint("event", name="uq_audit_seal_event"),
    )
    for table in ("audit_event", "audit_patient", "audit_seal"):
        protect(op.get_bind(), table)
