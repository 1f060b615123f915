"""One demo installation behind real TLS, and what must not be left behind after a refusal."""

import json
import os
import re
import signal
import socket
import sqlite3
import ssl
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from urllib.request import urlopen

from conformance.client import Answer, Client
from tests import forked
from tests.shared import SHARED

_SCRIPT = Path(__file__).with_name("serving.py")
_ROOT = _SCRIPT.parents[2]
_AUDIT = {"audit_event", "audit_patient", "audit_seal", "alembic_version"}
_OF_JOBS = {"revocation_list", "revocation_source"}
"Filled by the server itself after its start, whatever anybody sends."
FACES = ("hospital-a", "clinic-b", "pharmacy-c", "lab-d", "neighbour-n")
_FLOOD = 100
UNLIMITED = {"requests_per_second": 100000, "burst": 1000000}


@dataclass(frozen=True)
class State:
    """Rows of every table, files of the blob store, and the last audit event."""

    rows: Mapping[str, int]
    files: frozenset[str]
    event: int


@dataclass
class Site:
    """A gateway that serves, and its insides as the operator could see them."""

    folder: Path
    address: str
    operator: int
    "Port of the operator door."
    process: "subprocess.Popen[str]"
    log: Path
    errors: Path
    clients: dict[str, Client] = field(default_factory=dict)
    known: dict[str, Any] = field(default_factory=dict)

    @property
    def port(self) -> int:
        return urlsplit(self.address).port or 0

    def client(self, name: str) -> Client:
        """The keep-alive connection of one machine."""
        if name not in self.clients:
            self.clients[name] = self.fresh(name)
        return self.clients[name]

    def fresh(self, name: str) -> Client:
        """Another connection of one machine."""
        pki = self.folder / "pki"
        return Client(
            self.address, certificate=pki / "clients" / f"{name}.pem",
            key=pki / "clients" / f"{name}.key", authority=pki / "ca.pem", timeout=30,
        )  # fmt: skip

    @contextmanager
    def raw(self, name: str = "hospital-a", *, wait: float = 10) -> Iterator[ssl.SSLSocket]:
        """A TLS connection to write any bytes on."""
        pki = self.folder / "pki"
        context = ssl.create_default_context(cafile=str(pki / "ca.pem"))
        context.load_cert_chain(pki / "clients" / f"{name}.pem", pki / "clients" / f"{name}.key")
        with socket.create_connection(("127.0.0.1", self.port), timeout=wait) as plain:
            with context.wrap_socket(plain, server_hostname="localhost") as connection:
                yield connection

    def query(self, statement: str, *given: object) -> list[tuple[Any, ...]]:
        """Look into the database."""
        uri = f"file:{self.folder / 'gateway.db'}?mode=ro"
        with closing(sqlite3.connect(uri, uri=True, timeout=10)) as db:
            return db.execute(statement, given).fetchall()

    def state(self) -> State:
        """What there is now."""
        names = [str(row[0]) for row in self.query(
            "SELECT name FROM sqlite_master WHERE type='table' AND name NOT LIKE 'sqlite_%'"
        ) if row[0] not in _AUDIT | _OF_JOBS]  # fmt: skip
        counts = self.query("SELECT " + ",".join(f"(SELECT count(*) FROM {n})" for n in names))
        return State(dict(zip(names, counts[0], strict=True)), self.files(), self.last_event())

    def files(self) -> frozenset[str]:
        """Every file of the blob store, temporary ones too; not the marks of its upkeep."""
        place = str(self.folder / "blobs")
        start = len(place) + 1
        return frozenset(
            f"{folder[start:]}/{name}"
            for folder, _, names in os.walk(place) if len(folder) > start for name in names
        )  # fmt: skip

    def last_event(self) -> int:
        return int(self.query("SELECT coalesce(max(id), 0) FROM audit_event")[0][0])

    def events(self, after: int) -> list[dict[str, Any]]:
        """Audit events since one."""
        rows = self.query(
            "SELECT kind, outcome, facility, content FROM audit_event WHERE id > ? ORDER BY id",
            after,
        )
        return [
            {"kind": kind, "outcome": outcome, "facility": facility, **json.loads(content)}
            for kind, outcome, facility, content in rows
        ]

    @contextmanager
    def nothing_left(
        self, *codes: str, count: int = 1, audited: bool = True, but: tuple[str, ...] = ()
    ) -> Iterator[None]:
        """What runs inside is refused: recorded under one of `codes`, and nothing stays of it.

        Rows of the tables in `but` may be added.
        """
        before, counted = self.state(), self.refusals()
        yield
        found = (
            self.recorded(before.event, codes, count, counted)
            if audited else self.events(before.event)
        )  # fmt: skip
        assert not [event for event in found if event["incident"]], found
        after = self.settled(before)
        more = {k: n - before.rows[k] for k, n in after.rows.items() if n > before.rows[k]}
        assert not {k: n for k, n in more.items() if k not in but}
        assert not after.files - before.files  # what was let go before may go meanwhile

    def refusals(self) -> Mapping[str, float]:
        """The gateway's own count of refusals by audit code."""
        with urlopen(f"http://127.0.0.1:{self.operator}/metrics", timeout=10) as answer:
            text = answer.read().decode()
        found = re.findall(r'^gateway_refusals_total\{code="([^"]*)"\} (\S+)$', text, re.MULTILINE)
        return {code: float(number) for code, number in found}

    def is_folded(self, codes: tuple[str, ...], counted: Mapping[str, float]) -> bool:
        """Counted, and one of so many equal ones that it needs no record of its own (section 5)."""
        return any(
            number > counted.get(code, 0) and number > _FLOOD
            for code, number in self.refusals().items() if not codes or code in codes
        )  # fmt: skip

    def recorded(
        self, since: int, codes: tuple[str, ...], count: int,
        counted: Mapping[str, float] | None = None,
    ) -> list[dict[str, Any]]:  # fmt: skip
        """The events of a refusal, once they are durable: within a second (R-24)."""
        until = time.monotonic() + 3
        while True:
            found = self.events(since)
            fitting = [
                one for one in found
                if one["outcome"] != 0 and (not codes or one["code"] in codes)
            ]  # fmt: skip
            if len(fitting) >= count or (counted is not None and self.is_folded(codes, counted)):
                return found
            told = [(one["kind"], one["outcome"], one["code"], one["rule"]) for one in found]
            assert time.monotonic() < until, f"recorded {told}, wanted {codes}"
            time.sleep(0.01)

    def settled(self, before: State) -> State:
        """The state once temporary files had their moment to go."""
        until = time.monotonic() + 3
        while (after := self.state()).files - before.files and time.monotonic() < until:
            time.sleep(0.02)
        return after

    def told(self) -> list[Any]:
        """What the process did that it must not do."""
        return [json.loads(line) for line in self.log.read_text("utf-8").splitlines()]

    def defects(self) -> list[str]:
        """Incidents and tracebacks in its log."""
        text = self.errors.read_text("utf-8", "replace")
        return [line for line in text.splitlines() if re.search("incident |Traceback", line)]

    def peak(self) -> int:
        """Peak memory of the process in KiB."""
        status = Path(f"/proc/{self.process.pid}/status").read_text("ascii")
        found = re.search(r"VmHWM:\s+(\d+)", status)
        return int(found[1]) if found else 0


