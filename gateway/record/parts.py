"""Files about several people: cut into parts, each worked on like a file of one person.

The bytes stay one blob; a part is runs of its lines. So erasing one person leaves the others: the
lines of that person are blanked in a copy, and the old bytes go (WDR-01, WDR-08). Positions of
items are those of the file as it was received, before and after.
"""

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, BinaryIO

from sqlalchemy import Connection

from gateway.errors import NotFound
from gateway.store.blobs import Damaged
from gateway.store.record import lock_blobs, uploads
from gateway.store.record import parts as rows
from gateway.store.record.uploads import FileRow
from gateway.store.work import Work

PORTION = 2000
"Parts that are let go, or forgotten, in one Work."
_CHUNK = 1024 * 1024
_ENDS = b"\r\n"


def known(db: Connection, file: FileRow) -> int:
    """How many parts of a file are there already: where an interrupted cutting goes on."""
    return rows.select_last(db, file.id)


def is_released(db: Connection, file: FileRow) -> bool:
    """Whether all of a file was cut before, and its parts are being let go."""
    return rows.is_released(db, file.id)


def is_doubled(db: Connection, file: FileRow) -> bool:
    """Whether the same file was worked on before (STG-04)."""
    return uploads.select_twin(db, file) is not None


def add(work: Work, file: FileRow, spans: Sequence[dict[str, Any]], first: int) -> None:
    """Keep parts of a file, from the number `first`; they wait until all of it is cut."""
    current = _lock(work, file)
    if current.state != uploads.RECEIVED or not spans:
        return
    uploads.insert_files(
        work.db,
        [
            file._replace(
                id=work.ordered_id(), parent=file.id, part=number, spans=one,
                size=sum(end - start for _, start, end in one["own"]), state=uploads.PENDING,
            )
            for number, one in enumerate(spans, start=first)
        ],
    )  # fmt: skip
    work.trail.detail["parts"] = len(spans)


def settle(work: Work, file: FileRow, first: int, *, keeping: bool) -> None:
    """Let some parts from the number `first` be worked on once the file is, or forget them."""
    if _lock(work, file).state != uploads.RECEIVED:
        return
    change = rows.release_parts if keeping else rows.delete_pending
    change(work.db, file.id, first, first + PORTION)


def finish(work: Work, file: FileRow, *, doubled: bool) -> None:
    """All of the file is cut: its parts are worked on from here; one that is doubled has none."""
    current = _lock(work, file)
    if current.state != uploads.RECEIVED:
        return
    state = uploads.DUPLICATE if doubled else uploads.SPLIT
    uploads.update_file(work.db, current._replace(state=state, format=file.format))
    work.trail.detail["state"] = state


def _lock(work: Work, file: FileRow) -> FileRow:
    """The file as it is now, kept from others until this Work ends."""
    current = uploads.select_file(work.db, file.id, locking=True)
    if current is None:
        raise NotFound("no such file", "ファイルが見つかりません")
    work.trail.objects.append(file.receipt)
    return current


def abandon(work: Work, file: FileRow) -> None:
    """The file is refused as a whole (E-09): no part of it stays."""
    rows.delete_pending(work.db, file.id, 1, rows.select_last(work.db, file.id) + 1)


def read(stream: BinaryIO, file: FileRow) -> list[tuple[int, int, bytes]]:
    """The runs of a part: row, first byte, bytes; raises `Damaged` where they are not as cut."""
    spans = file.spans or {"own": [], "shared": [], "sha256": ""}
    found = []
    digest = hashlib.sha256()
    for row, start, end in (*spans["shared"], *spans["own"]):
        stream.seek(start)
        content = stream.read(end - start)
        digest.update(content)
        found.append((row, start, content))
    if digest.hexdigest() != spans["sha256"]:
        raise Damaged(file.sha256, "altered")
    return found


def blank(work: Work, gone: Iterable[FileRow]) -> set[str]:
    """Blank the lines of parts that are erased; the digests of the bytes that hold them no more."""
    by_blob: dict[str, list[tuple[int, int]]] = {}
    for part in gone:
        if part.spans:
            spans = [(start, end) for _, start, end in part.spans["own"]]
            by_blob.setdefault(part.sha256, []).extend(spans)
    if by_blob:
        lock_blobs(work.db, removing=False)
    for sha256, spans in by_blob.items():
        with work.blobs.open(sha256) as stream:
            blob = work.blobs.put(_blanked(stream, sorted(spans)))
        rows.update_blob(work.db, sha256, blob.sha256, rows.select_sharing(work.db, sha256))
    return set(by_blob)


def forget(work: Work, file: FileRow) -> str:
    """Let go of a file's bytes; the receipt goes on telling what was received. Their digest."""
    lock_blobs(work.db, removing=False)
    rows.update_bytes(work.db, file, work.blobs.put_bytes(b"").sha256)
    return file.sha256


def _blanked(stream: BinaryIO, spans: list[tuple[int, int]]) -> Iterator[bytes]:
    """The same bytes with blanks in place of those lines; line ends stay, so rows keep numbers."""
    place = 0
    for start, end in [*spans, (-1, -1)]:
        while chunk := stream.read(_CHUNK if start < 0 else min(_CHUNK, start - place)):
            place += len(chunk)
            yield chunk
        if start < 0:
            return
        while place < end and (chunk := stream.read(min(_CHUNK, end - place))):
            place += len(chunk)
            yield bytes(byte if byte in _ENDS else 0x20 for byte in chunk)
