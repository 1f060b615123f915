"""One SOAP message in, one out; no sockets.

edge → dispatch [ decode → handle → encode ] → edge: routing, schemas, the Work, refusal and answer
are here; what a transaction means is in its row (`ARCHITECTURE.md` sections 3 and 5).
"""

from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any

from lxml import etree

from gateway.audit.door import Door
from gateway.errors import Malformed, Refusal
from gateway.model.caller import Caller
from gateway.store.work import Work
from gateway.transaction import Payload, Stamp, Table, Transaction
from gateway.wire import faults, soap, xml
from gateway.wire.schemas import Schemas
from gateway.wire.soap import Message


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What leaves for one message."""

    action: str
    payload: Payload
    message_id: str
    relates_to: str
    mtom: bool
    recorded: "Future[None] | None"
    "Nothing may leave before this is done (G5); None where the event is durable already."


class DispatchFault(Exception):
    """A refusal that this profile says as a SOAP fault; carries what must be durable first."""

    def __init__(self, fault: faults.Fault, recorded: "Future[None] | None") -> None:
        super().__init__(str(fault))
        self.fault = fault
        self.recorded = recorded


@dataclass(frozen=True, slots=True, kw_only=True)
class Dispatch:
    """Answers messages by a table of transactions."""

    door: Door
    table: Table
    new_id: Callable[[], str]
    schemas: Schemas | None = None

    def find(self, endpoint: str, message: Message) -> Transaction:
        """The transaction of an endpoint and action, whose payload the body must be (D-03)."""
        transaction = self.table.get((endpoint, message.action))
        if transaction is None:
            fault = faults.action_not_supported()
            fault.relates_to = message.message_id
            raise fault
        if transaction.roots[message.action] != message.payload.tag:
            fault = faults.action_mismatch()
            fault.relates_to = message.message_id
            raise fault
        return transaction

    def answer(self, transaction: Transaction, message: Message, caller: Caller) -> Answer:
        """Do one transaction for one caller; raises `DispatchFault`, or `Defect` from the door."""
        action = transaction.actions[message.action]
        work: Work | None = None
        try:
            with self.door.work(transaction.audit, caller, reading=transaction.reading) as work:
                work.trail.detail["message"] = message.message_id
                payload = self._done(transaction, message, action, work)
        except Refusal as refusal:
            recorded = work.recorded if work is not None else None
            refused = self._refused(transaction, message, refusal, work)
            if refused is None:
                fault = soap.fault_of(refusal)
                fault.relates_to = message.message_id
                raise DispatchFault(fault, recorded) from refusal
            payload = refused
        return Answer(
            action=action,
            payload=payload,
            message_id=f"urn:uuid:{self.new_id()}",
            relates_to=message.message_id,
            mtom=transaction.mtom,
            recorded=work.recorded if work is not None else None,
        )

    def _done(self, transaction: Transaction, message: Message, action: str, work: Work) -> Payload:
        """Judge, decode, handle, encode, judge."""
        body = message.payload
        schema = transaction.request_schemas.get(str(body.tag))
        if self.schemas is not None and schema:
            self.schemas.check(body, schema)
        question: Any = transaction.decode(body)
        found: Any = transaction.handle(work, question)
        payload = transaction.encode(question, found, self._stamp(work))
        self._judge(transaction, action, payload)
        return payload

    def _refused(
        self, transaction: Transaction, message: Message, refusal: Refusal, work: Work | None
    ) -> Payload | None:
        """The refusal as the profile says it; a SOAP fault where the body is not readable."""
        if work is None:
            return None
        return transaction.refuse(message.payload, refusal, self._stamp(work))

    def _stamp(self, work: Work) -> Stamp:
        community = work.community
        return Stamp(
            id=self.new_id(), at=work.now, home=community.home, repository=community.repository
        )

    def _judge(self, transaction: Transaction, action: str, payload: Payload) -> None:
        """Our own answer against its schema: a mismatch is our defect, never the caller's."""
        schema = transaction.response_schema.get(action)
        if self.schemas is None or not schema:
            return
        try:
            self.schemas.check(_parsed(payload), schema)
        except Malformed as refusal:
            raise WrongAnswer(f"{transaction.number} at {refusal.at}") from refusal


class WrongAnswer(Exception):
    """An answer of ours does not fit its published schema: a defect, never sent."""


def _parsed(payload: Payload) -> etree._Element:
    return xml.parse(payload.xml)
