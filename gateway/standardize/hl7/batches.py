"""Several messages in one file: batches (HL7 v2.5 2.10.3) and messages in a row.

`[FHS] { [BHS] { MSH … } [BTS] } [FTS]`. Counts that are wrong, a trailer that is missing, framing
in the wrong place or a line before the first message refuse the whole file, before any message of
it is taken (`security.md` E-02): a second message is never found inside a first one.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import BinaryIO

from gateway.errors import Malformed, Refusal
from gateway.standardize import lines
from gateway.standardize.format import Part, Span
from gateway.standardize.lines import Mark
from gateway.wire import hl7v2

ENVELOPE = (b"FHS", b"BHS", b"BTS", b"FTS")
"Segments around messages."
_MARK = re.compile(
    rb"(?:(?<=[\r\n\x1c])|\A)\x0b?(?:\xef\xbb\xbf)?(MSH|FHS|BHS|BTS|FTS)(?![A-Z0-9])"
)
_MISPLACED = re.compile(
    rb"\x0b(?!MSH|FHS|BHS|BTS|FTS|\xef\xbb\xbf)|(?<=[^\r\n])\x1c|"
    rb"\x1c(?![\r\n]*(?:\x0b|MSH|FHS|BHS|BTS|FTS|\Z))"
)
_BLANK = b"\r\n\x1c\x0b\xef\xbb\xbf \t"
_ONE = 1024 * 1024
"""A file whose beginning of this length shows one message may have more behind it."""


def are_several(content: bytes) -> bool:
    """Whether a file has more than one message, or an envelope, by its (first) bytes."""
    found = _MARK.finditer(content)
    first = next(found, None)
    several = first is not None and (first[1] != b"MSH" or next(found, None) is not None)
    return several or len(content) >= _ONE


@dataclass(slots=True)
class _Structure:
    """What stood so far, to judge what comes."""

    spans: list[Span] = field(default_factory=list)
    "The envelope's own lines."
    messages: int = 0
    "Of the open batch, or of the file."
    batches: int = 0
    file: bool = False
    batch: bool = False
    grouped: bool = False
    "Batches have headers: no message stands between them."
    closed: bool = False

    def take(self, mark: Mark) -> None:
        """One line that begins something; refuses what may not stand there."""
        if self.closed:
            raise _wrong("lines after the end of the file", mark)
        match mark.name:
            case b"MSH":
                if self.grouped and not self.batch:
                    raise _wrong("a message outside its batch", mark)
                hl7v2.delimiters_of(mark.line)
                self.messages += 1
                return
            case b"FHS":
                self._require(not (self.file or self.batch or self.messages or self.batches), mark)
                self.file = True
            case b"BHS":
                self._require(not self.batch and (self.grouped or not self.messages), mark)
                self.batch = self.grouped = True
                self.messages = 0
            case b"BTS":
                self._require(self.batch or not self.grouped, mark)
                _count(mark, self.messages)
                self.batch, self.grouped = False, True
                self.batches += 1
            case _:
                self._require(self.file and not self.batch, mark)
                _count(mark, self.batches or 1)
                self.closed = True
        self.spans.append(Span(mark.row, mark.start, mark.start + len(mark.line)))

    def end(self) -> None:
        """The file ends: what was opened is closed."""
        if self.batch or (self.file and not self.closed):
            raise Malformed(
                "the batch has no trailer: the file may be cut off",
                "バッチの終端(BTS/FTS)がありません。途中で切れている可能性があります",
                at="BTS" if self.batch else "FTS", rule="E-02",
            )  # fmt: skip

    def _require(self, fits: bool, mark: Mark) -> None:
        if not fits:
            raise _wrong("an envelope segment out of order", mark)


def split(stream: BinaryIO) -> Iterator[Part]:
    """One part a message; read twice, so that nothing is taken of a file that is refused."""
    structure = _Structure()
    for mark in _marks(stream):
        structure.take(mark)
    structure.end()
    stream.seek(0)
    shared = tuple(structure.spans)
    before: Mark | None = None
    end = 0
    for mark in _marks(stream):
        if before:
            yield _part(before, mark.start, shared)
        before = mark if mark.name == b"MSH" else None
    if before:
        end = stream.seek(0, 2)
        yield _part(before, end, shared)


def _part(message: Mark, end: int, shared: tuple[Span, ...]) -> Part:
    return Part(own=(Span(message.row, message.start, end),), shared=shared)


def _marks(stream: BinaryIO) -> Iterator[Mark]:
    """The lines that begin a message or belong to the envelope; refuses misplaced framing."""
    first = True
    for piece in lines.pieces(stream):
        wrong = _MISPLACED.search(piece.content)
        if wrong:
            row = piece.row + lines.ends(piece.content[: wrong.start()])
            raise _framing("framing byte inside a message", f"row {row}")
        for mark in lines.marks(piece, _MARK):
            if first and mark.start and piece.content[: mark.start - piece.start].strip(_BLANK):
                raise _framing("lines before the first message", "row 1")
            first = False
            yield mark
        if first and piece.content.strip(_BLANK):
            raise _framing("lines before the first message", "row 1")


def _count(mark: Mark, counted: int) -> None:
    """BTS-1 or FTS-1, where it is stated, is the number of what it closes."""
    separator = mark.line[3:4]
    stated = mark.line.split(separator)[1].strip() if separator else b""
    if stated and stated != str(counted).encode():
        raise Malformed(
            "the count of the trailer is not what is there",
            "終端の件数が実際と異なります",
            at=f"row {mark.row} {mark.name.decode()}-1", rule="E-02",
        )  # fmt: skip


def _wrong(english: str, mark: Mark) -> Refusal:
    return Malformed(english, "バッチの構造が正しくありません", at=f"row {mark.row}", rule="E-02")


def _framing(english: str, at: str) -> Refusal:
    return Malformed(english, "メッセージの区切りが正しくありません", at=at, rule="E-02")
