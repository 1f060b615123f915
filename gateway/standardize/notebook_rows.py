"""Rows of a medication notebook file: bytes to rows that know where they stand, in blocks.

JAHIS 電子版お薬手帳データフォーマット: comma-separated, cp932, no quoting; column names as in its
record layouts. A row keeps its number and its range of bytes.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from gateway.errors import Malformed, OverLimit
from gateway.wire import japanese
from gateway.wire.japanese import Charset

HEADER = re.compile(r"JAHISTC([0-9]{2}),? ?([12]?),*")
MOST_COLUMNS = 500
LONGEST_CELL = 64 * 1024
_LINE = re.compile(rb"[^\r\n]+")
_CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f]")

COLUMNS: Mapping[str, tuple[str, ...]] = {
    "1": (
        "name", "sex", "birth", "postal", "address", "tel", "emergency", "blood", "weight", "kana",
    ),
    "2": ("kind", "text", "creator"),
    "3": ("drug", "start", "end", "creator", "seq", "jan"),
    "31": ("seq", "ingredient", "code_kind", "code", "creator"),
    "4": ("memo", "date", "creator"),
    "5": ("date", "creator"),
    "11": ("name", "prefecture", "fee_table", "number", "postal", "address", "tel", "creator"),
    "15": ("name", "contact", "creator"),
    "51": ("name", "prefecture", "fee_table", "number", "creator"),
    "55": ("name", "department", "creator"),
    "201": (
        "rp", "drug", "dose", "unit", "code_kind", "code", "creator",
        "general", "general_kind", "general_code",
    ),
    "281": ("rp", "text", "creator"),
    "291": ("rp", "text", "creator"),
    "301": ("rp", "text", "quantity", "unit", "form", "code_kind", "code", "creator"),
    "311": ("rp", "text", "creator"),
    "321": ("rp", "text", "creator"),
    "391": ("rp", "text", "creator"),
    "401": ("text", "creator"),
    "411": ("text", "kind", "creator"),
    "421": ("text", "creator"),
    "501": ("text", "creator"),
    "601": ("text", "date", "creator"),
    "701": ("name", "pharmacy", "contact", "start", "end", "creator"),
    "911": ("id", "total", "part"),
}  # fmt: skip
"Record number to its columns after the number."


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One row: its record number, its cells by name, and where it stands."""

    number: int
    record: str
    cells: Mapping[str, str]
    extra: int
    "Cells beyond the known columns that are not empty."
    start: int
    end: int

    @property
    def at(self) -> str:
        """Where it stands, as findings say it."""
        return f"row {self.number}"

    def get(self, name: str) -> str:
        """A cell without blanks around it; empty where the row is shorter."""
        return self.cells.get(name, "").strip(" \t\u3000")


@dataclass(slots=True)
class Notebook:
    """A whole file."""

    version: int
    category: str
    "1 from provider to patient, 2 from patient to provider, empty where it is not said."
    rows: list[Row] = field(default_factory=list)
    notes: set[str] = field(default_factory=set)


def parse(content: bytes) -> Notebook:
    """Read the rows; raises `Malformed` where it is no notebook or a row cannot be read."""
    notes: set[str] = set()
    charset = Charset.SHIFT_JIS
    body = content.rstrip(b"\x1a\r\n")
    if not body.isascii() and japanese.detect(body) is Charset.UTF_8:
        charset = Charset.UTF_8
        notes.add(japanese.ENCODING_DETECTED)
    start = 3 if body.startswith(b"\xef\xbb\xbf") else 0
    lines = list(_LINE.finditer(body, start))
    head = HEADER.fullmatch(_decode(lines[0].group(), charset, notes, 1)) if lines else None
    if head is None:
        raise Malformed("no notebook header", "お薬手帳の見出しがありません", at="row 1")
    notebook = Notebook(int(head[1]), head[2], notes=notes)
    for number, line in enumerate(lines[1:], start=2):
        text = _decode(line.group(), charset, notes, number)
        notebook.rows.append(_row(number, text, line.start(), line.end()))
    return notebook


def _decode(line: bytes, charset: Charset, notes: set[str], number: int) -> str:
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


def _row(number: int, text: str, start: int, end: int) -> Row:
    cells = text.split(",")
    if len(cells) > MOST_COLUMNS or max(map(len, cells)) > LONGEST_CELL:
        raise OverLimit("row too long", "行が長すぎます", at=f"row {number}", rule="E-09")
    record = cells[0].strip()
    names = COLUMNS.get(record, ())
    return Row(
        number=number,
        record=record,
        cells=dict(zip(names, cells[1:], strict=False)),
        extra=sum(1 for cell in cells[1 + len(names) :] if cell.strip()),
        start=start,
        end=end,
    )
