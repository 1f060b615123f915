"""One unit of work: one database transaction, one caller, one moment, at least one audit event.

Only the audit door makes one. Domain services take it as their first argument.
"""

from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, TypeVar

from sqlalchemy import Connection

from gateway.model.audit import Trail
from gateway.model.caller import Caller
from gateway.model.identifiers import HomeCommunityId, Oid
from gateway.model.network import NetworkPolicy
from gateway.store.blobs import Blobs
from gateway.store.metadata import time_ordered

_Value = TypeVar("_Value")


@dataclass(frozen=True, slots=True)
class Community:
    """Who we are to neighbours."""

    home: HomeCommunityId
    repository: Oid


@dataclass(slots=True, kw_only=True)
class Work:
    """One unit of work, open between the door's enter and exit."""

    db: Connection
    caller: Caller
    policy: NetworkPolicy
    now: datetime
    "The same moment everywhere in this Work (UTC)."
    new_id: Callable[[], str]
    "A fresh random UUID, lower case, no prefix."
    community: Community
    blobs: Blobs
    trail: Trail = field(default_factory=Trail)
    recorded: Future[None] | None = None
    "For a reading Work after its exit: done once its audit event is durable (G5)."
    memory: dict[Any, Any] = field(default_factory=dict)
    "What `once` read; Works of one transaction share it."

    def ordered_id(self) -> str:
        """A fresh id that begins with the moment, for rows that come many at a time."""
        return time_ordered(self.now, self.new_id())

    def once(self, load: Callable[[Connection], _Value]) -> _Value:
        """What `load` reads, read once in a transaction: for registries that a Work only asks."""
        if load not in self.memory:
            self.memory[load] = load(self.db)
        found: _Value = self.memory[load]
        return found
