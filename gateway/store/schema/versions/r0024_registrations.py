"""Signed documents that stand for registrations, with what verification said of them (SIG-05)."""

import sqlalchemy as sa
from alembic import op

from gateway.store.schema.append_only import protect

revision = "0024"
down_revision = "0023"


def upgrade() -> None:
    """Make the table: proof, like the ledger that it belongs to."""
    op.create_table(
        "registration_document",
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("person", sa.Text, nullable=False),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("at", sa.Text, nullable=False),
        sa.Column("domain", sa.Text, nullable=False),
        sa.Column("value", sa.Text, nullable=False),
        sa.Column("sha256", sa.Text, nullable=False),
        sa.Column("report", sa.Text, nullable=False),
        sa.UniqueConstraint("sha256", name="uq_registration_document_sha256"),
    )
    op.create_index("ix_registration_document_person", "registration_document", ["person"])
    protect(op.get_bind(), "registration_document")
