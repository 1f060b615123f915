"""`gateway watch DIR`: take what lands in a drop folder; `gateway queue`: what waits."""

import signal
import threading
from contextlib import closing
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from gateway.cli.common import REFUSED, configured, emit, print_json, speaking, table

if TYPE_CHECKING:
    from gateway.intake.watching import Round, Watcher

_SOURCES = ["emr", "accounting", "dispensing", "care", "lab", "other"]


@click.command("watch")
@click.argument("folder", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--facility", required=True, help="NAME of the facility it is delivered for.")
@click.option("--source", required=True, type=click.Choice(_SOURCES))
@click.option("--interval", default=5.0, show_default=True, help="Seconds between looks. 間隔。")
@click.option("--settle", default=5.0, show_default=True,
              help="Seconds a file must stand still. 書込完了の判定。")  # fmt: skip
@click.option("--move-to", type=click.Path(file_okay=False, path_type=Path),
              help="Move taken files there. 受入済の移動先。")  # fmt: skip
@click.option("--once", is_flag=True, help="One look, then leave. 一度だけ。")
@configured
def watch(
    folder: Path, *, facility: str, source: str, interval: float, settle: float,
    move_to: Path | None, once: bool, config: Path, as_json: bool,
) -> None:  # fmt: skip
    """フォルダを監視します。Take in what lands in a folder, once it is complete, until SIGTERM."""
    from gateway import app, settings
    from gateway.cli import opened
    from gateway.edge.sandbox import Sandbox
    from gateway.intake.watching import Watcher
    from gateway.model.category import Source

    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda number, frame: stop.set())
    root, away = folder.resolve(), move_to.resolve() if move_to else None
    if away is not None and (away == root or root in away.parents):
        raise click.UsageError("--move-to must be outside of the folder. 監視フォルダの外を指定")
    found = settings.load(config)
    with speaking(), app.open_gateway(found) as gateway, closing(Sandbox(found.hpki)) as sandbox:
        intake = app.open_intake(gateway, sandbox)
        watcher = Watcher(
            root=root, facility=facility, source=opened.word(Source, source, "source"),
            door=gateway.door, intake=intake, caller=lambda: gateway.operator("watch"),
            settle=settle, moved_to=away,
            told=lambda path, why: click.echo(f"refused 拒否: {path}: {why}", err=True),
        )  # fmt: skip

        def work() -> None:
            while not stop.is_set():
                if not intake.process_waiting(lambda: gateway.job("intake"), stop.is_set, facility):
                    return

        refused = _watch(watcher, work, stop, interval, once=once, as_json=as_json)
    if once and refused:
        raise SystemExit(REFUSED)


def _watch(
    watcher: "Watcher", work: Any, stop: threading.Event, interval: float, *, once: bool,
    as_json: bool,
) -> int:  # fmt: skip
    """Look until told to stop; how many files were refused."""
    from gateway.errors import Busy, NotPermitted

    refused = 0
    while True:
        found = None
        try:
            found = watcher.look(stop.is_set)
            work()
        except (Busy, NotPermitted, FileNotFoundError) as error:
            if once:
                raise
            click.echo(f"tried again 再試行します: {error}", err=True)
        if found is not None:
            refused += found.refused
            if once or found.taken or found.refused:
                _tell(found, as_json=as_json)
        if once or stop.wait(interval):
            return refused


def _tell(found: "Round", *, as_json: bool) -> None:
    if as_json:
        print_json(asdict(found))
        return
    click.echo(
        f"{found.taken} taken 受入, {found.refused} refused 拒否, "
        f"{found.unfinished} not complete 未完, of {found.seen}"
    )


@click.command("queue")
@configured
def queue(*, config: Path, as_json: bool) -> None:
    """待ち行列を表示します。What waits to be worked through, by facility."""
    from gateway import app, settings
    from gateway.record import queue as waiting

    with speaking(), app.open_gateway(settings.load(config)) as gateway:
        found = gateway.door.snapshot(waiting.backlog, max_age=0.0)
        now = app.now()
    told = [
        {
            "facility": one["facility"], "files": one["files"], "oldest": one["oldest"].isoformat(),
            "seconds": round((now - one["oldest"]).total_seconds()),
        }
        for one in found
    ]  # fmt: skip
    emit(
        {"waiting": sum(one["files"] for one in told), "facilities": told},
        as_json=as_json,
        text=lambda: table(
            ("facility", "files", "oldest", "seconds"),
            [(one["facility"], one["files"], one["oldest"], one["seconds"]) for one in told],
        ),
    )
