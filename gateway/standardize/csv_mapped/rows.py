"""Rows of a CSV by a facility's mapping: header, widths, whose row it is, cells by their meaning.

`security.md` E-09: a row out of shape refuses the file, or itself where the mapping says so; what
its cells say refuses the row alone. F-07: identifiers are never folded.
"""

import re
import unicodedata
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from io import BytesIO
from typing import BinaryIO

from gateway.errors import Malformed
from gateway.model.csv_mapping import DATES, NUMBERS, Column, CsvMapping
from gateway.standardize import dates
from gateway.standardize.csv_mapped import text as csv_text
from gateway.standardize.csv_mapped.text import Record
from gateway.standardize.format import Upload
from gateway.standardize.names import safe_identifier
from gateway.standardize.rows import BLANKS

_SEPARATOR = re.compile(r'"?sep=(.)"?', re.IGNORECASE)
_EXPONENT = re.compile(r"[+-]?[0-9]+(?:[.,][0-9]+)?[eE][+-]?[0-9]{1,3}")
_DITTO = frozenset({"", "〃", "同上", "″", "々"})
_REFUSALS = {
    "csv-quoting": ("broken quoting", "引用符が正しくありません"),
    "bad-characters": ("broken or control character", "文字コードの誤りか制御文字があります"),
    "row-too-long": ("row too long", "行が長すぎます"),
    "row-shape": ("another number of cells than the header", "列数が見出しと異なります"),
}
"Problems of shape: what a refusal of the whole file says of them."


@dataclass(frozen=True, slots=True, kw_only=True)
class CsvRow:
    """One row of a file: whose it is, its cells in the order of the mapping's columns."""

    number: int
    lines: tuple[int, ...]
    start: int
    end: int
    kind: str
    "`data`, `header` (also repeated in the middle), `blank`, or `bad`."
    patient: str = ""
    cells: tuple[str, ...] = ()
    extra: tuple[int, ...] = ()
    "Numbers of columns that the mapping does not name and that are not empty here."
    problem: str = ""
    "Finding code where the row is refused."
    column: str = ""
    "Column that the problem is in."
    follows: bool = False
    "Whether it continues the row above, so that ditto cells may be read."

    @property
    def at(self) -> str:
        """Where it stands, as findings say it."""
        return f"row {self.number}"


@dataclass(slots=True)
class Layout:
    """Where a mapping's columns are in one file."""

    mapping: CsvMapping
    places: tuple[int, ...] = ()
    width: int = 0
    header: tuple[str, ...] = ()
    patient: int = 0
    "Place of `patient.id` among the mapping's columns."
    ditto: tuple[int, ...] = ()
    numbers: tuple[tuple[int, Column], ...] = field(default_factory=tuple)

    def __post_init__(self) -> None:
        columns = self.mapping.columns
        self.patient = next(n for n, one in enumerate(columns) if one.to == "patient.id")
        self.ditto = tuple(n for n, one in enumerate(columns) if one.ditto)
        self.numbers = tuple((n, one) for n, one in enumerate(columns) if one.to in NUMBERS)

    def missing(self, header: tuple[str, ...]) -> tuple[str, ...]:
        """Columns of the mapping that a header lacks or has twice."""
        return tuple(one.source for one in self.mapping.columns if header.count(one.source) != 1)

    def bind(self, first: Record) -> None:
        """Take the header, or the width of the first row where there is none."""
        columns = self.mapping.columns
        if self.mapping.header:
            header = _names(first.cells)
            missing = self.missing(header)
            if missing:
                raise Malformed(
                    "columns missing from the header, or there twice",
                    "見出しに列がないか、重複しています",
                    at=f"row {first.number} {', '.join(missing)}",
                    rule="E-09",
                )
            self.header = header
            self.places = tuple(header.index(one.source) for one in columns)
            self.width = len(header)
            while self.width and not header[self.width - 1]:
                self.width -= 1
        else:
            self.places = tuple(int(one.source) - 1 for one in columns)
            self.width = len(first.cells)
            if self.width <= max(self.places):
                raise Malformed(
                    "fewer columns than the mapping names", "列数が対応表より少ないです",
                    at=f"row {first.number}", rule="E-09",
                )  # fmt: skip


def _names(cells: Iterable[str]) -> tuple[str, ...]:
    return tuple(cell.strip(BLANKS) for cell in cells)


def of_stream(mapping: CsvMapping, stream: BinaryIO, notes: set[str]) -> Iterator[CsvRow]:
    """Every row of a whole file, front to back."""
    layout = Layout(mapping)
    found = csv_text.lines(stream, mapping.encoding, notes)
    yield from _rows(layout, csv_text.records(found, mapping.separator))


def of_upload(mapping: CsvMapping, upload: Upload, notes: set[str]) -> Iterator[CsvRow]:
    """Every row of a file or part, run by run."""
    layout = Layout(mapping)
    for run in upload.lines:
        found = csv_text.lines(
            BytesIO(run.content), mapping.encoding, notes, row=run.row, start=run.start
        )
        yield from _rows(layout, csv_text.records(found, mapping.separator))


