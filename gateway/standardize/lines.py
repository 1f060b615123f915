"""Large files in pieces that end at line ends, and the lines in them that begin something.

For files that are cut into parts: one pass from front to back, in bounded memory, at the speed of
a search. A line ends with CR, LF or CR LF.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

from gateway.errors import OverLimit

_BLOCK = 1024 * 1024
_LONGEST = 20 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Piece:
    """Whole lines of a file."""

    row: int
    "Number of its first line in the file, from 1."
    start: int
    content: bytes


@dataclass(frozen=True, slots=True)
class Mark:
    """A line that begins something."""

    name: bytes
    "What it was found by: the pattern's only group."
    row: int
    start: int
    "First byte of what was found."
    line: bytes
    "From there to the end of the line."


def pieces(stream: BinaryIO) -> Iterator[Piece]:
    """The file in pieces of whole lines; only the last one may lack its line end."""
    row, start, held = 1, 0, b""
    while True:
        block = stream.read(_BLOCK)
        held += block
        if held.endswith(b"\r"):
            held += stream.read(1)  # CR LF is one end
        cut = max(held.rfind(b"\r"), held.rfind(b"\n")) + 1 if block else len(held)
        if cut:
            content, held = held[:cut], held[cut:]
            yield Piece(row, start, content)
            row, start = row + ends(content), start + cut
        if len(held) > _LONGEST:
            raise OverLimit("line too long", "行が長すぎます", at=f"row {row}", rule="E-09")
        if not block:
            return


def ends(content: bytes) -> int:
    """How many lines end in it."""
    return content.count(b"\n") + content.count(b"\r") - content.count(b"\r\n")


def marks(piece: Piece, pattern: "re.Pattern[bytes]") -> Iterator[Mark]:
    """The lines of a piece that a pattern finds."""
    row, before = piece.row, 0
    for found in pattern.finditer(piece.content):
        row += ends(piece.content[before : found.start()])
        before = found.start()
        line = re.compile(rb"[^\r\n]*").match(piece.content, found.start(1))
        yield Mark(found[1], row, piece.start + found.start(), line.group() if line else b"")
