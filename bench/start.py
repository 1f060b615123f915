"""From start to `ready`, and memory when idle, without and with the published schemas."""

import statistics
import time
from collections.abc import Iterator
from pathlib import Path

from bench import installation, server
from bench.figures import Figure
from bench.run import Run

_COMMAND = "python -m bench --only start"
_TIMES = 3
_SETTLE = 2.0
_LONGEST, _BARE, _JUDGED = 2.0, 150.0, 300.0
"Seconds to `ready`, and MiB without and with schemas."


def measure(run: Run) -> Iterator[Figure]:
    """Two rows, or four where the schemas are there."""
    place = installation.make("documents", 10, folder=run.folder)
    yield from _measure(place / "gateway.toml", "", _BARE, place)
    if run.schemas is not None:
        judged = installation.with_schemas(place, run.schemas)
        yield from _measure(judged, "-schemas", _JUDGED, place)


def _measure(settings: Path, suffix: str, most: float, place: Path) -> Iterator[Figure]:
    seconds, memory = [], []
    for _ in range(_TIMES):
        with server.gateway(place, settings=settings) as found:
            seconds.append(found.started)
            time.sleep(_SETTLE)
            memory.append(found.resident())
    started, resident = statistics.median(seconds), max(memory)
    yield Figure(
        name=f"start-to-ready{suffix}", figure=started, unit="s", against="at most",
        floor=_LONGEST, ratio=started / _LONGEST, goal="<= 1", command=_COMMAND,
    )  # fmt: skip
    yield Figure(
        name=f"idle-memory{suffix}", figure=resident, unit="MiB", against="at most", floor=most,
        ratio=resident / most, goal="<= 1", command=_COMMAND,
    )  # fmt: skip
