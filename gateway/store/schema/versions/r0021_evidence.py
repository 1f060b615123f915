"""What verdicts on signatures rest on: each piece once, and who refers to it."""

import sqlalchemy as sa
from alembic import op

from gateway.store.schema.append_only import refuse_updates

revision = "0021"
down_revision = "0020"


def upgrade() -> None:
    """Make the tables; verdicts that came before have no evidence."""
    op.create_table(
        "evidence",
        sa.Column("sha256", sa.Text, primary_key=True),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("kept", sa.Text, nullable=False),
        sa.Column("content", sa.LargeBinary, nullable=False),
    )
    refuse_updates(op.get_bind(), "evidence")
    op.create_table(
        "evidence_use",
        sa.Column("owner", sa.Text, nullable=False),
        sa.Column("place", sa.Text, nullable=False),
        sa.Column("sha256", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("owner", "place", "sha256", name="pk_evidence_use"),
    )
    op.create_index("ix_evidence_use_sha256", "evidence_use", ["sha256"])
