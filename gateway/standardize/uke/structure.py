"""Cutting a claim file into receipts, once its structure holds (`security.md` E-09).

Two passes over the file in bounded memory. The first decodes every line and compares the end of
the file with what stands in it, so that a file that was cut off is refused before anything of it
is taken; the second says where each receipt is.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import BinaryIO

from gateway.errors import Invalid, Malformed, OverLimit
from gateway.standardize import dates, rows
from gateway.standardize.format import Part, Span
from gateway.standardize.rows import LONGEST_CELL, MOST_COLUMNS
from gateway.standardize.uke import layout, receipt
from gateway.wire import japanese
from gateway.wire.japanese import Charset

LONGEST_RECEIPT = 16 * 1024 * 1024
"Bytes of one receipt; thousands of rows are far below."

_PIECE = 1024 * 1024
_LONGEST_LINE = 1024 * 1024
_ENDS = b"\r\n\x1a"
_RECORD = re.compile(rb"[A-Z]{2}(?=,|$)")
_CONTROL = re.compile(rb"[\x00-\x08\x0b\x0c\x0e-\x19\x1b-\x1f\x7f]")
_BLANKS = b" \t"
_WRAPPERS = frozenset(one.encode() for one in layout.WRAPPERS)
SINGLE = ("", "0", "00")
"Volume of the header where the file is the only one of its claim; of the end it is `99`."


@dataclass(slots=True)
class _Block:
    """Some whole lines."""

    row: int
    start: int
    lines: list[bytes]


@dataclass(slots=True)
class _Found:
    """What the first pass counts."""

    head: Span | None = None
    volume: str = ""
    end: Span | None = None
    receipts: int = 0
    payers: int = 0
    first_points: int = 0
    "Of the first payer of each receipt, who pays for all of it."
    all_points: int = 0
    begun: int = 0
    "First byte of the receipt that is open."
    first: bool = False
    "Whether the next payer is the first of its receipt."
    size: int = 0
    "Bytes read so far."
    charset: Charset | None = None
    notes: set[str] = field(default_factory=set)


def split(stream: BinaryIO) -> Iterator[Part]:
    """One part a receipt, header and end of the file shared; raises a Refusal before any part."""
    if not stream.seekable():
        raise Invalid("the file must be readable twice", "ファイルを二度読める必要があります")
    found = _Found()
    for block in _blocks(stream):
        _check(found, block)
    head, end = _bounds(found)
    stream.seek(0)
    yield from _cut(head, end, stream)


def _blocks(stream: BinaryIO) -> Iterator[_Block]:
    """The file in blocks of whole lines; CR, LF or CR LF ends one."""
    rest, row, start = b"", 1, 0
    while piece := stream.read(_PIECE):
        cut = (rest + piece).splitlines(keepends=True)
        rest = cut.pop()  # it may go on, and a CR may be half of CR LF
        if len(rest) > _LONGEST_LINE:
            raise _too_long(row + len(cut))
        yield _Block(row, start, cut)
        row += len(cut)
        start += sum(map(len, cut))
    if rest:
        yield _Block(row, start, [rest])


def _too_long(row: int) -> OverLimit:
    return OverLimit("row too long", "行が長すぎます", at=f"row {row}", rule="E-09")


def _refused(english: str, text: str, row: int, column: str = "") -> Malformed:
    return Malformed(english, text, at=f"row {row} {column}".strip(), rule="E-09")


def _check(found: _Found, block: _Block) -> None:
    """Count and check the lines of one block."""
    _decode(found, block)
    place = block.start
    for row, raw in enumerate(block.lines, start=block.row):
        if raw.count(b",") >= MOST_COLUMNS or len(raw) > LONGEST_CELL:
            _measure(raw, row)
        match raw[:3]:
            case b"SI," | b"IY," | b"SY," | b"CO,":
                pass
            case b"RE,":
                _receipt(found, row, place)
            case b"HO," | b"KO,":
                _payer(found, row, raw)
            case _:
                _other(found, row, place, raw)
        if found.end is not None and raw[:2] != b"GO" and raw.strip(_ENDS + _BLANKS):
            raise _refused("rows after the end: files joined", "終端の後に行があります", row)
        if found.head is None and raw.strip(_ENDS + _BLANKS) and raw[:2] not in _WRAPPERS:
            raise _refused("no header before this row", "見出しがありません", row)
        place += len(raw)
        found.size = place
        if found.receipts and place - found.begun > LONGEST_RECEIPT:
            raise OverLimit(
                "receipt too long", "レセプトが長すぎます", at=f"row {row}", rule="E-09"
            )


def _decode(found: _Found, block: _Block) -> None:
    """Every character of a block, in one encoding for the whole file."""
    content = b"".join(block.lines)
    if found.charset is None and not content.isascii():
        found.charset = receipt.charset_of(content)
    whole = not _CONTROL.search(content) and b"\x1a" not in content
    if whole and found.charset is not None:
        try:
            japanese.decode(content, found.charset, found.notes)
        except Malformed:
            whole = False
    if whole:
        return
    for row, raw in enumerate(block.lines, start=block.row):
        rows.decode(raw.rstrip(_ENDS), found.charset or Charset.SHIFT_JIS, found.notes, row)


def _measure(raw: bytes, row: int) -> None:
    cells = raw.rstrip(_ENDS).split(b",")
    if len(cells) > MOST_COLUMNS or max(map(len, cells)) > LONGEST_CELL:
        raise _too_long(row)


def _receipt(found: _Found, row: int, place: int) -> None:
    if found.head is None:
        raise _refused("no header before this row", "見出しがありません", row)
    found.receipts += 1
    found.begun = place
    found.first = True


def _payer(found: _Found, row: int, raw: bytes) -> None:
    """HO or KO: points stand in column 5 of both, whatever the kind of claim."""
    cells = raw.rstrip(_ENDS).split(b",")
    text = cells[5].strip() if len(cells) > 5 else b""
    if text and not text.isdigit():
        raise _refused("not a number of points", "点数ではありません", row, "合計点数")
    found.payers += 1
    found.all_points += int(text or 0)
    if found.first:
        found.first = False
        found.first_points += int(text or 0)


def _other(found: _Found, row: int, place: int, raw: bytes) -> None:
    """Header, end, and every rarer line."""
    text = raw.rstrip(_ENDS)
    text = text.removeprefix(b"\xef\xbb\xbf") if place == 0 else text
    if not text.strip(_BLANKS):
        return
    record = _RECORD.match(text)
    if record is None:
        raise _refused("not a record", "レコードではありません", row)
    cells = [cell.strip().decode("latin-1") for cell in text.split(b",")]
    match record.group():
        case b"IR" | b"YK":
            if found.head is not None:
                raise _refused("second header: files joined", "見出しが二つあります", row)
            _head(found, row, place, raw, cells)
        case b"RE":
            _receipt(found, row, place)
        case b"GO":
            if found.end is not None:
                raise _refused("second end of file", "終端が二つあります", row)
            found.end = Span(row, place, place + len(raw))
            _totals(found, row, cells)


def _head(found: _Found, row: int, place: int, raw: bytes, cells: list[str]) -> None:
    """The header: whose claims of which month these are."""
    kind = receipt.kind_of(cells[0], cells[3] if len(cells) > 3 else "")
    if not kind:
        raise _refused("no table of points", "点数表がありません", row, "点数表")
    names = layout.layouts(kind)[cells[0]]
    said = dict(zip(names, cells[1:], strict=False))
    if not dates.month(said.get("請求年月", ""))[0]:
        raise _refused("no month of claim", "請求年月がありません", row, "請求年月")
    found.volume = said.get("マルチボリューム識別情報", "")
    found.head = Span(row, place, place + len(raw))


def _totals(found: _Found, row: int, cells: list[str]) -> None:
    """The end of the file against what stands in it.

    The published file counts each payer of each receipt and adds up what the first one of each
    receipt pays for; others count receipts. A claim in volumes has totals of all of them.
    """
    count, points, volume = (*cells[1:4], "", "", "")[:3]
    firsts, last = SINGLE, "99"
    if found.volume not in firsts or volume not in ("", last):
        return
    for text, sums, column in (
        (count, (found.payers, found.receipts), "総件数"),
        (points, (found.first_points, found.all_points), "総合計点数"),
    ):
        if text and not (text.isascii() and text.isdigit() and int(text[:18]) in sums):
            raise _refused(
                "counts or points differ from the records: the file is incomplete",
                "件数または点数がレコードと一致しません。ファイルが欠けています", row, column,
            )  # fmt: skip


def _bounds(found: _Found) -> tuple[Span, Span]:
    """Header and end; a file without an end was cut off."""
    if found.head is None:
        raise _refused("no header", "見出しがありません", 1)
    if found.end is None:
        raise Malformed(
            "no end of file (GO): the file was cut off; send it again",
            "終端(GO)がありません。途中で切れています。送り直してください", at="GO", rule="E-09",
        )  # fmt: skip
    return found.head, Span(found.end.row, found.end.start, found.size)


def _cut(head: Span, end: Span, stream: BinaryIO) -> Iterator[Part]:
    """Where each receipt is. Wrappers belong to the receipt that follows, else to the one before.

    What stands before the first receipt and after the last one is shared by all.
    """
    opened: tuple[int, int] | None = None
    boundary: tuple[int, int] | None = None
    shared: tuple[Span, ...] = ()
    for block in _blocks(stream):
        place = block.start
        for row, raw in enumerate(block.lines, start=block.row):
            if place == end.start:
                break
            record = raw[:2]
            if record == b"RE":
                at = boundary or (row, place)
                if opened is None:
                    shared = (Span(1, 0, at[1]), end)
                else:
                    yield Part(own=(Span(*opened, at[1]),), shared=shared)
                opened, boundary = at, None
            elif record in _WRAPPERS and place >= head.end:
                boundary = boundary or (row, place)
            elif raw.strip(_ENDS + _BLANKS):
                boundary = None
            place += len(raw)
    if opened is None:
        yield Part(own=(Span(1, 0, end.end),))
    else:
        yield Part(own=(Span(*opened, end.start),), shared=shared)
