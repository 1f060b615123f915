"""Code masters that the operator loads, versions side by side, and what a file was read with."""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"


def upgrade() -> None:
    """Make the tables; files that came before were read without masters."""
    op.create_table(
        "code_master",
        sa.Column("id", sa.Integer, primary_key=True, autoincrement=True),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("version", sa.Text, nullable=False),
        sa.Column("facility", sa.Text, nullable=False),
        sa.Column("starts", sa.Text, nullable=False),
        sa.Column("ends", sa.Text, nullable=False),
        sa.Column("digest", sa.Text, nullable=False),
        sa.Column("entries", sa.Integer, nullable=False),
        sa.Column("loaded_by", sa.Text, nullable=False),
        sa.Column("loaded", sa.Text, nullable=False),
        sa.UniqueConstraint("kind", "name", "version", "facility", name="uq_code_master_version"),
    )
    op.create_table(
        "code_page",
        sa.Column("master", sa.Integer, nullable=False),
        sa.Column("number", sa.Integer, nullable=False),
        sa.Column("content", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("master", "number", name="pk_code_page"),
    )
    op.add_column("upload_file", sa.Column("tables", sa.Text, nullable=False, server_default="[]"))
