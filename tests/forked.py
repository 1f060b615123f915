"""Gateway commands forked from a process that has loaded every one of them.

A fresh interpreter takes one to two seconds of the processor to load a command, and the suite
types hundreds. What is forked here is a process of its own with its own words, environment, files,
signals and exit code. That everything starts cold as well is what `tests/cli/test_commands.py`,
the demo's journey and the servers of `hostile` and `conformance_suite` show.
"""

import atexit
import gc
import importlib
import json
import os
import pkgutil
import select
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from functools import cache
from typing import IO, Any

import gateway

_LARGEST = 1 << 17
"Bytes of one order: words and environment."


class Process:
    """A command that runs; what `subprocess.Popen` tells of one, under the same names."""

    def __init__(self, words: tuple[str, ...], told: int, stdout: IO[str] | None) -> None:
        self.words = words
        self.returncode: int | None = None
        self.stdout = stdout
        self.stderr = None
        self._told = os.fdopen(told, encoding="ascii")
        first = self._told.readline()
        assert first, f"not forked: {words}"
        self.pid = int(first)

    def poll(self) -> int | None:
        """The exit code (of a signal: its number, negative), or None while it runs."""
        if self.returncode is None and select.select([self._told], [], [], 0)[0]:
            with self._told as told:
                self.returncode = int(told.readline())
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        """The exit code; raises `subprocess.TimeoutExpired` after so many seconds."""
        if self.returncode is None:
            select.select([self._told], [], [], timeout)
        code = self.poll()
        if code is None:
            raise subprocess.TimeoutExpired(self.words, timeout or 0)
        return code

    def send_signal(self, number: int) -> None:
        """Send a signal, where it still runs."""
        if self.poll() is None:
            os.kill(self.pid, number)

    def terminate(self) -> None:
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)


def start(
    *words: str, stdout: IO[Any] | None = None, stderr: IO[Any],
    env: Mapping[str, str] | None = None,
) -> Process:  # fmt: skip
    """Start `gateway …` in a session of its own; without `stdout` it is a pipe to be read."""
    read = write = -1
    if stdout is None:
        read, write = os.pipe()
    told, tells = os.pipe()
    order = {"words": words, "env": {**os.environ, **(env or {})}, "cwd": os.getcwd()}  # noqa: PTH109
    files = [stdout.fileno() if stdout else write, stderr.fileno(), tells]
    socket.send_fds(_parent(), [json.dumps(order).encode()], files)
    for mine in (write, tells):
        if mine >= 0:
            os.close(mine)
    return Process(words, told, os.fdopen(read, encoding="utf-8") if stdout is None else None)


def run(
    *words: str, env: Mapping[str, str] | None = None, timeout: float = 120
) -> "subprocess.CompletedProcess[str]":
    """Run `gateway …` to its end: exit code, output and what it said on the error stream."""
    with tempfile.TemporaryFile() as stdout, tempfile.TemporaryFile() as stderr:
        process = start(*words, stdout=stdout, stderr=stderr, env=env)
        try:
            code = process.wait(timeout)
        except BaseException:
            process.kill()
            raise
        said = []
        for stream in (stdout, stderr):
            stream.seek(0)
            said.append(stream.read().decode("utf-8"))
    return subprocess.CompletedProcess(words, code, *said)


@cache
def _parent() -> socket.socket:
    """The way to the process that forks; it ends when this end is closed."""
    mine, its = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with its:
        parent = subprocess.Popen(
            [sys.executable, "-m", "tests.forked", str(its.fileno())],
            pass_fds=[its.fileno()], stdin=subprocess.DEVNULL, start_new_session=True,
        )  # fmt: skip

    def close() -> None:
        mine.close()
        parent.wait(timeout=10)

    atexit.register(close)
    return mine


def _load() -> None:
    """Import what any command and the server import."""
    for _, name, _ in pkgutil.walk_packages(gateway.__path__, "gateway."):
        if not name.endswith("__main__") and not name.startswith("gateway.store.schema"):
            importlib.import_module(name)
    gc.collect()
    gc.freeze()


def _forks(door: socket.socket) -> bool:
    """Fork for each order; true in a process that is to run one."""
    kept = 0
    while True:
        order, files, _, _ = socket.recv_fds(door, _LARGEST, 3)
        while kept and os.waitpid(-1, os.WNOHANG)[0]:
            kept -= 1
        if not order:
            return False
        if os.fork() == 0:
            door.close()
            return _kept(json.loads(order), files)
        kept += 1
        for file in files:
            os.close(file)


def _kept(order: dict[str, Any], files: list[int]) -> bool:
    """Fork the command and tell of its end; true in the command."""
    stdout, stderr, tells = files
    command = os.fork()
    if command:
        os.close(stdout)
        os.close(stderr)
        os.write(tells, f"{command}\n".encode())
        _, status = os.waitpid(command, 0)
        os.write(tells, f"{os.waitstatus_to_exitcode(status)}\n".encode())
        os._exit(0)
    os.close(tells)
    os.setsid()
    for file, number in ((stdout, 1), (stderr, 2)):
        os.dup2(file, number)
        os.close(file)
    os.chdir(order["cwd"])
    os.environ.clear()
    os.environ.update(order["env"])
    sys.argv = ["gateway", *order["words"]]
    time.tzset()
    return True


if __name__ == "__main__":
    _load()
    if _forks(socket.socket(fileno=int(sys.argv[1]))):
        from gateway.__main__ import main

        main()
