"""What the engine said, sorted: errors that are explained, errors that are not, and the rest.

An error is explained by a row of the table under "FHIR content" in `divergences.md`, and by nothing
else. Value sets and code systems that nobody here may have are counted apart.
"""

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import dataclass, field, replace
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from conformance.peers.hapi.inputs import File

DIVERGENCES = Path(__file__).resolve().parents[2] / "divergences.md"
_HEADING = "## FHIR content"
_COLUMNS = ("input", "resource", "at", "message", "says")
_ERRORS = ("fatal", "error")
_VALUE_SET = re.compile(r"ValueSet '([^']+)' not found")
_SYSTEM = re.compile(r"CodeSystem is unknown and can't be validated: (\S+)")
OWN = "urn:x-regional-gateway:"
"What the names of our own code systems begin with; no package can define those."


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """One message of the engine about one resource."""

    severity: str
    resource: str
    id: str
    profile: str
    at: str
    "Element, without the numbers of repetitions."
    message: str
    "The engine's name of the rule."
    text: str

    @property
    def is_error(self) -> bool:
        """Whether it says that the resource is not valid."""
        return self.severity in _ERRORS

    @property
    def not_obtainable(self) -> str:
        """The value set or code system that the engine had no definition of, or nothing."""
        found = _VALUE_SET.search(self.text) or _SYSTEM.search(self.text)
        return found[1] if found else ""


UNHEARD = "code-system-in-no-list"
"Our own rule: a code system that the engine does not know is one that a published list names."


def said(line: Mapping[str, Any]) -> Said:
    """A message as the peer prints it."""
    return Said(
        severity=line["severity"],
        resource=line["type"],
        id=line["id"],
        profile=line["profile"].rpartition("/")[2],
        at=re.sub(r"\[\d+\]", "", line["location"]),
        message=line["message"],
        text=line["text"],
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Accepted:
    """One row of the table of divergences; `*` in a cell stands for anything."""

    input: str
    resource: str
    at: str
    message: str
    says: str
    "A part of the engine's text."
    reason: str

    def covers(self, path: str, one: Said) -> bool:
        """Whether this row explains that error."""
        pairs = ((path, self.input), (one.resource, self.resource), (one.at, self.at),
                 (one.message, self.message))  # fmt: skip
        return all(fnmatchcase(text, wanted) for text, wanted in pairs) and (
            self.says == "*" or self.says in one.text
        )


def accepted(text: str) -> tuple[Accepted, ...]:
    """The rows under "FHIR content"; raises ValueError for a row that is not one."""
    _, heading, rest = text.partition(f"\n{_HEADING}\n")
    if not heading:
        raise ValueError(f"no {_HEADING!r}")
    section = rest.partition("\n## ")[0]
    lines = [line for line in section.splitlines() if line.startswith("| ")]
    rows = [_cells(line) for line in lines if not set(line) <= set("|- ")]
    if not rows or rows[0] != [*_COLUMNS, "reason"]:
        raise ValueError(f"the table must have the columns {', '.join(_COLUMNS)}, reason")
    found = []
    for cells in rows[1:]:
        if len(cells) != len(_COLUMNS) + 1 or not all(cells):
            raise ValueError(f"not a row of {len(_COLUMNS) + 1} cells: {cells}")
        found.append(Accepted(**dict(zip((*_COLUMNS, "reason"), cells, strict=True))))
    return tuple(found)


def _cells(line: str) -> list[str]:
    return [cell.strip().strip("`") for cell in re.split(r"(?<!\\)\|", line.strip())[1:-1]]


@dataclass(slots=True, kw_only=True)
class Verdict:
    """What the engine said about everything that one input file became."""

    file: File
    judged: int = 0
    "Resources that the engine has seen."
    unexplained: list[Said] = field(default_factory=list)
    explained: list[tuple[Said, Accepted]] = field(default_factory=list)
    warnings: list[Said] = field(default_factory=list)
    "Warnings and notes, without those about definitions that are not obtainable."
    not_obtainable: Counter[str] = field(default_factory=Counter)
    local: int = 0
    "Codes of a facility's own systems, which nobody else can check."


def verdicts(
    files: Sequence[File],
    messages: Mapping[int, Sequence[Said]],
    rows: Sequence[Accepted],
    names: Set[str],
) -> list[Verdict]:
    """One verdict for each file; `messages` by the file's place, `names` of published systems."""
    made = []
    for place, file in enumerate(files):
        verdict = Verdict(file=file, judged=sum(len(one["entry"]) for one in file.bundles))
        for one in messages.get(place, ()):
            _sort(verdict, one, rows, names)
        made.append(verdict)
    return made


def _sort(verdict: Verdict, one: Said, rows: Sequence[Accepted], names: Set[str]) -> None:
    missing = one.not_obtainable
    if missing.startswith(OWN):
        verdict.local += 1
        return
    if missing and names and missing not in names and _SYSTEM.search(one.text):
        # A name that no guide knows is ours to explain: it may be a slip of the pen.
        one = replace(one, severity="error", message=UNHEARD)
    elif missing:
        verdict.not_obtainable[missing] += 1
        return
    if not one.is_error:
        verdict.warnings.append(one)
    else:
        row = next((row for row in rows if row.covers(verdict.file.path, one)), None)
        if row is None:
            verdict.unexplained.append(one)
        else:
            verdict.explained.append((one, row))


def unused(found: Iterable[Verdict], rows: Sequence[Accepted]) -> list[Accepted]:
    """Rows of the table that explained nothing in this run."""
    met = {row for verdict in found for _, row in verdict.explained}
    return [row for row in rows if row not in met]
