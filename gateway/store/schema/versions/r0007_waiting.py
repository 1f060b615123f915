"""Documents that wait for another verification (RD-23)."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    """Make the table; its rows go with their files."""
    op.create_table(
        "document_waiting",
        sa.Column("file", sa.Text, nullable=False),
        sa.Column("entry", sa.Text, nullable=False),
        sa.Column("tried", sa.Text, nullable=False),
        sa.Column("attempts", sa.Integer, nullable=False),
        sa.PrimaryKeyConstraint("file", name="pk_document_waiting"),
        sa.ForeignKeyConstraint(
            ["file"], ["upload_file.id"], ondelete="CASCADE",
            name="fk_document_waiting_file_upload_file",
        ),
    )  # fmt: skip
    op.create_index("ix_document_waiting_tried", "document_waiting", ["tried"])
