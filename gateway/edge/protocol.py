"""One HTTP connection: who is at the other end, what its bytes may look like, how slow it may be.

A subclass of uvicorn's protocol: it copies the peer certificate into the request scope, refuses
odd framing before a request exists (`security.md` C-01, C-02), keeps the limits of section 3.
"""

import asyncio
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any

import httptools
from uvicorn.config import Config
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol
from uvicorn.server import ServerState

from gateway.edge.framing import ChunkCheck, headers_are_plain, request_line_is_plain
from gateway.settings import LimitSettings

_IDLE, _HEAD, _BODY = range(3)
_HEAD_BYTES = 32 * 1024
_LINE_BYTES = 8 * 1024
_HEADERS = 100
_FAREWELL = 1.0
"Seconds that a peer has to close its side of a connection that we have closed."
_SLOW_WINDOW = 30.0
_SLOW_BYTES = 30 * 1024
_BLANK = b"\r\n\r\n"


class Client:
    """The other end of one connection; what authentication found out is kept beside it."""

    __slots__ = ("address", "certificate", "found", "seen", "sha256")

    def __init__(self, address: str, certificate: bytes) -> None:
        self.address = address
        self.certificate = certificate
        "DER of the TLS client certificate; empty where the door asks for none."
        self.sha256 = sha256(certificate).hexdigest() if certificate else ""
        self.seen: object = None
        "The snapshot that `found` was taken from."
        self.found: Any = None


@dataclass(slots=True, kw_only=True)
class Guard:
    """What the connections of one door share."""

    limits: LimitSettings
    refused: Callable[[Client, str, int], None]
    "Told of every refusal at this level: who, audit code, HTTP status."
    by_client: Counter[str] = field(default_factory=Counter)
    total: int = 0

    def admit(self, client: Client) -> bool:
        """Count a new connection; False where there are too many."""
        self.total += 1
        if client.sha256:
            self.by_client[client.sha256] += 1
            if self.by_client[client.sha256] > self.limits.connections_per_client:
                return False
        return self.total <= self.limits.connections

    def leave(self, client: Client) -> None:
        """Count a connection out."""
        self.total -= 1
        if client.sha256:
            self.by_client[client.sha256] -= 1
            if self.by_client[client.sha256] <= 0:
                del self.by_client[client.sha256]


class _Refused(Exception):
    """Raised inside a parser callback; the parser stops."""


