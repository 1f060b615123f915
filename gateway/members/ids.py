"""Ids that users log in with, where they are others than the registered names (CRD-05, CRD-06).

A user's name stays what the register and the trail know them by; what is typed at the log-in may be
given out, replaced and ended. An id that ended is nobody's, and is never given out again.
"""

from dataclasses import dataclass

from sqlalchemy import Connection

from gateway.errors import Invalid
from gateway.members import users
from gateway.store import credentials as rows
from gateway.store import members as member_rows
from gateway.store.work import Work


@dataclass(frozen=True, slots=True, kw_only=True)
class LoginId:
    """What a user types at the log-in."""

    written: str
    member: str
    "The user's registered name."
    temporary: bool = False
    "It must be replaced before anything else (CRD-05)."


def holder(db: Connection, typed: str) -> LoginId | None:
    """Whose id somebody typed; None where it is nobody's, or nobody's any more."""
    if not users.is_name(typed):
        return None
    row = rows.select_id(db, typed.lower())
    if row is not None:
        return None if row.state == rows.ENDED or row.written != typed else _read(row)
    if rows.select_current(db, typed) is not None:
        return None
    return LoginId(written=typed, member=typed)


def current(db: Connection, member: str) -> LoginId | None:
    """What a user logs in with now; None where the registered name has ended as an id."""
    row = rows.select_current(db, member)
    if row is not None:
        return _read(row)
    ended = rows.select_id(db, member.lower())
    return LoginId(written=member, member=member) if ended is None else None


def end(work: Work, member: str) -> str:
    """Let the present id of a user log in no more; says which it was, if there was one."""
    now = current(work.db, member)
    if now is None:
        return ""
    lower = now.written.lower()
    if rows.select_id(work.db, lower) is None:
        row = rows.LoginIdRow(lower, now.written, member, rows.ENDED, work.now)
        rows.insert_id(work.db, row)
    else:
        rows.end_id(work.db, lower, work.now)
    return now.written


def replace(work: Work, member: str, new: str, *, temporary: bool) -> LoginId:
    """Give a user an id in the place of the present one; the trail links both (CRD-06).

    Raises `Invalid` where it is, or ever was, somebody's.
    """
    lower = new.lower()
    if rows.select_id(work.db, lower) is not None or member_rows.is_named(work.db, lower):
        raise Invalid(
            "this id cannot be had: choose another", "このIDは使用できません。別のIDにしてください",
            at="new_user", rule="CRD-05",
        )  # fmt: skip
    old = end(work, member)
    state = rows.TEMPORARY if temporary else rows.OWN
    rows.insert_id(work.db, rows.LoginIdRow(lower, new, member, state, work.now))
    link = {"old": old, "new": new}
    member_rows.insert_event(
        work.db, at=work.now, subject=member, what="login-id-replaced",
        actor=f"{work.caller.facility}/{work.caller.subject}", content={"reason": "", **link},
    )  # fmt: skip
    work.trail.detail["login_id"] = link
    return LoginId(written=new, member=member, temporary=temporary)


def _read(row: rows.LoginIdRow) -> LoginId:
    return LoginId(
        written=row.written, member=row.member, temporary=row.state == rows.TEMPORARY
    )  # fmt: skip
