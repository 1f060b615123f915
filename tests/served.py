"""A demo installation and its gateway in a process of its own, on SQLite or PostgreSQL.

Installations are copied from one that `gateway init --demo` made, so that each test has its own.
"""

import json
import os
import shutil
import signal
import tomllib
import urllib.request
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg

from conformance.client import Client
from tests import forked

SHARED_DOMAIN = "2.999.20.1"
CHARTS = {"hospital-a": "2.999.30.1", "clinic-b": "2.999.30.2", "pharmacy-c": "2.999.30.3"}
_PORTS = {"port = 8443": "port = 0", "port = 8444": "port = 0", "port = 8445": "port = 0"}


def command(*words: str, exit_code: int = 0, env: Mapping[str, str] | None = None) -> Any:
    """One `gateway … --json` as it is typed; its document, or None where it printed nothing."""
    done = forked.run(*words, "--json", env=env)
    assert done.returncode == exit_code, (words, done.returncode, done.stderr, done.stdout)
    return json.loads(done.stdout) if done.stdout.strip() else None


@dataclass
class Installation:
    """A folder that `gateway init --demo` made, and what is known of it."""

    folder: Path
    database: str

    @property
    def config(self) -> Path:
        return self.folder / "gateway.toml"

    @property
    def pki(self) -> Path:
        return self.folder / "pki"

    @property
    def known(self) -> Any:
        """`demo.json`."""
        return json.loads((self.folder / "demo.json").read_text("utf-8"))

    @property
    def settings(self) -> dict[str, Any]:
        return tomllib.loads(self.config.read_text("utf-8"))

    def change(self, old: str, new: str) -> None:
        """Edit the settings file."""
        text = self.config.read_text("utf-8")
        assert old in text, old
        self.config.write_text(text.replace(old, new, 1), "utf-8")

    def add(self, text: str) -> None:
        """Add a table to the settings file."""
        self.config.write_text(self.config.read_text("utf-8") + "\n" + text, "utf-8")

    def command(self, *words: str, exit_code: int = 0) -> Any:
        return command(*words, "--config", str(self.config), exit_code=exit_code)

    def patient(self, label: str) -> Any:
        """One patient of `demo.json`, by its letter."""
        return next(one for one in self.known["patients"] if one["label"] == label)


@dataclass
class Served:
    """A gateway that serves an installation."""

    installation: Installation
    process: forked.Process
    address: str
    ports: dict[str, int]
    _clients: list[Client] = field(default_factory=list)

    def client(self, name: str | None, **more: Any) -> Client:
        """A machine's client, by the name of its certificate; None: without a certificate."""
        pki = self.installation.pki
        chosen = {} if name is None else {
            "certificate": pki / "clients" / f"{name}.pem", "key": pki / "clients" / f"{name}.key",
        }  # fmt: skip
        made = Client(self.address, authority=pki / "ca.pem", **chosen, **more)
        self._clients.append(made)
        return made

    def operator(self, path: str) -> tuple[int, str]:
        """GET on the operator door: status and text."""
        url = f"http://127.0.0.1:{self.ports['operator']}{path}"
        try:
            with urllib.request.urlopen(url, timeout=20) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()

    def kill(self) -> None:
        """What a power failure does to the processes: SIGKILL to all of them."""
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait(timeout=30)

    def stop(self) -> int:
        """SIGTERM, and the exit code."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(timeout=60)

    def close(self) -> None:
        for client in self._clients:
            client.close()
        if self.process.poll() is None:
            self.stop()
        if self.process.stdout is not None:
            self.process.stdout.close()


@contextmanager
def serve(installation: Installation, *words: str) -> Iterator[Served]:
    """Serve on free ports until the block ends."""
    text = installation.config.read_text("utf-8")
    for old, new in _PORTS.items():
        text = text.replace(old, new)
    for name in ("people_port", "operator_port"):
        text = text.replace(f"{name} = 844", f"{name} = 0 # 844")
    installation.config.write_text(text, "utf-8")
    log = installation.folder / "serve.log"
    with log.open("a", encoding="utf-8") as stderr:
        process = forked.start(
            "serve", "--json", "--config", str(installation.config), *words, stderr=stderr
        )
    assert process.stdout is not None
    said = ""
    while not said.rstrip().endswith("}\n}") and (line := process.stdout.readline()):
        said += line
    if not said:
        process.wait(timeout=30)
        process.stdout.close()
        raise AssertionError(f"the gateway did not start: {log.read_text('utf-8')}")
    ready = json.loads(said)
    served = Served(installation, process, ready["ready"], ready["ports"])
    try:
        yield served
    finally:
        served.close()


class Templates:
    """One demo installation of each kind for a run, made when it is first wanted."""

    def __init__(self, folder: Path, postgres: Callable[[], str]) -> None:
        self._folder = folder
        self._postgres = postgres
        self._made: dict[str, Installation] = {}

    def copy(self, kind: str, folder: Path) -> Installation:
        """A fresh installation of a kind of database in a folder that does not exist yet."""
        made = self._made.get(kind) or self._make(kind)
        shutil.copytree(made.folder, folder)
        database = made.database
        if kind == "postgresql":
            database = _database(self._postgres(), _name_of(made.database))
        else:
            database = f"sqlite:///{folder / 'gateway.db'}"
        copied = Installation(folder, database)
        text = copied.config.read_text("utf-8").replace(made.database, database)
        copied.config.write_text(text.replace(str(made.folder), str(folder)), "utf-8")
        return copied

    def _make(self, kind: str) -> Installation:
        folder = self._folder / kind
        if kind == "postgresql":
            database = _database(self._postgres(), "template0")
            command("init", str(folder), "--demo", "--database", database)
        else:
            database = f"sqlite:///{folder / 'gateway.db'}"
            command("init", str(folder), "--demo")
        self._made[kind] = Installation(folder, database)
        return self._made[kind]


def _database(server: str, template: str) -> str:
    """A new database on a server, copied from another one; its URL."""
    name = f"d{uuid.uuid4().hex}"
    plain = server.replace("postgresql+psycopg://", "postgresql://")
    with psycopg.connect(plain, autocommit=True) as connection:
        connection.execute(f'CREATE DATABASE "{name}" TEMPLATE "{template}"')
    return server.replace("/postgres?", f"/{name}?")


def _name_of(url: str) -> str:
    return url.partition("?")[0].rpartition("/")[2]
