"""Identity: domains, identifiers, what sources say about persons, and every link as an event."""

import sqlalchemy as sa
from alembic import op

from gateway.store.schema.append_only import protect

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Make the tables of the identity room."""
    op.create_table(
        "domain",
        sa.Column("oid", sa.Text, primary_key=True),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("facility", sa.Text, nullable=False),
        sa.Column("pattern", sa.Text, nullable=False),
    )
    op.create_table(
        "identifier",
        sa.Column("domain", sa.Text, nullable=False),
        sa.Column("value", sa.Text, nullable=False),
        sa.Column("person", sa.Text, nullable=False),
        sa.Column("survivor", sa.Text, nullable=False),
        sa.Column("since", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("domain", "value", name="pk_identifier"),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_identifier_person", "identifier", ["person", "survivor", "since"])
    op.create_table(
        "demographics",
        sa.Column("domain", sa.Text, nullable=False),
        sa.Column("value", sa.Text, nullable=False),
        sa.Column("content", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("domain", "value", name="pk_demographics"),
    )
    op.create_table(
        "person_name",
        sa.Column("domain", sa.Text, nullable=False),
        sa.Column("value", sa.Text, nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("birth", sa.Text, nullable=False),
        sa.Column("gender", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("domain", "value", "name", name="pk_person_name"),
    )
    op.create_index("ix_person_name_birth", "person_name", ["birth", "name"])
    op.create_table(
        "link_event",
        sa.Column("id", sa.Integer, primary_key=True, autoincrement=True),
        sa.Column("at", sa.Text, nullable=False),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("person", sa.Text, nullable=False),
        sa.Column("actor", sa.Text, nullable=False),
        sa.Column("content", sa.Text, nullable=False),
    )
    op.create_index("ix_link_event_person", "link_event", ["person"])
    protect(op.get_bind(), "link_event")
