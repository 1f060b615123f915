"""Listening: the doors on one event loop, background jobs beside them, and an orderly stop.

uvicorn does not hand the peer certificate to the application, so `edge/protocol.py` subclasses its
protocol. That leans on `HttpToolsProtocol`: uvicorn is pinned below its next minor.
"""

import asyncio
import contextlib
import logging
import signal
import socket
import ssl
import typing
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import uvicorn

from gateway.edge.jobs import Job
from gateway.edge.protocol import Client, Guard, Protocol
from gateway.settings import HttpSettings, LimitSettings

logger = logging.getLogger(__name__)
_BACKLOG = 2048
_STEP = 0.005


@dataclass(frozen=True, slots=True, kw_only=True)
class Listener:
    """One door: its application, its socket and its TLS."""

    app: Any
    socket: socket.socket
    tls: ssl.SSLContext | None
    last: bool = False
    "Stops after the others, so that its answers can be watched while they drain."


class Beside(typing.Protocol):
    """A door that speaks no HTTP and opens and drains with the others."""

    async def open(self) -> None:
        """Accept."""

    async def drain(self, seconds: float) -> None:
        """Stop accepting, and end what has begun within so many seconds."""


def bind(host: str, port: int) -> socket.socket:
    """A bound socket; port 0 picks a free one."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    found = socket.socket(family, socket.SOCK_STREAM)
    found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        found.bind((host, port))
    except OSError:
        found.close()
        raise
    found.set_inheritable(True)
    return found


def ports(sockets: Mapping[str, socket.socket]) -> dict[str, int]:
    """The port of each bound socket."""
    return {name: int(found.getsockname()[1]) for name, found in sockets.items()}


def serve(
    listeners: Sequence[Listener],
    *,
    http: HttpSettings,
    limits: LimitSettings,
    ready: Callable[[], None],
    refused: Callable[[Client, str, int], None],
    background: Sequence[Job] = (),
    beside: Sequence[Beside] = (),
) -> None:
    """Serve until SIGTERM or SIGINT, then drain; `ready` is called once every door accepts."""
    with asyncio.Runner(loop_factory=_loop) as runner:
        runner.run(_serve(listeners, http, limits, ready, refused, background, beside))


def _loop() -> asyncio.AbstractEventLoop:
    import uvloop

    return uvloop.new_event_loop()


class _Server(uvicorn.Server):
    """One door: protocols with our limits, hand-shakes with a deadline, no signals of its own."""

    def __init__(self, listener: Listener, http: HttpSettings, guard: Guard) -> None:
        limits = guard.limits
        config = uvicorn.Config(
            listener.app, loop="none", lifespan="off", log_config=None, access_log=False,
            server_header=False, proxy_headers=False, ws="none", backlog=_BACKLOG,
            timeout_keep_alive=int(limits.idle_seconds), interface="asgi3",
            timeout_graceful_shutdown=int(http.drain_seconds),
        )  # fmt: skip
        config.load()
        super().__init__(config)
        self.listener = listener
        self._guard = guard

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Accept; what uvicorn does, with a deadline for the TLS hand-shake."""
        await self.lifespan.startup()
        loop = asyncio.get_running_loop()
        tls = self.listener.tls
        deadline = self._guard.limits.header_seconds if tls else None
        server = await loop.create_server(
            lambda: Protocol(self._guard, self.config, self.server_state, loop),
            sock=self.listener.socket, ssl=tls, backlog=_BACKLOG, ssl_handshake_timeout=deadline,
        )  # fmt: skip
        self.servers = [server]
        self.started = True

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Signals stop all doors together, in `_serve`."""
        yield

    def check_pace(self, now: float) -> None:
        """Let every connection look at its clock."""
        for connection in tuple(self.server_state.connections):
            if isinstance(connection, Protocol):
                connection.check_pace(now)


async def _serve(
    listeners: Sequence[Listener],
    http: HttpSettings,
    limits: LimitSettings,
    ready: Callable[[], None],
    refused: Callable[[Client, str, int], None],
    background: Sequence[Job],
    beside: Sequence[Beside],
) -> None:
    """All doors, all jobs, one stop: first the doors close, then the jobs make a last turn."""
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopping.set)
    guard = Guard(limits=limits, refused=refused)
    servers = [_Server(listener, http, guard) for listener in listeners]
    tasks = [asyncio.create_task(server.serve()) for server in servers]
    while not all(server.started for server in servers):
        for started in tasks:
            if started.done():
                started.result()
        await asyncio.sleep(_STEP)
    for door in beside:
        await door.open()
    closed = asyncio.Event()
    jobs = [asyncio.create_task(job(closed)) for job in background]
    ready()
    pace = asyncio.create_task(_keep_pace(servers))
    waiting = asyncio.create_task(stopping.wait())
    await asyncio.wait([waiting, *tasks, *jobs], return_when=asyncio.FIRST_COMPLETED)
    await asyncio.gather(
        _stop([s for s in servers if not s.listener.last], tasks, servers),
        *(door.drain(http.drain_seconds) for door in beside),
    )
    closed.set()
    await asyncio.gather(*jobs)
    await _stop([s for s in servers if s.listener.last], tasks, servers)
    pace.cancel()
    waiting.cancel()


async def _stop(
    chosen: Sequence[_Server], tasks: Sequence["asyncio.Task[None]"], servers: Sequence[_Server]
) -> None:
    """Stop some servers and wait until they have drained."""
    for server in chosen:
        server.should_exit = True
    await asyncio.gather(*(tasks[servers.index(server)] for server in chosen))


async def _keep_pace(servers: Sequence[_Server]) -> None:
    """Once a second, end connections that are too slow (C-02)."""
    loop = asyncio.get_running_loop()
    while True:
        await asyncio.sleep(1.0)
        for server in servers:
            server.check_pace(loop.time())
