"""A demo installation of its own, and the real server over it: started, killed, stopped."""

import contextlib
import json
import os
import shutil
import signal
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from conformance.client import Client
from tests import forked
from tests.served import Templates

_START_SECONDS = 60.0
_PORTS = {"port": "machines", "people_port": "people", "operator_port": "operator"}


@dataclass
class Server:
    """One running `gateway serve`: a process group of its own."""

    process: forked.Process
    folder: Path
    address: str
    ports: dict[str, int]
    log: Path
    started: float
    "Seconds from the start to `ready`."
    _children: set[int] = field(default_factory=set)

    def client(self, name: str, *, timeout: float = 30.0) -> Client:
        """One of the demo's machines."""
        pki = self.folder / "pki"
        return Client(
            self.address,
            certificate=pki / "clients" / f"{name}.pem",
            key=pki / "clients" / f"{name}.key",
            authority=pki / "ca.pem",
            timeout=timeout,
        )

    def kill(self) -> None:
        """`kill -9` of the whole group: no handler runs, nothing is flushed."""
        children = descendants(self.process.pid)
        os.killpg(self.process.pid, signal.SIGKILL)
        self._ended(10)
        until = time.monotonic() + 10
        while left := {pid for pid in children if _alive(pid)}:
            assert time.monotonic() < until, f"processes outlived the gateway: {left}"
            time.sleep(0.02)

    def terminate(self, seconds: float = 45.0) -> int:
        """SIGTERM; the exit code."""
        self.process.send_signal(signal.SIGTERM)
        return self._ended(seconds)

    def _ended(self, seconds: float) -> int:
        code = self.process.wait(timeout=seconds)
        assert self.process.stdout is not None
        self.process.stdout.close()
        return code

    def ready(self) -> tuple[int, dict[str, bool]]:
        """What `/readyz` says."""
        url = f"http://127.0.0.1:{self.ports['operator']}/readyz"
        try:
            with urllib.request.urlopen(url, timeout=10) as answer:
                return answer.status, json.load(answer)["checks"]
        except urllib.error.HTTPError as error:
            with error:
                return error.code, json.load(error)["checks"]

    def becomes_ready(self, wanted: bool, seconds: float = 30.0) -> dict[str, bool]:
        """Wait until `/readyz` says so; the checks."""
        until = time.monotonic() + seconds
        while True:
            status, checks = self.ready()
            if (status == 200) is wanted:
                return checks
            assert time.monotonic() < until, f"/readyz stays {status}: {checks}"
            time.sleep(0.1)


def _alive(pid: int) -> bool:
    """Whether a process is there and no zombie."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state != "Z"


def descendants(pid: int) -> set[int]:
    """Every process below this one."""
    parents: dict[int, list[int]] = {}
    for path in Path("/proc").iterdir():
        if path.name.isdigit():
            with contextlib.suppress(OSError):
                parent = int((path / "stat").read_text().rpartition(")")[2].split()[1])
                parents.setdefault(parent, []).append(int(path.name))
    found: set[int] = set()
    waiting = [pid]
    while waiting:
        below = parents.get(waiting.pop(), [])
        found.update(below)
        waiting.extend(below)
    return found


@dataclass(frozen=True)
class Installation:
    """A folder that `gateway init --demo` made, on a database of either kind."""

    folder: Path

    @property
    def config(self) -> Path:
        return self.folder / "gateway.toml"

    @property
    def kind(self) -> str:
        """Which kind of database it is on."""
        return "sqlite" if 'url = "sqlite:' in self.config.read_text("utf-8") else "postgresql"

    @property
    def blobs(self) -> Path:
        return self.folder / "blobs"

    def change(self, *changes: tuple[str, str]) -> None:
        """Edit the settings."""
        text = self.config.read_text("utf-8")
        for old, new in changes:
            assert old in text, old
            text = text.replace(old, new)
        self.config.write_text(text, "utf-8")

    def keep_ports(self, server: Server) -> None:
        """Serve at the same address from now on, so that what is sent again is the same bytes."""
        self.change(
            *((f"\n{key} = 0", f"\n{key} = {server.ports[name]}") for key, name in _PORTS.items())
        )

    def add(self, table: str) -> None:
        """Append a table to the settings."""
        self.config.write_text(self.config.read_text("utf-8") + table, "utf-8")

    def start(self, *words: str, environment: Mapping[str, str] | None = None) -> Server:
        """Start the server in a process group of its own and wait until it accepts."""
        begun = time.perf_counter()
        log = self.folder / "server.log"
        with log.open("a") as errors:
            process = forked.start(
                "serve", "--config", str(self.config), "--json", *words,
                stderr=errors, env=environment,
            )  # fmt: skip
        watchdog = threading.Timer(_START_SECONDS, process.kill)
        watchdog.start()
        assert process.stdout is not None
        text = ""
        try:
            while line := process.stdout.readline():
                text += line
                if line == "}\n":
                    break
        finally:
            watchdog.cancel()
        if not text.strip():
            process.wait(10)
            process.stdout.close()
            raise AssertionError(f"the gateway did not start: {log.read_text()[-800:]}")
        found = json.loads(text)
        return Server(
            process, self.folder, found["ready"], found["ports"], log, time.perf_counter() - begun
        )

    @contextmanager
    def served(self, *words: str) -> Iterator[Server]:
        """Serve, and stop at the end whatever happens."""
        server = self.start(*words)
        try:
            yield server
        finally:
            if server.process.poll() is None:
                server.kill()

    def command(self, *words: str, code: int = 0) -> Any:
        """One `gateway … --json` as an operator types it."""
        done = forked.run(*words, "--config", str(self.config), "--json")
        assert done.returncode == code, f"{words}: {done.returncode} {done.stderr} {done.stdout}"
        return json.loads(done.stdout) if done.stdout.strip() else None

    def copy(self, folder: Path, url: str = "") -> "Installation":
        """The same installation somewhere else."""
        shutil.copytree(self.folder, folder)
        made = Installation(folder)
        made.change((str(self.folder), str(folder)))
        if url:
            made.put_database(url)
        return made

    def put_database(self, url: str) -> None:
        """Name another database."""
        lines = self.config.read_text("utf-8").splitlines()
        place = lines.index("[database]") + 1
        lines[place] = f'url = "{url}"'
        self.config.write_text("\n".join(lines) + "\n", "utf-8")


def make(folder: Path, templates: Templates, kind: str = "sqlite") -> Installation:
    """A fresh demo installation on free ports; its clients may ask as often as they like."""
    templates.copy(kind, folder)
    made = Installation(folder)
    made.change(*((f"port = {port}", "port = 0") for port in (8443, 8444, 8445)))
    made.add("\n[limits]\nrequests_per_second = 100000\nburst = 100000\n")
    return made


def fill(made: Installation) -> None:
    """Bring the installation's database to the newest schema and put the demo's people into it."""
    from gateway import app, settings
    from gateway.cli.demo_data import fill as fill_demo

    with app.open_gateway(settings.load(made.config), migrating=True) as gateway:
        fill_demo(gateway)


def logged(server: Server) -> Sequence[str]:
    """Lines of the server's log that tell of a defect."""
    return [line for line in server.log.read_text().splitlines() if "incident" in line]
