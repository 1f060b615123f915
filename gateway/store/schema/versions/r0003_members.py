"""Members: facilities, certificates, contracts, withheld categories, users, and their history."""

import sqlalchemy as sa
from alembic import op

from gateway.store.schema.append_only import protect

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Make the tables of the members room."""
    op.create_table(
        "facility",
        sa.Column("name", sa.Text, primary_key=True),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("content", sa.Text, nullable=False),
    )
    op.create_table(
        "certificate",
        sa.Column("sha256", sa.Text, primary_key=True),
        sa.Column("facility", sa.Text, nullable=False),
        sa.Column("revoked", sa.Boolean, nullable=False),
    )
    op.create_index("ix_certificate_facility", "certificate", ["facility"])
    op.create_table(
        "contract",
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("facility", sa.Text, nullable=False),
        sa.Column("lab", sa.Text, nullable=False),
        sa.Column("starts", sa.Text, nullable=False),
        sa.Column("ends", sa.Text, nullable=False),
    )
    op.create_index("ix_contract_facility", "contract", ["facility"])
    op.create_table(
        "withheld_category",
        sa.Column("facility", sa.Text, nullable=False),
        sa.Column("category", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("facility", "category", name="pk_withheld_category"),
    )
    op.create_table(
        "member",
        sa.Column("name", sa.Text, primary_key=True),
        sa.Column("facility", sa.Text, nullable=False),
        sa.Column("position", sa.Text, nullable=False),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("content", sa.Text, nullable=False),
    )
    op.create_index("ix_member_facility", "member", ["facility"])
    op.create_table(
        "member_event",
        sa.Column("id", sa.Integer, primary_key=True, autoincrement=True),
        sa.Column("at", sa.Text, nullable=False),
        sa.Column("subject", sa.Text, nullable=False),
        sa.Column("what", sa.Text, nullable=False),
        sa.Column("actor", sa.Text, nullable=False),
        sa.Column("content", sa.Text, nullable=False),
    )
    op.create_index("ix_member_event_subject", "member_event", ["subject"])
    protect(op.get_bind(), "member_event")
