"""One receipt while it is read: its codes, its months and days, what became of its rows."""

import hashlib
import re
import unicodedata
from collections.abc import Iterable
from decimal import Decimal
from functools import lru_cache
from typing import Any

from gateway.errors import Malformed
from gateway.model.batch import CLAIMED, Resource
from gateway.model.identifiers import PatientId
from gateway.standardize import dates, values
from gateway.standardize.format import Upload
from gateway.standardize.musthave import MERIT9
from gateway.standardize.rows import BLANKS, Row, RowReading
from gateway.standardize.uke import layout, masters
from gateway.standardize.uke.receipt import Receipt
from gateway.wire import fhir

PREFIX = CLAIMED
"Of the keys of everything that a claim says."

_EXPONENT = re.compile(r"[+-]?[0-9]+(?:\.[0-9]+)?[Ee][+-]?[0-9]+")
_DAYS = {f"{day}日": day for day in range(1, 32)}
_COUNT = re.compile(r"[0-9]{1,3}")


class UkeReading(RowReading):
    """What is known and found while one receipt becomes a batch."""

    __slots__ = ("claimed", "institution", "month", "order", "prefix", "receipt")

    def __init__(
        self, upload: Upload, receipt: Receipt, patient: PatientId, *, month: str, claimed: str
    ) -> None:
        super().__init__(upload, patient, version=claimed, notes=receipt.notes)
        self.receipt = receipt
        self.month = month
        "Month of care, YYYY-MM."
        self.claimed = claimed
        "Month of the claim, YYYYMM: what is claimed again later is newer."
        self.order = month.replace("-", "") + claimed
        "Orders what goes on from month to month (diagnoses, insurance): by care, then by claim."
        self.prefix = PREFIX
        "Of the keys of what happened in this month."
        self.institution: Resource | None = None

    def take(self, row: Row, *columns: str, became: str = "used") -> None:
        """Say that a row was read; a column that is not taken is found once a receipt."""
        self._account[row.at] = became
        for name, cell in row.cells.items():
            if cell and name not in columns and cell.strip(BLANKS):
                if layout.is_billing(name):
                    self.find("billing-only")
                else:
                    self.find("unmapped-field", f"{row.record} {name}")
        if row.extra:
            self.find("unmapped-field", row.at)

    def at(self, row: Row, column: str) -> str:
        """Where a cell stands, as findings say it."""
        return f"{row.at} {column}"

    def code(self, row: Row, column: str, width: int) -> str:
        """A code of so many digits; empty, with its finding, where a spreadsheet spoiled it.

        Zeros that are missing in front are put back, because the width is the standard's.
        """
        text, problem = code_of(row.get(column), width)
        if problem:
            self.find(problem, self.at(row, column))
        return "" if problem == "exponent-number" else text

    def name(self, system: str, code: str) -> str:
        """The name of a code, or empty where no master that has it is loaded."""
        return masters.name(self.upload.codes, system, code)

    def comment(self, code: str, text: str) -> str:
        """A comment as people read it: its text, with the name or code of a fixed one."""
        if code.startswith(masters.FREE_TEXT) or not code:
            return text
        return " ".join(part for part in (self.name(masters.COMMENT, code) or code, text) if part)

    def named(self, system: str, code: str, text: str = "") -> dict[str, Any]:
        """A code of a national list with its name as far as one is known."""
        name = self.name(system, code)
        if code and not name and not text:
            self.find("name-not-loaded")
        return fhir.concept(*([fhir.coding(code, system, name)] if code else []), text=text or name)

    def number(self, row: Row, column: str) -> Decimal | None:
        """An amount as it is written; what is none is found."""
        text = row.get(column)
        found = values.decimal(text) if text else None
        if text and found is None:
            self.find("not-a-number", self.at(row, column))
        return found

    def days(self, row: Row) -> list[tuple[str, int]]:
        """The days of the day columns, each with its count; one that does not exist is found."""
        found = []
        for name in row.cells:
            day = _DAYS.get(name)
            if day is None or not (text := row.get(name)):
                continue
            plain = unicodedata.normalize("NFKC", text)
            if not _COUNT.fullmatch(plain):
                self.find("not-a-number", self.at(row, name))
            elif int(plain):
                moment = day_of(self.month, day)
                if moment:
                    found.append((moment, int(plain)))
                else:
                    self.find("bad-date", self.at(row, name))
        return found

    def item_key(self, kind: str, *parts: str) -> str:
        """The key of what happened in the month of this receipt."""
        return self.digest_key(f"{self.prefix}{kind}", *parts)

    def notes_of(self, texts: Iterable[str]) -> list[dict[str, str]]:
        """Annotations, one a text."""
        return [{"text": text} for text in texts if text]


@lru_cache(maxsize=16384)
def code_of(text: str, width: int) -> tuple[str, str]:
    """A code as it is kept, and the finding about how it came."""
    if not text:
        return "", ""
    plain = unicodedata.normalize("NFKC", text)
    if _EXPONENT.fullmatch(plain):
        return text, "exponent-number"
    if plain.isascii() and plain.isdigit():
        if len(plain) < width:
            return plain.zfill(width), "zeros-restored"
        if len(plain) == width:
            return plain, ""
    return text, "field-type"


@lru_cache(maxsize=4096)
def day_of(month: str, day: int) -> str:
    """A day of a month as FHIR says it; empty where the month does not have it."""
    found = dates.birth(f"{month.replace('-', '')}{day:02d}")
    return found.isoformat() if found else ""


def amount(value: Decimal, *, unit: str = "", system: str = masters.UNIT) -> dict[str, Any]:
    """An amount whose unit only the master says: the code of JP_MedicationSimpleQuantity is absent.

    Claims of materials give the code of a unit; those of drugs give none.
    """
    if unit:
        return {"value": value, "system": system, "code": unit}
    return {"value": value, "system": MERIT9, "_code": fhir.absent()}


def month_of(row: Row, column: str, reading_at: str = "") -> str:
    """The month that a row must state; raises `Malformed` where it is none."""
    found, _ = dates.month(row.get(column))
    if not found:
        raise Malformed(
            "no month that exists", "存在しない年月です", at=f"{row.at} {column}", rule="E-09"
        )
    return found


def digest(*parts: str) -> str:
    """A short digest of what tells receipts of one patient and month apart."""
    return hashlib.sha256("\x1f".join(parts).encode()).hexdigest()[:12]
