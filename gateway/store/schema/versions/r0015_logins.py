"""Cards by which users log in, and who is logged in (SIG-03, SIG-04, K-04)."""

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"


def upgrade() -> None:
    """Make the tables of cards and sessions."""
    op.create_table(
        "card",
        sa.Column("key", sa.Text, primary_key=True),
        sa.Column("member", sa.Text, nullable=False),
        sa.Column("content", sa.Text, nullable=False),
    )
    op.create_index("ix_card_member", "card", ["member"])
    op.create_table(
        "session",
        sa.Column("token", sa.Text, primary_key=True),
        sa.Column("member", sa.Text, nullable=False),
        sa.Column("began", sa.Text, nullable=False),
        sa.Column("used", sa.Text, nullable=False),
        sa.Column("ends", sa.Text, nullable=False),
        sa.Column("content", sa.Text, nullable=False),
    )
    op.create_index("ix_session_member", "session", ["member"])
    op.create_index("ix_session_ends", "session", ["ends"])
