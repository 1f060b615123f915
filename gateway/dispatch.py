"""One SOAP message in, one out; no sockets.

edge → dispatch [ decode → handle → encode ] → edge: routing, schemas, replays, the Work, refusal
and answer are here; what a transaction means is in its row (`ARCHITECTURE.md` sections 3 and 5).
"""

import hashlib
from collections import OrderedDict
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from lxml import etree

from gateway.audit.door import Door, tried
from gateway.errors import Inconsistent, Malformed, Refusal, Unauthenticated
from gateway.identity import domains
from gateway.model.caller import Caller
from gateway.store import replay
from gateway.store.work import Work
from gateway.transaction import Payload, Stamp, Table, Taken, Transaction
from gateway.wire import faults, soap, xml
from gateway.wire.schemas import Schemas
from gateway.wire.soap import Message

_DUPLICATE = "D-06"
_MOST_REMEMBERED = 50_000


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


@dataclass(frozen=True, slots=True, kw_only=True)
class Assertion:
    """A verified assertion as the replay memory knows it (B-12, B-13)."""

    issuer: str
    id: str
    until: datetime
    "After this it can no longer be replayed."
    once: bool
    "OneTimeUse: exactly one message may use it."


class DispatchFault(Exception):
    """A refusal that this profile says as a SOAP fault; carries what must be durable first."""

    def __init__(self, fault: faults.Fault, recorded: "Future[None] | None") -> None:
        super().__init__(str(fault))
        self.fault = fault
        self.recorded = recorded


class WrongAnswer(Exception):
    """An answer of ours does not fit its published schema: a defect, never sent."""


