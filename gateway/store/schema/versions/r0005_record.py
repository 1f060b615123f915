"""The record: uploads, staging, the shared record, provision and erasure."""

import sqlalchemy as sa
from alembic import op

from gateway.store.schema.append_only import protect, refuse_updates

revision = "0005"
down_revision = "0004"


def _item(name: str, *more: sa.Column[object]) -> None:
    op.create_table(
        name,
        sa.Column("id", sa.Integer, primary_key=True, autoincrement=True),
        sa.Column("file", sa.Text, nullable=False),
        sa.Column("facility", sa.Text, nullable=False),
        sa.Column("source", sa.Text, nullable=False),
        sa.Column("domain", sa.Text, nullable=False),
        sa.Column("value", sa.Text, nullable=False),
        sa.Column("category", sa.Text, nullable=False),
        sa.Column("key", sa.Text, nullable=False),
        sa.Column("version", sa.Text, nullable=False),
        sa.Column("cancelled", sa.Boolean, nullable=False),
        sa.Column("posted", sa.Text, nullable=False),
        sa.Column("content", sa.Text, nullable=False),
        *more,
        sa.UniqueConstraint("domain", "value", "key", "version", name=f"uq_{name}_version"),
    )
    op.create_index(f"ix_{name}_file", name, ["file"])


def _document(name: str, *more: sa.Column[object]) -> None:
    op.create_table(
        name,
        sa.Column("entry_uuid", sa.Text, primary_key=True),
        sa.Column("unique_id", sa.Text, nullable=False),
        sa.Column("domain", sa.Text, nullable=False),
        sa.Column("value", sa.Text, nullable=False),
        sa.Column("facility", sa.Text, nullable=False),
        sa.Column("category", sa.Text, nullable=False),
        sa.Column("sha256", sa.Text, nullable=False),
        sa.Column("file", sa.Text, nullable=False),
        sa.Column("posted", sa.Text, nullable=False),
        sa.Column("content", sa.Text, nullable=False),
        *more,
        sa.UniqueConstraint("unique_id", name=f"uq_{name}_unique_id"),
    )
    op.create_index(f"ix_{name}_sha256", name, ["sha256"])
    op.create_index(f"ix_{name}_chart", name, ["domain", "value"])


def upgrade() -> None:
    """Make the tables of the record room."""
    op.create_table(
        "upload",
        sa.Column("receipt", sa.Text, primary_key=True),
        sa.Column("sender", sa.Text, nullable=False),
        sa.Column("facility", sa.Text, nullable=False),
        sa.Column("source", sa.Text, nullable=False),
        sa.Column("received", sa.Text, nullable=False),
    )
    op.create_index("ix_upload_facility", "upload", ["facility"])
    op.create_table(
        "upload_file",
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("receipt", sa.Text, nullable=False),
        sa.Column("number", sa.Integer, nullable=False),
        sa.Column("facility", sa.Text, nullable=False),
        sa.Column("path", sa.Text, nullable=False),
        sa.Column("sha256", sa.Text, nullable=False),
        sa.Column("size", sa.BigInteger, nullable=False),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("attempts", sa.Integer, nullable=False),
        sa.Column("format", sa.Text, nullable=False),
        sa.Column("domain", sa.Text, nullable=False),
        sa.Column("value", sa.Text, nullable=False),
        sa.Column("version", sa.Text, nullable=False),
        sa.Column("findings", sa.Text, nullable=False),
        sa.Column("patient", sa.Text),
    )
    op.create_index("ix_upload_file_receipt", "upload_file", ["receipt"])
    op.create_index("ix_upload_file_sha256", "upload_file", ["sha256"])
    op.create_index("ix_upload_file_state", "upload_file", ["state", "id"])
    op.create_index("ix_upload_file_chart", "upload_file", ["domain", "value"])
    _item("staged_item", sa.Column("custody", sa.Boolean, nullable=False))
    _item("item", sa.Column("registered", sa.Text, nullable=False))
    _document("held_document")
    _document("document", sa.Column("registered", sa.Text, nullable=False))
    op.create_table(
        "document_deprecation",
        sa.Column("entry_uuid", sa.Text, primary_key=True),
        sa.Column("at", sa.Text, nullable=False),
    )
    op.create_table(
        "document_item",
        sa.Column("entry_uuid", sa.Text, nullable=False),
        sa.Column("item", sa.Integer, nullable=False),
        sa.PrimaryKeyConstraint("entry_uuid", "item", name="pk_document_item"),
    )
    op.create_index("ix_document_item_item", "document_item", ["item"])
    op.create_table(
        "provision",
        sa.Column("id", sa.Integer, primary_key=True, autoincrement=True),
        sa.Column("at", sa.Text, nullable=False),
        sa.Column("occasion", sa.Text, nullable=False),
        sa.Column("facility", sa.Text, nullable=False),
        sa.Column("domain", sa.Text, nullable=False),
        sa.Column("value", sa.Text, nullable=False),
        sa.Column("content", sa.Text, nullable=False),
    )
    op.create_index("ix_provision_facility", "provision", ["facility"])
    op.create_index("ix_provision_chart", "provision", ["domain", "value"])
    op.create_table(
        "erasure",
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("at", sa.Text, nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("actor", sa.Text, nullable=False),
        sa.Column("content", sa.Text, nullable=False),
    )
    op.create_table(
        "blob_removal",
        sa.Column("sha256", sa.Text, primary_key=True),
        sa.Column("since", sa.Text, nullable=False),
    )
    for table in ("provision", "erasure"):
        protect(op.get_bind(), table)
    for table in ("item", "document", "document_deprecation", "document_item"):
        refuse_updates(op.get_bind(), table)
