"""Ids that users log in with, and hand-overs by managers (CRD-05 to CRD-07)."""

import sqlalchemy as sa
from alembic import op

revision = "0026"
down_revision = "0025"


def upgrade() -> None:
    """Make the tables; a user without a row logs in by the registered name, as before."""
    op.create_table(
        "login_id",
        sa.Column("lower", sa.Text, primary_key=True),
        sa.Column("written", sa.Text, nullable=False),
        sa.Column("member", sa.Text, nullable=False),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("at", sa.Text, nullable=False),
    )
    op.create_index("ix_login_id_member", "login_id", ["member"])
    op.create_table(
        "handover",
        sa.Column("code", sa.Text, primary_key=True),
        sa.Column("member", sa.Text, nullable=False),
        sa.Column("manager", sa.Text, nullable=False),
        sa.Column("ends", sa.Text, nullable=False),
        sa.Column("shown", sa.Text, nullable=True),
    )
    op.create_index("ix_handover_member", "handover", ["member"])
    op.create_index("ix_handover_ends", "handover", ["ends"])
