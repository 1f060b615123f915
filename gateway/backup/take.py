"""Taking a backup while the gateway serves: everything acknowledged before it began is in it.

Rows come from one still view of the database. A document's bytes are placed before its row is
committed and never change, so every document that the view refers to is there to be copied, unless
it was erased since; then the list of erasures takes its rows away again at the restore (M-09).
"""

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any
from zlib import compress

import orjson

from gateway.audit import chain
from gateway.audit.door import Door
from gateway.backup import archive
from gateway.backup.archive import Writer
from gateway.errors import Inconsistent
from gateway.model.audit import EventKind
from gateway.model.caller import Caller
from gateway.record import removal
from gateway.settings import Settings
from gateway.store import copy
from gateway.store.blobs import Blobs, Damaged
from gateway.store.files import fsync_folder
from gateway.store.metadata import write_moment
from gateway.store.work import Work

FOLDERS = ("policy", "peers", "mappings", "pki")
"Folders beside the settings file whose files go along, private keys apart."
_PRIVATE = (b"PRIVATE KEY-----", b"AGE-SECRET-KEY-")
_SECRET_NAMES = frozenset({".key", ".p12", ".pfx", ".jks"})
_LARGEST_FILE = 16 * 1024 * 1024


@dataclass(slots=True, kw_only=True)
class Taken:
    """What a backup holds."""

    file: str
    at: datetime
    "Its end point: whatever was acknowledged before is in it."
    rows: int = 0
    documents: int = 0
    bytes: int = 0
    "Of the documents."
    sealed: int = 0
    "Audit records in the chain."
    sha256: str = ""
    "Of the members, as the manifest has it."
    gone: list[str] = field(default_factory=list)
    "Documents erased while the backup was taken."
    damaged: list[str] = field(default_factory=list)
    "Documents that are missing or altered in the store: they need somebody."


def take(
    door: Door,
    blobs: Blobs,
    settings: Settings,
    caller: Caller,
    target: Path,
    to: tuple[str, ...],
    *,
    product: str,
    schema: str,
    tell: Callable[[int], Callable[[], None]],
) -> Taken:
    """Write the backup `target`; its event is durable before the file has its name.

    `tell` hears how many steps there are and gives what is called at each.
    """
    keys = archive.recipients(to)
    if target.exists():
        raise Inconsistent("the file exists: name a new one", "同名のファイルがあります",
                           at=target.name)  # fmt: skip
    door.seal()
    with archive.written(target, keys) as (writer, draft):
        with door.work(EventKind.BACKUP, caller, reading=True, still=True) as work:
            taken = Taken(file=target.name, at=work.now)
            digests = removal.referenced(work)
            step = tell(len(digests) + len(copy.tables()))
            _settings(writer, settings)
            tables = {str(table.name): _rows(writer, work, table, step) for table in copy.tables()}
            taken.rows = sum(table["rows"] for table in tables.values())
            for digest in digests:
                _document(writer, door, blobs, digest, taken)
                step()
            verified = chain.head(work.db)
            taken.sealed = verified.sequence if verified else 0
            manifest = {
                "format": archive.FORMAT, "product": product, "schema": schema,
                "home": str(work.community.home), "network": work.policy.network,
                "at": write_moment(work.now), "tables": tables, "documents": taken.documents,
                "bytes": taken.bytes, "gone": taken.gone, "damaged": taken.damaged,
                "chain": {"sequence": taken.sealed, "hash": verified.hash if verified else ""},
            }  # fmt: skip
            taken.sha256 = writer.end(
                manifest, lambda body: chain.sign(settings.audit.checkpoints, body)
            )
            work.trail.objects.append(f"backup:{taken.sha256}")
            work.trail.detail.update(
                rows=taken.rows, documents=taken.documents, damaged=len(taken.damaged)
            )
        if work.recorded is not None:
            work.recorded.result()
    draft.replace(target)
    fsync_folder(target.parent)
    return taken


def _rows(writer: Writer, work: Work, table: Any, step: Callable[[], None]) -> dict[str, Any]:
    """The rows of one table as members, each a compressed JSON list of rows."""
    count = 0
    for number, part in enumerate(copy.dump(work.db, table), 1):
        writer.add(f"rows/{table.name}/{number:08d}", compress(orjson.dumps(part), 1))
        count += len(part)
    step()
    return {"columns": copy.columns(table), "rows": count}


def _document(writer: Writer, door: Door, blobs: Blobs, digest: str, taken: Taken) -> None:
    """One document's bytes, or why they are not there."""
    try:
        stream = blobs.open(digest)
    except Damaged:
        loose = door.snapshot(lambda db: removal.loose(db, [digest]), max_age=0.0)
        (taken.gone if loose else taken.damaged).append(digest)
        return
    with stream:
        size = os.fstat(stream.fileno()).st_size
        writer.add_stream(f"documents/{digest}", size, stream)
    if not blobs.verify(digest):
        taken.damaged.append(digest)
        return
    taken.documents += 1
    taken.bytes += size


def _settings(writer: Writer, settings: Settings) -> None:
    """The settings file and what stands beside it, without private keys (M-03)."""
    for name, content in files(settings.folder):
        writer.add(f"files/{name}", content)


def files(folder: Path) -> Iterator[tuple[str, bytes]]:
    """Name and content of every file of settings that may be in a backup."""
    found = [folder / "gateway.toml"]
    for name in FOLDERS:
        found += sorted((folder / name).rglob("*"))
    for path in found:
        if path.is_symlink() or not path.is_file() or path.suffix in _SECRET_NAMES:
            continue
        if path.stat().st_size > _LARGEST_FILE:
            continue
        content = path.read_bytes()
        if not any(mark in content for mark in _PRIVATE):
            yield path.relative_to(folder).as_posix(), content