def install(folder: Path, *, schemas: bool = False) -> None:
    """Make a demo installation."""
    words = ["init", str(folder), "--demo"]
    if schemas and SHARED is not None:
        words += ["--schemas", str(SHARED / "ihe" / "schema")]
    forked.run(*words).check_returncode()


def configure(folder: Path, **tables: Mapping[str, Any]) -> None:
    """Put keys into the settings; every port is a free one."""
    path = folder / "gateway.toml"
    text = re.sub(r"port = 844\d", "port = 0", path.read_text("utf-8"))
    for name, keys in tables.items():
        lines = "".join(f"{key} = {json.dumps(value)}\n" for key, value in keys.items())
        head = f"[{name}]\n"
        text = text.replace(head, head + lines) if head in text else f"{text}\n{head}{lines}"
    path.write_text(text, "utf-8")


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


@contextmanager
def serve(folder: Path, *, log: str = "told") -> Iterator[Site]:
    """Serve an installation until the end of the block."""
    told, errors = folder.parent / f"{log}.jsonl", folder.parent / f"{log}.log"
    with errors.open("w", encoding="utf-8") as stream:
        process = subprocess.Popen(
            [sys.executable, "-B", str(_SCRIPT), str(told), str(folder)],
            stdout=subprocess.PIPE, stderr=stream, text=True, cwd=_ROOT,
            env={"PATH": "/usr/bin:/bin", "PYTHONPATH": str(_ROOT)},
        )  # fmt: skip
        assert process.stdout is not None
        try:
            text = ""
            while not text.endswith("}\n"):
                line = process.stdout.readline()
                assert line, errors.read_text("utf-8")
                text += line if line != "  }\n" else line.rstrip()
            ready = json.loads(text)
            told.write_text("", "utf-8")
            known = json.loads((folder / "demo.json").read_text("utf-8"))
            address, operator = ready["ready"], ready["ports"]["operator"]
            site = Site(folder, address, operator, process, told, errors, known=known)
            yield site
            for client in site.clients.values():
                client.close()
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(timeout=40)
            process.stdout.close()


def is_fault(
    answer: Answer, code: str, *subcodes: str, status: int | tuple[int, ...], relates_to: str = ""
) -> None:
    """The fault of `security.md` 2.1: codes, status, type, RelatesTo, and no detail of ours."""
    wanted = (status,) if isinstance(status, int) else status
    assert answer.status in wanted, (answer.status, answer.fault)
    assert answer.headers["content-type"].startswith("application/soap+xml")
    assert answer.headers["cache-control"] == "no-store"
    assert answer.fault == (code, *subcodes)
    assert answer.text("soap:Header/wsa:RelatesTo") == relates_to
    assert answer.text("soap:Header/wsa:MessageID").startswith("urn:uuid:")
    text = answer.text("soap:Body/soap:Fault/soap:Reason/soap:Text")
    assert text.isascii()
    assert len(text) < 80
