"""The SOAP doors: HTTP body to Message, answer back; defects and refusals to faults (G1, G6, G11).

Order of work (G1): certificate and facility, rate, size, framing, XML, addressing, assertion,
then the dispatcher. Nothing leaves before its audit event is durable (G5).
"""

import asyncio
import logging
from collections.abc import Callable, Iterator
from concurrent.futures import Executor
from dataclasses import dataclass, field
from time import perf_counter
from typing import NoReturn

from gateway.audit.door import Defect, Door
from gateway.dispatch import Answer, Assertion, Dispatch, DispatchFault
from gateway.edge.answers import (
    ALWAYS,
    BodyRefused,
    Receive,
    Scope,
    Send,
    answer,
    answer_early,
    declared_length,
    header,
    pump,
    read_body,
)
from gateway.edge.authn import Authenticator, Peer
from gateway.edge.brought import Brought
from gateway.edge.durable import Durable
from gateway.edge.limits import Rate
from gateway.edge.metrics import Metrics
from gateway.errors import Malformed, Refusal
from gateway.model.audit import EventKind, Outcome
from gateway.model.caller import Caller
from gateway.store.blobs import Blobs
from gateway.transaction import Transaction
from gateway.wire import faults, media, mtom, soap, xml
from gateway.wire.faults import Fault
from gateway.wire.limits import Limits
from gateway.wire.soap import Message

logger = logging.getLogger(__name__)
_SOAP, _MULTIPART = "application/soap+xml", "multipart/related"
_FORGED = ("SIG-", "SAML-", "AUTH-", "AUTHZ-", "CONSENT-")
_MEDIA = f"{_SOAP}; charset=UTF-8"
_DOCUMENTS = (xml.clark("xds:Document"),)
"Elements that may hold a part, at doors that take documents (C-05)."


