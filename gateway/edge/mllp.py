"""HL7 v2 over MLLP with TLS and client certificate (HL7 v2.5 Implementation Guide, MLLP).

`VT message FS CR`, one at a time on a connection: the next frame is looked at once the answer to
the one before has left. Framing that is wrong ends the connection and is never searched for a new
beginning (`security.md` E-02); so do slow senders, and frames over the limit. Who comes faster than
the rate allows waits, because the sender waits for its answer anyway.
"""

import asyncio
import contextlib
import logging
import socket
import ssl
from collections.abc import Callable
from concurrent.futures import Executor
from dataclasses import dataclass, field

from gateway.audit.door import Defect, Door
from gateway.edge.authn import Authenticator, Peer
from gateway.edge.limits import Rate
from gateway.edge.metrics import Metrics
from gateway.edge.protocol import Client, Guard
from gateway.intake.messages import Answered, MessageIntake
from gateway.model.audit import EventKind, Outcome
from gateway.model.caller import Caller
from gateway.settings import LimitSettings
from gateway.wire.hl7v2 import LONGEST_MESSAGE

logger = logging.getLogger(__name__)
_START, _END = b"\x0b", b"\x1c\r"
_BLOCK = 64 * 1024
_BACKLOG = 128
_LARGE = 1024 * 1024
_LARGE_AT_ONCE = 8
"So many frames over a MiB are received at a time; others wait for their turn."
_WINDOW, _WINDOW_BYTES = 30.0, 30 * 1024
_ANSWER_SECONDS = 30.0


class _Ended(Exception):
    """The connection ends here; the audit code says why, empty where it is no refusal."""

    def __init__(self, code: str = "") -> None:
        super().__init__(code)
        self.code = code


