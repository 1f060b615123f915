"""Two processes that work the queue against one, on PostgreSQL: files of six facilities that wait.

Wall time between a tenth and nine tenths of the queue, by the server itself with `[intake] workers`
at one and at two; so it also says what else the machine does, and the load is printed beside it.
"""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from io import BytesIO
from pathlib import Path
from tempfile import TemporaryDirectory

import psycopg

from bench import server
from bench.figures import Figure
from bench.population import laboratory_message, population, stored_path
from bench.run import Run
from bench.server import REPOSITORY
from gateway import app, settings
from gateway.app import Gateway
from gateway.identity import domains
from gateway.intake import Intake
from gateway.members import facilities
from gateway.members.facilities import ContractKind
from gateway.model.audit import EventKind
from gateway.model.category import FacilityType, Source
from gateway.model.identifiers import Oid
from gateway.record import queue
from gateway.store.blobs import Blob, Blobs
from tests import postgres

_COMMAND = "python -m bench --only workers"
_FACILITIES = [f"house-{number}" for number in range(6)]
_EACH = 1024
_DAY = "20261120"
_AT_ONCE = 50
_LONGEST = 900.0
"Seconds for all of it."


@dataclass(frozen=True, slots=True)
class _Sent:
    """One file on its way in."""

    path: str
    content: bytes
    blobs: Blobs
    in_tree: bool = True

    def reader(self) -> BytesIO:
        return BytesIO(self.content)

    def commit(self) -> Blob:
        return self.blobs.put_bytes(self.content)


def _queued(gateway: Gateway) -> int:
    """Register the facilities and let files of each wait; how many."""
    with gateway.door.work(EventKind.ADMIN, gateway.operator()) as work:
        for number, name in enumerate(_FACILITIES):
            facilities.register(work, name=name, type=FacilityType.CLINIC, administrator="管理")
            facilities.agree(work, ContractKind.CUSTODY, facility=name, starts=date(2026, 1, 1))
            domains.declare(work, Oid(f"2.999.77.{number}"), kind="chart", facility=name)
    intake = Intake(
        door=gateway.door, blobs=gateway.blobs, limits=gateway.settings.limits, new_id=app.new_id
    )
    several = [
        _Sent(
            stored_path(one.charts[0][1], "OML-11", f"{one.number:015d}", _DAY),
            laboratory_message(one), gateway.blobs,
        )
        for one in population(1, _EACH)
    ]  # fmt: skip
    for name in _FACILITIES:
        for first in range(0, _EACH, _AT_ONCE):
            now = several[first : first + _AT_ONCE]
            intake.receive(gateway.operator(), now, facility=name, source=Source.EMR)
    return _EACH * len(_FACILITIES)


def _database(maintenance: str, name: str) -> str:
    """An empty database of a server; its URL."""
    with psycopg.connect(maintenance.replace("+psycopg", ""), autocommit=True) as connection:
        connection.execute(f'CREATE DATABASE "{name}" TEMPLATE "template0"')
    return maintenance.replace("/postgres?", f"/{name}?")


@contextmanager
def _installed(place: Path, url: str, workers: int) -> Iterator[Path]:
    command = [sys.executable, "-m", "gateway", "init", str(place), "--demo", "--database", url]
    subprocess.run(command, cwd=REPOSITORY, check=True, stdout=subprocess.DEVNULL)
    config = place / "gateway.toml"
    text = config.read_text("utf-8") + f"\n[intake]\nworkers = {workers}\n"
    for port in (8443, 8444, 8445):
        text = text.replace(f"port = {port}", "port = 0")
    config.write_text(text, "utf-8")
    yield config


def rate(place: Path, url: str, workers: int) -> tuple[float, float]:
    """Files a second of so many workers, and the load of the machine meanwhile."""
    with (
        _installed(place, url, workers) as config,
        app.open_gateway(settings.load(config)) as gateway,
    ):
        total = _queued(gateway)
        moments: list[tuple[float, int]] = []
        until = time.monotonic() + _LONGEST
        with server.gateway(place):
            while not moments or moments[-1][1] < 0.9 * total:
                if time.monotonic() > until:
                    raise RuntimeError(f"{moments[-1][1]} of {total} after {_LONGEST:.0f} s")
                time.sleep(0.1)
                found = gateway.door.snapshot(queue.worked, max_age=0.0)  # costs the server little
                moments.append((time.monotonic(), sum(found.values())))
        load = os.getloadavg()[0]
    begun, first = next((at, done) for at, done in moments if done >= 0.1 * total)
    ended, last = moments[-1]
    return (last - first) / (ended - begun), load


def measure(run: Run) -> Iterator[Figure]:
    """One worker, then two, each on a database of its own."""
    found = {}
    with postgres.server() as maintenance, TemporaryDirectory() as folder:
        for workers in (1, 2):
            url = _database(maintenance, f"workers{workers}")
            found[workers] = rate(Path(folder) / f"{workers}", url, workers)
    (one, quiet), (two, load) = found[1], found[2]
    yield Figure(
        name="two-workers-postgresql", figure=two, unit="files/s",
        against=f"one worker (load {quiet:.1f}, then {load:.1f})", floor=one, ratio=two / one,
        goal=">= 1.8", command=_COMMAND,
    )  # fmt: skip
