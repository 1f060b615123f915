"""One case of a suite, and the table of what is explained."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path

DIVERGENCES = Path(__file__).resolve().parents[3] / "conformance" / "divergences.md"
_HEADING = "## Signature suites"


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """What a suite expects of one input, and what we say."""

    suite: str
    name: str
    expected: str
    found: str
    passed: bool
    "Whether what we say is what the suite expects."


@dataclass(frozen=True, slots=True, kw_only=True)
class Explained:
    """One row of the table; `*` in a cell stands for anything."""

    suite: str
    case: str
    ours: str
    reason: str
    section: str

    def explains(self, case: Case) -> bool:
        """Whether the row is about this case and this outcome."""
        return (
            fnmatchcase(case.suite, self.suite)
            and fnmatchcase(case.name, self.case)
            and self.ours in case.found
        )


def explained(file: Path = DIVERGENCES) -> list[Explained]:
    """The rows of the table."""
    text = file.read_text("utf-8")
    part = text[text.index(_HEADING) :].splitlines()
    rows = []
    for line in part[1:]:
        if line.startswith("## "):
            break
        cells = [cell.strip().strip("`") for cell in line.strip().strip("|").split("|")]
        if line.startswith("|") and len(cells) == 5 and cells[0] not in ("suite", "---"):
            rows.append(
                Explained(
                    suite=cells[0], case=cells[1], ours=cells[2], reason=cells[3], section=cells[4]
                )
            )
    return rows


def unexplained(cases: Iterable[Case], rows: Sequence[Explained]) -> list[Case]:
    """What differs, and no row says why."""
    return [one for one in cases if not one.passed and not any(row.explains(one) for row in rows)]


def unused(cases: Sequence[Case], rows: Sequence[Explained]) -> list[Explained]:
    """Rows that explain nothing."""
    return [row for row in rows if not any(row.explains(one) for one in cases if not one.passed)]


def table(cases: Sequence[Case], rows: Sequence[Explained], command: str) -> str:
    """The page: totals by suite, then every case that is explained."""
    lines = [
        "# Published suites of signatures",
        "",
        f"Written by `{command}`; do not edit.",
        "",
        "*passed*: we say what the suite expects. *explained*: we say something else, for the",
        'reason below, which stands under "Signature suites" in `conformance/divergences.md`.',
        "*other* must be 0. No case of a suite is left out: a test counts the files.",
        "",
        "| suite | cases | passed | explained | other |",
        "| --- | ---: | ---: | ---: | ---: |",
    ]
    for suite in dict.fromkeys(one.suite for one in cases):
        lines.append(_row(suite, [one for one in cases if one.suite == suite], rows))
    lines.append(_row("all", cases, rows))
    lines += [
        "",
        "## Explained",
        "",
        "| suite | case | expected | ours | reason | section |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    for one in cases:
        row = next((row for row in rows if row.explains(one)), None)
        if not one.passed and row is not None:
            lines.append(
                f"| {one.suite} | {one.name} | {one.expected} | {one.found} | {row.reason}"
                f" | {row.section} |"
            )
    return "\n".join(lines) + "\n"


def _row(suite: str, cases: Sequence[Case], rows: Sequence[Explained]) -> str:
    passed, other = sum(one.passed for one in cases), len(unexplained(cases, rows))
    counts = (len(cases), passed, len(cases) - passed - other, other)
    return f"| {suite} | " + " | ".join(map(str, counts)) + " |"
