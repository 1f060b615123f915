"""Cutting a file about several people into parts, and reading a file or a part of one.

A file is cut in one pass in bounded memory, some hundred parts a Work. An interrupted cutting goes
on after the parts that are there: the same bytes are always cut the same way. Its parts are worked
on once all of it is cut, so that a file refused near its end (E-09) leaves nothing behind.
"""

import hashlib
import io
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from itertools import islice
from typing import Any, BinaryIO

from gateway import standardize
from gateway.audit.door import Door
from gateway.errors import Busy, Refusal
from gateway.model.audit import EventKind
from gateway.model.caller import Caller
from gateway.record import parts
from gateway.record.staging import FileRow
from gateway.standardize.format import Format, Part, Run, Upload
from gateway.store.blobs import Blobs, Damaged
from gateway.store.work import Work

LARGE = 4 * 1024 * 1024
"Files up to this size are read whole; of a larger one the beginning says whether it is cut."
WHOLE = 64 * 1024 * 1024
"So much is looked at of a file whose beginning does not say that it is cut."
_HEAD = 1024 * 1024
_AT_ONCE = 500


@dataclass(frozen=True, slots=True)
class Whole:
    """A file about several people, to be cut into parts."""

    file: FileRow
    chosen: Format
    upload: Upload
    "With its bytes, or only with their beginning where the file is large."

    @property
    def is_large(self) -> bool:
        """Whether its bytes are read from the store."""
        return self.file.size > LARGE


def look(blobs: Blobs, file: FileRow, reading: Upload) -> tuple[Upload, Format | None] | Whole:
    """A file or a part to be worked through and its format, or one that is to be cut first.

    `reading` is an upload of its facility without bytes: what goes with each of its files.
    Raises `Damaged` where its bytes are not as they were received.
    """
    upload = partial(reading.holding, file.path, in_tree="/" in file.path, patient=file.stated)
    if file.parent:
        with blobs.open(file.sha256) as stream:
            runs = tuple(Run(*one) for one in parts.read(stream, file))
        content = b"".join(run.content for run in runs)
        return replace(upload(content), runs=runs), standardize.format_named(file.format)
    if file.size > LARGE:
        with blobs.open(file.sha256) as stream:
            beginning = upload(stream.read(_HEAD))
        chosen = cutter(beginning)
        if chosen is not None:
            return Whole(file, chosen, beginning)
    whole = upload(blobs.read(file.sha256))
    chosen = _format(whole)
    if chosen is None or chosen.split is None:
        return whole, chosen
    return Whole(file, chosen, whole)


def cutter(beginning: Upload) -> Format | None:
    """The format that cuts a large file of this beginning; None where it is read whole."""
    chosen = _format(replace(beginning, content=beginning.content[:_HEAD]))
    return chosen if chosen is not None and chosen.split is not None else None


def cut(door: Door, blobs: Blobs, caller: Caller, whole: Whole, alive: Callable[[], None]) -> None:
    """Cut a file into its parts, which wait in its place from then on.

    `alive` is called every so often. Raises a Refusal where the file is refused as a whole,
    `Damaged` where its bytes are not as they were received.
    """
    split = whole.chosen.split
    if split is None:
        raise TypeError("a format that does not cut")
    file = whole.file._replace(format=whole.chosen.name)
    doubled = door.snapshot(lambda db: parts.is_doubled(db, file), max_age=0.0)
    if not (doubled or door.snapshot(lambda db: parts.is_released(db, file), max_age=0.0)):
        if whole.is_large and not blobs.verify(file.sha256):
            raise Damaged(file.sha256, "missing or altered")
        try:
            with _opened(blobs, whole) as stream, _opened(blobs, whole) as again:
                _cut(door, caller, file, split(stream), again, alive)
        except Busy:
            raise
        except Refusal:
            _settle(door, caller, file, alive, keeping=False)
            raise
    _settle(door, caller, file, alive, keeping=not doubled)
    with door.work(EventKind.INTAKE, caller) as work:
        work.trail.objects.append(file.sha256)
        parts.finish(work, file, doubled=doubled)


def _opened(blobs: Blobs, whole: Whole) -> BinaryIO:
    """The bytes of a file; a small one's were read already."""
    if whole.is_large:
        return blobs.open(whole.file.sha256)
    return io.BytesIO(whole.upload.content)


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
    door: Door,
    caller: Caller,
    file: FileRow,
    found: Iterator[Part],
    stream: BinaryIO,
    alive: Callable[[], None],
) -> None:
    """Keep the parts that are not there yet."""
    done = door.snapshot(lambda db: parts.known(db, file), max_age=0.0)
    spans = (_spans(stream, part) for part in islice(found, done, None))
    while several := list(islice(spans, _AT_ONCE)):
        with door.work(EventKind.INTAKE, caller) as work:
            work.trail.objects.append(file.sha256)
            parts.add(work, file, several, done + 1)
        done += len(several)
        alive()


def _settle(
    door: Door, caller: Caller, file: FileRow, alive: Callable[[], None], *, keeping: bool
) -> None:
    """Let the parts be worked on, or forget them: some thousand a Work, so that nobody waits."""
    last = door.snapshot(lambda db: parts.known(db, file), max_age=0.0)
    for first in range(1, last + 1, parts.PORTION):
        with door.work(EventKind.INTAKE, caller) as work:
            work.trail.objects.append(file.sha256)
            parts.settle(work, file, first, keeping=keeping)
        alive()


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
