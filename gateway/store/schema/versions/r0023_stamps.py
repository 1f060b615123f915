"""Archive time-stamps of the gateway's own, beside the documents that they are for."""

import sqlalchemy as sa
from alembic import op

from gateway.store.schema.append_only import refuse_updates

revision = "0023"
down_revision = "0022"


def upgrade() -> None:
    """Make the table; a renewed stamp is a row of its own."""
    op.create_table(
        "document_stamp",
        sa.Column("owner", sa.Text, nullable=False),
        sa.Column("number", sa.Integer, nullable=False),
        sa.Column("at", sa.Text, nullable=False),
        sa.Column("ends", sa.Text, nullable=False),
        sa.Column("stamped", sa.Text, nullable=False),
        sa.Column("token", sa.LargeBinary, nullable=False),
        sa.PrimaryKeyConstraint("owner", "number", name="pk_document_stamp"),
    )
    refuse_updates(op.get_bind(), "document_stamp")
