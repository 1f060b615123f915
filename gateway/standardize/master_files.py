"""The file of a code master: bytes to rows, and which kind and which columns they are.

cp932 or UTF-8, commas or tabs, with or without a row of headings; never more of it in memory than
one line. What stands in which column is `tables/masters.csv`.
"""

import codecs
import csv
import re
import unicodedata
from collections.abc import Iterator, Mapping
from typing import Protocol

from gateway.errors import Invalid, Malformed, OverLimit
from gateway.model.codebook import MAP, SYSTEMS
from gateway.standardize import tables
from gateway.standardize.rows import BLANKS, LONGEST_CELL, MOST_COLUMNS
from gateway.wire import japanese
from gateway.wire.japanese import Charset

LARGEST = 1024 * 1024 * 1024
_LONGEST_LINE = 1024 * 1024
_HOT = re.compile(r"[0-9]{13}", re.ASCII)
_MARKS = {"Y": "receipt-drug", "S": "receipt-procedure", "H": "receipt-dental",
          "T": "receipt-material", "B": "receipt-disease", "Z": "receipt-modifier"}  # fmt: skip
"What the second column of the receipt masters says."
_NAMES = (
    (re.compile(r"(?i)^(mhot|medis.*hot|hot)"), "hot"), (re.compile(r"(?i)^nmain"), "disease"),
    (re.compile(r"(?i)^mdfy"), "modifier"), (re.compile(r"(?i)jlac11"), "jlac11"),
    (re.compile(r"(?i)jlac10"), "jlac10"), (re.compile(r"(?i)loinc"), "loinc"),
    (re.compile(r"(?i)icd"), "icd10"), (re.compile(r"(?i)jfagy"), "allergen"),
)  # fmt: skip
LAYOUTS: dict[str, dict[str, tuple[int, tuple[str, ...]]]] = {}
for _row in tables.rows("masters"):
    _headings = tuple(one for one in _row["headings"].split("|") if one)
    LAYOUTS.setdefault(_row["kind"], {})[_row["what"]] = (int(_row["column"] or 0), _headings)

KINDS = tuple(LAYOUTS)
"Kinds of masters, and `map`."


class Stream(Protocol):
    """What a master is read from."""

    def readline(self, limit: int, /) -> bytes:
        """The next line, or so many bytes of it."""


def rows(stream: Stream, charset: Charset | None) -> Iterator[tuple[int, list[str]]]:
    """Row number and cells; blank rows are counted, not given."""
    lines = _Lines(stream, charset)
    first = next(lines, "")
    delimiter = "\t" if first.count("\t") > first.count(",") else ","
    reader = csv.reader(_chained(first, lines), delimiter=delimiter, strict=True)
    while True:
        number = reader.line_num + 1
        try:
            row = next(reader, None)
        except csv.Error as error:
            raise Malformed("broken quoting", "引用符が正しくありません", at=f"row {number}",
                            rule="E-09") from error  # fmt: skip
        if row is None:
            return
        if len(row) > MOST_COLUMNS or any(len(cell) > LONGEST_CELL for cell in row):
            raise OverLimit("row too long", "行が長すぎます", at=f"row {number}", rule="E-09")
        if any(cell.strip(BLANKS) for cell in row):
            yield number, row


def _chained(first: str, lines: Iterator[str]) -> Iterator[str]:
    if first:
        yield first
        yield from lines


