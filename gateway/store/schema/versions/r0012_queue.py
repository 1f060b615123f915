"""The queue: files in the order in which they came, and whose facility's turn it is."""

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
_WAITING = sa.text("state = 'received'")


def upgrade() -> None:
    """Add the columns; files that wait keep the place that their upload has."""
    text = sa.Text
    op.add_column("upload_file", sa.Column("queued", text, nullable=False, server_default=""))
    op.execute(
        "UPDATE upload_file SET queued = coalesce((SELECT received FROM upload "
        "WHERE upload.receipt = upload_file.receipt), '1970-01-01T00:00:00.000000Z')"
    )
    op.drop_index("ix_upload_file_state", "upload_file")
    op.create_index(
        "ix_upload_file_queue", "upload_file", ["facility", "queued", "receipt", "number", "part"],
        sqlite_where=_WAITING, postgresql_where=_WAITING,
    )  # fmt: skip
    op.create_table(
        "intake_lane",
        sa.Column("facility", text, primary_key=True),
        sa.Column("token", text, nullable=False),
        sa.Column("until", text, nullable=False),
        sa.Column("served", text, nullable=False),
        sa.Column("careful", sa.Integer, nullable=False),
    )
