"""Statements on uploads and their files: what came, by whom, and what became of it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

import orjson
from sqlalchemy import Connection, delete, func, insert, literal_column, select

from gateway.store import raw
from gateway.store.metadata import read_moment
from gateway.store.record import FILE, ITEM, STAGED, UPLOAD
from gateway.store.record.marks import delete_marks
from gateway.wire import fhir

RECEIVED, STANDARDIZED, REFUSED = "received", "standardized", "refused"
SET_ASIDE, DUPLICATE = "set-aside", "duplicate"
"States of a file, as a receipt tells them (`INTERFACES.md` section 7)."
SPLIT, PENDING = "split", "pending"
"A file whose parts are worked on in its place; a part whose file is not wholly cut yet."
_UPLOAD = "SELECT receipt, sender, facility, source, received FROM upload WHERE receipt = ?"
_STATE = "SELECT state, attempts FROM upload_file WHERE id = ?"
_UPDATE = (
    "UPDATE upload_file SET state = ?, attempts = ?, format = ?, domain = ?, value = ?, "
    "version = ?, findings = ?, patient = ?, mapping = ?, tables = ? WHERE id = ?"
)
_TWIN = (
    "SELECT id FROM upload_file WHERE sha256 = ? AND facility = ? AND path = ? AND stated = ? "
    "AND state IN ('standardized', 'split') AND coalesce(parent, '') = '' AND id <> ? LIMIT 1"
)
"By its digest: without `coalesce` SQLite takes the index of parents, and looks at every file."


@dataclass(frozen=True, slots=True)
class UploadRow:
    """One upload."""

    receipt: str
    sender: str
    facility: str
    source: str
    received: datetime


class FileRow(NamedTuple):
    """One file of an upload."""

    id: str
    receipt: str
    number: int
    facility: str
    path: str
    sha256: str
    size: int
    queued: datetime
    "Its place in the queue of its facility: when its upload was received."
    state: str = RECEIVED
    attempts: int = 0
    format: str = ""
    domain: str = ""
    value: str = ""
    version: str = ""
    findings: Sequence[dict[str, Any]] = ()
    patient: dict[str, Any] | None = None
    "JP_Patient made from the file."
    stated: str = ""
    "Chart id that the sender states beside the file; empty where it states none."
    parent: str = ""
    "Of a part, the file it was cut from; a part has the path, the blob and the number of that."
    part: int = 0
    "Of a part, its place in the file, from 1."
    spans: dict[str, Any] | None = None
    "Of a part: `own` and `shared` lines as [row, start, end], and the `sha256` of their bytes."
    original: str = ""
    "Digest of the bytes as received, where lines of them were blanked since (erasure)."
    mapping: str = ""
    "Version of the mapping that made its items."
    tables: Sequence[str] = ()
    "Loaded code masters and maps that were used: name, version, digest."

    @property
    def received_sha256(self) -> str:
        """Digest of the bytes as received."""
        return self.original or self.sha256


NAMES = ", ".join(FileRow._fields)
"The columns of a file in the order that `read_row` takes."
_QUEUED = FileRow._fields.index("queued")
_JSON = [FileRow._fields.index(name) for name in ("findings", "patient", "spans", "tables")]


def _files(db: Connection, where: str, values: Sequence[object]) -> list[FileRow]:
    """The files of which this holds."""
    statement = f"SELECT {NAMES} FROM upload_file WHERE {where}"  # noqa: S608
    return [read_row(row) for row in raw.rows(db, statement, values)]


def insert_upload(db: Connection, row: UploadRow, files: Sequence[FileRow]) -> None:
    """Add an upload and its files."""
    db.execute(
        insert(UPLOAD).values(
            receipt=row.receipt, sender=row.sender, facility=row.facility, source=row.source,
            received=row.received,
        )
    )  # fmt: skip
    insert_files(db, files)


def insert_files(db: Connection, files: Sequence[FileRow]) -> None:
    """Add files of an upload, or parts of a file."""
    db.execute(
        insert(FILE),
        [
            {
                "id": file.id, "receipt": file.receipt, "number": file.number,
                "facility": file.facility, "path": file.path, "sha256": file.sha256,
                "size": file.size, "state": file.state, "attempts": file.attempts,
                "format": file.format, "domain": file.domain, "value": file.value,
                "version": file.version, "findings": list(file.findings),
                "patient": file.patient, "stated": file.stated, "parent": file.parent,
                "part": file.part, "spans": file.spans, "original": file.original,
                "mapping": file.mapping, "tables": list(file.tables), "queued": file.queued,
            }
            for file in files
        ],
    )  # fmt: skip


def select_upload(db: Connection, receipt: str) -> UploadRow | None:
    """One upload."""
    found = raw.rows(db, _UPLOAD, (receipt,))
    if not found:
        return None
    receipt, sender, facility, source, received = found[0]
    return UploadRow(receipt, sender, facility, source, read_moment(received))


def select_files(
    db: Connection, receipt: str, *, first: int = 0, most: int | None = None
) -> list[FileRow]:
    """The files of one upload, in the order in which they came; without their parts."""
    where = "receipt = ? AND parent = '' AND number >= ? ORDER BY number"
    if most is None:
        return _files(db, where, (receipt, first))
    return _files(db, where + " LIMIT ?", (receipt, first, most))


def count_files(db: Connection, receipt: str) -> int:
    """How many files an upload has, without their parts."""
    statement = select(func.count()).where(FILE.c.receipt == receipt, FILE.c.parent == "")
    return int(db.execute(statement).scalar_one())


def select_file(db: Connection, file: str, *, locking: bool = False) -> FileRow | None:
    """One file; `locking` keeps others from working on it until this Work ends."""
    found = _files(db, "id = ?" + (raw.locking(db) if locking else ""), (file,))
    return found[0] if found else None


def count_received(db: Connection) -> int:
    """How many files wait."""
    statement = select(func.count()).select_from(FILE).where(FILE.c.state == RECEIVED)
    return int(db.execute(statement).scalar_one())


def select_again(db: Connection, known: FileRow) -> FileRow | None:
    """A file as it is now, kept from others until this Work ends; only its state may be new."""
    found = raw.rows(db, _STATE + raw.locking(db), (known.id,))
    if not found:
        return None
    state, attempts = found[0]
    if (state, attempts) == (known.state, known.attempts):
        return known
    return known._replace(state=state, attempts=attempts)


def update_file(db: Connection, row: FileRow) -> None:
    """Let a file be as `row` says."""
    patient = None if row.patient is None else fhir.dumps(row.patient).decode()
    raw.run(
        db,
        _UPDATE,
        (
            row.state, row.attempts, row.format, row.domain, row.value, row.version,
            _written(row.findings), patient, row.mapping, _written(row.tables), row.id,
        ),
    )  # fmt: skip


def select_twin(db: Connection, file: FileRow) -> str | None:
    """Another file of the same facility, path and bytes that was standardized before (STG-04)."""
    found = raw.rows(db, _TWIN, (file.sha256, file.facility, file.path, file.stated, file.id))
    return str(found[0][0]) if found else None


def select_waiting_parts(db: Connection, file: FileRow, format: str, key: str) -> list[FileRow]:
    """Files of the same facility and stated chart id that wait as parts of one whole."""
    return _files(
        db,
        "state = ? AND facility = ? AND stated = ? AND format = ? AND substr(version, 1, ?) = ? "
        "AND id <> ? ORDER BY id",
        (SET_ASIDE, file.facility, file.stated, format, len(key), key, file.id),
    )


def count_items(
    db: Connection, receipt: str, numbers: tuple[int, int]
) -> dict[str, tuple[int, int]]:
    """File to how many of its items are staged and how many were promoted, parts included.

    Of the files with `numbers` from one to another.
    """
    found: dict[str, tuple[int, int]] = {}
    whole = func.coalesce(func.nullif(FILE.c.parent, literal_column("''")), FILE.c.id)
    for place, table in enumerate((STAGED, ITEM)):
        rows = db.execute(
            select(whole, func.count())
            .select_from(table)
            .join(FILE, FILE.c.id == table.c.file)
            .where(FILE.c.receipt == receipt, FILE.c.number.between(*numbers))
            .group_by(whole)
        )
        for file, count in rows:
            before = found.get(file, (0, 0))
            found[file] = (count, before[1]) if place == 0 else (before[0], count)
    return found


def select_files_of_chart(db: Connection, domain: str, value: str) -> list[FileRow]:
    """Every file about one chart id."""
    return _files(db, "domain = ? AND value = ? ORDER BY id", (str(domain), value))


def delete_file(db: Connection, file: str) -> None:
    """Forget one file, and what it made."""
    delete_marks(db, file)
    db.execute(delete(FILE).where(FILE.c.id == file))


def read_row(values: Sequence[Any]) -> FileRow:
    """A row as the driver gives it, of the columns `NAMES`."""
    row = [*values]
    row[_QUEUED] = read_moment(row[_QUEUED])
    for place in _JSON:
        row[place] = _read(row[place])
    return FileRow._make(row)


def _written(values: Sequence[Any]) -> str:
    return orjson.dumps([*values]).decode() if values else "[]"


def _read(text: Any) -> Any:
    return text if text is None else [] if text == "[]" else orjson.loads(text)
