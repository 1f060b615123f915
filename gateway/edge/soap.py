"""The SOAP doors: HTTP body to Message, answer back; defects and refusals to faults (G1, G6, G11).

Order of work (G1): certificate and facility, rate, size, framing, XML, addressing, assertion,
then the dispatcher. Nothing leaves before its audit event is durable (G5).
"""

import asyncio
import logging
from collections.abc import Callable, Iterator, Mapping, MutableMapping
from concurrent.futures import Executor, Future
from dataclasses import dataclass
from typing import Any

from gateway.audit.door import Defect, Door
from gateway.dispatch import Answer, Dispatch, DispatchFault
from gateway.edge.answers import BodyRefused, Receive, Send, answer, read_body
from gateway.edge.authn import Authenticator, Peer
from gateway.edge.limits import Rate
from gateway.errors import Refusal
from gateway.model.audit import EventKind, Outcome
from gateway.model.caller import Caller
from gateway.transaction import Transaction
from gateway.wire import faults, media, mtom, soap
from gateway.wire.faults import Fault
from gateway.wire.limits import Limits
from gateway.wire.soap import Message

logger = logging.getLogger(__name__)
Scope = MutableMapping[str, Any]
_SOAP, _MULTIPART = "application/soap+xml", "multipart/related"
_OLD = "text/xml"
_REFUSED = Outcome.MINOR
_FORGED = ("SIG-", "SAML-", "AUTH-", "AUTHZ-", "CONSENT-")


