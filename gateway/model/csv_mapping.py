"""CsvMapping: how one facility's CSV is read, as one frozen value from `mappings/<name>.yaml`.

`INTERFACES.md` section 5. The vocabulary of `to` is closed per category (:data:`WORDS`): a mapping
that says a word of another category, or leaves out what the category needs, is refused by name.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Literal

from gateway.model import mapping as reading
from gateway.model.category import Category
from gateway.model.mapping import MappingError

PATIENT = frozenset(
    {
        "patient.id", "patient.name", "patient.kana", "patient.birth", "patient.sex",
        "patient.postal", "patient.address", "patient.phone",
    }
)  # fmt: skip
"What every category may say of the patient."

_RESULT = frozenset({"date", "time", "code", "name", "value", "unit", "comment", "status"})
_DRUG = frozenset(
    {
        "date", "order", "rp", "code", "name", "dose", "unit", "days", "quantity", "usage",
        "usage.code", "comment",
    }
)  # fmt: skip
WORDS: Mapping[Category, frozenset[str]] = {
    Category.LAB_RESULT: _RESULT
    | {"reported", "order", "panel", "flag", "range", "low", "high", "specimen", "specimen.code"},
    Category.DIAGNOSIS: frozenset(
        {
            "date", "end", "recorded", "number", "code", "name", "outcome", "suspected", "main",
            "comment",
        }
    ),
    Category.PRESCRIPTION: _DRUG,
    Category.DISPENSING: _DRUG,
    Category.ALLERGY: frozenset(
        {"date", "code", "name", "kind", "reaction", "severity", "comment"}
    ),
    Category.BIOMETRIC: _RESULT,
    Category.DAILY_LIVING: _RESULT,
    Category.WATCH_OVER: _RESULT,
}  # fmt: skip
"Category to the words of `to` beside `patient.*` and `ignore`."

DATES = frozenset({"date", "end", "recorded", "reported", "patient.birth"})
"Words whose cells are dates."

NUMBERS = frozenset({"patient.id", "order", "number", "code", "specimen.code", "usage.code"})
"Words whose cells are identifiers or codes: never in exponent form, padded only by `width`."

_REPEATED = frozenset({"value", "comment", "ignore"})
"Words that several columns may have."

MEANINGS: Mapping[str, frozenset[str]] = {
    "patient.sex": frozenset({"male", "female", "other", "unknown"}),
    "status": frozenset(
        {"final", "preliminary", "corrected", "cancelled", "registered", "entered-in-error"}
    ),
    "outcome": frozenset({"active", "resolved", "inactive", "remission"}),
    "suspected": frozenset({"yes", "no"}),
    "main": frozenset({"yes", "no"}),
    "kind": frozenset({"medication", "food", "environment", "biologic"}),
    "severity": frozenset({"mild", "moderate", "severe"}),
    "flag": frozenset({"H", "L", "HH", "LL", "N", "A", "AA"}),
}
"What the cells of a word can be made to mean by `values`."

Encoding = Literal["utf-8", "cp932", "shift_jis", "euc-jp", "iso-2022-jp", "utf-16le"]
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,62}", re.ASCII)
_POSITION = re.compile(r"[1-9][0-9]{0,2}", re.ASCII)
_DELIMITERS = {"tab": "\t"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """One column: where it is in the file, what it means, and how its cells are written."""

    source: str = field(metadata={"key": "from"})
    "Its name in the header; without a header its number from 1, in quotes."
    to: str
    code_system: str = ""
    "HL7 name of the system of a code (JC10, YJ, HOT, I10, MDCDX2 …) or its URI; empty: local."
    date: Literal["western", "era"] = "western"
    unit: str = ""
    "Unit of every value of this column."
    code: str = ""
    "Item of every value of this column, where a row holds several items."
    name: str = ""
    ditto: bool = False
    "A blank cell, `〃` or `同上` means what the row above says."
    width: int = 0
    "Digits that a number is padded to with zeros that a spreadsheet took away."
    values: Mapping[str, str] = field(default_factory=dict)
    "Cells as they are written to what they mean."

    def __post_init__(self) -> None:
        """Refuse what does not go together."""
        if not self.source or self.source != self.source.strip():
            raise ValueError("from must be a name or number without blanks around it")
        if self.width and (self.to not in NUMBERS or self.width > 20):
            raise ValueError(f"width is for {', '.join(sorted(NUMBERS))}, and at most 20")
        if self.date == "era" and self.to not in DATES:
            raise ValueError(f"date is for {', '.join(sorted(DATES))}")
        if (self.unit or self.code or self.name) and self.to not in ("value", "dose", "quantity"):
            raise ValueError("unit, code and name are for value, dose and quantity")
        if self.code_system and self.to not in NUMBERS | {"value"}:
            raise ValueError("code_system is for codes")
        for meaning in self.values.values():
            if meaning not in MEANINGS.get(self.to, frozenset()):
                possible = ", ".join(sorted(MEANINGS.get(self.to, ()))) or "none"
                raise ValueError(f"values of {self.to}: unknown {meaning!r}; possible: {possible}")


@dataclass(frozen=True, slots=True, kw_only=True)
class RowRules:
    """`row`: what one row is."""

    category: Category
    status: Literal["final", "preliminary", "unknown"] = "unknown"
    "Status of results whose row says none, where the facility declares it."


@dataclass(frozen=True, slots=True, kw_only=True)
class CsvMapping:
    """One layout of one facility."""

    facility: str
    encoding: Encoding
    row: RowRules
    columns: tuple[Column, ...]
    delimiter: str = ","
    header: bool = True
    on_error: Literal["file", "row"] = "file"
    "What a row out of shape refuses: the whole file, or that row (E-09)."
    name: str = ""
    "Name of the mapping's file, without its ending."

    def __post_init__(self) -> None:
        """Refuse words of another category, columns that stand twice, and what is missing."""
        if self.delimiter not in (",", ";", "|", "\t", "tab"):
            raise ValueError("delimiter must be ',', ';', '|' or tab")
        category = self.row.category
        if category not in WORDS:
            possible = ", ".join(sorted(one.value for one in WORDS))
            raise ValueError(f"row.category {category.value} has no CSV rows; possible: {possible}")
        allowed = WORDS[category] | PATIENT | {"ignore"}
        seen: set[str] = set()
        for column in self.columns:
            if column.to not in allowed:
                possible = ", ".join(sorted(allowed))
                raise ValueError(f"columns.to: {column.to!r} is no word of {category.value}; "
                                 f"possible: {possible}")  # fmt: skip
            if column.to in seen and column.to not in _REPEATED:
                raise ValueError(f"columns.to: {column.to} stands twice")
            seen.add(column.to)
            if not self.header and not _POSITION.fullmatch(column.source):
                raise ValueError("columns.from: without a header it is a column number from 1")
        sources = [column.source for column in self.columns]
        if len(set(sources)) != len(sources):
            raise ValueError("columns.from: a column stands twice")
        _require(category, seen, self.columns)

    @property
    def separator(self) -> str:
        """The one character between cells."""
        return _DELIMITERS.get(self.delimiter, self.delimiter)


def _require(category: Category, words: set[str], columns: tuple[Column, ...]) -> None:
    """What a category cannot be without."""
    needed = {"patient.id"}
    results = (Category.LAB_RESULT, Category.BIOMETRIC, Category.DAILY_LIVING, Category.WATCH_OVER)
    if category in results:
        needed |= {"date", "value"}
        named = bool(words & {"code", "name"})
        items = [column for column in columns if column.to == "value"]
        if not named and not all(column.code or column.name for column in items):
            raise ValueError("columns: a code or name column is missing, or code or name of value")
        if named and len(items) > 1:
            raise ValueError("columns: several value columns name their items themselves")
    elif category in (Category.PRESCRIPTION, Category.DISPENSING):
        needed |= {"date"}
    if category not in results and not words & {"code", "name"}:
        raise ValueError("columns: a code or name column is missing")
    missing = needed - words
    if missing:
        raise ValueError(f"columns: {', '.join(sorted(missing))} missing")


def load(text: str, name: str = "") -> CsvMapping:
    """Read one mapping file's text; raises `MappingError` naming the key."""
    if name and not _NAME.fullmatch(name):
        raise MappingError("the name of a mapping file is letters, digits, points and hyphens")
    return replace(reading.read(CsvMapping, "mapping", reading.parse(text)), name=name)