class _Nowhere:
    """The sink of a part that no transaction asks for: counted against the limits, not kept."""

    def write(self, chunk: bytes) -> None:
        """Forget it."""

    def close(self) -> None:
        """Nothing to end."""

    def abort(self) -> None:
        """Nothing to undo."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Body:
    """What the HTTP body held: the SOAP message, and what was said about it outside."""

    content: bytes
    action: str = ""
    charset: str = ""
    brought: Brought | None = None
    "Its documents, where that door takes any."

    @property
    def all(self) -> bytes:
        """The message as it came, as far as it tells one from another (D-06)."""
        return self.content + (self.brought.digests if self.brought is not None else b"")


@dataclass(slots=True)
class _Asked:
    """What is known of a request by the time its answer is written."""

    message_id: str = ""
    "Told back as RelatesTo, whatever goes wrong after it was read."


@dataclass(frozen=True, slots=True, kw_only=True)
class SoapDoor:
    """Answers SOAP messages on the machine port."""

    door: Door
    dispatch: Dispatch
    authenticator: Authenticator
    assertions: Callable[[Message, Peer], tuple[Caller, Assertion]]
    "Verifies the assertion of a message and binds it to the TLS peer (B-15); raises a Refusal."
    metrics: Metrics
    rate: Rate
    limits: Limits
    new_id: Callable[[], str]
    new_request: Callable[[], str]
    "Ids of requests, in the order of time: they are an index of the audit trail."
    pool: Executor
    inline_reads: bool
    "Short reads run on the event loop: on SQLite that costs less than a thread hop."
    blobs: Blobs
    "Beside which documents are spooled."
    durable: Durable = field(default_factory=Durable)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one POST."""
        request = self.new_request()
        client = scope["state"]["client"]
        peer = self.authenticator.peer(client, request)
        if peer is None:
            stranger = self.authenticator.stranger(client, request)
            self._record("TLS", stranger, Outcome.SERIOUS, {"status": 403})
            await answer_early(send, receive, 403)
            return
        start = perf_counter()
        asked = _Asked()
        try:
            found = await self._answer(scope, receive, peer, asked)
            await self.durable.wait(found.recorded)
        except Fault as fault:
            self._note(fault, peer.caller)
            status = await self._send_fault(send, fault, peer, asked, receive)
        except DispatchFault as refused:
            said = await self._recorded_fault(refused)
            self.metrics.refused(said.log)
            status = await self._send_fault(send, said, peer, asked)
        except Refusal:  # the audit store cannot be written: nothing is disclosed (G5)
            status = await self._send_fault(send, faults.unavailable(), peer, asked)
        except Defect as defect:
            status = await self._send_fault(send, faults.defect(defect.incident), peer, asked)
        except Exception as error:
            defective = self._defect(error, scope["path"], request)
            status = await self._send_fault(send, defective, peer, asked)
        else:
            status = await self._send(send, found)
        self.metrics.answered(scope["path"], status, perf_counter() - start)

    async def _recorded_fault(self, refused: DispatchFault) -> Fault:
        """A refusal's fault once it is durable; where it cannot be, "busy" instead (G5)."""
        try:
            await self.durable.wait(refused.recorded)
        except Refusal:
            return faults.unavailable()
        return refused.fault

    async def _answer(self, scope: Scope, receive: Receive, peer: Peer, asked: _Asked) -> Answer:
        """Everything between the first byte and the answer."""
        wait = self.rate.take(peer.caller.certificate)
        if wait:
            raise faults.too_many_requests(max(1, round(wait)))
        takes = self.dispatch.takes_documents(scope["path"])
        brought = Brought(self.blobs) if takes else None
        try:
            body = await self._body(scope, receive, brought)
            return await self._found(scope["path"], body, peer, asked)
        finally:
            if brought is not None:
                brought.abort()

    async def _found(self, path: str, body: Body, peer: Peer, asked: _Asked) -> Answer:
        """Read the message and do what it asks."""
        message = soap.read(
            body.content,
            content_type_action=body.action or None,
            charset=body.charset or None,
            limits=self.limits,
            includes=_DOCUMENTS if body.brought is not None else (),
        )
        asked.message_id = message.message_id
        transaction = self.dispatch.find(path, message)
        if not transaction.assertion:
            return await self._dispatch(transaction, message, peer.caller, body, None)
        try:
            caller, assertion = self.assertions(message, peer)
        except Refusal as refusal:
            raise soap.fault_of(refusal) from refusal
        return await self._dispatch(transaction, message, caller, body, assertion)

    async def _body(self, scope: Scope, receive: Receive, brought: Brought | None) -> Body:
        """The SOAP message's bytes, whether it came alone or as the root of a package."""
        if header(scope, b"content-encoding") not in ("", "identity"):
            raise faults.unsupported_media()
        declared_kind = header(scope, b"content-type")
        try:
            kind = media.read(declared_kind)
        except Refusal as refusal:
            _refuse_media(declared_kind, refusal)
        if kind.name not in (_SOAP, _MULTIPART):
            raise faults.unsupported_media()
        try:
            length = declared_length(scope)
            if kind.name == _SOAP:
                content = await read_body(receive, self.limits.xml_bytes, length)
                action, charset = kind.get("action"), kind.get("charset")
                return Body(content=content, action=action, charset=charset, brought=brought)
            return await self._package(declared_kind, receive, length, brought)
        except BodyRefused as refused:
            raise _body_fault(refused.status) from None

    async def _package(
        self, kind: str, receive: Receive, length: int | None, brought: Brought | None
    ) -> Body:
        """The root of an MTOM package; the parser takes it as it comes (C-05 to C-08)."""
        open_part = brought.open if brought is not None else lambda part: _Nowhere()
        try:
            parser = mtom.Parser(kind, limits=self.limits, open_part=open_part)
            try:
                await pump(receive, parser.feed, self.pool, self.limits.message_bytes, length)
            except BodyRefused:
                parser.abort()
                raise
            parser.close()
        except Refusal as refusal:
            raise soap.fault_of(refusal) from refusal
        if brought is not None:
            brought.came(parser.parts)
        return Body(
            content=parser.root, action=parser.action, charset=parser.charset, brought=brought
        )

    async def _dispatch(
        self,
        transaction: Transaction,
        message: Message,
        caller: Caller,
        body: Body,
        assertion: Assertion | None,
    ) -> Answer:
        """Run the transaction on the loop or on a worker thread."""
        dispatch = self.dispatch
        # Documents are read to their end and compared with their hash: never on the loop.
        short = self.inline_reads and not transaction.mtom
        if short and dispatch.only_reads(transaction, assertion):
            try:
                return dispatch.answer(
                    transaction, message, caller, content=body.all, assertion=assertion, held=True
                )
            finally:
                self.durable.gather(self.door)
        return await asyncio.get_running_loop().run_in_executor(
            self.pool,
            lambda: dispatch.answer(
                transaction,
                message,
                caller,
                content=body.all,
                assertion=assertion,
                brought=body.brought,
            ),
        )

    def _note(self, fault: Fault, caller: Caller) -> None:
        """Record a refusal that no Work has recorded."""
        serious = fault.log.startswith(_FORGED)
        self._record(
            fault.log or "XML-SOAP",
            caller,
            Outcome.SERIOUS if serious else Outcome.MINOR,
            {"fault": fault.code, "subcodes": list(fault.subcodes), "rule": fault.rule},
        )

    def _record(
        self, code: str, caller: Caller, outcome: Outcome, detail: dict[str, object]
    ) -> None:
        self.metrics.refused(code)
        self.door.refuse_at_edge(
            EventKind.SECURITY_ALERT, caller, code=code, outcome=outcome, detail=detail
        )

    def refuse_host(self, scope: Scope) -> None:
        """Record that somebody asked for a host that is not ours (C-03)."""
        stranger = self.authenticator.stranger(scope["state"]["client"], self.new_request())
        self._record("HTTP-HOST", stranger, Outcome.MINOR, {"status": 400})

    def turned_away(self, scope: Scope, peer: Peer | None, status: int) -> None:
        """Record a request for a path or by a method that is not ours (C-04), or by a stranger."""
        if peer is None:
            stranger = self.authenticator.stranger(scope["state"]["client"], self.new_request())
            self._record("TLS", stranger, Outcome.SERIOUS, {"status": status})
        else:
            self._record("HTTP-FRAME", peer.caller, Outcome.MINOR, {"status": status})

    def _defect(self, error: Exception, path: str, request: str) -> Fault:
        """Something of ours failed outside the Work: the peer hears an incident number."""
        incident = request[-8:]
        logger.error("incident %s at %s: %s", incident, path, type(error).__name__)
        return faults.defect(incident)

    async def _send_fault(
        self, send: Send, fault: Fault, peer: Peer, asked: _Asked, receive: Receive | None = None
    ) -> int:
        """A fault, with the status that this caller's profile wants.

        `receive` is given where the body may not have been read to its end.
        """
        status = fault.status_for(peer.sender_fault_status)
        fault.relates_to = fault.relates_to or asked.message_id
        body = b"" if fault.bare else soap.write_fault(fault, message_id=self.new_id())
        kind = "" if fault.bare else _MEDIA
        if receive is not None and status in (403, 411, 413, 415, 429):
            await answer_early(send, receive, status, body, media=kind, headers=fault.headers)
        else:
            await answer(send, status, body, media=kind, headers=fault.headers)
        return status

    async def _send(self, send: Send, found: Answer) -> int:
        """A positive answer, plain or MTOM, streamed."""
        envelope = soap.write(
            action=found.action,
            message_id=found.message_id,
            relates_to=found.relates_to,
            payload=found.payload.xml,
        )
        if not found.mtom:
            await answer(send, 200, envelope, media=f'{_MEDIA}; action="{found.action}"')
            return 200
        kind, length, pieces = mtom.write(envelope, found.payload.attachments)
        fields = [*ALWAYS, (b"content-type", kind.encode()), (b"content-length", b"%d" % length)]
        await send({"type": "http.response.start", "status": 200, "headers": fields})
        await self._stream(send, pieces)
        return 200

    async def _stream(self, send: Send, pieces: Iterator[bytes]) -> None:
        """Piece by piece; files are read on a worker thread, one chunk in memory.

        Where a file fails half-way the connection is closed: the client sees a short body.
        """
        loop = asyncio.get_running_loop()
        try:
            while piece := await loop.run_in_executor(self.pool, next, pieces, b""):
                await send({"type": "http.response.body", "body": piece, "more_body": True})
        except Exception as error:
            logger.error("a document broke off: %s", type(error).__name__)
            return
        await send({"type": "http.response.body", "body": b""})


def _refuse_media(declared: str, refusal: Refusal) -> NoReturn:
    """400 for a package whose boundary cannot be read (MTOM-15), 415 for all else."""
    if declared.lower().startswith(_MULTIPART) and isinstance(refusal, Malformed):
        raise soap.fault_of(refusal) from refusal
    raise faults.unsupported_media() from refusal


def _body_fault(status: int) -> Fault:
    """A body that was not taken, as a fault."""
    match status:
        case 413:
            return faults.over_limit()
        case 411:
            return Fault(
                code="env:Sender", reason="length required", status=411, bare=True, log="HTTP-FRAME"
            )
        case _:
            return faults.malformed("the message broke off", log="HTTP-FRAME")
