"""What an IHE transaction is, and the table that indexes them.

A transaction is one constant: how to read, do, answer and refuse one thing. The table is keyed by
endpoint and action, because ITI-44 revise and ITI-46 share an action.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, Protocol

from lxml import etree

from gateway.errors import Refusal
from gateway.model.audit import EventKind
from gateway.model.identifiers import HomeCommunityId, Oid
from gateway.store.work import Work

Body = etree._Element
"The payload element: the only child of the SOAP Body."


@dataclass(frozen=True, slots=True, kw_only=True)
class Stamp:
    """What an answer carries beyond its content: its own id, the moment, and who we are."""

    id: str
    "Fresh UUID of this answer."
    at: datetime
    home: HomeCommunityId
    repository: Oid
    authorities: Mapping[Oid, str] = field(default_factory=dict)
    "What identifier domains are called: assigningAuthorityName (ITI TF-2: E.1)."


@dataclass(frozen=True, slots=True, kw_only=True)
class Attachment:
    """A document's bytes that leave as an XOP part, streamed from the blob store."""

    content_id: str
    "Without angle brackets."
    mime_type: str
    size: int
    path: Path
    "File of the blob store; its hash was checked when the Permit was used (M-02)."


@dataclass(frozen=True, slots=True)
class Payload:
    """The payload of an answer: serialized XML without declaration, and its attachments."""

    xml: bytes
    attachments: tuple[Attachment, ...] = ()


class Taken(Protocol):
    """Documents that came with a message, durable, and not filed yet."""

    def let_go(self) -> None:
        """Give up what was not filed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Transaction:
    """One IHE transaction."""

    number: str
    "As the framework prints it: `ITI-45`."
    endpoint: str
    "Path of its door, `INTERFACES.md` section 3."
    actions: Mapping[str, str]
    "Request action to response action (ihe/README section 2)."
    roots: Mapping[str, str]
    "Request action to the Clark name of the payload element it goes with (D-03)."
    decode: Callable[[Body], Any]
    "Payload to question; raises a Refusal."
    handle: Callable[[Work, Any], Any]
    "Question to what was found; raises a Refusal."
    encode: Callable[[Any, Any, Stamp], Payload]
    "Question and what was found to the answer's payload."
    refuse: Callable[[Body, Refusal, Stamp], Payload | None]
    "A refusal as this profile says it, or None where it is said as a SOAP fault."
    audit: EventKind
    request_schemas: Mapping[str, str] = field(default_factory=dict)
    "Payload Clark name to the schema that judges it, relative to `[ihe] schemas`."
    judged: Callable[[Body], Body] | None = None
    "The request as its schema judges it, where partners are known to deviate; None: as it is."
    response_schema: Mapping[str, str] = field(default_factory=dict)
    "Response action to the schema of its payload."
    reading: bool = False
    "Changes nothing: its audit event is committed together with others' (G5)."
    assertion: bool = False
    "An XUA assertion is demanded (ITI-40)."
    documents: bool = False
    """Its request carries documents (`xds:Document`), as parts or inside: they are judged, verified
    and made durable before its Work, and `handle` is given them in place of the question."""
    mtom: bool = False
    "Answered as MTOM/XOP (ITI TF-2: V.8)."


Table = Mapping[tuple[str, str], Transaction]
"Transactions by endpoint and request action."


def index(transactions: Iterable[Transaction]) -> dict[tuple[str, str], Transaction]:
    """Key the transactions; a key that is there twice stops the start."""
    table: dict[tuple[str, str], Transaction] = {}
    for transaction in transactions:
        for action in transaction.actions:
            key = (transaction.endpoint, action)
            if key in table:
                raise ValueError(f"{key} belongs to {table[key].number} and {transaction.number}")
            table[key] = transaction
    return table