class _Lines:
    """The lines of a file as text, in bounded memory."""

    def __init__(self, stream: Stream, charset: Charset | None) -> None:
        self._stream = stream
        self._charset = charset
        self._number = 0
        self._size = 0

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        content = self._stream.readline(_LONGEST_LINE + 1)
        self._number += 1
        self._size += len(content)
        if not content:
            raise StopIteration
        at = f"row {self._number}"
        if len(content) > _LONGEST_LINE or self._size > LARGEST:
            raise OverLimit(
                "line or file too long", "行またはファイルが長すぎます", at=at, rule="E-09"
            )
        if self._number == 1:
            if content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
                raise Malformed("UTF-16: save the file as UTF-8", "UTF-8 で保存してください", at=at,
                                rule="F-04")  # fmt: skip
            if content.startswith(codecs.BOM_UTF8):
                content, self._charset = content.removeprefix(codecs.BOM_UTF8), Charset.UTF_8
        if self._charset is None and not content.isascii():
            readable = japanese.is_readable(content, Charset.UTF_8)
            self._charset = Charset.UTF_8 if readable else Charset.SHIFT_JIS
        try:
            text = japanese.decode(content, self._charset or Charset.ASCII, set())
        except Malformed as refusal:
            raise Malformed(refusal.english, refusal.japanese, at=at, rule="F-01") from refusal
        return text.replace("\x1a", "")


def recognise(name: str, headings: list[str], rows: list[list[str]]) -> str:
    """The kind of a file by its headings, else by its cells, else by its name."""
    found = [
        kind
        for kind, layout in LAYOUTS.items()
        if all(set(map(folded, layout[what][1])) & set(headings) for what in needed(kind))
    ]
    if len(found) == 1:
        return found[0]
    marks = {row[1].strip(BLANKS) for row in rows if len(row) > 5}
    if len(marks) == 1 and (mark := marks.pop()) in _MARKS:
        return _MARKS[mark]
    last = rows[-1]
    if len(last) >= 20 and _HOT.fullmatch(last[0].strip(BLANKS)):
        return "hot"
    for form, kind in _NAMES:
        if form.search(name):
            return kind
    raise Invalid(
        f"which kind of master is this? Say --kind; possible are {', '.join(KINDS)}",
        "マスターの種類が分かりません。--kind で指定してください", at="kind",
    )  # fmt: skip


def needed(kind: str) -> tuple[str, ...]:
    """What a file of a kind must have."""
    if kind == MAP:
        return ("system", "code", "standard_system", "standard_code")
    return ("code", "loinc") if kind == "loinc" else ("code", "name")


def places(
    kind: str, headings: list[str], columns: Mapping[str, int]
) -> tuple[dict[str, int], int]:
    """What stands in which column, from 1, and how many rows are headings."""
    layout = LAYOUTS[kind]
    words = sorted({*layout, "start", "end", *SYSTEMS} if kind != MAP else layout)
    for word in columns:
        if word not in words:
            raise Invalid(f"--columns knows {', '.join(words)}", "--columns の名前が違います",
                          at="columns")  # fmt: skip
    by_heading = {
        what: headings.index(one) + 1
        for what, (_, known) in layout.items()
        for one in map(folded, known)
        if one in headings
    }
    headed = int("code" in by_heading)
    numbers = {what: number for what, (number, _) in layout.items() if number}
    found = {**(by_heading if headed else numbers), **columns}
    lacking = [what for what in needed(kind) if what not in found]
    if lacking:
        raise Invalid(
            f"no column is known to be {', '.join(lacking)}: say --columns {lacking[0]}=NUMBER",
            "列が分かりません。--columns code=番号,name=番号 の形で指定してください", at="columns",
        )  # fmt: skip
    return found, headed


def folded(cell: str) -> str:
    """A heading without differences of width and case."""
    return unicodedata.normalize("NFKC", cell).replace(" ", "").casefold()


def columns_of(text: str) -> dict[str, int]:
    """`code=3,name=5` as it is typed."""
    found = {}
    for part in text.split(",") if text else ():
        word, equals, number = part.strip().partition("=")
        if not equals or not number.isascii() or not number.isdigit() or not 0 < int(number) <= 500:
            raise Invalid("write --columns as code=3,name=5", "--columns code=3,name=5 の形です",
                          at="columns")  # fmt: skip
        found[word] = int(number)
    return found