@dataclass(slots=True, kw_only=True)
class MllpDoor:
    """Listens, reads frames, answers them."""

    socket: socket.socket
    tls: ssl.SSLContext
    authenticator: Authenticator
    messages: MessageIntake
    door: Door
    metrics: Metrics
    rate: Rate
    limits: LimitSettings
    idle_seconds: float
    new_id: Callable[[], str]
    pool: Executor
    arrived: Callable[[], None]
    "Told that a file waits."
    _guard: Guard = field(init=False)
    _server: asyncio.Server | None = field(init=False, default=None)
    _open: set["asyncio.Task[None]"] = field(init=False, default_factory=set)
    _idle: set["asyncio.Task[None]"] = field(init=False, default_factory=set)
    "Connections on which no frame has begun."
    _closing: bool = field(init=False, default=False)
    _large: asyncio.Semaphore = field(init=False)

    def __post_init__(self) -> None:
        """Count connections apart from those of other doors."""
        self._guard = Guard(limits=self.limits, refused=lambda client, code, status: None)
        self._large = asyncio.Semaphore(_LARGE_AT_ONCE)

    async def open(self) -> None:
        """Accept."""
        self._server = await asyncio.start_server(
            self._connected, sock=self.socket, ssl=self.tls, backlog=_BACKLOG, limit=_BLOCK,
            ssl_handshake_timeout=self.limits.header_seconds,
        )  # fmt: skip

    async def drain(self, seconds: float) -> None:
        """Stop: idle connections close, a frame that has begun is received and answered (R-16)."""
        self._closing = True
        if self._server is not None:
            self._server.close()
        for task in tuple(self._idle):
            task.cancel()
        if self._open:
            await asyncio.wait(tuple(self._open), timeout=seconds)
        for task in tuple(self._open):
            task.cancel()

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection from hand-shake to end."""
        task = asyncio.current_task()
        assert task is not None  # noqa: S101
        self._open.add(task)
        found = writer.get_extra_info("ssl_object")
        address = (writer.get_extra_info("peername") or ("",))[0]
        client = Client(str(address), (found.getpeercert(True) or b"") if found else b"")
        try:
            if not self._guard.admit(client):
                raise _Ended("LIMIT")
            await _Conversation(self, client, reader, writer, task).run()
        except _Ended as ended:
            if ended.code:
                self.refused(self.authenticator.stranger(client), ended.code)
        except asyncio.CancelledError:
            pass
        except (OSError, ssl.SSLError, EOFError):
            pass  # the peer has gone: nothing was acknowledged that is not kept
        finally:
            self._guard.leave(client)
            self._open.discard(task)
            self._idle.discard(task)
            writer.transport.abort() if self._closing else writer.close()

    def refused(self, caller: Caller, code: str, outcome: Outcome = Outcome.MINOR) -> None:
        """Record a refusal of which no Work has left an event."""
        self.metrics.refused(code)
        self.door.refuse_at_edge(
            EventKind.SECURITY_ALERT, caller, code=code, outcome=outcome, detail={"door": "mllp"}
        )

    def idle(self, task: "asyncio.Task[None]", *, now: bool) -> None:
        """Whether a connection may be closed without loss."""
        (self._idle.add if now else self._idle.discard)(task)
        if now and self._closing:
            raise _Ended


@dataclass(slots=True)
class _Conversation:
    """Frames and answers on one connection."""

    door: MllpDoor
    client: Client
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    task: "asyncio.Task[None]"
    buffer: bytearray = field(default_factory=bytearray)
    holds: bool = False
    "Has one of the places for large frames."

    async def run(self) -> None:
        """Answer frame after frame until an end."""
        try:
            while True:
                frame = await self._frame()
                answered = await self._answer(frame)
                self._let_go()
                for one in answered.frames:
                    self.writer.write(_START + one + _END)
                async with asyncio.timeout(_ANSWER_SECONDS):
                    await self.writer.drain()
                if answered.closing:
                    return
        except TimeoutError as error:
            raise _Ended("LIMIT") from error
        finally:
            self._let_go()

    async def _frame(self) -> bytes:
        """The next frame without its framing."""
        await self._begin()
        loop = asyncio.get_running_loop()
        begun, limits = loop.time(), self.door.limits
        window, received = begun, 0
        looked = 1
        while (end := self.buffer.find(_END, looked)) < 0:
            looked = max(1, len(self.buffer) - 1)
            if len(self.buffer) > LONGEST_MESSAGE + 1:
                await self._too_long()
            if len(self.buffer) > _LARGE and not self.holds:
                before = loop.time()
                await self.door._large.acquire()
                self.holds = True
                begun, window = (one + loop.time() - before for one in (begun, window))
            now = loop.time()
            deadline = begun + limits.body_seconds + len(self.buffer) / limits.body_bytes_per_second
            if now - window >= _WINDOW:
                if len(self.buffer) - received < _WINDOW_BYTES:
                    raise _Ended("LIMIT")
                window, received = now, len(self.buffer)
            try:
                async with asyncio.timeout_at(min(deadline, window + _WINDOW)):
                    block = await self.reader.read(_BLOCK)
            except TimeoutError:
                if loop.time() >= deadline:
                    raise
                continue
            if not block:
                raise _Ended("HL7-FMT")  # half a frame is no message
            self.buffer += block
        frame = bytes(self.buffer[1:end])
        del self.buffer[: end + len(_END)]
        return frame

    async def _begin(self) -> None:
        """Wait for a start block; line ends between frames are passed over, nothing else is."""
        self.door.idle(self.task, now=True)
        while True:
            while self.buffer.startswith((b"\r", b"\n")):
                del self.buffer[:1]
            if self.buffer:
                break
            try:
                async with asyncio.timeout(self.door.idle_seconds):
                    block = await self.reader.read(_BLOCK)
            except TimeoutError as error:
                raise _Ended from error
            if not block:
                raise _Ended
            self.buffer += block
        self.door.idle(self.task, now=False)
        if self.buffer[:1] != _START:
            raise _Ended("HL7-FMT")

    async def _answer(self, frame: bytes) -> Answered:
        """Have one message taken in on a worker thread."""
        door = self.door
        request = door.new_id()
        peer: Peer | None = door.authenticator.peer(self.client, request)
        if peer is None or peer.neighbour is not None:
            caller = door.authenticator.stranger(self.client, request)
            door.refused(caller, "TLS", Outcome.SERIOUS)
            raise _Ended
        while wait := door.rate.take(peer.caller.certificate):
            await asyncio.sleep(wait)
        loop = asyncio.get_running_loop()
        caller = peer.caller
        try:
            answered = await loop.run_in_executor(door.pool, door.messages.receive, caller, frame)
        except Defect as defect:  # the audit door told it
            return door.messages.failed(frame, defect.incident)
        except Exception as error:
            logger.error("incident %s at the mllp door: %s", request[:8], type(error).__name__)
            return door.messages.failed(frame, request[:8])
        if answered.refused:
            door.metrics.refused(answered.refused)
        if answered.kept:
            door.arrived()
        return answered

    async def _too_long(self) -> None:
        """Say that a message is over the limit, and end: what follows of it is not read."""
        answered = self.door.messages.too_long(bytes(self.buffer[1:4096]))
        for one in answered.frames:
            self.writer.write(_START + one + _END)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(1.0):
                await self.writer.drain()
        raise _Ended("LIMIT")

    def _let_go(self) -> None:
        """Give a place for large frames to the next."""
        if self.holds:
            self.holds = False
            self.door._large.release()
