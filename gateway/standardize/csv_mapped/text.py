"""CSV as it came: bytes to records that know their lines and their range of bytes.

Python's csv module does the quoting; every line is decoded before it is split (`security.md` F-02).
A line or record that cannot be read is given with its problem, and the caller decides what that
refuses (E-09). Nothing here keeps more than one record.
"""

import csv
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import BinaryIO

from gateway.errors import Malformed, OverLimit
from gateway.standardize.rows import LONGEST_CELL, MOST_COLUMNS, Line
from gateway.wire import japanese
from gateway.wire.japanese import Charset

_PIECE = 1024 * 1024
_LONGEST_RECORD = 1024 * 1024
_SURROGATE = re.compile(r"[\ud800-\udfff]")
_CONTROL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ufffe]")
_WIDE_LINE = re.compile("[^\r\n]*(?:\r\n|\r|\n)|[^\r\n]+")
_UTF_8_MARK, _WIDE_MARK = b"\xef\xbb\xbf", b"\xff\xfe"
_BROKEN = "\ufffe"
"Stands for a line that cannot be decoded while its record is parsed."

CHARSETS = {
    "utf-8": Charset.UTF_8,
    "cp932": Charset.SHIFT_JIS,
    "shift_jis": Charset.SHIFT_JIS,
    "euc-jp": Charset.EUC_JP,
    "iso-2022-jp": Charset.ISO_2022_JP,
}
"Encodings of a mapping but UTF-16."


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """One record: its cells, its lines, its range of bytes, or what is wrong with it."""

    number: int
    lines: tuple[int, ...]
    "Numbers of its lines that are not empty."
    start: int
    end: int
    cells: tuple[str, ...] = ()
    problem: str = ""
    "Finding code where it cannot be read."


def lines(
    stream: BinaryIO, encoding: str, notes: set[str], *, row: int = 1, start: int = 0
) -> Iterator[Line]:
    """The lines of a stream with their ends; one that is not in the encoding is `_BROKEN`."""
    if encoding == "utf-16le":
        yield from _wide(stream, row, start)
        return
    charset = CHARSETS[encoding]
    for raw in _cut(stream):
        body = raw
        if start == 0:
            if raw.startswith((_WIDE_MARK, _UTF_8_MARK)) and charset is not Charset.UTF_8:
                raise Malformed(
                    "byte order mark of another encoding than the mapping's",
                    "対応表と異なる文字コードの BOM があります", at="row 1", rule="F-04",
                )  # fmt: skip
            body = raw.removeprefix(_UTF_8_MARK)
        yield Line(row, _text(body, charset, notes), start, start + len(raw))
        row += 1
        start += len(raw)


def _cut(stream: BinaryIO) -> Iterator[bytes]:
    """Lines of bytes: CR, LF or CR LF ends one, in every encoding but UTF-16."""
    rest = b""
    while piece := stream.read(_PIECE):
        cut = (rest + piece).splitlines(keepends=True)
        # The last may go on, and a CR may be half of CR LF.
        rest = cut.pop()
        if len(rest) > _LONGEST_RECORD:
            raise _too_long("row too long")
        yield from cut
    if rest:
        yield rest


def _wide(stream: BinaryIO, row: int, start: int) -> Iterator[Line]:
    """Lines of UTF-16, little-endian, with its mark at the start of the file."""
    rest = b""
    if start == 0:
        mark = stream.read(2)
        if mark != _WIDE_MARK:
            raise Malformed("no byte order mark", "BOM がありません", at="row 1", rule="F-04")
        rest, start = mark, 0
    last = False
    while not last:
        piece = stream.read(_PIECE)
        last = not piece
        chunk = rest + piece
        whole = len(chunk) if last else len(chunk) // 2 * 2
        text = chunk[:whole].decode("utf-16-le", "surrogatepass" if whole % 2 == 0 else "ignore")
        found = _WIDE_LINE.findall(text)
        rest = b""
        if found and not last:
            rest = found.pop().encode("utf-16-le", "surrogatepass")
        rest += chunk[whole:]
        if len(rest) > 2 * _LONGEST_RECORD:
            raise _too_long("row too long")
        for place, one in enumerate(found):
            size = len(one.encode("utf-16-le", "surrogatepass"))
            if last and place == len(found) - 1 and whole % 2:
                one, size = _BROKEN, size + 1
            broken = _CONTROL.search(_body(one)) or _SURROGATE.search(one)
            yield Line(row, _BROKEN if broken else one.removeprefix("\ufeff"), start, start + size)
            row += 1
            start += size


def _text(raw: bytes, charset: Charset, notes: set[str]) -> str:
    if charset is not Charset.ISO_2022_JP and raw.isascii():
        text = raw.decode("ascii")
    else:
        try:
            text = japanese.decode(raw, charset, notes)
        except Malformed:
            return _BROKEN
    return _BROKEN if _CONTROL.search(_body(text)) else text


def _body(text: str) -> str:
    """A line without its end and the end-of-file mark of old systems."""
    return text.rstrip("\r\n").removesuffix("\x1a")


class _Feed:
    """Hands lines to the csv module and remembers which of them the present record took."""

    __slots__ = ("_lines", "size", "taken")

    def __init__(self, found: Iterator[Line]) -> None:
        self._lines = found
        self.taken: list[Line] = []
        self.size = 0

    def __iter__(self) -> "_Feed":
        return self

    def __next__(self) -> str:
        line = next(self._lines)
        self.taken.append(line)
        self.size += len(line.text)
        if self.size > _LONGEST_RECORD:
            raise _too_long(f"row {self.taken[0].number}")
        return line.text if line.text.rstrip("\r\n") != "\x1a" else "\r\n"


def records(found: Iterator[Line], separator: str) -> Iterator[Record]:
    """The records of lines; an empty line is a record without cells."""
    feed = _Feed(found)
    parsed = csv.reader(feed, delimiter=separator, strict=True)
    while True:
        feed.taken, feed.size = [], 0
        problem = ""
        cells: list[str] = []
        try:
            cells = next(parsed)
        except StopIteration:
            return
        except csv.Error:
            problem = "csv-quoting"
        yield _record(feed.taken, cells, problem, separator)


def _record(taken: list[Line], cells: list[str], problem: str, separator: str) -> Record:
    texts = [line.text for line in taken]
    if _BROKEN in texts:
        problem = "bad-characters"
    elif len(cells) > MOST_COLUMNS or (cells and max(map(len, cells)) > LONGEST_CELL):
        problem = "row-too-long"
    elif not problem and (len(texts) > 1 or '"' in texts[0]):
        whole = _body("".join(texts))
        if not _grammar(separator).fullmatch(whole):
            problem = "csv-quoting"
    if cells and cells[-1].endswith("\x1a"):
        cells[-1] = cells[-1].removesuffix("\x1a")
    return Record(
        number=taken[0].number,
        lines=tuple(line.number for line in taken if line.text.strip("\r\n\x1a")),
        start=taken[0].start,
        end=taken[-1].end,
        cells=() if problem else tuple(cells),
        problem=problem,
    )


@lru_cache(maxsize=8)
def _grammar(separator: str) -> re.Pattern[str]:
    """RFC 4180: a quote stands around a cell or doubled inside it, nowhere else."""
    mark = re.escape(separator)
    cell = rf'(?:"(?:[^"]|"")*+"|[^"{mark}\r\n]*+)'
    return re.compile(rf"{cell}(?:{mark}{cell})*+")


def _too_long(at: str) -> OverLimit:
    return OverLimit("row too long", "行が長すぎます", at=at, rule="E-09")
