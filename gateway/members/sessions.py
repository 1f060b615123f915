"""Who is logged in: a session begins with a proof, ends at the server, and is only a key (K-04).

The cookie's value is drawn anew at each log-in and kept here as its digest. Whoever is behind it is
looked up on every request: a user or facility that is suspended, and a user whose position changed,
is out on the next one (CRD-08).
"""

import hashlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from sqlalchemy import Connection

from gateway.errors import Unauthenticated
from gateway.members import handovers, users
from gateway.model.caller import Caller, LevelOfAssurance
from gateway.model.identifiers import Oid
from gateway.store import logins as rows
from gateway.store.work import Work

_NOTED = timedelta(seconds=30)
"How long a use is not noted again."


@dataclass(frozen=True, slots=True, kw_only=True)
class Lifetime:
    """How long somebody stays logged in."""

    idle: timedelta
    longest: timedelta


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """One user who is logged in."""

    token: str
    "SHA-256 of the cookie's value."
    user: str
    began: datetime
    ends: datetime
    "At the latest; earlier where nothing comes."
    assurance: LevelOfAssurance
    caller: Caller
    card: str
    "The card that began it; empty where none did."
    subject: str
    "Subject of the card's certificate."
    roles: tuple[str, ...]
    "Health-care roles that the card stated at log-in."


def begin(
    work: Work,
    caller: Caller,
    value: str,
    *,
    lifetime: Lifetime,
    card: str = "",
    account: str = "",
    roles: Iterable[str] = (),
) -> None:
    """Log the caller in; `value` is the cookie's, a fresh secret that is kept nowhere else.

    `card` or `account` is what proved who it is. Other sessions of the same user stay and are noted
    in the trail (CRD-10).
    """
    others = [one for one in rows.select_sessions(work.db, caller.subject) if one.ends > work.now]
    if any(one.content["address"] != caller.address for one in others):
        work.trail.detail["simultaneous"] = len(others)
    rows.insert_session(
        work.db,
        rows.SessionRow(
            token=_digest(value), member=caller.subject, began=work.now, used=work.now,
            ends=work.now + lifetime.longest,
            content={
                "facility": caller.facility, "position": caller.role, "card": card,
                "account": account, "certificate": caller.certificate, "address": caller.address,
                "assurance": caller.assurance.value, "subject": caller.tls_subject,
                "roles": sorted(roles),
            },
        ),
    )  # fmt: skip


def find(
    work: Work,
    value: str,
    *,
    lifetime: Lifetime,
    domains: Callable[[str], frozenset[Oid]],
    request: str,
    certificate: str,
) -> Session:
    """The session behind a cookie; raises `Unauthenticated` where there is none that counts.

    One that a card began counts with that card's certificate only: a cookie that was carried off is
    worth nothing. Raises `NotPermitted` where the user or the facility is suspended.
    """
    row = rows.select_session(work.db, _digest(value))
    if row is None or row.ends <= work.now or row.used + lifetime.idle <= work.now:
        raise _out()
    if row.content["card"] and row.content["certificate"] != certificate:
        raise _out()
    user = users.find(work, row.member)
    if (user.position, user.facility) != (row.content["position"], row.content["facility"]):
        raise _out()
    caller = users.caller(work, row.member, domains=domains(user.facility), request=request)
    assurance = LevelOfAssurance(row.content["assurance"])
    return Session(
        token=row.token, user=row.member, began=row.began, ends=row.ends, assurance=assurance,
        caller=replace(caller, assurance=assurance), card=row.content["card"],
        subject=row.content["subject"], roles=tuple(row.content["roles"]),
    )  # fmt: skip


def use(db: Connection, token: str, now: datetime) -> None:
    """Note that a session is in use, so that it does not end for idleness."""
    row = rows.select_session(db, token)
    if row is not None and now - row.used >= _NOTED:
        rows.update_session(db, token, now)


def end(work: Work, value: str) -> bool:
    """Log out; False where nobody was logged in."""
    return rows.delete_session(work.db, _digest(value))


def end_all(work: Work, name: str) -> int:
    """Log a user out everywhere; says how many sessions ended."""
    return rows.delete_sessions(work.db, name)


def _digest(value: str) -> str:
    return hashlib.sha256(value.encode("utf-8")).hexdigest()


def _out() -> Unauthenticated:
    return Unauthenticated("not logged in", "ログインしていません", log="COOKIE")


def forget_ended(db: Connection, now: datetime) -> None:
    """Forget sessions whose time is over."""
    rows.delete_ended(db, now)
    handovers.forget(db, now)
