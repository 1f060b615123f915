"""SS-MIX2 transaction storage (トランザクションストレージ): messages, each under a header line.

SS-MIX2 標準化ストレージ仕様書 1.2: `<root>/YYYY/TR_YYYYMMDDHHMMSSFFF_nnnnn.DAT`, and in it before
each message

    #SSMIX,2.00,facility,patient,day|-,data type,order,INS|DEL,department|-,moment

The header says what the name of a stored file says, with `INS` and `DEL` for the condition flag,
so a message is read under that name, and its items have the keys and versions of the standardized
storage: the same order by both ways is one (STG-04). Messages are ordered, deletions explicit.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import BinaryIO

from gateway.errors import Malformed, NotPermitted, Unsupported
from gateway.model.batch import Batch
from gateway.standardize import dates, lines
from gateway.standardize.findings import finding
from gateway.standardize.format import Format, Part, Run, Span, Upload
from gateway.standardize.lines import Mark
from gateway.standardize.ssmix2.data_types import MESSAGES
from gateway.standardize.ssmix2.storage import StoredName, read_message
from gateway.wire import hl7v2

_BEGIN = b"#SSMIX,"
_MARK = re.compile(rb"(?:(?<=[\r\n\x1c])|\A)(?:\xef\xbb\xbf)?(#SSMIX,)")
_VERSION = re.compile(r"2\.[0-9]{1,2}")
_FIELDS = 10
_LONGEST = 512
_BLANK = b"\r\n\x1c\x0b\xef\xbb\xbf \t"


@dataclass(frozen=True, slots=True)
class Header:
    """One header line."""

    facility: str
    name: StoredName


def recognise(upload: Upload) -> bool:
    """By the first header line."""
    return upload.content[:64].lstrip(_BLANK).startswith(_BEGIN)


def split(stream: BinaryIO) -> Iterator[Part]:
    """One part a header with its message; refuses the whole for two facilities in one file (E-04).

    Read twice, so that nothing is taken of a file that is refused.
    """
    facilities = set()
    for mark in _marks(stream):
        facilities.add(mark.line.split(b",")[2:3][0] if mark.line.count(b",") > 1 else b"")
        if len(facilities - {b""}) > 1:
            raise Malformed(
                "more than one facility in one file", "複数の施設が含まれています",
                at=f"row {mark.row}", rule="E-04",
            )  # fmt: skip
    stream.seek(0)
    before: Mark | None = None
    for mark in _marks(stream):
        if before:
            yield _part(before, mark.start)
        before = mark
    if before:
        yield _part(before, stream.seek(0, 2))


def _part(mark: Mark, end: int) -> Part:
    return Part(own=(Span(mark.row, mark.start, end),))


def _marks(stream: BinaryIO) -> Iterator[Mark]:
    first = True
    for piece in lines.pieces(stream):
        for mark in lines.marks(piece, _MARK):
            if first and piece.content[: mark.start - piece.start].strip(_BLANK):
                raise _before()
            first = False
            yield mark
        if first and piece.content.strip(_BLANK):
            raise _before()


def _before() -> Malformed:
    return Malformed(
        "lines before the first header", "先頭のヘッダの前に行があります", at="row 1", rule="E-02"
    )


def read(upload: Upload) -> Batch:
    """Read one header with its message; raises a Refusal where it is refused."""
    run = upload.lines[0]
    line, rest = _cut(run)
    at = f"row {run.row}"
    header = read_header(line, at)
    if upload.institution and header.facility != upload.institution:
        raise NotPermitted(
            "the header names another facility", "ヘッダの施設コードが送信施設と異なります",
            at=at, rule="E-04", log="AUTH-SPOOF",
        )  # fmt: skip
    message = hl7v2.parse(rest.content, base=rest.start)
    label = f"ssmix2-transaction/{header.name.data_type}"
    batch = read_message(upload, message, header.name, label, at=at)
    batch.account[at] = "used"
    if header.name.day != "-" and not dates.fhir_time(header.name.day):
        batch = replace(batch, findings=(*batch.findings, finding("bad-date", at)))
    return batch


def _cut(run: Run) -> tuple[bytes, Run]:
    """The header line, and the message behind it."""
    found = re.match(rb"([^\r\n]*)[\r\n]*", run.content)
    line, end = (found[1], found.end()) if found else (b"", 0)
    return line.removeprefix(b"\xef\xbb\xbf"), Run(run.row + 1, run.start + end, run.content[end:])


def read_header(line: bytes, at: str) -> Header:
    """A header line; raises `Malformed` naming what is wrong with it, never a value."""
    try:
        text = line.decode("ascii")
    except UnicodeDecodeError as error:
        raise _wrong("not ASCII", at) from error
    fields = [field.strip() for field in text.split(",")]
    if len(fields) != _FIELDS or len(line) > _LONGEST or not _VERSION.fullmatch(fields[1]):
        raise _wrong("fields or version", at)
    _, _, facility, patient, day, data_type, order, kind, department, moment = fields
    if kind not in ("INS", "DEL"):
        raise _wrong("neither INS nor DEL", at)
    if not patient or not re.fullmatch(r"[0-9]{8}|-", day):
        raise _wrong("patient or day", at)
    if not re.fullmatch(r"[0-9]{8,17}", moment):
        raise _wrong("moment", at)
    if data_type not in MESSAGES:
        raise Unsupported(
            "data type not known", "データ種別が不明です", at=f"{at} data type", rule="E-08"
        )
    name = StoredName(
        patient=patient, day=day, data_type=data_type, order=order, issued=moment,
        department=department, flag="1" if kind == "INS" else "0",
    )  # fmt: skip
    return Header(facility, name)


def _wrong(what: str, at: str) -> Malformed:
    return Malformed(f"header line: {what}", "ヘッダ行が正しくありません", at=at, rule="E-08")


FORMAT: Format = Format(name="ssmix2-transaction", recognise=recognise, read=read, split=split)
