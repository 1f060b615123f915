"""Cutting a file about several people into parts, and reading a file or a part of one.

A file is cut in one pass in bounded memory, some hundred parts a Work. An interrupted cutting goes
on after the parts that are there: the same bytes are always cut the same way. Its parts are worked
on once all of it is cut, so that a file refused near its end (E-09) leaves nothing behind.
"""

import hashlib
import io
from collections.abc import Iterator
from dataclasses import replace
from itertools import islice
from typing import Any, BinaryIO

from gateway import standardize
from gateway.audit.door import Door
from gateway.errors import Refusal
from gateway.model.audit import EventKind
from gateway.model.caller import Caller
from gateway.model.csv_mapping import CsvMapping
from gateway.record import parts
from gateway.record.staging import FileRow
from gateway.standardize.format import Format, Part, Run, Upload
from gateway.store.blobs import Blobs, Damaged
from gateway.store.work import Work

LARGE = 64 * 1024 * 1024
"Files up to this size are read whole; of a larger one the beginning says what it is."
_HEAD = 1024 * 1024
_AT_ONCE = 500


def take(
    door: Door,
    blobs: Blobs,
    caller: Caller,
    file: FileRow,
    mappings: tuple[CsvMapping, ...] = (),
) -> Upload | None:
    """A file or a part to be worked through; None where the file was cut into parts instead.

    Raises a Refusal where the file is refused as a whole, `Damaged` where its bytes are not as
    they were received.
    """
    in_tree = "/" in file.path
    whole = Upload(path=file.path, content=b"", in_tree=in_tree, mappings=mappings)
    if file.parent:
        with blobs.open(file.sha256) as stream:
            runs = tuple(Run(*one) for one in parts.read(stream, file))
        return replace(whole, content=b"".join(run.content for run in runs), runs=runs)
    if file.size > LARGE:
        with blobs.open(file.sha256) as stream:
            chosen = _format(replace(whole, content=stream.read(_HEAD)))
        if chosen is not None and chosen.split is not None:
            if not blobs.verify(file.sha256):
                raise Damaged(file.sha256, "missing or altered")
            with blobs.open(file.sha256) as stream, blobs.open(file.sha256) as again:
                _cut(door, caller, replace(file, format=chosen.name), chosen.split(stream), again)
            return None
    whole = replace(whole, content=blobs.read(file.sha256))
    chosen = _format(whole)
    if chosen is None or chosen.split is None:
        return whole
    found = chosen.split(io.BytesIO(whole.content))
    _cut(door, caller, replace(file, format=chosen.name), found, io.BytesIO(whole.content))
    return None


def abandon(work: Work, file: FileRow) -> None:
    """Forget what was cut of a file that is refused."""
    if not file.parent:
        parts.abandon(work, file)


def _format(upload: Upload) -> Format | None:
    """What a file is, by its beginning; what is none of ours is refused where it is read."""
    try:
        return standardize.recognise(upload)
    except Refusal:
        return None


def _cut(
    door: Door, caller: Caller, file: FileRow, found: Iterator[Part], stream: BinaryIO
) -> None:
    """Keep the parts that are not there yet, then let them be worked on."""
    done = door.snapshot(lambda db: parts.known(db, file), max_age=0.0)
    spans = islice((_spans(stream, part) for part in found), done, None)
    while several := list(islice(spans, _AT_ONCE)):
        with door.work(EventKind.INTAKE, caller) as work:
            work.trail.objects.append(file.sha256)
            parts.add(work, file, several, done + 1)
        done += len(several)
    with door.work(EventKind.INTAKE, caller) as work:
        work.trail.objects.append(file.sha256)
        parts.finish(work, file)


def _spans(stream: BinaryIO, part: Part) -> dict[str, Any]:
    """A part as it is kept: where its lines are, and the digest of their bytes."""
    digest = hashlib.sha256()
    for span in (*part.shared, *part.own):
        stream.seek(span.start)
        digest.update(stream.read(span.end - span.start))
    return {
        "own": [[span.row, span.start, span.end] for span in part.own],
        "shared": [[span.row, span.start, span.end] for span in part.shared],
        "sha256": digest.hexdigest(),
    }
