"""Every revocation list that came, for good, and how its sources are."""

import sqlalchemy as sa
from alembic import op

from gateway.store.schema.append_only import protect

revision = "0019"
down_revision = "0018"


def upgrade() -> None:
    """Make the tables."""
    text = sa.Text
    op.create_table(
        "revocation_list",
        sa.Column("id", sa.Integer, primary_key=True, autoincrement=True),
        sa.Column("sha256", text, nullable=False),
        sa.Column("series", text, nullable=False),
        sa.Column("issuer", text, nullable=False),
        sa.Column("number", text, nullable=False),
        sa.Column("since", text, nullable=False),
        sa.Column("until", text, nullable=False),
        sa.Column("received", text, nullable=False),
        sa.Column("source", text, nullable=False),
        sa.Column("entries", sa.Integer, nullable=False),
        sa.Column("keeps", text, nullable=False),
        sa.Column("anomalies", text, nullable=False),
        sa.Column("content", sa.LargeBinary, nullable=False),
        sa.UniqueConstraint("sha256", name="uq_revocation_list_sha256"),
    )
    op.create_index("ix_revocation_list_series", "revocation_list", ["series", "since"])
    protect(op.get_bind(), "revocation_list")
    op.create_table(
        "revocation_source",
        sa.Column("name", text, primary_key=True),
        sa.Column("due", text, nullable=False),
        sa.Column("tried", text),
        sa.Column("fetched", text),
        sa.Column("failures", sa.Integer, nullable=False),
        sa.Column("problem", text, nullable=False),
        sa.Column("japanese", text, nullable=False),
        sa.Column("series", text, nullable=False),
        sa.Column("alarmed", text),
    )
