"""The rows of one CSV part while they are read: cells by meaning, person, dates, codes."""

import unicodedata
from collections.abc import Iterable
from typing import Any

from gateway.errors import OverLimit
from gateway.model.batch import Batch, Resource
from gateway.model.csv_mapping import Column, CsvMapping
from gateway.model.identifiers import PatientId
from gateway.model.person import Address, Demographics, Gender, Script, Telecom
from gateway.standardize import codes, dates
from gateway.standardize.csv_mapped.rows import CsvRow
from gateway.standardize.described import person_name
from gateway.standardize.format import Upload
from gateway.standardize.reading import Reading
from gateway.wire import fhir

_SEXES = {
    "1": Gender.MALE, "2": Gender.FEMALE, "m": Gender.MALE, "f": Gender.FEMALE,
    "男": Gender.MALE, "女": Gender.FEMALE, "男性": Gender.MALE, "女性": Gender.FEMALE,
    "male": Gender.MALE, "female": Gender.FEMALE, "o": Gender.OTHER, "other": Gender.OTHER,
    "u": Gender.UNKNOWN, "unknown": Gender.UNKNOWN, "0": Gender.UNKNOWN, "9": Gender.UNKNOWN,
    "不明": Gender.UNKNOWN,
}  # fmt: skip
"Sexes as CSV writes them where the mapping does not say otherwise."


def shown(mapping: CsvMapping, column: Column) -> str:
    """A column as findings say it: its name in the mapping, or its number."""
    return column.source if mapping.header else f"column {column.source}"


