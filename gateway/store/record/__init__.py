"""Rows of the record room: what was received, staged, shared, provided and erased.

Staging stands apart from the shared record (STG-01). Rows of the shared record never change:
versions are rows of their own, and triggers refuse an UPDATE (REC-02). Deleting is for `erase`.
"""

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Connection,
    Float,
    Index,
    Integer,
    LargeBinary,
    PrimaryKeyConstraint,
    Table,
    Text,
    UniqueConstraint,
    text,
)

from gateway.store.metadata import METADATA, Json, Moment

UPLOAD = Table(
    "upload",
    METADATA,
    Column("receipt", Text, primary_key=True),
    Column("sender", Text, nullable=False),
    Column("facility", Text, nullable=False, index=True),
    Column("source", Text, nullable=False),
    Column("received", Moment, nullable=False),
)
FILE = Table(
    "upload_file",
    METADATA,
    Column("id", Text, primary_key=True),
    Column("receipt", Text, nullable=False),
    Column("number", Integer, nullable=False),
    Column("facility", Text, nullable=False),
    Column("path", Text, nullable=False),
    Column("sha256", Text, nullable=False, index=True),
    Column("size", BigInteger, nullable=False),
    Column("state", Text, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("format", Text, nullable=False),
    Column("domain", Text, nullable=False),
    Column("value", Text, nullable=False),
    Column("version", Text, nullable=False),
    Column("findings", Json, nullable=False),
    Column("patient", Json),
    Column("stated", Text, nullable=False, server_default=""),
    Column("parent", Text, nullable=False, server_default=""),
    Column("part", Integer, nullable=False, server_default="0"),
    Column("spans", Json),
    Column("original", Text, nullable=False, server_default=""),
    Column("mapping", Text, nullable=False, server_default=""),
    Column("tables", Json, nullable=False, server_default="[]"),
    Column("queued", Moment, nullable=False),
    Index("ix_upload_file_parent", "parent", "part"),
    Index("ix_upload_file_receipt", "receipt", "state"),
    Index("ix_upload_file_chart", "domain", "value"),
    Index(
        "ix_upload_file_queue", "facility", "queued", "receipt", "number", "part",
        sqlite_where=text("state = 'received'"), postgresql_where=text("state = 'received'"),
    ),
    Index(
        "ix_upload_file_set_aside", "facility",
        sqlite_where=text("state = 'set-aside'"), postgresql_where=text("state = 'set-aside'"),
    ),
)  # fmt: skip
LANE = Table(
    "intake_lane",
    METADATA,
    Column("facility", Text, primary_key=True),
    Column("token", Text, nullable=False),
    Column("until", Moment, nullable=False),
    Column("served", Moment, nullable=False),
    Column("careful", Integer, nullable=False),
    Column("done", BigInteger, nullable=False, server_default="0"),
    Column("ended", Moment, nullable=False, server_default="1970-01-01T00:00:00.000000Z"),
    Column("pace", Float, nullable=False, server_default="0"),
)


def _item_columns() -> list[Column[object]]:
    """What a staged and a shared item have in common."""
    return [
        Column("id", Integer, primary_key=True, autoincrement=True),
        Column("file", Text, nullable=False, index=True),
        Column("facility", Text, nullable=False),
        Column("source", Text, nullable=False),
        Column("domain", Text, nullable=False),
        Column("value", Text, nullable=False),
        Column("category", Text, nullable=False),
        Column("key", Text, nullable=False),
        Column("version", Text, nullable=False),
        Column("cancelled", Boolean, nullable=False),
        Column("posted", Moment, nullable=False),
        Column("content", Text, nullable=False),
        Column("resource", Text, nullable=False, server_default=""),
    ]


STAGED = Table(
    "staged_item",
    METADATA,
    *_item_columns(),
    Column("custody", Boolean, nullable=False),
    UniqueConstraint("domain", "value", "key", "version", name="uq_staged_item_version"),
)
ITEM = Table(
    "item",
    METADATA,
    *_item_columns(),
    Column("registered", Moment, nullable=False),
    UniqueConstraint("domain", "value", "key", "version", name="uq_item_version"),
)
MARK = Table(
    "resource_mark",
    METADATA,
    Column("file", Text, primary_key=True),
    Column("marks", LargeBinary, nullable=False),
    sqlite_with_rowid=False,
)


def _document_columns() -> list[Column[object]]:
    """What a held and a shared document have in common."""
    return [
        Column("entry_uuid", Text, primary_key=True),
        Column("unique_id", Text, nullable=False, unique=True),
        Column("domain", Text, nullable=False),
        Column("value", Text, nullable=False),
        Column("facility", Text, nullable=False),
        Column("category", Text, nullable=False),
        Column("sha256", Text, nullable=False, index=True),
        Column("file", Text, nullable=False),
        Column("posted", Moment, nullable=False),
        Column("content", Json, nullable=False),
    ]


HELD_DOCUMENT = Table(
    "held_document",
    METADATA,
    *_document_columns(),
    Index("ix_held_document_chart", "domain", "value"),
)
DOCUMENT = Table(
    "document",
    METADATA,
    *_document_columns(),
    Column("registered", Moment, nullable=False),
    Index("ix_document_chart", "domain", "value"),
)
DEPRECATION = Table(
    "document_deprecation",
    METADATA,
    Column("entry_uuid", Text, primary_key=True),
    Column("at", Moment, nullable=False),
)
DOCUMENT_ITEM = Table(
    "document_item",
    METADATA,
    Column("entry_uuid", Text, nullable=False),
    Column("item", Integer, nullable=False, index=True),
    PrimaryKeyConstraint("entry_uuid", "item"),
)
PROVISION = Table(
    "provision",
    METADATA,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("at", Moment, nullable=False),
    Column("occasion", Text, nullable=False),
    Column("facility", Text, nullable=False, index=True),
    Column("domain", Text, nullable=False),
    Column("value", Text, nullable=False),
    Column("content", Json, nullable=False),
    Index("ix_provision_chart", "domain", "value"),
)
ERASURE = Table(
    "erasure",
    METADATA,
    Column("id", Text, primary_key=True),
    Column("at", Moment, nullable=False),
    Column("reason", Text, nullable=False),
    Column("actor", Text, nullable=False),
    Column("content", Json, nullable=False),
)
REMOVAL = Table(
    "blob_removal",
    METADATA,
    Column("sha256", Text, primary_key=True),
    Column("since", Moment, nullable=False),
)

_BLOB_LOCK = 0xB10B
_UNIQUE_LOCK = 0x01D
_LOCK_ALONE = text("SELECT pg_advisory_xact_lock(:key)")
_LOCK_UNIQUE = text("SELECT pg_advisory_xact_lock(:space, hashtext(:name))")
_LOCK_SHARED = text("SELECT pg_advisory_xact_lock_shared(:key)")


def lock_unique(db: Connection, unique_id: str) -> None:
    """Let the same document sent twice at once come one after the other (FN-804)."""
    if db.dialect.name == "postgresql":
        db.execute(_LOCK_UNIQUE, {"space": _UNIQUE_LOCK, "name": unique_id})


def lock_blobs(db: Connection, *, removing: bool) -> None:
    """Keep the sweep of unreferenced blobs and Works that refer to blobs apart until the end.

    SQLite has one writing transaction at a time, so there is nothing to lock.
    """
    if db.dialect.name == "postgresql":
        db.execute(_LOCK_ALONE if removing else _LOCK_SHARED, {"key": _BLOB_LOCK})
