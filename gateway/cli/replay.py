"""`gateway standardize replay`: what staged originals become today, shown first, then applied."""

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from gateway.cli.common import configured, emit, progress_of, speaking, table

if TYPE_CHECKING:
    from gateway.app import Gateway
    from gateway.intake.replaying import Replay, Replayed

_MOST = 2000
"Items that are listed one by one; all are counted."
_SHOWN = 120
"Characters of a value in the terminal."


@click.command("replay")
@click.option("--facility", default="", help="Only what this facility delivered. 施設を限定。")
@click.option("--apply", "applying", is_flag=True, help="Apply what differs. 差分を適用します。")
@click.option("--values", is_flag=True, help="Show old and new values. 値も表示します(患者情報)。")
@configured
def replay(
    *, facility: str, applying: bool, values: bool, config: Path, as_json: bool
) -> None:  # fmt: skip
    """原本から再変換します。Run staged originals through today's mapping, tables and masters.

    Without --apply nothing changes: it shows which elements of which resources would be added,
    changed or ended. With --apply these become new versions, one file at a time; an interrupted run
    is simply started again. Values are a patient's data and are shown with --values only.
    """
    from gateway import app, settings

    with speaking(), app.open_gateway(settings.load(config)) as gateway:
        told = _Told(applied=applying, values=values)
        room = _room(gateway)
        if facility:
            _require(gateway, facility)
        charts = room.charts(facility)
        with progress_of(sum(chart.files for chart in charts), "replay") as advance:
            for chart in charts:
                for one in room.apply(chart) if applying else room.preview(chart):
                    told.add(one)
                    advance()
    emit(told.whole(), as_json=as_json, text=lambda: _lines(told))


def _room(gateway: "Gateway") -> "Replay":
    from gateway.intake.replaying import Replay
    from gateway.members.mappings import Shelf

    return Replay(
        door=gateway.door, blobs=gateway.blobs, caller=gateway.operator,
        mappings=Shelf(gateway.settings.folder).of, codes=gateway.codes().of,
    )  # fmt: skip


def _require(gateway: "Gateway", facility: str) -> None:
    """The facility is there; a name that is not would look like no difference."""
    from gateway.members import facilities
    from gateway.model.audit import EventKind

    with gateway.door.work(EventKind.ADMIN, gateway.operator(), reading=True) as work:
        facilities.find(work, facility)


class _Told:
    """What is said of a replay: counts of everything, the first so many items one by one."""

    def __init__(self, *, applied: bool, values: bool) -> None:
        self.applied = applied
        self._values = values
        self.counts: Counter[str] = Counter()
        self.skipped: Counter[str] = Counter()
        self.paths: Counter[tuple[str, str]] = Counter()
        self.items: list[dict[str, Any]] = []

    def add(self, one: "Replayed") -> None:
        """Count one original."""
        self.counts["files"] += 1
        if one.outcome.skipped:
            self.skipped[one.outcome.skipped] += 1
            return
        found = one.outcome.difference
        self.counts["unchanged"] += found.unchanged
        for change in found.changes:
            self._change(one, change.kind, change.resource, change.key, change.elements)
            for element in change.elements:
                self.paths[change.kind, _general(element.path)] += 1
            if not change.elements:
                self.paths[change.kind, change.resource.partition("/")[0] or "-"] += 1
        if found.patient:
            self._change(one, "changed", "Patient", "", found.patient)
            for element in found.patient:
                self.paths["changed", f"Patient.{_general(element.path)}"] += 1

    def _change(
        self, whose: "Replayed", kind: str, resource: str, key: str, elements: tuple[Any, ...]
    ) -> None:
        self.counts[kind] += 1
        if len(self.items) >= _MOST:
            return
        shown = [
            {"path": one.path, **({"old": one.old, "new": one.new} if self._values else {})}
            for one in elements
        ]  # fmt: skip
        self.items.append(
            {
                "change": kind, "resource": resource, "facility": whose.file.facility,
                "receipt": whose.file.receipt, "file": whose.file.id, "format": whose.file.format,
                "elements": shown, **({"key": key} if self._values else {}),
            }
        )  # fmt: skip

    def whole(self) -> dict[str, Any]:
        """For machines."""
        changed = sum(self.counts[kind] for kind in ("added", "changed", "ended"))
        return {
            "applied": self.applied,
            "files": self.counts["files"],
            "added": self.counts["added"],
            "changed": self.counts["changed"],
            "ended": self.counts["ended"],
            "unchanged": self.counts["unchanged"],
            "skipped": dict(sorted(self.skipped.items())),
            "paths": [
                {"change": kind, "path": path, "times": number}
                for (kind, path), number in sorted(self.paths.items())
            ],
            "items": self.items,
            "left_out": changed - len(self.items),
        }


def _general(path: str) -> str:
    """A path without places in lists."""
    return "".join(part.partition("]")[2] if place else part
                   for place, part in enumerate(path.split("[")))  # fmt: skip


def _lines(told: _Told) -> Iterator[str]:
    for one in told.items:
        yield f"{one['change']} {one['resource']} ({one['format']}, {one['facility']})"
        for element in one["elements"]:
            if "old" in element:
                yield f"  {element['path']}: {_value(element['old'])} → {_value(element['new'])}"
            else:
                yield f"  {element['path']}"
    whole = told.whole()
    if whole["left_out"]:
        yield f"… {whole['left_out']} more, counted below. 以下は件数のみ"
    if told.paths:
        yield ""
        rows = [(one["change"], one["path"], one["times"]) for one in whole["paths"]]
        yield from table(("change 変更", "element 要素", "times 件数"), rows)
    for cause, number in whole["skipped"].items():
        yield f"passed over 対象外: {number} {cause}"
    yield (
        f"{whole['files']} files: {whole['added']} added, {whole['changed']} changed, "
        f"{whole['ended']} ended, {whole['unchanged']} unchanged"
    )
    if not told.applied and whole["added"] + whole["changed"] + whole["ended"]:
        yield "nothing was changed: add --apply to apply. 適用するには --apply を付けてください。"


def _value(value: Any) -> str:
    """A value on one line; control characters are shown, not obeyed."""
    from gateway.wire import fhir

    text = "-" if value is None else fhir.dumps({"v": value}).decode()[5:-1]
    shown = "".join(c if c.isprintable() else f"\\x{ord(c):02x}" for c in text)
    return shown if len(shown) <= _SHOWN else shown[:_SHOWN] + "…"
