"""The load generator, in a process of its own: keep-alive connections that ask one after another.

Reads one JSON `Job` on stdin, asks through `connections` for `warm` and then `seconds`, and prints
what it counted with the CPU time that the server took meanwhile. The same for every server.
"""

import asyncio
import json
import random
import ssl
import subprocess
import sys
import time
import uuid
from dataclasses import asdict, dataclass, field
from typing import Any

import httptools

from bench.server import REPOSITORY, cpu_seconds

MESSAGE_ID, VALUE = "00000000-0000-4000-8000-000000000000", "@@@@@@@@@@"
"What stands in a body where each request has its own message id, or patient (ten digits)."


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """One window."""

    port: int
    pid: int
    "The server whose time is counted."
    path: str
    kind: str
    "Content-Type."
    body: str
    marker: str
    "What each answer must hold."
    certificate: str
    key: str
    authority: str
    persons: int = 1
    "Patients are drawn below this number."
    seed: int = 1
    connections: int = 16
    warm: float = 1.0
    seconds: float = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """What one window showed."""

    answers: int
    cpu: float
    wall: float
    wrong: list[str] = field(default_factory=list)

    @property
    def each(self) -> float:
        """Microseconds of server CPU per answer."""
        return self.cpu / self.answers * 1e6


def run(job: Job) -> Window:
    """One window, measured by a generator process."""
    done = subprocess.run(
        [sys.executable, "-m", "bench.generator"], input=json.dumps(asdict(job)), cwd=REPOSITORY,
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    if done.returncode:
        raise RuntimeError(done.stderr[-2000:])
    window = Window(**json.loads(done.stdout))
    if window.wrong or not window.answers:
        raise RuntimeError(f"wrong answers from {job.path}: {window.wrong}")
    return window


class _Load:
    """What all connections share."""

    def __init__(self, job: Job) -> None:
        self.job = job
        self.draw = random.Random(job.seed)  # noqa: S311 - repeatable, not secret
        # A message id is never used twice, whatever the seed.
        self._ids = random.Random()  # noqa: S311 - not secret
        self.answers = 0
        self.wrong: list[str] = []
        self.marker = job.marker.encode()
        body = job.body.encode()
        head = (
            f"POST {job.path} HTTP/1.1\r\nHost: localhost:{job.port}\r\n"
            f"Content-Type: {job.kind}\r\nContent-Length: {len(body)}\r\n\r\n"
        ).encode()
        self._pieces = (head + body).split(MESSAGE_ID.encode())
        self._value = VALUE.encode()

    def request(self) -> bytes:
        """A new message."""
        made = str(uuid.UUID(int=self._ids.getrandbits(128), version=4)).encode().join(self._pieces)
        return made.replace(self._value, b"1%09d" % self.draw.randrange(self.job.persons))


class _Connection(asyncio.Protocol):
    """One connection: the next request follows the answer."""

    def __init__(self, load: _Load) -> None:
        self._load = load
        self._seen = False
        self._tail = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport: Any = transport
        self._next()

    def connection_lost(self, error: Exception | None) -> None:
        if not self._transport.is_closing():
            self._load.wrong.append(f"connection lost: {error}")

    def _next(self) -> None:
        self._parser = httptools.HttpResponseParser(self)
        self._seen, self._tail = False, b""
        self._transport.write(self._load.request())

    def data_received(self, data: bytes) -> None:
        self._parser.feed_data(data)

    def on_body(self, body: bytes) -> None:
        if not self._seen:
            piece = self._tail + body
            self._seen = self._load.marker in piece
            self._tail = piece[-100:]

    def on_message_complete(self) -> None:
        load = self._load
        status = self._parser.get_status_code()
        if (status != 200 or not self._seen) and len(load.wrong) < 3:
            load.wrong.append(f"status {status}, marker {self._seen}: {self._tail[-100:]!r}")
        load.answers += 1
        self._next()


async def _generate(job: Job) -> Window:
    context = ssl.create_default_context(cafile=job.authority)
    context.load_cert_chain(job.certificate, job.key)
    load = _Load(job)
    loop = asyncio.get_running_loop()
    transports = []
    for _ in range(job.connections):
        transport, _ = await loop.create_connection(
            lambda: _Connection(load), "127.0.0.1", job.port, ssl=context,
            server_hostname="localhost",
        )  # fmt: skip
        transports.append(transport)
    await asyncio.sleep(job.warm)
    answers, cpu, begun = load.answers, cpu_seconds(job.pid), time.perf_counter()
    await asyncio.sleep(job.seconds)
    window = Window(
        answers=load.answers - answers, cpu=cpu_seconds(job.pid) - cpu,
        wall=time.perf_counter() - begun, wrong=load.wrong[:3],
    )  # fmt: skip
    for transport in transports:
        transport.abort()
    return window


def main() -> None:
    """One job from stdin."""
    import uvloop

    job = Job(**json.load(sys.stdin))
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        print(json.dumps(asdict(runner.run(_generate(job)))))


if __name__ == "__main__":
    main()
