"""Control ids of HL7 v2 messages that were taken, with their answers (E-03)."""

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"


def upgrade() -> None:
    """Make the memory of control ids."""
    op.create_table(
        "control_seen",
        sa.Column("sender", sa.Text, nullable=False),
        sa.Column("id", sa.Text, nullable=False),
        sa.Column("digest", sa.Text, nullable=False),
        sa.Column("answers", sa.LargeBinary, nullable=False),
        sa.Column("at", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("sender", "id", name="pk_control_seen"),
    )
    op.create_index("ix_control_seen_at", "control_seen", ["at"])
