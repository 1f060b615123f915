"""`gateway intake PATH`: the same intake as the upload doors, from the command line (STG-04)."""

import json
import textwrap
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import closing, contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from gateway.cli.common import configured, progress_left, repeating, speaking, table, worker

_PAUSE = 0.2
"Seconds between two looks at what somebody else works on."
_LOOK = 2.0
"Seconds between two looks at how far it is."
_PAGE = 1000
"Files that are told at a time; of more, people are told those that somebody must look at."
_WELL = ("standardized", "duplicate")


@click.command("intake")
@click.argument("path", type=click.Path(exists=True, path_type=Path))
@click.option("--facility", required=True, help="NAME of the facility it is delivered for.")
@click.option(
    "--source",
    required=True,
    type=click.Choice(["emr", "accounting", "dispensing", "care", "lab", "other"]),
)
@click.option("--patient", default="", help="Chart id, for files that carry none. カルテID。")
@configured
def intake(
    path: Path, *, facility: str, source: str, patient: str, config: Path, as_json: bool
) -> None:
    """ファイルを受け入れます。Take in a file, a folder or an archive, and work it through."""
    from gateway import app, settings
    from gateway.cli import opened
    from gateway.model.audit import EventKind
    from gateway.model.category import Source
    from gateway.record import receipts

    with speaking(), app.open_gateway(settings.load(config)) as gateway:
        kind = opened.word(Source, source, "source")
        with delivered(
            gateway, path, facility=facility, source=kind, patient=patient
        ) as receipt:  # fmt: skip
            caller = gateway.operator()
            with gateway.door.work(EventKind.RECEIPT_READ, caller, reading=True) as work:
                head = receipts.head(work, receipt)
            if work.recorded is not None:
                work.recorded.result()
            (_print_json if as_json else _print_table)(head, _pages(gateway, receipt))


def _pages(gateway: "Gateway", receipt: str) -> Iterator[list[dict[str, Any]]]:
    """The files of a receipt, some at a time, however many there are."""
    from gateway.record import receipts

    first = 0
    while found := gateway.door.snapshot(
        partial(receipts.files, receipt_id=receipt, first=first, most=_PAGE), max_age=0.0
    ):
        yield found
        first += _PAGE


def _print_json(head: dict[str, Any], pages: Iterator[list[dict[str, Any]]]) -> None:
    """The receipt as `GET /uploads/<receipt>` shows it."""
    begun = json.dumps({**head, "files": []}, ensure_ascii=False, indent=2)
    click.echo(begun.removesuffix("]\n}"), nl=False)
    mark = "\n"
    for page in pages:
        for file in page:
            text = json.dumps(file, ensure_ascii=False, indent=2, default=str)
            click.echo(mark + textwrap.indent(text, "    "), nl=False)
            mark = ",\n"
    click.echo("\n  ]\n}")


def _print_table(head: dict[str, Any], pages: Iterator[list[dict[str, Any]]]) -> None:
    """Every file, or of many those that somebody must look at; then how many became what."""
    few = head["progress"]["files"] <= _PAGE
    states: Counter[str] = Counter()
    rows: list[tuple[object, ...]] = []
    for file in (file for page in pages for file in page):
        states[file["state"]] += 1
        if len(rows) < _PAGE and (few or file["state"] not in _WELL):
            items = file["items"]
            rows.append((
                file["path"], file["state"], items["staged"], items["promoted"],
                len(file["findings"]),
            ))  # fmt: skip
    for line in table(("file", "state", "staged", "moved", "findings"), rows):
        click.echo(line)
    if not few:
        told = ", ".join(f"{number} {state}" for state, number in sorted(states.items()))
        click.echo(f"{head['receipt']}: {told}")


def take_in(
    gateway: "Gateway", path: Path, *, facility: str, source: "Source", patient: str = ""
) -> dict[str, Any]:
    """Deliver a path; the receipt as `GET /uploads/<receipt>` shows it."""
    from gateway.model.audit import EventKind
    from gateway.record import receipts

    with delivered(gateway, path, facility=facility, source=source, patient=patient) as receipt:
        caller = gateway.operator()
        with gateway.door.work(EventKind.RECEIPT_READ, caller, reading=True) as work:
            found = receipts.receipt(work, receipt)
        if work.recorded is not None:
            work.recorded.result()
    return found


@contextmanager
def delivered(
    gateway: "Gateway", path: Path, *, facility: str, source: "Source", patient: str = ""
) -> Iterator[str]:
    """Receive a path and work it through; its receipt, for the block that tells of it.

    A folder whose delivery was cut off, before the end of the block, goes on under the receipt that
    it has when the same is done again.
    """
    from gateway.app import open_intake, open_sandbox
    from gateway.intake import FolderIntake, OnDisk

    sandbox = open_sandbox(gateway)
    intake = open_intake(gateway, sandbox, owner=worker(f"intake {facility} {path.resolve()}"))
    intake.turns.begin()
    with closing(sandbox):
        if not path.is_dir():
            arrivals = [OnDisk(path, gateway.blobs)]
            told = intake.receive(
                gateway.operator(), arrivals, facility=facility, source=source, patient=patient
            )
            receipt: str = told["receipt"]
            _work_through(gateway, intake, receipt, facility)
            yield receipt
            return
        folder = FolderIntake(
            intake=intake, caller=gateway.operator, root=path.resolve(), facility=facility,
            source=source, patient=patient,
        )  # fmt: skip
        with progress_left("receiving 受領") as tell:
            delivery = folder.receive(tell)
        _work_through(gateway, intake, delivery.receipt, facility)
        yield delivery.receipt
        folder.close(delivery)


def _work_through(gateway: "Gateway", work: "Intake", receipt: str, facility: str) -> None:
    """Until nothing of an upload waits; a server that works on the same queue is waited for."""
    from gateway.record import queue

    with progress_left("intake 受入") as tell:

        def look() -> bool:
            far = gateway.door.snapshot(lambda db: queue.progress(db, receipt), max_age=0.0)
            if far.cut is not None:
                tell(round(far.cut * 100), 100, "cutting 分割 %")
            else:
                tell(far.done, far.files)
            return far.waiting > 0

        with repeating(_LOOK, look):
            while True:
                done = work.process_waiting(lambda: gateway.job("intake"), lambda: False, facility)
                if not done:
                    if not look():
                        return
                    time.sleep(_PAUSE)


if TYPE_CHECKING:
    from gateway.app import Gateway
    from gateway.intake import Intake
    from gateway.model.category import Source
