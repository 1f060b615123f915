"""One command of the gateway killed again and again on its way, and how much memory it took."""

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from gateway import settings
from gateway.store.database import Database
from tests.reliability.installation import Installation, descendants

_LOOK = 0.25
"Seconds between two looks at the database and at the memory."
_COUNTS = (
    "SELECT count(*), (SELECT count(*) FROM upload_file WHERE state = 'received'), "
    "(SELECT count(*) FROM upload_file WHERE state = 'split') FROM upload_file"
)


@dataclass
class Told:
    """How a command came to its end."""

    kills: list[float] = field(default_factory=list)
    "How much of the work was done at each kill, of 1."
    peak: float = 0.0
    "MiB of the largest of its processes."
    seconds: float = 0.0
    lines: list[str] = field(default_factory=list)
    "What it said on stderr."

    def __str__(self) -> str:
        at = ", ".join(f"{one:.0%}" for one in self.kills)
        return f"killed at {at}; {self.seconds:.0f} s in all, {self.peak:.0f} MiB at most"


@contextmanager
def counting(installed: Installation) -> Iterator[Database]:
    """The installation's database, to look at."""
    with closing(Database(settings.load(installed.config).database.url, cache=1)) as database:
        yield database


def _peak(pid: int) -> float:
    """MiB that the largest of a process and those below it has had so far."""
    most = 0.0
    for one in (pid, *descendants(pid)):
        with suppress(OSError, IndexError):
            status = Path(f"/proc/{one}/status").read_text("ascii")
            most = max(most, int(status.partition("VmHWM:")[2].split()[0]) / 1024)
    return most


def through(
    installed: Installation, words: Sequence[str], *, units: int, kills: int, seed: str
) -> Told:
    """Run a command until it ends well, and kill it so often on its way.

    `units` are the files, or parts of a file, that are to be received and then worked through; each
    kill comes somewhere in its own stretch of that way.
    """
    draw = random.Random(f"{seed}/kills")
    moments = [(number + draw.random()) / kills for number in range(kills)]
    told, begun = Told(), time.monotonic()
    log = installed.folder / "command.log"
    with counting(installed) as database:
        while True:
            with log.open("ab") as errors:
                process = subprocess.Popen(
                    [sys.executable, "-m", "gateway", *words, "--config", str(installed.config),
                     "--json"],
                    stdout=subprocess.DEVNULL, stderr=errors, start_new_session=True,
                )  # fmt: skip
            code = _watch(process, database, units, moments, told, draw)
            if code is None:
                continue
            told.seconds = time.monotonic() - begun
            told.lines = log.read_text("utf-8").splitlines()
            assert code == 0, told.lines[-10:]
            return told


def _watch(
    process: "subprocess.Popen[bytes]",
    database: Database,
    units: int,
    moments: list[float],
    told: Told,
    draw: random.Random,
) -> int | None:
    """Until it ends, with its exit code, or is killed."""
    while True:
        with suppress(subprocess.TimeoutExpired):
            return process.wait(_LOOK)
        told.peak = max(told.peak, _peak(process.pid))
        with database.reading() as db:
            total, waiting, split = db.exec_driver_sql(_COUNTS).one()
        done = total - waiting if split or total > 1 else 0
        way = min((total + done) / (2 * units), 1.0)
        if moments and way >= moments[0]:
            time.sleep(draw.random() * _LOOK)
            if process.poll() is not None:
                return process.returncode
            os.killpg(process.pid, signal.SIGKILL)
            process.wait(30)
            told.kills.append(way)
            while moments and way >= moments[0]:
                moments.pop(0)
            return None
