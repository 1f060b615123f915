"""`gateway watch DIR`: take what lands in a drop folder; `gateway queue`: what waits."""

import signal
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from gateway.cli.common import (
    REFUSED,
    configured,
    emit,
    print_json,
    progress_left,
    repeating,
    speaking,
    table,
    worker,
)

if TYPE_CHECKING:
    from gateway.app import Gateway
    from gateway.intake.watching import Round, Watcher

_LOOKING = 4
"Times as long as a look takes, none is taken."
_LOOK = 2.0
"Seconds between two looks at how far the queue is."
_COLUMNS = ("facility", "files", "oldest", "seconds", "rate", "left")
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
    from gateway.intake.watching import Watcher
    from gateway.model.category import Source

    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda number, frame: stop.set())
    root, away = folder.resolve(), move_to.resolve() if move_to else None
    if away is not None and (away == root or root in away.parents):
        raise click.UsageError("--move-to must be outside of the folder. 監視フォルダの外を指定")
    found = settings.load(config)
    with (
        speaking(),
        app.open_gateway(found) as gateway,
        closing(app.open_sandbox(gateway)) as sandbox,
    ):
        intake = app.open_intake(gateway, sandbox, owner=worker(f"watch {root}"))
        intake.turns.begin()
        watcher = Watcher(
            root=root, facility=facility, source=opened.word(Source, source, "source"),
            door=gateway.door, intake=intake, caller=lambda: gateway.operator("watch"),
            settle=settle, moved_to=away,
            told=lambda path, why: click.echo(f"refused 拒否: {path}: {why}", err=True),
        )  # fmt: skip

        def work() -> None:
            with working(gateway, facility):
                while not stop.is_set():
                    caller = partial(gateway.job, "intake")
                    if not intake.process_waiting(caller, stop.is_set, facility):
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
        found, took, begun = None, 0.0, time.monotonic()
        try:
            with progress_left("receiving 受領") as tell:
                watcher.progress = tell
                found = watcher.look(stop.is_set)
            took = time.monotonic() - begun
            work()
        except (Busy, NotPermitted, FileNotFoundError) as error:
            if once:
                raise
            click.echo(f"tried again 再試行します: {error}", err=True)
        if found is not None:
            refused += found.refused
            if once or found.taken or found.refused:
                _tell(found, as_json=as_json)
        # A folder of many files takes a while to look at: not all the time.
        if once or stop.wait(max(interval, _LOOKING * took)):
            return refused


@contextmanager
def working(gateway: "Gateway", facility: str) -> Iterator[None]:
    """Tell how far the queue of a facility is, while it is worked through."""
    from gateway.record import queue as waiting

    first: list[int] = []

    def look() -> None:
        found = gateway.door.snapshot(waiting.backlog, max_age=0.0)
        left = sum(one["files"] for one in found if one["facility"] == facility)
        done = gateway.door.snapshot(waiting.worked, max_age=0.0).get(facility, 0)
        first[:] = first or [done]
        tell(done - first[0], done - first[0] + left)

    with progress_left("intake 受入") as tell:
        look()
        with repeating(_LOOK, look):
            yield


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
        aside = gateway.door.snapshot(waiting.set_aside, max_age=0.0)
        now = app.now()
    told = [
        {
            "facility": one["facility"], "files": one["files"], "oldest": one["oldest"].isoformat(),
            "seconds": round((now - one["oldest"]).total_seconds()),
            "rate": round(one["rate"], 1),
            "left": None if one["left"] is None else round(one["left"]),
        }
        for one in found
    ]  # fmt: skip
    emit(
        {
            "waiting": sum(one["files"] for one in told), "facilities": told,
            "set_aside": dict(sorted(aside.items())),
        },
        as_json=as_json,
        text=lambda: [
            *table(
                ("facility", "files", "oldest", "seconds", "files/s", "seconds left"),
                [[one[name] for name in _COLUMNS] for one in told],
            ),
            *(f"{name}: {count} set aside 保留" for name, count in sorted(aside.items())),
        ],
    )  # fmt: skip
