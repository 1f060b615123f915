"""Servers in processes of their own, and what the kernel says they cost."""

import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[1]
_START_SECONDS, _STOP_SECONDS = 120.0, 30.0
_TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True)
class Server:
    """A running server."""

    url: str
    pid: int
    started: float
    "Seconds from its start to `ready`."

    @property
    def port(self) -> int:
        return int(self.url.rpartition(":")[2])

    def resident(self) -> float:
        """Resident memory now, in MiB."""
        return _status(self.pid, "VmRSS")

    def forget_peak(self) -> None:
        """Let the peak begin again at what is resident now."""
        Path(f"/proc/{self.pid}/clear_refs").write_text("5")

    def peak(self) -> float:
        """The most resident memory there was, in MiB."""
        return _status(self.pid, "VmHWM")


def cpu_seconds(pid: int) -> float:
    """User and system time of a process with all its threads."""
    fields = Path(f"/proc/{pid}/stat").read_text("ascii").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS


def _status(pid: int, name: str) -> float:
    found = re.search(rf"(?m)^{name}:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text("ascii"))
    return int(found[1]) / 1024 if found else 0.0


@contextmanager
def running(command: Sequence[str], log: Path) -> Iterator[Server]:
    """Start a program that prints `ready URL`; stop it by SIGTERM."""
    begun = time.perf_counter()
    with log.open("w", encoding="utf-8") as errors:
        process = subprocess.Popen(
            command, cwd=REPOSITORY, stdout=subprocess.PIPE, stderr=errors, text=True
        )
        try:
            url = _ready(process, log)
            yield Server(url, process.pid, time.perf_counter() - begun)
        finally:
            _stop(process)


def gateway(folder: Path, *, settings: Path | None = None) -> AbstractContextManager[Server]:
    """`gateway serve` on a folder that `bench.installation` made."""
    config = settings or folder / "gateway.toml"
    serve = [sys.executable, "-m", "gateway", "serve", "--config", str(config)]
    return running(serve, config.with_suffix(".log"))


def _ready(process: "subprocess.Popen[str]", log: Path) -> str:
    found: list[str] = []
    said = threading.Event()

    def read() -> None:
        assert process.stdout is not None
        for line in process.stdout:
            if line.startswith("ready ") and not found:
                found.append(line.split()[1])
                said.set()
        said.set()

    threading.Thread(target=read, daemon=True).start()
    said.wait(_START_SECONDS)
    if not found:
        raise RuntimeError(f"no `ready`:\n{log.read_text('utf-8', 'replace')[-2000:]}")
    return found[0]


def _stop(process: "subprocess.Popen[str]") -> None:
    if process.poll() is None:
        process.send_signal(signal.SIGTERM)
    with suppress(subprocess.TimeoutExpired):
        process.wait(_STOP_SECONDS)
    if process.poll() is None:
        process.kill()
        process.wait()
    if process.stdout is not None:
        process.stdout.close()