class Memory:
    """What one process remembers of replays, beside the tables that all processes share.

    Queries by MessageID, so that one id with two contents is noticed (D-06); assertions that are
    bound to their first client already, so that only the first use writes (B-12). Bounded.
    """

    def __init__(self) -> None:
        self._queries: OrderedDict[tuple[str, str], int] = OrderedDict()
        self._bound: OrderedDict[tuple[str, str], str] = OrderedDict()

    def check_query(self, caller: Caller, message_id: str, content: bytes) -> None:
        """A query may come again, and is answered anew; another one under its id may not."""
        digest = hash(content)  # keyed anew in each process: nobody outside can aim at it
        if self._queries.setdefault((caller.facility, message_id), digest) != digest:
            raise _duplicate()
        if len(self._queries) > _MOST_REMEMBERED:
            self._queries.popitem(last=False)

    def is_bound(self, assertion: Assertion) -> bool:
        """Whether the first use of this assertion is on disk, so that nothing is to be written."""
        return not assertion.once and (assertion.issuer, assertion.id) in self._bound

    def use(self, work: Work, assertion: Assertion) -> None:
        """Bind an assertion to the client that uses it first; raises for any other client."""
        certificate = work.caller.certificate
        first: str | None = self._bound.get((assertion.issuer, assertion.id))
        if first is None or assertion.once:
            issuer, id = assertion.issuer, assertion.id
            if replay.insert_assertion(work.db, issuer, id, certificate, assertion.until):
                return
            first = replay.select_assertion(work.db, issuer, id)
        if assertion.once or first != certificate:
            raise Unauthenticated(
                "the assertion was used before", "アサーションは使用済みです",
                check="authentication", rule="B-12", log="SAML-REPLAY",
            )  # fmt: skip

    def bind(self, assertion: Assertion, certificate: str) -> None:
        """Remember, after the commit, that the first use is on disk."""
        self._bound[assertion.issuer, assertion.id] = certificate
        if len(self._bound) > _MOST_REMEMBERED:
            self._bound.popitem(last=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Dispatch:
    """Answers messages by a table of transactions."""

    door: Door
    table: Table
    new_id: Callable[[], str]
    schemas: Schemas | None = None
    memory: Memory = field(default_factory=Memory)
    take: Callable[[Caller, Any, Any], Taken] | None = None
    """Takes the documents in that came with a message: for a caller, by what `decode` read and what
    the door spooled. What is wrong with them it keeps for `handle` to raise."""

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

    def takes_documents(self, endpoint: str) -> bool:
        """Whether messages to an endpoint may carry documents."""
        return any(
            path == endpoint and transaction.documents
            for (path, _), transaction in self.table.items()
        )

    def only_reads(self, transaction: Transaction, assertion: Assertion | None = None) -> bool:
        """Whether answering this writes nothing but its audit event."""
        return transaction.reading and (assertion is None or self.memory.is_bound(assertion))

    def answer(
        self,
        transaction: Transaction,
        message: Message,
        caller: Caller,
        *,
        content: bytes,
        assertion: Assertion | None = None,
        held: bool = False,
        brought: object = None,
    ) -> Answer:
        """Do one transaction for one caller; raises `DispatchFault`, or `Defect` from the door.

        `content` is the message as it came, by which a replay is told from a duplicate. `held` is
        what the door makes of it: the caller promises to flush. `brought` is what `take` finds the
        documents in.
        """
        reading = self.only_reads(transaction, assertion)
        work: Work | None = None
        try:
            with (
                self._asked(transaction, message, caller, brought) as asked,
                self.door.work(transaction.audit, caller, reading=reading, held=held) as work,
            ):
                work.trail.detail["message"] = message.message_id
                if assertion is not None:
                    self.memory.use(work, assertion)
                if transaction.reading:
                    self.memory.check_query(caller, message.message_id, content)
                    payload = self._done(transaction, message, work, asked)
                else:
                    payload = self._once(transaction, message, work, content, asked)
        except Refusal as refusal:
            if assertion is not None and not reading:
                self._keep_use(assertion, caller)
            payload = self._refused(transaction, message, refusal, work)
        if assertion is not None and not reading:
            self.memory.bind(assertion, caller.certificate)
        return Answer(
            action=transaction.actions[message.action],
            payload=payload,
            message_id=f"urn:uuid:{self.new_id()}",
            relates_to=message.message_id,
            mtom=transaction.mtom,
            recorded=work.recorded if work is not None else None,
        )

    def _keep_use(self, assertion: Assertion, caller: Caller) -> None:
        """A refused request has used its assertion too, though its Work was undone (B-12, B-13)."""
        issuer, id, until = assertion.issuer, assertion.id, assertion.until
        self.door.keep(
            lambda db: replay.insert_assertion(db, issuer, id, caller.certificate, until)
        )

    @contextmanager
    def _asked(
        self, transaction: Transaction, message: Message, caller: Caller, brought: object
    ) -> Iterator[Callable[[], Any]]:
        """What `handle` is given, read inside the Work; documents are taken in before it opens.

        To verify a signature takes seconds, for which nobody's writing may wait.
        """
        if not transaction.documents or self.take is None:
            yield lambda: self._question(transaction, message)
            return
        question = tried(lambda: self._question(transaction, message))
        if isinstance(question, Exception):
            yield lambda: _raise(question)
            return
        taken = self.take(caller, question, brought)
        try:
            yield lambda: taken
        finally:
            taken.let_go()

    def _once(
        self,
        transaction: Transaction,
        message: Message,
        work: Work,
        content: bytes,
        asked: Callable[[], Any],
    ) -> Payload:
        """Answer a message that changes something: sent again, only the answer comes again."""
        sender, id = work.caller.facility, message.message_id
        digest = hashlib.sha256(content).hexdigest()
        if replay.claim_message(work.db, sender, id, digest, work.now):
            payload = self._done(transaction, message, work, asked)
            replay.update_answer(work.db, sender, id, payload.xml)
            return payload
        seen = replay.select_message(work.db, sender, id)
        if seen is None or seen.digest != digest:
            raise _duplicate()
        work.trail.code = "REPLAY"
        work.trail.rule = _DUPLICATE
        return Payload(seen.answer)

    def _question(self, transaction: Transaction, message: Message) -> Any:
        """Judge, decode."""
        body = message.payload
        schema = transaction.request_schemas.get(str(body.tag))
        if self.schemas is not None and schema:
            judged = transaction.judged
            self.schemas.check(body if judged is None else judged(body), schema)
        return transaction.decode(body)

    def _done(
        self,
        transaction: Transaction,
        message: Message,
        work: Work,
        asked: Callable[[], Any],
    ) -> Payload:
        """Read, handle, encode, judge."""
        question: Any = asked()
        found: Any = transaction.handle(work, question)
        payload = transaction.encode(question, found, self._stamp(work))
        self._judge(transaction, transaction.actions[message.action], payload)
        return payload

    def _refused(
        self, transaction: Transaction, message: Message, refusal: Refusal, work: Work | None
    ) -> Payload:
        """The refusal as the profile says it; raises where it is said as a SOAP fault."""
        if work is not None and not isinstance(refusal, Unauthenticated) and not _is_dup(refusal):
            said = transaction.refuse(message.payload, refusal, self._stamp(work))
            if said is not None:
                return said
        fault = faults.duplicate_message() if _is_dup(refusal) else soap.fault_of(refusal)
        fault.relates_to = message.message_id
        raise DispatchFault(fault, work.recorded if work is not None else None) from refusal

    def _stamp(self, work: Work) -> Stamp:
        community = work.community
        return Stamp(
            id=self.new_id(),
            at=work.now,
            home=community.home,
            repository=community.repository,
            authorities=self.door.snapshot(domains.authorities),
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


def _raise(error: Exception) -> Any:
    raise error


def _parsed(payload: Payload) -> etree._Element:
    """The payload as its schema sees it: base64 that left as an attachment counts as empty."""
    root = xml.parse_own(payload.xml)
    if payload.attachments:
        etree.strip_elements(root, xml.clark("xop:Include"))
    return root


def _duplicate() -> Refusal:
    return Inconsistent(
        "the message id was used before", "メッセージIDは使用済みです", rule=_DUPLICATE,
        log="REPLAY",
    )  # fmt: skip


def _is_dup(refusal: Refusal) -> bool:
    return refusal.rule == _DUPLICATE
