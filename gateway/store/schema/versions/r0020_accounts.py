"""Accounts at an OpenID provider by which users log in, and log-ins that are under way (SIG-03)."""

import sqlalchemy as sa
from alembic import op

revision = "0020"
down_revision = "0019"


def upgrade() -> None:
    """Make the tables of accounts and of attempts."""
    op.create_table(
        "account",
        sa.Column("key", sa.Text, primary_key=True),
        sa.Column("member", sa.Text, nullable=False),
        sa.Column("content", sa.Text, nullable=False),
    )
    op.create_index("ix_account_member", "account", ["member"])
    op.create_table(
        "login_attempt",
        sa.Column("state", sa.Text, primary_key=True),
        sa.Column("ends", sa.Text, nullable=False),
        sa.Column("content", sa.Text, nullable=False),
    )
    op.create_index("ix_login_attempt_ends", "login_attempt", ["ends"])
