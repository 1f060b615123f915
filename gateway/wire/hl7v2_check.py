"""The table-driven check of HL7 v2 segments and fields (`security.md` 2.2, codes of table 0357).

A `Structure` says which segments a message has, what each may follow, which fields must be there
and of what kind they are. Checking is one pass and looks at nothing twice, so that no message can
make it slow; grammars with nested repetition (which can) are not used.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from gateway.errors import Malformed
from gateway.wire import hl7v2
from gateway.wire.hl7v2 import Message, Segment

ORDER, MISSING, TYPE, TABLE = "100", "101", "102", "103"
_NUMBER = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)")


class FieldRule(NamedTuple):
    """What a field must be."""

    number: int
    required: bool
    kind: str = ""
    "`TS`, `DT`, `NM`, `ID`, or empty for text."
    values: frozenset[str] = frozenset()
    "Values that an `ID` may have."


@dataclass(frozen=True, slots=True, kw_only=True)
class Structure:
    """One message structure."""

    name: str
    after: Mapping[str, frozenset[str]]
    "Segment to the segments it may directly follow."
    required: frozenset[str]
    "Segments of which there is at least one."
    fields: Mapping[str, tuple[FieldRule, ...]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Problem:
    """Something in a message that is not as its structure says."""

    code: str
    "Code of HL7 table 0357."
    at: str


def check(message: Message, structure: Structure) -> list[Problem]:
    """Every problem, in the order of the message; missing segments last."""
    problems: list[Problem] = []
    before = ""
    seen = set()
    for segment in message.segments:
        name = segment.name
        seen.add(name)
        rules = structure.fields.get(name)
        if rules:
            _check_fields(segment, rules, problems)
        if name not in structure.after:
            continue
        if before not in structure.after[name]:
            problems.append(Problem(ORDER, segment.at))
        before = name
    problems.extend(Problem(ORDER, f"{name}[1]") for name in sorted(structure.required - seen))
    return problems


def demand(problems: Iterable[Problem]) -> None:
    """Refuse a message that has a problem; for doors where no message is half done (AE)."""
    for problem in problems:
        raise Malformed(
            "the message is not as its structure says",
            "メッセージの構造または項目が正しくありません",
            at=problem.at,
            rule=f"HL7 AE {problem.code}",
        )


def _check_fields(segment: Segment, rules: tuple[FieldRule, ...], problems: list[Problem]) -> None:
    fields = segment.fields
    count = len(fields)
    for number, required, kind, values in rules:
        raw = fields[number] if number < count else ""
        if not raw:
            if required:
                problems.append(Problem(MISSING, f"{segment.at}.{number}"))
        elif kind and raw not in values and raw != '""':
            code = _judge(segment.value(number), kind, values)
            if code:
                problems.append(Problem(code, f"{segment.at}.{number}"))


def _judge(value: str, kind: str, values: frozenset[str]) -> str:
    """The code of what is wrong with a value, or empty."""
    if not value:
        return ""
    match kind:
        case "TS":
            return "" if hl7v2.is_time(value) else TYPE
        case "DT":
            return "" if len(value) <= 8 and hl7v2.is_time(value) else TYPE
        case "NM":
            return "" if _NUMBER.fullmatch(value) else TYPE
        case _:
            return "" if value in values else TABLE


def read_structures(rows: Iterable[Mapping[str, str]]) -> dict[str, Structure]:
    """Structures from a table with columns structure, segment, required, after, fields.

    `fields` is a list such as `3! 7!TS 8!ID=M/F/O/U`: number, `!` for required, kind, values.
    """
    after: dict[str, dict[str, frozenset[str]]] = {}
    required: dict[str, set[str]] = {}
    fields: dict[str, dict[str, tuple[FieldRule, ...]]] = {}
    for row in rows:
        name, segment = row["structure"], row["segment"]
        after.setdefault(name, {})[segment] = frozenset(row["after"].split() or [""])
        required.setdefault(name, set())
        fields.setdefault(name, {})
        if row["required"]:
            required[name].add(segment)
        if row["fields"]:
            rules = tuple(_read_rule(word) for word in row["fields"].split())
            fields[name][segment] = rules
    return {
        name: Structure(
            name=name, after=table, required=frozenset(required[name]), fields=fields[name]
        )
        for name, table in after.items()
    }


def _read_rule(word: str) -> FieldRule:
    found = re.fullmatch(r"([0-9]+)(!?)([A-Z]*)(?:=(\S+))?", word)
    if not found:
        raise ValueError(f"not a field rule: {word}")
    values = frozenset(found[4].split("/")) if found[4] else frozenset()
    return FieldRule(int(found[1]), bool(found[2]), found[3], values)
