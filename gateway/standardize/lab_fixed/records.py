"""Records of 256 bytes as they came: by their number of bytes, or by line where there are lines.

`japan/lab.md` section 3: a line break put into a file without lines shifts everything after it, so
a record that does not begin with its name refuses such a file.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from io import BytesIO
from typing import BinaryIO

from gateway.errors import Malformed, OverLimit
from gateway.standardize.format import Upload
from gateway.standardize.lab_fixed.layouts import LENGTH, Layout
from gateway.wire import japanese
from gateway.wire.japanese import Charset

KINDS = (b"O1", b"O2", b"A1")
_LOOK = 2 * LENGTH
_LINES = re.compile(rb"[\r\n]")
_PIECE = 4096 * LENGTH


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """One record, filled up with blanks to its length where its sender cut them off."""

    number: int
    start: int
    end: int
    content: bytes
    by_line: bool

    @property
    def at(self) -> str:
        """As findings say it: `row 3` of lines, `record 3` of bytes."""
        return f"{'row' if self.by_line else 'record'} {self.number}"

    @property
    def kind(self) -> str:
        """Its name, or empty where it is none of ours."""
        return self.content[:2].decode("ascii") if self.content[:2] in KINDS else ""


def of_upload(upload: Upload) -> Iterator[Record]:
    """The records of a file or part."""
    by_line = bool(_LINES.search(upload.lines[0].content[:_LOOK]))
    for run in upload.lines:
        yield from _records(BytesIO(run.content), by_line, run.row, run.start)


def of_stream(stream: BinaryIO) -> Iterator[Record]:
    """The records of a whole file."""
    first = stream.read(_LOOK)
    yield from _records(stream, bool(_LINES.search(first)), 1, 0, first)


def _records(
    stream: BinaryIO, by_line: bool, row: int, start: int, before: bytes = b""
) -> Iterator[Record]:
    rest = before
    last = False
    while not last:
        piece = stream.read(_PIECE)
        last = not piece
        rest += piece
        whole = rest if last else rest[: _cut(rest, by_line)]
        rest = rest[len(whole) :]
        if len(rest) > _PIECE:
            raise OverLimit("row too long", "行が長すぎます", at=f"row {row}", rule="E-09")
        parts = whole.splitlines(keepends=True) if by_line else _chunks(whole)
        for part in parts:
            body = part.rstrip(b"\r\n").removesuffix(b"\x1a") if by_line else part
            if body.strip(b"\x1a\r\n"):
                yield _record(body, row, start, start + len(part), by_line)
            row += 1
            start += len(part)


def _cut(content: bytes, by_line: bool) -> int:
    """Where the last whole record ends; a CR at the very end may be half of CR LF."""
    if by_line:
        return max(content.rfind(b"\n"), content.rfind(b"\r", 0, -1)) + 1
    return len(content) // LENGTH * LENGTH


def _chunks(content: bytes) -> Iterator[bytes]:
    for at in range(0, len(content), LENGTH):
        yield content[at : at + LENGTH]


def _record(body: bytes, row: int, start: int, end: int, by_line: bool) -> Record:
    name = "row" if by_line else "record"
    if len(body) > LENGTH:
        raise Malformed(
            "record longer than 256 bytes", "レコードが256バイトを超えています",
            at=f"{name} {row}", rule="E-09",
        )  # fmt: skip
    if not by_line and body[:2] not in KINDS:
        raise Malformed(
            "records are shifted: this one does not begin with its name",
            "レコードの位置がずれています", at=f"{name} {row}", rule="E-09",
        )  # fmt: skip
    content = body.ljust(LENGTH)
    return Record(number=row, start=start, end=end, content=content, by_line=by_line)


def cut(record: Record, place: slice) -> bytes:
    """The bytes of a field."""
    return record.content[place.start : place.stop]


def text(record: Record, place: slice, notes: set[str]) -> str:
    """A field as text, blanks around it left out; control characters refuse the part (F-03)."""
    raw = cut(record, place).strip()
    if not raw:
        return ""
    if any(byte < 0x20 or byte == 0x7F for byte in raw):
        raise Malformed("control character", "制御文字があります", at=record.at, rule="E-09")
    try:
        return japanese.decode(raw, Charset.SHIFT_JIS, notes).strip(" \u3000")
    except Malformed as refusal:
        # A name of 20 bytes that is cut inside a two-byte character keeps the half of it.
        shorter = raw[:-1]
        if japanese.is_readable(shorter, Charset.SHIFT_JIS):
            notes.add("cut-character")
            return japanese.decode(shorter, Charset.SHIFT_JIS, notes).strip(" \u3000")
        raise Malformed(refusal.english, refusal.japanese, at=record.at, rule="F-01") from refusal


def fields(record: Record, layout: Layout, notes: set[str]) -> dict[str, str]:
    """Every field of a record by name."""
    return {name: text(record, place, notes) for name, place in layout.items()}
