"""Statements on reports about signatures: what verification found in a received file (SIG-06)."""

from collections import defaultdict
from collections.abc import Iterable
from typing import Any

import orjson
from sqlalchemy import Column, Connection, ForeignKey, PrimaryKeyConstraint, Table, Text, select

from gateway.store import raw
from gateway.store.metadata import METADATA, Json
from gateway.store.record import FILE

REPORT = Table(
    "signature_report",
    METADATA,
    Column("file", Text, ForeignKey(FILE.c.id, ondelete="CASCADE"), nullable=False),
    Column("at", Text, nullable=False),
    Column("report", Json, nullable=False),
    PrimaryKeyConstraint("file", "at"),
)
_CHUNK = 500
_DELETE = "DELETE FROM signature_report WHERE file = ? AND at = ?"
_OF_FILE = "SELECT at, report FROM signature_report WHERE file = ? ORDER BY at"
Reports = dict[str, dict[str, Any]]
"Place in a file to the report about it; the empty place is the file itself."


def insert_report(db: Connection, file: str, at: str, report: dict[str, Any]) -> None:
    """Keep the newest report about one place of a file; it goes when the file goes."""
    raw.run(db, _DELETE, (file, at))
    raw.insert(db, REPORT, ("file", "at", "report"), [(file, at, orjson.dumps(report).decode())])


def select_reports(db: Connection, file: str) -> Reports:
    """The reports about one file."""
    return {at: orjson.loads(report) for at, report in raw.rows(db, _OF_FILE, (file,))}


def select_reports_of_files(db: Connection, files: Iterable[str]) -> dict[str, Reports]:
    """The reports about several files; a file without a signature is absent."""
    wanted = sorted(set(files))
    found: dict[str, Reports] = defaultdict(dict)
    for start in range(0, len(wanted), _CHUNK):
        part = wanted[start : start + _CHUNK]
        statement = select(REPORT).where(REPORT.c.file.in_(part)).order_by(REPORT.c.at)
        for file, at, report in db.execute(statement):
            found[file][at] = report
    return dict(found)


def select_reports_of_receipt(
    db: Connection, receipt: str, numbers: tuple[int, int]
) -> dict[str, Reports]:
    """The reports about files of an upload with `numbers` from one to another."""
    found: dict[str, Reports] = defaultdict(dict)
    statement = (
        select(REPORT.c.file, REPORT.c.at, REPORT.c.report)
        .join(FILE, FILE.c.id == REPORT.c.file)
        .where(FILE.c.receipt == receipt, FILE.c.number.between(*numbers))
        .order_by(REPORT.c.at)
    )
    for file, at, report in db.execute(statement):
        found[file][at] = report
    return dict(found)
