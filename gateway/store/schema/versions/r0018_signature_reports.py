"""What verification found about the signatures of received files (SIG-06)."""

import sqlalchemy as sa
from alembic import op

revision = "0018"
down_revision = "0017"


def upgrade() -> None:
    """Make the table; its rows go with their files."""
    op.create_table(
        "signature_report",
        sa.Column("file", sa.Text, nullable=False),
        sa.Column("at", sa.Text, nullable=False),
        sa.Column("report", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("file", "at", name="pk_signature_report"),
        sa.ForeignKeyConstraint(
            ["file"], ["upload_file.id"], ondelete="CASCADE",
            name="fk_signature_report_file_upload_file",
        ),
    )  # fmt: skip
