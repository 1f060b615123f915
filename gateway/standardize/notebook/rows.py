"""The rows of a medication notebook: JAHIS 電子版お薬手帳データフォーマット, cp932, no quoting.

Column names as in its record layouts.
"""

import re
from dataclasses import dataclass, field

from gateway.errors import Malformed
from gateway.standardize import rows
from gateway.standardize.format import Upload
from gateway.standardize.rows import Layouts, Row
from gateway.wire.japanese import Charset

HEADER = re.compile(r"JAHISTC([0-9]{2}),? ?([12]?),*")

COLUMNS: Layouts = {
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


@dataclass(slots=True)
class Notebook:
    """A whole file."""

    version: int
    category: str
    "1 from provider to patient, 2 from patient to provider, empty where it is not said."
    head: Row
    rows: list[Row] = field(default_factory=list)
    notes: set[str] = field(default_factory=set)


def parse(upload: Upload) -> Notebook:
    """Read the rows; raises `Malformed` where it is no notebook or a row cannot be read."""
    notes: set[str] = set()
    found = list(rows.lines(upload, Charset.SHIFT_JIS, notes, choose=True))
    head = HEADER.fullmatch(found[0].text) if found else None
    if head is None:
        raise Malformed("no notebook header", "お薬手帳の見出しがありません", at="row 1")
    notebook = Notebook(int(head[1]), head[2], rows.row(found[0], {}), notes=notes)
    notebook.rows.extend(rows.row(line, COLUMNS) for line in found[1:])
    return notebook
