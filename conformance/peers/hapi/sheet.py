"""The sheet of one run: a row for each input file, as text, as Markdown and as JSON."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from conformance.peers.hapi.verdict import Accepted, Said, Verdict

HEADS = ("input", "recognised as", "items", "findings", "judged", "errors", "not obtainable")
_WIDEST = (52, 24, 44, 64)
_JOINT = ", "


def rows(found: Sequence[Verdict]) -> list[tuple[str, ...]]:
    """A row for each file; those of one folder that came out alike share one."""
    groups: dict[tuple[str, ...], list[Verdict]] = {}
    for verdict in found:
        groups.setdefault(_likeness(verdict), []).append(verdict)
    return [(_names(group), *_cells(group[0])) for group in groups.values()]


def _likeness(verdict: Verdict) -> tuple[str, ...]:
    return (verdict.file.origin, verdict.file.path.rpartition("/")[0], *_cells(verdict))


def _names(group: Sequence[Verdict]) -> str:
    first = group[0].file
    if len(group) == 1:
        return f"{first.origin}: {first.path}"
    folder, slash, _ = first.path.rpartition("/")
    return f"{first.origin}: {folder}{slash} ({len(group)} files)"


def _cells(verdict: Verdict) -> tuple[str, ...]:
    file = verdict.file
    listed = f", {len(verdict.explained)} listed" if verdict.explained else ""
    missing = f"{len(verdict.not_obtainable)} ({verdict.not_obtainable.total()})"
    return (
        _counted(file.formats, bare_one=True) or "nothing",
        _counted(file.items) or "none",
        _counted(file.findings) or "none",
        str(verdict.judged),
        f"{len(verdict.unexplained)}{listed}",
        missing if verdict.not_obtainable else "0",
    )


def _counted(counts: Counter[str], *, bare_one: bool = False) -> str:
    named = sorted((name, number) for name, number in counts.items() if name)
    if bare_one and len(named) == 1:
        return named[0][0]
    return _JOINT.join(f"{number} {name}" for name, number in named)


def text(found: Sequence[Verdict]) -> str:
    """Aligned columns for a terminal; long cells are cut, which the Markdown page does not."""
    cells = [tuple(_cut(cell, at) for at, cell in enumerate(row)) for row in rows(found)]
    table = [HEADS, *cells]
    widths = [max(len(row[at]) for row in table) for at in range(len(HEADS))]
    lines = [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in (HEADS, tuple("-" * width for width in widths), *cells)
    ]
    return "\n".join((*lines, *_totals(found)))


def _cut(cell: str, at: int) -> str:
    width = _WIDEST[at] if at < len(_WIDEST) else len(cell)
    if len(cell) <= width:
        return cell
    words = cell.split(_JOINT)
    if len(words) > 1:
        # As many counted words as there is room for, and how many more there are.
        kept = list(words)
        while len(kept) > 1 and len(_JOINT.join(kept)) > width - 4:
            kept.pop()
        return f"{_JOINT.join(kept)} +{len(words) - len(kept)}"
    keep = width - 1
    return cell[: keep // 3] + "…" + cell[-(keep - keep // 3) :]


def _totals(found: Sequence[Verdict]) -> Iterator[str]:
    """Sums, and each kind of warning once."""
    errors = sum(len(one.unexplained) for one in found)
    listed = sum(len(one.explained) for one in found)
    yield (
        f"{len(found)} files, {sum(one.judged for one in found)} resources judged: "
        f"{errors} errors, {listed} more that divergences.md explains"
    )
    missing: Counter[str] = Counter()
    for one in found:
        missing.update(one.not_obtainable)
    if missing:
        yield f"not obtainable: {len(missing)} value sets and code systems, named in --json"
    local = sum(one.local for one in found)
    if local:
        yield f"codes of facilities' own systems: {local}"
    kinds = warnings(found)
    yield f"warnings and notes: {sum(kinds.values())} of {len(kinds)} kinds"
    for (severity, message), number in kinds.most_common():
        yield f"  {number:5} {severity} {message}"


def warnings(found: Iterable[Verdict]) -> Counter[tuple[str, str]]:
    """Warnings and notes by the engine's name for the rule."""
    return Counter((one.severity, one.message) for verdict in found for one in verdict.warnings)


def complaints(found: Iterable[Verdict]) -> Iterator[str]:
    """Each kind of error that nothing explains, once a file, in full."""
    for verdict in found:
        kinds: dict[tuple[str, str, str, str], list[Said]] = {}
        for one in verdict.unexplained:
            place = (one.resource, one.at, one.message, one.not_obtainable)
            kinds.setdefault(place, []).append(one)
        for (resource, at, message, _), alike in kinds.items():
            times = f" ({len(alike)} times)" if len(alike) > 1 else ""
            yield f"NOT EXPLAINED {verdict.file.origin}: {verdict.file.path}{times}"
            yield f"    {resource} {alike[0].id} at {at or '(resource)'} [{message}]"
            yield f"    {alike[0].text}"


def markdown(found: Sequence[Verdict], command: str, judge: str) -> str:
    """The page `docs/visible-files.md`."""
    lines = [
        "# What becomes of every sample file",
        "",
        f"Written by `{command}`; do not edit. Judge: {judge}.",
        "",
        "*visible* are files that others published, *samples* are ours, *demo* is what a demo",
        "installation says in FHIR: documents of its record, its audit trail. *errors* are those",
        "that nothing explains; what `conformance/divergences.md` explains is *listed*. *not",
        "obtainable* counts value sets and code systems that no package here defines, and in",
        "brackets how often the validator asked for one.",
        "",
        f"| {' | '.join(HEADS)} |",
        f"| {' | '.join('---' for _ in HEADS)} |",
    ]
    for row in rows(found):
        lines.append("| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |")
    return "\n".join((*lines, "", "```", *_totals(found), "```", ""))


def document(found: Sequence[Verdict], stale: Sequence[Accepted], planted: int) -> dict[str, Any]:
    """Everything, for other programs."""
    return {
        "files": [_file(one) for one in found],
        "held": not any(one.unexplained for one in found),
        "planted_faults_found": planted,
        "divergences_not_met": [_row(one) for one in stale],
        "warnings": [
            {"severity": severity, "message": message, "count": number}
            for (severity, message), number in warnings(found).most_common()
        ],
    }


def _file(verdict: Verdict) -> dict[str, Any]:
    file = verdict.file
    return {
        "origin": file.origin,
        "path": file.path,
        "formats": [name for name in sorted(file.formats) if name],
        "items": dict(sorted(file.items.items())),
        "findings": dict(sorted(file.findings.items())),
        "judged": verdict.judged,
        "errors": [_said(one) for one in verdict.unexplained],
        "listed": [{**_said(one), "reason": row.reason} for one, row in verdict.explained],
        "warnings": [_said(one) for one in verdict.warnings],
        "not_obtainable": dict(sorted(verdict.not_obtainable.items())),
        "own_codes": verdict.local,
    }


def _said(one: Said) -> dict[str, str]:
    return {
        "severity": one.severity, "resource": one.resource, "id": one.id, "profile": one.profile,
        "at": one.at, "message": one.message, "text": one.text,
    }  # fmt: skip


def _row(row: Accepted) -> dict[str, str]:
    return {"input": row.input, "resource": row.resource, "at": row.at, "message": row.message}