class _Nowhere:
    """The sink of a part that no built transaction asks for."""

    def write(self, chunk: bytes) -> None:
        """Forget it."""

    def close(self) -> None:
        """Nothing to end."""

    def abort(self) -> None:
        """Nothing to undo."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SoapDoor:
    """Answers SOAP messages on the machine port."""

    door: Door
    dispatch: Dispatch
    authenticator: Authenticator
    assertions: Callable[[Message, Peer], Caller]
    "Verifies the assertion of a message and binds it to the TLS peer (B-15); raises a Refusal."
    rate: Rate
    limits: Limits
    new_id: Callable[[], str]
    pool: Executor
    inline_reads: bool
    "Short reads run on the event loop: on SQLite that costs less than a thread hop."

    async def __call__(self, scope: Scope, receive: Receive, send: Send, endpoint: str) -> None:
        """Answer one POST to `endpoint`."""
        request = self.new_id()
        peer = self.authenticator.peer(scope, request)
        if peer is None:
            await answer(send, 403)
            return
        try:
            found = await self._answer(scope, receive, endpoint, peer)
        except Fault as fault:
            self._note(fault, peer.caller)
            await self._send_fault(send, fault, peer)
            return
        except DispatchFault as refused:
            if refused.recorded is not None and not await self._durable(refused.recorded):
                refused.fault = faults.unavailable()
            await self._send_fault(send, refused.fault, peer)
            return
        except Defect as defect:
            await self._send_fault(send, faults.defect(defect.incident), peer)
            return
        except Exception as error:
            incident = request[:8]
            logger.error("incident %s at %s: %s", incident, endpoint, type(error).__name__)
            await self._send_fault(send, faults.defect(incident), peer)
            return
        if found.recorded is not None and not await self._durable(found.recorded):
            await self._send_fault(send, faults.unavailable(), peer)
            return
        await self._send(send, found)

    async def _answer(self, scope: Scope, receive: Receive, endpoint: str, peer: Peer) -> Answer:
        """Everything between the first byte and the answer."""
        wait = self.rate.take(peer.caller.certificate)
        if wait:
            raise faults.too_many_requests(max(1, round(wait)))
        headers = _headers(scope)
        if headers.get("content-encoding", "identity") != "identity":
            raise faults.unsupported_media()
        content, action, charset = await self._body(headers, receive)
        message = soap.read(
            content, content_type_action=action or None, charset=charset or None,
            limits=self.limits,
        )  # fmt: skip
        transaction = self.dispatch.find(endpoint, message)
        caller = peer.caller
        if transaction.assertion:
            caller = self._assert(message, peer)
        return await self._dispatch(transaction, message, caller)

    async def _body(self, headers: Mapping[str, str], receive: Receive) -> tuple[bytes, str, str]:
        """The SOAP message's bytes, the HTTP-level action and the charset."""
        try:
            kind = media.read(headers.get("content-type", ""))
        except Refusal as refusal:
            raise faults.unsupported_media() from refusal
        if kind.name == _OLD:
            raise faults.version_mismatch()
        if kind.name not in (_SOAP, _MULTIPART):
            raise faults.unsupported_media()
        length = headers.get("content-length", "")
        declared = int(length) if length.isdigit() else None
        try:
            body = await read_body(receive, self.limits.xml_bytes, declared)
        except BodyRefused as refused:
            raise (faults.over_limit() if refused.status == 413 else faults.malformed()) from None
        if kind.name == _SOAP:
            return body, kind.get("action"), kind.get("charset")
        try:
            parser = mtom.Parser(
                headers["content-type"], limits=self.limits, open_part=lambda part: _Nowhere()
            )
            parser.feed(body)
            parser.close()
        except Refusal as refusal:
            raise soap.fault_of(refusal) from refusal
        return parser.root, parser.action, parser.charset

    def _assert(self, message: Message, peer: Peer) -> Caller:
        """The caller that a verified assertion names."""
        try:
            return self.assertions(message, peer)
        except Refusal as refusal:
            fault = soap.fault_of(refusal)
            fault.relates_to = message.message_id
            raise fault from refusal

    async def _dispatch(self, transaction: Transaction, message: Message, caller: Caller) -> Answer:
        """Run the transaction on the loop or on a worker thread."""
        if transaction.reading and self.inline_reads:
            return self.dispatch.answer(transaction, message, caller)
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(
            self.pool, self.dispatch.answer, transaction, message, caller
        )

    async def _durable(self, recorded: "Future[None]") -> bool:
        """Wait until the audit event is on disk; False where it cannot be written (G5)."""
        try:
            await asyncio.wrap_future(recorded)
        except Refusal:
            return False
        return True

    def _note(self, fault: Fault, caller: Caller) -> None:
        """Record a refusal that no Work has recorded."""
        serious = fault.log.startswith(_FORGED)
        self.door.refuse_at_edge(
            EventKind.SECURITY_ALERT,
            caller,
            code=fault.log or "XML-SOAP",
            outcome=Outcome.SERIOUS if serious else Outcome.MINOR,
            detail={"fault": fault.code, "subcodes": list(fault.subcodes), "rule": fault.rule},
        )

    async def _send_fault(self, send: Send, fault: Fault, peer: Peer) -> None:
        """A fault, with the status that this caller's profile wants."""
        status = fault.status_for(peer.sender_fault_status)
        if fault.bare:
            await answer(send, status, headers=fault.headers)
            return
        body = soap.write_fault(fault, message_id=self.new_id())
        await answer(send, status, body, media=f"{_SOAP}; charset=UTF-8", headers=fault.headers)

    async def _send(self, send: Send, found: Answer) -> None:
        """A positive answer, plain or MTOM, streamed."""
        envelope = soap.write(
            action=found.action, message_id=found.message_id, relates_to=found.relates_to,
            payload=found.payload.xml,
        )  # fmt: skip
        if not found.mtom:
            kind = f'{_SOAP}; charset=UTF-8; action="{found.action}"'
            await answer(send, 200, envelope, media=kind)
            return
        kind, length, pieces = mtom.write(envelope, found.payload.attachments)
        fields = [
            (b"cache-control", b"no-store"),
            (b"content-type", kind.encode()),
            (b"content-length", str(length).encode()),
        ]
        await send({"type": "http.response.start", "status": 200, "headers": fields})
        await self._stream(send, pieces)

    async def _stream(self, send: Send, pieces: Iterator[bytes]) -> None:
        """Piece by piece; files are read on a worker thread, one chunk in memory."""
        loop = asyncio.get_running_loop()
        while True:
            piece = await loop.run_in_executor(self.pool, next, pieces, b"")
            if not piece:
                break
            await send({"type": "http.response.body", "body": piece, "more_body": True})
        await send({"type": "http.response.body", "body": b""})


def _headers(scope: Scope) -> dict[str, str]:
    """Header fields by lower-case name; the last of a doubled one, which framing refused."""
    return {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
