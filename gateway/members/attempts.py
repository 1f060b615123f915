"""Log-ins that are under way at an OpenID provider: each comes back once, and soon, or never.

What comes back is kept as its digest, as a session is (`members.sessions`).
"""

import hashlib
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection

from gateway.store import logins as rows

LIFETIME = timedelta(minutes=10)
"How long somebody may take at the provider."


@dataclass(frozen=True, slots=True)
class Begun:
    """A log-in that was sent to a provider."""

    client_id: str
    ends: datetime


def begin(db: Connection, state: str, client_id: str, now: datetime) -> None:
    """Remember a log-in by its `state`."""
    rows.insert_attempt(
        db, rows.AttemptRow(_digest(state), now + LIFETIME, {"client_id": client_id})
    )


def use_up(db: Connection, state: str, now: datetime) -> Begun | None:
    """The log-in that this `state` is of, once; None where there is none or its time is over."""
    row = rows.delete_attempt(db, _digest(state))
    if row is None or row.ends <= now:
        return None
    return Begun(row.content["client_id"], row.ends)


def _digest(state: str) -> str:
    return hashlib.sha256(state.encode()).hexdigest()
