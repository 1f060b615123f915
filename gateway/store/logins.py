"""Rows of who may log in with which card, account or password, and who is logged in."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import (
    Column,
    Connection,
    Integer,
    Table,
    Text,
    delete,
    insert,
    select,
    text,
    update,
)

from gateway.store.metadata import METADATA, Json, Moment

CARD = Table(
    "card",
    METADATA,
    Column("key", Text, primary_key=True),
    Column("member", Text, nullable=False, index=True),
    Column("content", Json, nullable=False),
)
ACCOUNT = Table(
    "account",
    METADATA,
    Column("key", Text, primary_key=True),
    Column("member", Text, nullable=False, index=True),
    Column("content", Json, nullable=False),
)
PASSWORD = Table(
    "password",
    METADATA,
    Column("member", Text, primary_key=True),
    Column("changed", Moment, nullable=False),
    Column("content", Json, nullable=False),
)
ATTEMPT = Table(
    "login_attempt",
    METADATA,
    Column("state", Text, primary_key=True),
    Column("ends", Moment, nullable=False, index=True),
    Column("content", Json, nullable=False),
)
TRY = Table(
    "login_try",
    METADATA,
    Column("known", Text, primary_key=True),
    Column("failures", Integer, nullable=False),
    Column("since", Moment, nullable=False),
    Column("last", Moment, nullable=False),
    Column("until", Moment, nullable=False, index=True),
)
SESSION = Table(
    "session",
    METADATA,
    Column("token", Text, primary_key=True),
    Column("member", Text, nullable=False, index=True),
    Column("began", Moment, nullable=False),
    Column("used", Moment, nullable=False),
    Column("ends", Moment, nullable=False, index=True),
    Column("content", Json, nullable=False),
)


@dataclass(frozen=True, slots=True)
class CardRow:
    """One card and whose it is; `key` is its issuer and the holder's number there."""

    key: str
    member: str
    content: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class AccountRow:
    """One account at an OpenID provider and whose it is; `key` is issuer, claim and its value."""

    key: str
    member: str
    content: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class PasswordRow:
    """What is kept of one user's password: never the password."""

    member: str
    changed: datetime
    content: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class AttemptRow:
    """One log-in that was sent to a provider; `state` is the SHA-256 of what comes back."""

    state: str
    ends: datetime
    content: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class TryRow:
    """What is remembered of tries at passwords; `known` is a digest of whose they are."""

    known: str
    failures: int
    since: datetime
    "The first of them."
    last: datetime
    until: datetime
    "From then on it says nothing."


@dataclass(frozen=True, slots=True)
class SessionRow:
    """One user who is logged in; `token` is the SHA-256 of the cookie's value."""

    token: str
    member: str
    began: datetime
    used: datetime
    ends: datetime
    content: Mapping[str, Any]


def insert_card(db: Connection, row: CardRow) -> None:
    """Bind a card."""
    db.execute(insert(CARD).values(key=row.key, member=row.member, content=dict(row.content)))


def delete_card(db: Connection, key: str) -> None:
    """Unbind a card."""
    db.execute(delete(CARD).where(CARD.c.key == key))


def select_card(db: Connection, key: str) -> CardRow | None:
    """Whose card this is."""
    row = db.execute(select(CARD).where(CARD.c.key == key)).first()
    return None if row is None else CardRow(*row)


def select_cards(db: Connection, member: str) -> list[CardRow]:
    """The cards of one user."""
    found = db.execute(select(CARD).where(CARD.c.member == member).order_by(CARD.c.key))
    return [CardRow(*row) for row in found]


def insert_account(db: Connection, row: AccountRow) -> None:
    """Bind an account."""
    db.execute(insert(ACCOUNT).values(key=row.key, member=row.member, content=dict(row.content)))


def delete_account(db: Connection, key: str) -> None:
    """Unbind an account."""
    db.execute(delete(ACCOUNT).where(ACCOUNT.c.key == key))


def select_account(db: Connection, key: str) -> AccountRow | None:
    """Whose account this is."""
    row = db.execute(select(ACCOUNT).where(ACCOUNT.c.key == key)).first()
    return None if row is None else AccountRow(*row)


