"""Licensed code masters as their publishers give them out, and facilities' code maps, read.

A master is a CSV (or tab-separated) file in cp932 or UTF-8, with or without a row of headings. What
stands in which column is one table (`tables/masters.csv`), which whoever loads a file may correct.
One wrong row refuses the file: half a master would be taken for the whole.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from gateway.errors import Invalid, OverLimit
from gateway.model import codebook
from gateway.model.codebook import MAP, SYSTEMS, Code
from gateway.standardize import code_map, codes, master_files
from gateway.standardize.code_forms import CODE, FORMS, PROBLEMS, RELATED, WrongRow
from gateway.standardize.master_files import KINDS, Stream
from gateway.standardize.rows import BLANKS
from gateway.wire.japanese import Charset

MOST_ROWS = 1_000_000
_MOST_PROBLEMS = 50
_LONGEST_NAME = 500
_DAY = re.compile(r"[0-9]{8}", re.ASCII)
_NO_DAY = frozenset({"", "0", "00000000", "99999999"})


class Problem(NamedTuple):
    """What is wrong with one row; never a patient's value, for there is none."""

    row: int
    what: str
    code: str
    "Short word."
    text: str
    japanese: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Read:
    """One file, read: its text as a `Master` has it, or what is wrong with it."""

    kind: str
    text: bytes
    rows: int
    problems: tuple[Problem, ...] = ()


@dataclass(slots=True)
class _Reading:
    """One file while it is read."""

    kind: str
    columns: Mapping[str, int]
    lines: dict[str, str] = field(default_factory=dict)
    aliases: dict[str, dict[str, tuple[str, frozenset[Code]]]] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)
    rows: int = 0


def read(
    stream: Stream,
    *,
    name: str,
    kind: str = "",
    columns: Mapping[str, int] | None = None,
    charset: Charset | None = None,
) -> Read:
    """Read a master; raises a Refusal where it cannot be read at all, gives problems by row.

    `name` is the file's name; it and the first rows say the kind where `kind` does not.
    """
    rows = master_files.rows(stream, charset)
    first = [row for _, row in zip(range(3), rows, strict=False)]
    if not first:
        raise Invalid("the file is empty", "ファイルが空です", at="row 1")
    headings = [master_files.folded(cell) for cell in first[0][1]]
    kind = kind or master_files.recognise(name, headings, [row for _, row in first])
    if kind not in master_files.LAYOUTS:
        raise Invalid(f"no such kind; possible are {', '.join(KINDS)}", "種類の名前が違います",
                      at="kind")  # fmt: skip
    places, headed = master_files.places(kind, headings, columns or {})
    if not headed and len(first) > 1 and kind != MAP:
        place = places["code"] - 1
        one, two = (row[place] if place < len(row) else "" for _, row in first[:2])
        headed = int(not _is_code(kind, one) and _is_code(kind, two))
    reading = _Reading(kind, places)
    for number, row in (*first[headed:], *rows):
        reading.rows += 1
        if reading.rows > MOST_ROWS:
            raise OverLimit(f"more than {MOST_ROWS} rows", "行数が上限を超えています",
                            at=f"row {number}", rule="E-09")  # fmt: skip
        try:
            cells = _cells(reading, row)
            made = code_map.line(cells) if kind == MAP else _line(reading, cells)
            if made and reading.lines.setdefault(*made) != made[1]:
                raise WrongRow("code", "code-twice")
        except WrongRow as wrong:
            if len(reading.problems) < _MOST_PROBLEMS:
                told = PROBLEMS[wrong.code]
                reading.problems.append(Problem(number, wrong.what, wrong.code, *told))
    if not reading.rows:
        raise Invalid("the file has headings and no rows", "見出しだけで行がありません", at="row 2")
    if not reading.lines and not reading.problems:
        raise Invalid(
            "no row is filled in: nothing to load", "記入された行がありません", at="row 2"
        )
    lines = {**reading.lines, **dict(_alias_lines(reading))}
    text = "".join(lines[key] for key in sorted(lines, key=str.encode))
    return Read(kind=kind, text=text.encode(), rows=len(reading.lines),
                problems=tuple(reading.problems))  # fmt: skip


def _cells(reading: _Reading, row: list[str]) -> dict[str, str]:
    """The cells of a row by what they are, without blanks around them."""
    found = {}
    for what, place in reading.columns.items():
        if place > len(row):
            if what in master_files.needed(reading.kind):
                raise WrongRow(what, "row-shape")
            continue
        found[what] = row[place - 1].strip(BLANKS)
        if not found[what].isprintable():
            raise WrongRow(what, "control")
    return found


def _line(reading: _Reading, cells: dict[str, str]) -> tuple[str, str]:
    """Key and line of one row of a master."""
    kind, code, name = reading.kind, cells["code"], cells.get("name", "")
    if "jlac" in kind or kind == "loinc":
        code = code.replace("-", "").upper()
    if not FORMS.get(kind, CODE).fullmatch(code):
        raise WrongRow("code", "code-form")
    if not name and "name" in master_files.needed(kind):
        raise WrongRow("name", "name-missing")
    if len(name) > _LONGEST_NAME:
        raise WrongRow("name", "too-long")
    related = []
    for word, value in cells.items():
        if word in SYSTEMS and value:
            if not RELATED.get(word, CODE).fullmatch(value):
                raise WrongRow(word, "code-form")
            related.append(Code(word, value, name if word == "loinc" else ""))
    if kind == "allergen" and (system := codes.allergen_system(code)):
        related.append(Code(system, code, name))
    own_name = "" if kind == "loinc" else name
    made = codebook.line(code, own_name, _day(cells, "start"), _day(cells, "end"), related)
    _alias(reading, code, name, related)
    return code, made


def _is_code(kind: str, cell: str) -> bool:
    """Whether a cell may be a code, where it is to be told from a heading."""
    form = FORMS.get(kind, CODE)
    return bool(form.fullmatch(cell.strip(BLANKS).replace("-", "").upper()))


def _day(cells: dict[str, str], what: str) -> str:
    day = cells.get(what, "")
    if day in _NO_DAY:
        return ""
    if not _DAY.fullmatch(day):
        raise WrongRow(what, "date-form")
    return day


def _alias(reading: _Reading, code: str, name: str, related: list[Code]) -> None:
    """Let the master be searched by its other codes too, for what all their rows agree on."""
    word = "jlac10" if reading.kind == "loinc" else reading.kind
    own = [Code(word, code)] if word in SYSTEMS else []
    for one in related:
        if (reading.kind, f"{one.system}:") in codebook.ALIASES:
            others = frozenset(other for other in (*own, *related) if other is not one)
            key = f"{one.system}:{one.code}"
            several = reading.aliases.setdefault(one.system, {})
            before = several.get(key)
            if before is None:
                several[key] = (name, others)
            else:
                same = name if name == before[0] else ""
                several[key] = (same, before[1] & others)


def _alias_lines(reading: _Reading) -> Iterator[tuple[str, str]]:
    for several in reading.aliases.values():
        for key, (name, others) in several.items():
            if name or others:
                yield key, codebook.line(key, name, "", "", sorted(others))
