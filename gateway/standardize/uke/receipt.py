"""One receipt of a claim file: its lines as rows of the records of its kind of claim."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from gateway.errors import Malformed
from gateway.standardize import rows
from gateway.standardize.format import Upload
from gateway.standardize.rows import Row
from gateway.standardize.uke import layout
from gateway.wire import japanese
from gateway.wire.japanese import Charset

_MARK = b"\xef\xbb\xbf"
_JAPANESE = re.compile("[\u3000-\uffef]")
_RECORD = re.compile("[A-Z]{2}")
_KINDS: Mapping[str, str] = {"1": layout.MEDICAL, "3": layout.DENTAL, "4": layout.PHARMACY}
"点数表 of the header to the kind of claim."


@dataclass(slots=True)
class Receipt:
    """A header, a receipt and what belongs to it."""

    kind: str
    header: Row
    re: Row | None = None
    rows: list[Row] = field(default_factory=list)
    "What follows RE."
    beside: list[Row] = field(default_factory=list)
    "Records around receipts: wrappers of returned claims, the end of the file."
    notes: set[str] = field(default_factory=set)


def charset_of(content: bytes) -> Charset:
    """cp932, unless a mark says UTF-8 or the bytes are Japanese text in it (F-04).

    Text in cp932 is not UTF-8 by accident: a full-width kana begins with a byte that no character
    of UTF-8 begins with. Half-width kana could be; they are none of UTF-8's Japanese characters.
    """
    if content.startswith(_MARK):
        return Charset.UTF_8
    if content.isascii():
        return Charset.SHIFT_JIS
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError:
        return Charset.SHIFT_JIS
    return Charset.UTF_8 if _JAPANESE.search(text) else Charset.SHIFT_JIS


def kind_of(record: str, fee_table: str) -> str:
    """The kind of claim that a header begins; empty where it is none."""
    kind = _KINDS.get(fee_table, "")
    return kind if (record == "YK") == (kind == layout.PHARMACY) else ""


def parse(upload: Upload) -> Receipt:
    """The rows of a part; raises a Refusal where they are not one receipt below one header."""
    notes: set[str] = set()
    charset = charset_of(upload.content)
    if charset is Charset.UTF_8:
        notes.add(japanese.ENCODING_DETECTED)
    lines = list(rows.lines(upload, charset, notes))
    heads = [line for line in lines if line.text[:2] in layout.HEADERS]
    cells = heads[0].text.split(",") if heads else [""]
    kind = kind_of(cells[0].strip(rows.BLANKS), cells[3].strip() if len(cells) > 3 else "")
    if len(heads) != 1 or not kind:
        at = f"row {heads[-1].number}" if heads else "row 1"
        raise Malformed("not one header", "見出しが一つではありません", at=at, rule="E-09")
    if kind == layout.MEDICAL and any(line.text[:2] in layout.ONLY_DPC for line in lines):
        kind = layout.DPC
    columns = layout.layouts(kind)
    found = [rows.row(line, columns) for line in lines]
    header = next(row for row in found if row.record in layout.HEADERS)
    receipt = Receipt(kind, header, notes=notes)
    for row in found:
        _place(receipt, row)
    return receipt


def _place(receipt: Receipt, row: Row) -> None:
    if not _RECORD.fullmatch(row.record):
        raise Malformed("not a record", "レコードではありません", at=row.at, rule="E-09")
    if row.record in layout.HEADERS:
        return
    if row.record in layout.WRAPPERS or row.record == "GO":
        receipt.beside.append(row)
    elif row.record == "RE":
        if receipt.re is not None:
            raise Malformed(
                "several receipts: the file is read in parts", "複数のレセプトが含まれています",
                at=row.at,
            )  # fmt: skip
        receipt.re = row
    elif receipt.re is None:
        raise Malformed(
            "a record before the first receipt", "レセプトの前にレコードがあります",
            at=row.at, rule="E-09",
        )  # fmt: skip
    else:
        receipt.rows.append(row)