def select_accounts(db: Connection, member: str) -> list[AccountRow]:
    """The accounts of one user."""
    found = db.execute(select(ACCOUNT).where(ACCOUNT.c.member == member).order_by(ACCOUNT.c.key))
    return [AccountRow(*row) for row in found]


def select_password(db: Connection, member: str) -> PasswordRow | None:
    """What is kept of this user's password."""
    row = db.execute(select(PASSWORD).where(PASSWORD.c.member == member)).first()
    return None if row is None else PasswordRow(*row)


def replace_password(db: Connection, row: PasswordRow) -> None:
    """Keep a user's password in the place of an older one."""
    delete_password(db, row.member)
    db.execute(
        insert(PASSWORD).values(
            member=row.member, changed=row.changed, content=dict(row.content)
        )
    )  # fmt: skip


def delete_password(db: Connection, member: str) -> bool:
    """Let a user log in by password no more; False where there was none."""
    return db.execute(delete(PASSWORD).where(PASSWORD.c.member == member)).rowcount > 0


def insert_attempt(db: Connection, row: AttemptRow) -> None:
    """Remember a log-in that was sent to a provider."""
    db.execute(insert(ATTEMPT).values(state=row.state, ends=row.ends, content=dict(row.content)))


def delete_attempt(db: Connection, state: str) -> AttemptRow | None:
    """Use a log-in up: what comes back a second time, in whatever process, finds nothing."""
    row = db.execute(delete(ATTEMPT).where(ATTEMPT.c.state == state).returning(ATTEMPT)).first()
    return None if row is None else AttemptRow(*row)


_TRY_LOCK = 0x7121
_LOCK = text("SELECT pg_advisory_xact_lock(:space, hashtext(:known))")


def lock_tries(db: Connection, known: Iterable[str]) -> None:
    """Let tries that count for the same come one after the other, in whatever process.

    SQLite has one writing transaction at a time, so there is nothing to lock.
    """
    if db.dialect.name == "postgresql":
        for one in sorted(known):
            db.execute(_LOCK, {"space": _TRY_LOCK, "known": one})


def select_try(db: Connection, known: str) -> TryRow | None:
    """What is remembered of one; the caller holds its lock."""
    row = db.execute(select(TRY).where(TRY.c.known == known)).first()
    return None if row is None else TryRow(*row)


def replace_try(db: Connection, row: TryRow) -> None:
    """Remember this of one; the caller holds its lock."""
    db.execute(delete(TRY).where(TRY.c.known == row.known))
    db.execute(
        insert(TRY).values(
            known=row.known, failures=row.failures, since=row.since, last=row.last, until=row.until
        )
    )


def insert_session(db: Connection, row: SessionRow) -> None:
    """Let a user be logged in."""
    db.execute(
        insert(SESSION).values(
            token=row.token, member=row.member, began=row.began, used=row.used, ends=row.ends,
            content=dict(row.content),
        )
    )  # fmt: skip


def select_session(db: Connection, token: str) -> SessionRow | None:
    """The session with this token's digest."""
    row = db.execute(select(SESSION).where(SESSION.c.token == token)).first()
    return None if row is None else SessionRow(*row)


def select_sessions(db: Connection, member: str) -> list[SessionRow]:
    """Every session of one user."""
    found = db.execute(select(SESSION).where(SESSION.c.member == member).order_by(SESSION.c.began))
    return [SessionRow(*row) for row in found]


def update_session(db: Connection, token: str, used: datetime) -> None:
    """Note that a session is in use."""
    db.execute(update(SESSION).where(SESSION.c.token == token).values(used=used))


def delete_session(db: Connection, token: str) -> bool:
    """End a session; False where there is none."""
    return db.execute(delete(SESSION).where(SESSION.c.token == token)).rowcount > 0


def delete_sessions(db: Connection, member: str) -> int:
    """End every session of one user; says how many."""
    return db.execute(delete(SESSION).where(SESSION.c.member == member)).rowcount


def delete_ended(db: Connection, now: datetime) -> None:
    """Forget sessions, begun log-ins and tries whose time is over."""
    db.execute(delete(SESSION).where(SESSION.c.ends < now))
    db.execute(delete(ATTEMPT).where(ATTEMPT.c.ends < now))
    db.execute(delete(TRY).where(TRY.c.until < now))