class CsvReading(Reading):
    """What is known and found while the rows about one person become a batch."""

    __slots__ = ("_places", "_rows", "mapping", "names")

    def __init__(
        self, upload: Upload, patient: PatientId, mapping: CsvMapping, notes: Iterable[str]
    ) -> None:
        super().__init__(upload, patient)
        self.mapping = mapping
        self._places = {
            column.to: place for place, column in reversed(list(enumerate(mapping.columns)))
        }
        self.names = {column.to: f" {shown(mapping, column)}" for column in mapping.columns}
        self._rows: list[CsvRow] = []
        for note in sorted(notes):
            self.find(note)

    def describe(self, rows: list[CsvRow]) -> None:
        """Take what the rows say of the person; leave those that are refused or contradict it."""
        self._rows = rows
        extra: set[int] = set()
        first: tuple[Any, ...] | None = None
        for row in rows:
            extra.update(row.extra)
            if row.kind == "header":
                self.account(row, "used")
            elif row.kind == "blank":
                if row.lines:
                    self.leave(row, "empty-row")
            elif row.kind == "bad":
                self.refuse(row, row.problem, row.column)
            else:
                said = self._sex(row), self._birth(row)
                if first is None:
                    first = said
                    self._person(row, *said)
                elif any(a and b and a != b for a, b in zip(first, said, strict=True)):
                    self.leave(row, "person-clash")
        for number in sorted(extra):
            self.find("unmapped-field", f"column {number}")

    def refuse(self, row: CsvRow, code: str, column: str = "") -> None:
        """Leave a row for a reason in one of its columns."""
        self.account(row, code)
        self.find(code, f"{row.at} {column}".strip())

    def column(self, word: str) -> Column | None:
        """The (first) column of a word."""
        place = self._places.get(word)
        return None if place is None else self.mapping.columns[place]

    def cell(self, row: CsvRow, word: str) -> str:
        """The cell of a word; what the mapping says it means where it says so."""
        place = self._places.get(word)
        if place is None:
            return ""
        text = row.cells[place]
        meanings = self.mapping.columns[place].values
        return meanings.get(text, text) if meanings else text

    def all(self, row: CsvRow, word: str) -> tuple[str, ...]:
        """The cells of every column of a word that are not empty."""
        columns = enumerate(self.mapping.columns)
        return tuple(row.cells[n] for n, one in columns if one.to == word and row.cells[n])

    def at(self, row: CsvRow, word: str) -> str:
        """Where a cell stands, as findings say it."""
        return row.at + self.names.get(word, "")

    def day(self, row: CsvRow, word: str, clock: str = "") -> str:
        """A date cell, with the time of `clock` or its own; one that does not exist is found."""
        text = self.cell(row, word)
        if not text:
            return ""
        column = self.column(word)
        era = column is not None and column.date == "era"
        day, overrun, own = dates.by_mapping(text, era=era)
        if day is None:
            self.find("bad-date", self.at(row, word))
            return ""
        if overrun:
            self.find("era-overrun", self.at(row, word))
        moment = own
        if clock and self.cell(row, clock):
            moment = dates.clock(self.cell(row, clock))
            if not moment:
                self.find("bad-date", self.at(row, clock))
        return f"{day.isoformat()}T{moment}{dates.ZONE}" if moment else day.isoformat()

    def coded(self, row: CsvRow, word: str, text: str, kind: str) -> tuple[Resource, bool]:
        """A code cell as CodeableConcept, and whether its code is a standard one.

        `kind` names the facility's own codes where the mapping gives no system.
        """
        column = self.column(word)
        return self.concept(self.cell(row, word), column.code_system if column else "", text, kind)

    def concept(self, code: str, system: str, text: str, kind: str) -> tuple[Resource, bool]:
        """A code of a system as the mapping names it."""
        if not code:
            return fhir.concept(text=text), False
        if ":" in system:
            return fhir.concept(fhir.coding(code, system, text), text=text), True
        folded = unicodedata.normalize("NFKC", code) if system else code
        parts = (folded, text, system or f"csv-{kind}")
        found = codes.coded(parts, self.domain)
        made = fhir.concept(*(fhir.coding(c.code, c.system, c.display) for c in found), text=text)
        return made, any(one.standard for one in found)

    def batch(self, name: str, occurred: str = "") -> Batch:
        """What the rows became; the further lines of a row share its fate."""
        for row in self._rows:
            became = self._account.get(row.at)
            if became is None and row.lines:
                self.leave(row, "not-yet-mapped")
                became = "not-yet-mapped"
            for number in row.lines:
                if became and number != row.number:
                    self._account[f"row {number}"] = (
                        "used" if became.startswith("item ") else became
                    )
        newest = max((_moment(item.resource) for item in self.items), default="")
        return super().batch(name, occurred or newest)

    def _sex(self, row: CsvRow) -> Gender | None:
        text = unicodedata.normalize("NFKC", self.cell(row, "patient.sex")).casefold()
        return _SEXES.get(text)

    def _birth(self, row: CsvRow) -> str:
        return self.day(row, "patient.birth")[:10]

    def _person(self, row: CsvRow, sex: Gender | None, birth: str) -> None:
        """Demographics and JP_Patient from the first row about the person."""
        words = ("patient.name", "patient.kana", "patient.birth", "patient.sex", "patient.address",
                 "patient.postal", "patient.phone")  # fmt: skip
        said = {word: self.cell(row, word) for word in words}
        if not any(said.values()):
            return
        if said["patient.sex"] and sex is None:
            self.find("field-table", self.at(row, "patient.sex"))
        names = []
        for word, script in (("patient.name", Script.KANJI), ("patient.kana", Script.KANA)):
            if said[word]:
                try:
                    names.append(person_name(said[word], script))
                except OverLimit:
                    self.find("unmapped-field", self.at(row, word))
        place = Address(text=said["patient.address"][:4000], postal_code=said["patient.postal"])
        self.demographics = Demographics(
            names=tuple(names),
            birth=dates.birth(birth.replace("-", "")) if birth else None,
            gender=sex,
            addresses=(place,) if place.text or place.postal_code else (),
            telecoms=(Telecom(said["patient.phone"]),) if said["patient.phone"] else (),
        )
        self.patient_resource = fhir.patient_resource(self.demographics, [self.patient])


def _moment(resource: Resource) -> str:
    names = ("effectiveDateTime", "whenHandedOver", "authoredOn", "recordedDate")
    return next((str(resource[name]) for name in names if name in resource), "")