def _rows(layout: Layout, records: Iterator[Record]) -> Iterator[CsvRow]:
    mapping = layout.mapping
    before: CsvRow | None = None
    for record in records:
        row = _head(layout, record) if not layout.places else None
        row = row or _row(layout, record, before)
        if row.problem in _REFUSALS and (mapping.on_error == "file" or not layout.places):
            english, japanese = _REFUSALS[row.problem]
            raise Malformed(english, japanese, at=row.at, rule="E-09")
        if row.kind == "data":
            before = row
        elif row.kind == "bad":
            before = None
        yield row


def _head(layout: Layout, record: Record) -> CsvRow | None:
    """What stands before the rows: blank lines, a `sep=` line, the header."""
    if record.problem or not any(cell.strip(BLANKS) for cell in record.cells):
        return None
    stated = _SEPARATOR.fullmatch(layout.mapping.separator.join(record.cells))
    if record.number == 1 and stated:
        if stated[1] != layout.mapping.separator:
            raise Malformed(
                "another delimiter than the mapping's", "区切り文字が対応表と異なります",
                at="row 1", rule="E-09",
            )  # fmt: skip
        return _plain(record, "header")
    layout.bind(record)
    return _plain(record, "header") if layout.mapping.header else None


def as_head(record: Record, mapping: CsvMapping) -> tuple[str, ...] | None:
    """The cells of a record that is the header or the first row; None before it."""
    cells = _names(record.cells)
    if not any(cells) or (
        record.number == 1 and _SEPARATOR.fullmatch(mapping.separator.join(cells))
    ):
        return None
    return cells


def could_be(column: Column, cell: str) -> bool:
    """Whether a first cell can be what a column without a header is said to be."""
    if column.to == "patient.id":
        return bool(cell) and not number(cell, 0, person=True)[1]
    if column.to in DATES and cell:
        return dates.by_mapping(cell, era=column.date == "era")[0] is not None
    return True


def _shown(layout: Layout, column: Column) -> str:
    return column.source if layout.mapping.header else f"column {column.source}"


def _plain(record: Record, kind: str, problem: str = "", column: str = "") -> CsvRow:
    return CsvRow(
        number=record.number,
        lines=record.lines,
        start=record.start,
        end=record.end,
        kind=kind,
        problem=problem,
        column=column,
    )


def _row(layout: Layout, record: Record, before: CsvRow | None) -> CsvRow:
    if record.problem:
        return _plain(record, "bad", record.problem)
    cells = record.cells
    if not any(cells) or not any(cell.strip(BLANKS) for cell in cells):
        return _plain(record, "blank")
    first = cells[0].strip(BLANKS)
    if layout.header and first == layout.header[0] and _names(cells) == layout.header:
        return _plain(record, "header")
    beyond = cells[layout.width :]
    if len(cells) < layout.width or (beyond and any(cell.strip(BLANKS) for cell in beyond)):
        return _plain(record, "bad", "row-shape")
    own = [cells[place].strip(BLANKS) for place in layout.places]
    follows = before is not None and (
        own[layout.patient] == before.patient
        or (layout.patient in layout.ditto and own[layout.patient] in _DITTO)
    )
    if follows and before is not None:
        for place in layout.ditto:
            if own[place] in _DITTO:
                own[place] = before.cells[place]
    for place, column in layout.numbers:
        own[place], problem = number(own[place], column.width, column.to == "patient.id")
        if problem:
            return _plain(record, "bad", problem, _shown(layout, column))
    if not own[layout.patient] or own[layout.patient] in _DITTO:
        column = layout.mapping.columns[layout.patient]
        return _plain(record, "bad", "field-missing", _shown(layout, column))
    named = set(layout.places)
    return CsvRow(
        number=record.number,
        lines=record.lines,
        start=record.start,
        end=record.end,
        kind="data",
        patient=own[layout.patient],
        cells=tuple(own),
        extra=tuple(n + 1 for n, one in enumerate(cells) if n not in named and one.strip(BLANKS)),
        follows=follows,
    )


@lru_cache(maxsize=16384)
def number(text: str, width: int, person: bool) -> tuple[str, str]:
    """An identifier or code as it is kept, and the finding that refuses its row.

    What a spreadsheet made of it (`1.11E+08`) is lost and refused; zeros that it took away are put
    back only to the width that the mapping states.
    """
    if _EXPONENT.fullmatch(text):
        return text, "exponent-number"
    if person and text and text not in _DITTO:
        if unicodedata.normalize("NFKC", text) != text:
            return text, "id-not-plain"
        try:
            safe_identifier(text)
        except Malformed:
            return text, "id-not-plain"
    if width and text.isascii() and text.isdigit():
        text = text.zfill(width)
    return text, ""
