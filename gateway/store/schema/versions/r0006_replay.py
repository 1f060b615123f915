"""What was seen before: messages and assertions (B-12, D-06)."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    """Make the replay memory."""
    op.create_table(
        "message_seen",
        sa.Column("sender", sa.Text, nullable=False),
        sa.Column("id", sa.Text, nullable=False),
        sa.Column("digest", sa.Text, nullable=False),
        sa.Column("answer", sa.LargeBinary, nullable=False),
        sa.Column("at", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("sender", "id", name="pk_message_seen"),
    )
    op.create_index("ix_message_seen_at", "message_seen", ["at"])
    op.create_table(
        "assertion_seen",
        sa.Column("issuer", sa.Text, nullable=False),
        sa.Column("id", sa.Text, nullable=False),
        sa.Column("certificate", sa.Text, nullable=False),
        sa.Column("until", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("issuer", "id", name="pk_assertion_seen"),
    )
    op.create_index("ix_assertion_seen_until", "assertion_seen", ["until"])
