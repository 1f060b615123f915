"""Schema revisions, forward only (Alembic)."""
