"""Rows of ids that users log in with, and of passwords that managers hand over."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Column, Connection, Table, Text, delete, insert, select, update

from gateway.store.metadata import METADATA, Moment

LOGIN_ID = Table(
    "login_id",
    METADATA,
    Column("lower", Text, primary_key=True),
    Column("written", Text, nullable=False),
    Column("member", Text, nullable=False, index=True),
    Column("state", Text, nullable=False),
    Column("at", Moment, nullable=False),
)
HANDOVER = Table(
    "handover",
    METADATA,
    Column("code", Text, primary_key=True),
    Column("member", Text, nullable=False, index=True),
    Column("manager", Text, nullable=False),
    Column("ends", Moment, nullable=False, index=True),
    Column("shown", Moment),
)
TEMPORARY, OWN, ENDED = "temporary", "own", "ended"


@dataclass(frozen=True, slots=True)
class LoginIdRow:
    """One id; it is never given to another, not even in other letters."""

    lower: str
    written: str
    member: str
    state: str
    "`temporary`, `own` or `ended`."
    at: datetime


@dataclass(frozen=True, slots=True)
class HandoverRow:
    """One hand-over; `code` is the SHA-256 of what the manager is given."""

    code: str
    member: str
    manager: str
    ends: datetime
    shown: datetime | None


def select_id(db: Connection, lower: str) -> LoginIdRow | None:
    """What became of an id, in lower case."""
    row = db.execute(select(LOGIN_ID).where(LOGIN_ID.c.lower == lower)).first()
    return None if row is None else LoginIdRow(*row)


def select_current(db: Connection, member: str) -> LoginIdRow | None:
    """The id of a user that logs in now, where it is another than the registered name."""
    mine = LOGIN_ID.c.member == member, LOGIN_ID.c.state != ENDED
    row = db.execute(select(LOGIN_ID).where(*mine)).first()
    return None if row is None else LoginIdRow(*row)


def insert_id(db: Connection, row: LoginIdRow) -> None:
    """Keep an id."""
    db.execute(
        insert(LOGIN_ID).values(
            lower=row.lower, written=row.written, member=row.member, state=row.state, at=row.at
        )
    )


def end_id(db: Connection, lower: str, at: datetime) -> None:
    """Let an id log in no more."""
    db.execute(update(LOGIN_ID).where(LOGIN_ID.c.lower == lower).values(state=ENDED, at=at))


def replace_handover(db: Connection, row: HandoverRow) -> None:
    """Keep a hand-over in the place of every other one of the user."""
    db.execute(delete(HANDOVER).where(HANDOVER.c.member == row.member))
    db.execute(
        insert(HANDOVER).values(
            code=row.code, member=row.member, manager=row.manager, ends=row.ends, shown=row.shown
        )
    )


def delete_handovers(db: Connection, member: str) -> None:
    """Let nobody hand anything over to a user."""
    db.execute(delete(HANDOVER).where(HANDOVER.c.member == member))


def select_handover(db: Connection, code: str) -> HandoverRow | None:
    """The hand-over of a code; others wait until this Work ends."""
    row = db.execute(select(HANDOVER).where(HANDOVER.c.code == code).with_for_update()).first()
    return None if row is None else HandoverRow(*row)


def show_handover(db: Connection, code: str, at: datetime) -> None:
    """Note that it was shown."""
    db.execute(update(HANDOVER).where(HANDOVER.c.code == code).values(shown=at))


def delete_ended(db: Connection, before: datetime) -> None:
    """Forget hand-overs that ended before a moment."""
    db.execute(delete(HANDOVER).where(HANDOVER.c.ends < before))
