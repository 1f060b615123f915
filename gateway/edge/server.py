"""Listening: three doors on one event loop, TLS with client certificates, an orderly stop.

uvicorn does not hand the peer certificate to the application; the subclass below copies its
fingerprint into the connection's state (one look per connection). It leans on
`HttpToolsProtocol.connection_made` and `app_state`, so uvicorn is pinned below its next minor.
"""

import asyncio
import logging
import signal
import socket
import ssl
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from gateway.edge.authn import fingerprint
from gateway.settings import HttpSettings, LimitSettings, TlsSettings

logger = logging.getLogger(__name__)
_CIPHERS = "ECDHE+AESGCM:ECDHE+CHACHA20"


class PeerProtocol(HttpToolsProtocol):
    """HTTP/1.1 on a connection whose client certificate the application may see."""

    def connection_made(self, transport: Any) -> None:
        """Keep the fingerprint of the peer's certificate for every request of the connection."""
        super().connection_made(transport)
        tls = transport.get_extra_info("ssl_object")
        certificate = tls.getpeercert(True) if tls is not None else None
        self.app_state = {
            **self.app_state, "certificate": fingerprint(certificate) if certificate else "",
        }  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Listener:
    """One door: its application, address and TLS."""

    name: str
    app: Any
    host: str
    port: int
    tls: ssl.SSLContext | None


def machine_tls(settings: TlsSettings) -> ssl.SSLContext:
    """TLS that demands a client certificate of our authorities, and looks at their CRL (J-08)."""
    context = _tls(settings)
    context.verify_mode = ssl.CERT_REQUIRED
    context.load_verify_locations(cafile=str(settings.client_ca))
    if settings.crl is not None:
        context.load_verify_locations(cafile=str(settings.crl))
        context.verify_flags |= ssl.VerifyFlags.VERIFY_CRL_CHECK_LEAF
    return context


def people_tls(settings: TlsSettings) -> ssl.SSLContext:
    """TLS for people; a client certificate is not asked for until the doctor card's login."""
    return _tls(settings)


def _tls(settings: TlsSettings) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    older = settings.minimum == "1.2"
    context.minimum_version = ssl.TLSVersion.TLSv1_2 if older else ssl.TLSVersion.TLSv1_3
    context.set_ciphers(_CIPHERS)
    context.options |= ssl.OP_NO_RENEGOTIATION | ssl.OP_NO_COMPRESSION
    context.num_tickets = 0  # no resumption: a revoked certificate is never resumed (J-08)
    context.load_cert_chain(settings.certificate, settings.key)
    return context


def bind(host: str, port: int) -> socket.socket:
    """A listening socket; port 0 picks a free one."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    found = socket.socket(family, socket.SOCK_STREAM)
    found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        found.bind((host, port))
    except OSError:
        found.close()
        raise
    return found


def serve(
    listeners: Sequence[Listener],
    *,
    http: HttpSettings,
    limits: LimitSettings,
    ready: Callable[[dict[str, int]], None],
    background: Sequence[Callable[[asyncio.Event], Any]] = (),
) -> None:
    """Serve until SIGTERM or SIGINT, then drain; `ready` hears each door's port."""
    uvicorn_loop = asyncio.Runner(loop_factory=_loop)
    with uvicorn_loop as runner:
        runner.run(_serve(listeners, http, limits, ready, background))


def _loop() -> asyncio.AbstractEventLoop:
    import uvloop

    return uvloop.new_event_loop()


async def _serve(
    listeners: Sequence[Listener],
    http: HttpSettings,
    limits: LimitSettings,
    ready: Callable[[dict[str, int]], None],
    background: Sequence[Callable[[asyncio.Event], Any]],
) -> None:
    """All doors, all jobs, one stop."""
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopping.set)
    sockets = {listener.name: bind(listener.host, listener.port) for listener in listeners}
    servers = [_server(listener, http, limits) for listener in listeners]
    tasks = [
        asyncio.create_task(server._serve([sockets[listener.name]]))
        for server, listener in zip(servers, listeners, strict=True)
    ]
    jobs = [asyncio.create_task(job(stopping)) for job in background]
    while not all(server.started for server in servers):
        if any(task.done() for task in tasks):
            break
        await asyncio.sleep(0.005)
    else:
        ready({name: found.getsockname()[1] for name, found in sockets.items()})
        waiting = [asyncio.create_task(stopping.wait()), *tasks, *jobs]
        await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
    stopping.set()
    for server in servers:
        server.should_exit = True
    await asyncio.gather(*tasks, *jobs)


def _server(listener: Listener, http: HttpSettings, limits: LimitSettings) -> uvicorn.Server:
    """One uvicorn server, without its own signals, logs and headers."""
    config = uvicorn.Config(
        listener.app, http=PeerProtocol, loop="none", lifespan="off", log_config=None,
        access_log=False, server_header=False, date_header=True, proxy_headers=False, ws="none",
        timeout_keep_alive=int(limits.idle_seconds), limit_concurrency=limits.connections,
        timeout_graceful_shutdown=int(http.drain_seconds), backlog=2048,
    )  # fmt: skip
    config.load()
    config.ssl = listener.tls
    return uvicorn.Server(config)
