"""Files of rows while they are read: bytes to rows that know where they stand, and their reading.

For what JAHIS, the claims formats and laboratories write: comma-separated lines without quoting,
the first cell of which says what kind of record it is. A row keeps its number and its range of
bytes in the file as it was received, also where only a part of that file is read.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from gateway.errors import Malformed, OverLimit
from gateway.model.identifiers import PatientId
from gateway.standardize import dates
from gateway.standardize.format import Upload
from gateway.standardize.reading import Reading
from gateway.wire import japanese
from gateway.wire.japanese import Charset

MOST_COLUMNS = 500
LONGEST_CELL = 64 * 1024
BLANKS = " \t\u3000"
_LINE = re.compile(rb"[^\r\n\x1a]+")
_CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f]")
_MARK = b"\xef\xbb\xbf"

Layouts = Mapping[str, Sequence[str]]
"Record to the names of its columns after the record's own cell."


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One row: its record, its cells by name, and where it stands."""

    number: int
    record: str
    cells: Mapping[str, str]
    "Those that are not empty."
    extra: int
    "Cells beyond the known columns that are not empty."
    start: int
    end: int
    within: str = ""
    "What holds the rows, where that is not the file itself: an element, one part of several."

    @property
    def at(self) -> str:
        """Where it stands, as findings say it."""
        return f"{self.within} row {self.number}" if self.within else f"row {self.number}"

    def get(self, name: str) -> str:
        """A cell without blanks around it; empty where the row is shorter."""
        return self.cells.get(name, "").strip(BLANKS)


@dataclass(frozen=True, slots=True)
class Line:
    """One line as text, and where it stands."""

    number: int
    text: str
    start: int
    end: int
    within: str = ""


def lines(
    upload: Upload, charset: Charset, notes: set[str], *, choose: bool = False
) -> Iterable[Line]:
    """The lines of a file or part, decoded one by one.

    `choose` says that UTF-8, with or without its mark, is read too and noted (F-04). A broken or a
    control character refuses the file by its row (F-01, E-09). Blank lines are counted, not given.
    """
    content = upload.content.removeprefix(_MARK)
    if choose and not content.isascii() and japanese.detect(content) is Charset.UTF_8:
        charset = Charset.UTF_8
        notes.add(japanese.ENCODING_DETECTED)
    for run in upload.lines:
        start = len(_MARK) if run.start == 0 and run.content.startswith(_MARK) else 0
        number, before = run.row, start
        for found in _LINE.finditer(run.content, start):
            number += _ends(run.content[before : found.start()])
            before = found.end()
            text = decode(found.group(), charset, notes, number)
            at = run.start
            yield Line(number, text, at + found.start(), at + found.end(), run.within)


def _ends(between: bytes) -> int:
    """How many lines end between two: CR LF is one end."""
    return between.count(b"\n") + between.count(b"\r") - between.count(b"\r\n")


def decode(line: bytes, charset: Charset, notes: set[str], number: int) -> str:
    """One line; a broken character or a control character refuses the file by its row."""
    try:
        text = japanese.decode(line, charset, notes)
    except Malformed as refusal:
        raise Malformed(
            refusal.english, refusal.japanese, at=f"row {number}", rule="F-01"
        ) from refusal
    if _CONTROL.search(text):
        raise Malformed("control character", "制御文字があります", at=f"row {number}", rule="E-09")
    return text


def row(line: Line, layouts: Layouts) -> Row:
    """A line as the row of its record; a record without a layout has no named cells."""
    cells = line.text.split(",")
    if len(cells) > MOST_COLUMNS or (
        len(line.text) > LONGEST_CELL and max(map(len, cells)) > LONGEST_CELL
    ):
        raise OverLimit("row too long", "行が長すぎます", at=f"row {line.number}", rule="E-09")
    record = cells[0].strip(BLANKS)
    names = layouts.get(record, ())
    return Row(
        number=line.number,
        record=record,
        cells={name: cell for name, cell in zip(names, cells[1:], strict=False) if cell},
        extra=sum(1 for cell in cells[1 + len(names) :] if cell.strip(BLANKS)),
        start=line.start,
        end=line.end,
        within=line.within,
    )


class RowReading(Reading):
    """What is known and found while the rows of one file become a batch."""

    __slots__ = ()

    def __init__(
        self, upload: Upload, patient: PatientId, *, version: str = "", notes: Iterable[str] = ()
    ) -> None:
        super().__init__(upload, patient, version=version)
        for note in sorted(notes):
            self.find(note)

    def take(self, row: Row, *columns: str, became: str = "used") -> None:
        """Say that a row was read, which of its columns, and what became of it."""
        self._account[row.at] = became
        for name in row.cells:
            if name not in columns and row.get(name):
                self.find("unmapped-field", f"{row.at} {name}")
        if row.extra:
            self.find("unmapped-field", row.at)

    def day(self, row: Row, column: str) -> str:
        """A date cell as FHIR says it; one that does not exist is left out and found."""
        text = row.get(column)
        if not text:
            return ""
        found, overrun = dates.western(text)
        if found is None:
            self.find("bad-date", f"{row.at} {column}")
            return ""
        if overrun:
            self.find("era-overrun", f"{row.at} {column}")
        return found.isoformat()
