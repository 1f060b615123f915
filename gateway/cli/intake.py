"""`gateway intake PATH`: the same intake as the upload doors, from the command line (STG-04)."""

import time
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from gateway.cli.common import configured, emit, progress_left, speaking, table

_PAUSE = 0.2
"Seconds between two looks at what somebody else works on."
_COUNTING = 20
"Of so many seconds, one goes into counting what is left."


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
    from gateway.model.category import Source

    with speaking(), app.open_gateway(settings.load(config)) as gateway:
        kind = opened.word(Source, source, "source")
        receipt = take_in(gateway, path, facility=facility, source=kind, patient=patient)
    emit(
        receipt,
        as_json=as_json,
        text=lambda: table(
            ("file", "state", "staged", "moved", "findings"),
            [
                (
                    file["path"],
                    file["state"],
                    file["items"]["staged"],
                    file["items"]["promoted"],
                    len(file["findings"]),
                )
                for file in receipt["files"]
            ],
        ),
    )


def take_in(
    gateway: "Gateway", path: Path, *, facility: str, source: "Source", patient: str = ""
) -> dict[str, Any]:
    """Receive a path and work it through; the receipt as `GET /uploads/<receipt>` shows it."""
    from gateway.app import open_intake
    from gateway.edge.sandbox import Sandbox
    from gateway.intake import OnDisk
    from gateway.model.audit import EventKind
    from gateway.record import receipts

    arrivals = [OnDisk(path, gateway.blobs)]
    sandbox = Sandbox(gateway.settings.hpki)
    work = open_intake(gateway, sandbox)
    receipt = work.receive(
        gateway.operator(), arrivals, facility=facility, source=source, patient=patient
    )
    with closing(sandbox):
        _work_through(gateway, work, receipt["receipt"], facility)
    with gateway.door.work(EventKind.RECEIPT_READ, gateway.operator(), reading=True) as opened:
        found = receipts.receipt(opened, receipt["receipt"])
    if opened.recorded is not None:
        opened.recorded.result()
    return found


def _work_through(gateway: "Gateway", work: "Intake", receipt: str, facility: str) -> None:
    """Until nothing of an upload waits; a server that works on the same queue is waited for."""
    from gateway.record import queue

    def count(db: "Connection") -> tuple[int, int]:
        return queue.progress(db, receipt)

    with progress_left("intake 受入") as tell:
        counted = -1.0
        while True:
            done = work.process_waiting(lambda: gateway.job("intake"), lambda: False, facility)
            # To count a large upload takes a while: not after each turn.
            if not done or time.monotonic() >= counted:
                begun = time.monotonic()
                total, waiting = gateway.door.snapshot(count, max_age=0.0)
                tell(total - waiting, total)
                if not waiting:
                    return
                counted = time.monotonic() + _COUNTING * (time.monotonic() - begun)
            if not done:
                time.sleep(_PAUSE)


if TYPE_CHECKING:
    from sqlalchemy import Connection

    from gateway.app import Gateway
    from gateway.intake import Intake
    from gateway.model.category import Source
