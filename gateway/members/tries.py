"""Tries at passwords, counted for an id and for an address by every process together (K-01).

Five that fail within a quarter of an hour, and it has to wait: three minutes, and twice as long
after each further one, up to an hour. Nothing but time is needed to get out. Strangers cannot keep
a user out of where they logged in from lately: there the address alone counts.
"""

import hashlib
import ipaddress
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection

from gateway.store import logins as rows
from gateway.store.logins import TryRow

MOST = 5
"Tries that fail before anybody has to wait."
WINDOW = timedelta(minutes=15)
FIRST = timedelta(minutes=3)
LONGEST = timedelta(hours=1)
_TRUSTED = timedelta(days=30)
_NOTHING = timedelta(0)


@dataclass(frozen=True, slots=True)
class Taken:
    """One try that may go on, or has to wait."""

    wait: timedelta
    "Zero where it may go on."
    counted: tuple[TryRow, ...] = ()
    "For whom it counts until it turns out to be right, as they were before."
    at: datetime | None = None


def take(db: Connection, name: str, address: str, now: datetime) -> Taken:
    """Take one try of an address and of an id; it counts at once, so that none go on beside it.

    An address that has to wait uses up no try of anybody's id: it could lock others out.
    """
    here, mine, pair = _address(address), _digest("id", name.lower()), _pair(name, address)
    rows.lock_tries(db, (here, mine))
    trusted = rows.select_try(db, pair)
    counted = (here,) if trusted is not None and now < trusted.until else (here, mine)
    found = [_current(db, one, now) for one in counted]
    for one in found:
        if wait := _wait(one, now):
            return Taken(wait)
    for one in found:
        since = one.since if one.failures else now
        _remember(db, TryRow(one.known, one.failures + 1, since, now, now))
    return Taken(_NOTHING, tuple(found), now)


def give_back(db: Connection, taken: Taken, name: str) -> None:
    """Let a try that was right not count, and forget the wrong ones of the id.

    Those of the address stay: a right password of one's own must not buy tries at others'.
    """
    mine = _digest("id", name.lower())
    rows.lock_tries(db, (mine, *(one.known for one in taken.counted)))
    for before in taken.counted:
        row = rows.select_try(db, before.known)
        if row is None or before.known == mine:
            continue
        last = before.last if row.last == taken.at else row.last
        _remember(db, TryRow(row.known, max(0, row.failures - 1), row.since, last, last))
    if (row := rows.select_try(db, mine)) is not None:
        _remember(db, TryRow(mine, 0, row.since, row.last, row.last))


def trust(db: Connection, name: str, address: str, now: datetime) -> None:
    """Remember that the user of an id came in from an address."""
    known = _pair(name, address)
    rows.lock_tries(db, (known,))
    rows.replace_try(db, TryRow(known, 0, now, now, now + _TRUSTED))


def _current(db: Connection, known: str, now: datetime) -> TryRow:
    """What still counts of one."""
    row = rows.select_try(db, known)
    if row is None or now >= row.until or (row.failures < MOST and now - row.since >= WINDOW):
        return TryRow(known, 0, now, now, now)
    return row


def _remember(db: Connection, row: TryRow) -> None:
    until = row.last + _delay(row.failures) + WINDOW
    rows.replace_try(db, TryRow(row.known, row.failures, row.since, row.last, until))


def _delay(failures: int) -> timedelta:
    """How long one has to wait after so many."""
    if failures < MOST:
        return _NOTHING
    doubled: int = 2 ** min(failures - MOST, 16)
    return min(LONGEST, FIRST * doubled)


def _wait(row: TryRow, now: datetime) -> timedelta:
    """How long one has to wait still; never longer than from now on, whatever the clock did."""
    delay = _delay(row.failures)
    left = min(delay, row.last + delay - now)
    return max(_NOTHING, left)


def _address(text: str) -> str:
    """An address as it counts: of IPv6 the network of 64 bits, which one machine has alone."""
    try:
        parsed = ipaddress.ip_address(text)
    except ValueError:
        return _digest("address", text)
    if parsed.version == 6:
        return _digest("address", str(ipaddress.ip_network((parsed, 64), strict=False)))
    return _digest("address", str(parsed))


def _pair(name: str, address: str) -> str:
    return _digest("from", name.lower(), _address(address))


def _digest(*words: str) -> str:
    """What is kept: some type their password where the id belongs."""
    return hashlib.sha256("\0".join(words).encode("utf-8", "replace")).hexdigest()
