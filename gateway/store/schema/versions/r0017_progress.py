"""How fast a facility's files are worked on, what is set aside, and what drop folders are like."""

import sqlalchemy as sa
from alembic import op

revision = "0017"
down_revision = "0016"
_ASIDE = sa.text("state = 'set-aside'")
_EPOCH = "1970-01-01T00:00:00.000000Z"


def upgrade() -> None:
    """Add the columns, the table, and the indexes by which progress is counted."""
    text, number = sa.Text, sa.BigInteger
    op.add_column("intake_lane", sa.Column("done", number, nullable=False, server_default="0"))
    op.add_column("intake_lane", sa.Column("ended", text, nullable=False, server_default=_EPOCH))
    op.add_column("intake_lane", sa.Column("pace", sa.Float, nullable=False, server_default="0"))
    op.drop_index("ix_upload_file_receipt", "upload_file")
    op.create_index("ix_upload_file_receipt", "upload_file", ["receipt", "state"])
    op.create_index(
        "ix_upload_file_set_aside", "upload_file", ["facility"],
        sqlite_where=_ASIDE, postgresql_where=_ASIDE,
    )  # fmt: skip
    op.create_table(
        "watched_folder",
        sa.Column("folder", text, primary_key=True),
        sa.Column("facility", text, nullable=False),
        sa.Column("looked", text, nullable=False),
        sa.Column("seen", number, nullable=False),
        sa.Column("taken", number, nullable=False),
        sa.Column("refused", number, nullable=False),
        sa.Column("unfinished", number, nullable=False),
    )
