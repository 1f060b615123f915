"""Parts of a file that is about several people: one row each, beside the file they are cut from."""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"


def upgrade() -> None:
    """Add the columns; files that came before are whole."""
    text = sa.Text
    op.add_column("upload_file", sa.Column("parent", text, nullable=False, server_default=""))
    op.add_column("upload_file", sa.Column("part", sa.Integer, nullable=False, server_default="0"))
    op.add_column("upload_file", sa.Column("spans", text))
    op.add_column("upload_file", sa.Column("original", text, nullable=False, server_default=""))
    op.create_index("ix_upload_file_parent", "upload_file", ["parent", "part"])