class Protocol(HttpToolsProtocol):
    """One connection of one door."""

    def __init__(
        self,
        guard: Guard,
        config: Config,
        server_state: ServerState,
        loop: asyncio.AbstractEventLoop,
    ) -> None:
        super().__init__(config, server_state, {}, loop)
        self._guard = guard
        self._client: Client | None = None
        self._state = _IDLE
        self._since = loop.time()
        self._refused = False
        self._draining = False
        self._status = 400
        self._line = b""
        self._line_open = True
        self._head_bytes = 0
        self._tail = b""
        self._begun = 0
        self._received = 0
        self._expected = 0
        self._window = (0.0, 0)
        self._chunks: ChunkCheck | None = None

    def connection_made(  # type: ignore[override]
        self, transport: asyncio.Transport
    ) -> None:
        """Copy the certificate that the handshake accepted; count the connection."""
        super().connection_made(transport)
        tls = transport.get_extra_info("ssl_object")
        certificate = (tls.getpeercert(True) or b"") if tls is not None else b""
        address = self.client[0] if self.client else ""
        self._client = client = Client(address, certificate)
        self.app_state = {"client": client}
        if not self._guard.admit(client):
            self._refused = True
            self._guard.refused(client, "LIMIT", 503)
            transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        """Count the connection out."""
        super().connection_lost(exc)
        if self._client is not None:
            self._guard.leave(self._client)
            self._client = None

    def data_received(self, data: bytes) -> None:
        """Feed the parser, inside the limits."""
        self._unset_keepalive_if_required()
        if self._refused:
            return
        before = self._state
        if before != _BODY and not self._head_may_go_on(data):
            self.refuse(400)
            return
        self._begun = 0
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserUpgrade:
            self.refuse(self._status, own=self._begun > 0)
            return
        except httptools.HttpParserError:
            self.refuse(self._status)
            return
        if self._chunks is not None:
            body = data
            if before != _BODY:
                joined = self._tail + data
                body = joined[joined.find(_BLANK) + 4 :]
            if not self._chunks.feed(body):
                self.refuse(400, own=True)
                return
            if self._chunks.done:
                self._chunks = None
        if self._state == _HEAD:
            self._tail = (self._tail + data)[-3:]
            if self._head_bytes > _HEAD_BYTES:
                self.refuse(400, "LIMIT")

    def _head_may_go_on(self, data: bytes) -> bool:
        """Look at the request line as soon as it is whole (C-01)."""
        if self._state == _IDLE and self._line_open and not self._line:
            data = data.removeprefix(b"\r\n")
        self._head_bytes += len(data)
        if not self._line_open:
            return True
        line, end, _ = (self._line + data[: 2 * _LINE_BYTES]).partition(b"\n")
        if not end:
            self._line = line
            return len(line) <= _LINE_BYTES + 32
        self._line, self._line_open = b"", False
        return request_line_is_plain(line)

    def on_message_begin(self) -> None:
        """A request begins."""
        super().on_message_begin()
        self._begun += 1
        self._state = _HEAD
        self._since = self.loop.time()
        self._status = 400

    def on_headers_complete(self) -> None:
        """The head is whole: judge it before anything runs."""
        version = self.parser.get_http_version()
        if self.parser.get_method() == b"CONNECT":
            self._status = 405
            raise _Refused
        if len(self.headers) > _HEADERS or self._head_is_long():
            raise _Refused
        if not headers_are_plain(self.headers, version) or self.parser.should_upgrade():
            raise _Refused
        self._expected = 0
        for name, value in self.headers:
            if name == b"content-length":
                self._expected = int(value)
            elif name == b"transfer-encoding":
                if self._begun > 1 or (self.cycle and not self.cycle.response_complete):
                    raise _Refused
                self._chunks = ChunkCheck()
        self._state = _BODY
        self._received = 0
        self._since = self.loop.time()
        self._window = (self._since, 0)
        super().on_headers_complete()
        if self._draining:
            self.cycle.keep_alive = False

    def _head_is_long(self) -> bool:
        total = len(self.url)
        for name, value in self.headers:
            size = len(name) + len(value)
            if size > _LINE_BYTES:
                return True
            total += size
        return total > _HEAD_BYTES or len(self.url) > _LINE_BYTES

    def on_body(self, body: bytes) -> None:
        """Count, and hand on."""
        self._received += len(body)
        super().on_body(body)

    def on_message_complete(self) -> None:
        """The request is here; another may follow."""
        super().on_message_complete()
        self._state = _IDLE
        self._since = self.loop.time()
        self._line_open, self._line = True, b""
        self._head_bytes, self._tail = 0, b""

    def refuse(self, status: int, code: str = "HTTP-FRAME", *, own: bool = False) -> None:
        """Answer by status alone and close; nothing behind a refused request runs.

        An earlier request that is still being answered is answered first. `own` says that the
        refused bytes belong to the request that is open now, even if the parser took it as whole.
        """
        self._refused = True
        if self._client is not None:
            self._guard.refused(self._client, code, status)
        self.pipeline.clear()
        cycle = self.cycle
        if cycle is not None and not cycle.response_complete:
            if not own and self._state != _BODY:
                cycle.keep_alive = False
                return
            cycle.disconnected = True
            cycle.message_event.set()
            if cycle.response_started:
                self.transport.close()
                return
        self.transport.write(
            STATUS_LINE[status]
            + b"content-length: 0\r\ncache-control: no-store\r\nconnection: close\r\n\r\n"
        )
        self.transport.close()
        self._part()

    def send_400_response(self, msg: str) -> None:
        """What uvicorn calls for bytes that are no request."""
        self.refuse(400)

    def shutdown(self) -> None:
        """Close when idle; a request that has begun is received and answered first (R-16)."""
        if self._state == _HEAD and not self._refused:
            self._draining = True
            return
        super().shutdown()
        self._part()

    def on_response_complete(self) -> None:
        """An answer has left; where it was the last one, part."""
        super().on_response_complete()
        self._part()

    def _part(self) -> None:
        """Let no peer that keeps its side of a closed connection open hold us up (R-16, C-02)."""
        if self.transport.is_closing():
            self.loop.call_later(_FAREWELL, self._leave)

    def _leave(self) -> None:
        """Drop the connection once everything that was to be said is said."""
        if self.transport.get_write_buffer_size():
            self._part()
        else:
            self.transport.abort()

    def check_pace(self, now: float) -> None:
        """Called once a second: end what is too slow (`security.md` section 3, C-02)."""
        if self._refused or self.transport.is_closing():
            return
        limits = self._guard.limits
        elapsed = now - self._since
        if self._state == _HEAD:
            if elapsed > limits.header_seconds:
                self.refuse(408, "LIMIT")
        elif self._state == _IDLE:
            if self.cycle is None and elapsed > limits.idle_seconds:
                self.transport.close()
        elif self.flow.read_paused:  # we are the slow ones
            self._since += 1.0
            self._window = (now, self._received)
        elif self._is_too_slow(now, elapsed):
            self.refuse(408, "LIMIT")

    def _is_too_slow(self, now: float, elapsed: float) -> bool:
        limits = self._guard.limits
        size = self._expected or self._received
        if elapsed > limits.body_seconds + size / limits.body_bytes_per_second:
            return True
        since, received = self._window
        if now - since < _SLOW_WINDOW:
            return False
        self._window = (now, self._received)
        return self._received - received < _SLOW_BYTES
