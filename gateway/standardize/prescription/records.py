"""The records of a prescription: JAHIS 院外処方箋２次元シンボル, columns as in its record layouts.

The national e-prescription holds the same records in a container of its own.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import NamedTuple

from gateway.errors import Malformed
from gateway.model.identifiers import PatientId
from gateway.standardize import dates, rows, tables
from gateway.standardize.format import Upload
from gateway.standardize.rows import Layouts, Row, RowReading
from gateway.wire.japanese import Charset

_LOST = re.compile("■|(?<=[^\x00-\x7f])\\?|\\?(?=[^\x00-\x7f])")
_KINDS = {"9": re.compile("[0-9]+"), "X": re.compile("[ -~\uff61-\uff9f]+")}
_SEVERAL = frozenset({"81", "181", "281"})
"Records that may stand several times; those of an RP or a drug, once for each."


class Column(NamedTuple):
    """What a column holds."""

    kind: str
    "9 digits; X letters, digits, half-width kana; N any text."
    digits: int
    required: bool


COLUMNS: Mapping[tuple[str, str], Column] = {
    (row["record"], row["column"]): Column(row["kind"], int(row["digits"]), row["required"] == "!")
    for row in tables.rows("jahis_prescription")
}


def _layouts() -> Layouts:
    found: dict[str, list[str]] = {}
    for record, column in COLUMNS:
        found.setdefault(record, []).append(column)
    return found


LAYOUTS: Layouts = _layouts()
"Record number to its columns after the number."


@dataclass(slots=True)
class Drug:
    """One 201 with the records about it."""

    row: Row
    about: dict[str, Row] = field(default_factory=dict)
    "Records 211 to 241."
    notes: list[Row] = field(default_factory=list)
    "Records 281."


@dataclass(slots=True)
class Rp:
    """One group of drugs that are taken in the same way (RP)."""

    number: str
    about: dict[str, Row] = field(default_factory=dict)
    "Records 101, 102 and 111."
    notes: list[Row] = field(default_factory=list)
    "Records 181."
    drugs: list[Drug] = field(default_factory=list)


@dataclass(slots=True)
class Prescription:
    """A whole prescription."""

    version: int
    head: Row
    about: dict[str, Row] = field(default_factory=dict)
    "Records 1 to 82 but 81."
    remarks: list[Row] = field(default_factory=list)
    "Records 81."
    rps: list[Rp] = field(default_factory=list)
    rows: list[Row] = field(default_factory=list)
    notes: set[str] = field(default_factory=set)
    misplaced: list[Row] = field(default_factory=list)
    "Rows that stand twice, or whose RP or drug is not there."
    unordered: list[Row] = field(default_factory=list)
    "Rows that stand where their record may not."

    def get(self, record: str, column: str) -> str:
        """A cell of a record that stands once; empty where it is not there."""
        row = self.about.get(record)
        return row.get(column) if row else ""


class PrescriptionReading(RowReading):
    """What is known and found while one prescription becomes a batch."""

    __slots__ = ()

    def __init__(self, upload: Upload, patient: PatientId, prescription: Prescription) -> None:
        super().__init__(upload, patient, notes=prescription.notes)
        self.account(prescription.head, "used")
        for row in prescription.rows:
            self._check(row)
        for row in prescription.unordered:
            self.find("record-order", row.at)

    def take_whole(self, row: Row, *without: str, became: str = "used") -> None:
        """Say that a row was read, with all of its columns but some."""
        taken = (name for name in LAYOUTS[row.record] if name not in without)
        self.take(row, *taken, became=became)

    def _check(self, row: Row) -> None:
        """Compare a row with its layout; what does not fit is kept as sent and found."""
        for name in LAYOUTS.get(row.record, ()):
            column, text = COLUMNS[row.record, name], row.get(name)
            if not text:
                if column.required:
                    self.find("field-missing", f"{row.at} {name}")
                continue
            kind = _KINDS.get(column.kind)
            if len(text) > column.digits or (kind and not kind.fullmatch(text)):
                self.find("field-type", f"{row.at} {name}")
            if not text.isascii() and _LOST.search(text):
                self.find("lost-character", f"{row.at} {name}")

    def any_day(self, row: Row, column: str) -> str:
        """A date of which the day or the month may be left out, as FHIR says it."""
        shown = dates.partial(row.get(column))
        return shown or self.day(row, column)


def parse(
    upload: Upload,
    header: re.Pattern[str],
    charset: Charset,
    *,
    choose: bool,
    within: str = "",
    place: Callable[[int, int], tuple[int, int]] | None = None,
) -> Prescription:
    """Read the rows; raises `Malformed` where it is no prescription or a row cannot be read.

    `place` says where bytes of the rows stand in the file that holds them.
    """
    notes: set[str] = set()
    found = []
    for line in rows.lines(upload, charset, notes, choose=choose):
        row = rows.row(line, LAYOUTS)
        if place:
            start, end = place(row.start, row.end)
            row = replace(row, start=start, end=end, within=within)
        found.append(row)
    head = header.fullmatch(found[0].record) if found else None
    if head is None or found[0].extra:
        raise Malformed("no prescription header", "処方箋データの見出しがありません", at="row 1")
    made = Prescription(int(head[1]), found[0], rows=found[1:], notes=notes)
    _group(made)
    if "11" not in made.about or any(row.record == "11" for row in made.misplaced):
        raise Malformed(
            "a prescription is about one patient", "患者氏名レコードは一件でなければなりません",
            at="record 11",
        )  # fmt: skip
    return made


def _group(made: Prescription) -> None:
    """Put each row where it belongs; RP and drug by their numbers, not by their place."""
    last = (0, 0, 0)
    rps: dict[str, Rp] = {}
    drugs: dict[tuple[str, str], Drug] = {}
    for row in made.rows:
        if row.record not in LAYOUTS or row.record == "911":
            continue
        last, ordered = _after(last, row)
        if not ordered:
            made.unordered.append(row)
        number = int(row.record)
        if number < 100:
            _put(made, row)
            continue
        key = row.get("rp").lstrip("0")
        rp = rps.get(key)
        if rp is None:
            rp = rps[key] = Rp(key)
            made.rps.append(rp)
        place = (key, row.get("seq").lstrip("0"))
        if row.record == "181":
            rp.notes.append(row)
        elif number < 200:
            _once(made, rp.about, row)
        elif row.record == "201":
            if place in drugs:
                made.misplaced.append(row)
                continue
            drugs[place] = Drug(row)
            rp.drugs.append(drugs[place])
        elif place not in drugs:
            made.misplaced.append(row)
        elif row.record == "281":
            drugs[place].notes.append(row)
        else:
            _once(made, drugs[place].about, row)


def _put(made: Prescription, row: Row) -> None:
    if row.record in _SEVERAL:
        made.remarks.append(row)
    else:
        _once(made, made.about, row)


def _once(made: Prescription, where: dict[str, Row], row: Row) -> None:
    if where.setdefault(row.record, row) is not row:
        made.misplaced.append(row)


def _after(last: tuple[int, int, int], row: Row) -> tuple[tuple[int, int, int], bool]:
    """Where a row stands and whether it may stand there: header, then each RP, then its drugs."""
    number = int(row.record)
    rp = _whole(row.get("rp")) if number >= 100 else 0
    place = (rp, 1 if number >= 200 else 0, number if number < 200 else _whole(row.get("seq")))
    return place, place >= last


def _whole(text: str) -> int:
    return int(text) if text.isascii() and text.isdigit() else 0
