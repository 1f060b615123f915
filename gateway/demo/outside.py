"""The demo's outside: the gateway in its own process, commands as they are typed, steps."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True, slots=True)
class Step:
    """One row of the table."""

    name: str
    held: bool
    ms: float
    detail: str


class NotHeld(Exception):
    """A step did not hold; the text says what came instead."""


def step(name: str, do: Callable[[], str]) -> Step:
    """Run one step; what did not hold is its detail."""
    begun = time.perf_counter()
    try:
        detail, held = do(), True
    except (NotHeld, OSError, ValueError, KeyError, IndexError) as error:
        detail, held = f"{type(error).__name__}: {error}", False
    return Step(name, held, round((time.perf_counter() - begun) * 1000, 1), detail)


@contextmanager
def served(folder: Path) -> Iterator[str]:
    """The gateway in its own process on free ports."""
    path = folder / "gateway.toml"
    text = path.read_text("utf-8")
    for port in ("8443", "8444", "8445"):
        text = text.replace(f"port = {port}", "port = 0")
    path.write_text(text, "utf-8")
    process = subprocess.Popen(  # noqa: S603 - our own program
        [sys.executable, "-m", "gateway", "serve", "--config", str(path)],
        stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        assert process.stdout is not None  # noqa: S101
        line = process.stdout.readline()
        if not line.startswith("ready "):
            raise NotHeld(f"the gateway did not start: {line.strip()!r}")
        yield line.split()[1]
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(timeout=40)
        if process.stdout is not None:
            process.stdout.close()


def typed(*words: str) -> "subprocess.CompletedProcess[str]":
    """One `gateway …` in a process of its own, to its end."""
    return subprocess.run(  # noqa: S603 - our own program
        [sys.executable, "-m", "gateway", *words],
        capture_output=True, text=True, env=dict(os.environ), check=False, timeout=120,
    )  # fmt: skip


def command(*words: str, refused: bool = False) -> Any:
    """One `gateway … --json` as the secretariat types it."""
    done = typed(*words, "--json")
    if done.returncode != (1 if refused else 0):
        said = (done.stderr.strip() or done.stdout.strip()).splitlines()
        raise NotHeld(f"gateway {words[0]}: exit {done.returncode}: {' '.join(said[-2:])}")
    return json.loads(done.stdout) if done.stdout.strip() else None


def require(condition: object, otherwise: str) -> None:
    """Raise `NotHeld` with what came instead."""
    if not condition:
        raise NotHeld(otherwise)
