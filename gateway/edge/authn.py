"""Who is at the door: the TLS client certificate of a connection becomes a Caller (ACC-01, J-08).

A certificate is looked up by its SHA-256 on every request, from a snapshot at most five seconds
old: one that is revoked, or whose facility is suspended after the hand-shake, is refused (2.1).
"""

import hashlib
from collections.abc import Callable, MutableMapping
from dataclasses import dataclass, replace
from typing import Any

from gateway.model.caller import Caller

Scope = MutableMapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Peer:
    """A registered machine: its caller, and how it wants its faults."""

    caller: Caller
    sender_fault_status: int = 400
    "HTTP status of a Sender fault: 500 for clients that cannot read a fault behind 400."


@dataclass(frozen=True, slots=True)
class Authenticator:
    """Finds the peer of a connection."""

    find: Callable[[str], Peer | None]
    "Fingerprint to the active peer that has it, from the snapshot."

    def peer(self, scope: Scope, request: str) -> Peer | None:
        """The peer behind a request with the request's own id, or None: 403 with an empty body."""
        fingerprint = scope["state"].get("certificate", "")
        found = self.find(fingerprint) if fingerprint else None
        if found is None:
            return None
        client = scope.get("client") or ("", 0)
        caller = replace(
            found.caller, certificate=fingerprint, address=str(client[0]), request=request
        )
        return replace(found, caller=caller)


def fingerprint(certificate: bytes) -> str:
    """SHA-256 of a DER certificate, hexadecimal."""
    return hashlib.sha256(certificate).hexdigest()
