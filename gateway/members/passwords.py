"""Passwords of users: given out once, changed at the first log-in, kept as hashes (CRD-01, CRD-04).

Hashing takes long on purpose and is never done inside a Work: `kept` reads, `Tried` is what came of
it, and the Work that uses it looks whether the row is still the same.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache

from sqlalchemy import Connection

from gateway.errors import Inconsistent, Invalid, NotFound, Unauthenticated
from gateway.members import binding, users
from gateway.members.users import User
from gateway.model import passwords, periods
from gateway.model.network import NetworkPolicy
from gateway.store import logins as rows
from gateway.store.work import Work

_REMEMBERED = 4
"Earlier passwords of a user that may not be chosen again (K-02)."


@dataclass(frozen=True, slots=True, kw_only=True)
class Strength:
    """What the operator asks of passwords, beside the network's rules."""

    least: int
    days: int
    "After how many days one must be changed; 0: when the network's rules say so."
    cost: int = passwords.COST


@dataclass(frozen=True, slots=True)
class Tried:
    """A password that somebody gave, compared with what is kept."""

    name: str
    row: rows.PasswordRow | None
    matched: bool


def kept(db: Connection, name: str) -> rows.PasswordRow | None:
    """What is kept of a user's password."""
    return rows.select_password(db, name)


def compare(name: str, row: rows.PasswordRow | None, given: str, strength: Strength) -> Tried:
    """Whether a password is the user's; takes as long for ids that do not exist."""
    matched = passwords.matches(
        given, _nobodys(strength.cost) if row is None else row.content["hash"]
    )
    return Tried(name, row, matched and row is not None)


@cache
def _nobodys(cost: int) -> str:
    """What is compared for ids that do not exist, so that they take as long as others (K-01)."""
    return passwords.digest("nobody's", b"a salt of nobody", cost)


def issue(work: Work, name: str, digest: str, *, holds: timedelta) -> datetime:
    """Give a user a temporary password, in the place of any other; says until when it holds.

    `digest` is what is kept of it. Whoever is logged in as the user is out (K-04). Raises `Invalid`
    where the user's id is not one that logs in by password (CRD-02).
    """
    binding.require_operator(work)
    binding.require_alive(work, name)
    passwords.require_id(name, work.policy.credentials.id)
    before = rows.select_password(work.db, name)
    ends = work.now + holds
    content = {
        "hash": digest, "temporary": ends.isoformat(), "earlier": _earlier(before),
    }  # fmt: skip
    rows.replace_password(work.db, rows.PasswordRow(name, work.now, content))
    users_out(work, name)
    binding.note(work, name, "password-issued", "password", "temporary")
    return ends


def withdraw(work: Work, name: str, *, reason: str) -> None:
    """Let a user log in by password no more; raises `NotFound`."""
    binding.require_operator(work)
    binding.require_reason(reason)
    if not rows.delete_password(work.db, name):
        raise NotFound("the user has no password", "パスワードが登録されていません", at="user")
    users_out(work, name)
    binding.note(work, name, "password-withdrawn", "password", "", reason)


def require_right(work: Work, tried: Tried) -> User:
    """Whose password it is; raises `Unauthenticated` with one text for whatever is wrong (K-01)."""
    row = tried.row
    if row is not None:
        work.trail.objects.append(tried.name)
    if not tried.matched or row is None or rows.select_password(work.db, tried.name) != row:
        raise Unauthenticated(
            "the id or the password is wrong", "IDまたはパスワードが違います",
            at="password", rule="CRD-01", log="LOGIN-FAIL",
        )  # fmt: skip
    ends = row.content["temporary"]
    if ends and datetime.fromisoformat(ends) <= work.now:
        raise Unauthenticated(
            "the temporary password has ended: ask the secretariat for another",
            "仮パスワードの期限が切れました。事務局に再発行を依頼してください",
            at="password", rule="CRD-05", log="LOGIN-FAIL",
        )  # fmt: skip
    return users.find(work, tried.name)


def require_current(work: Work, tried: Tried, strength: Strength) -> None:
    """Raise `Unauthenticated` where the password must be changed before anything else."""
    row = tried.row
    if row is None:
        raise Inconsistent("there is no password", "パスワードがありません", at="password")
    temporary = bool(row.content["temporary"])
    if temporary or is_old(row.changed, work.now, work.policy, strength):
        raise Unauthenticated(
            "the password must be changed first" + (": it is a temporary one" if temporary else ""),
            "先にパスワードを変更してください" + ("(仮パスワードです)" if temporary else ""),
            at="password-change", rule="CRD-05" if temporary else "CRD-04", log="LOGIN-FAIL",
        )  # fmt: skip


def is_old(changed: datetime, now: datetime, policy: NetworkPolicy, strength: Strength) -> bool:
    """Whether a password was kept longer than the network or the operator allows (CRD-04)."""
    if strength.days and now - changed >= timedelta(days=strength.days):
        return True
    months = policy.credentials.password.max_age_months
    if months is None:
        return False
    zone = periods.ZONES[policy.timezone]
    last = periods.last_day(changed.astimezone(zone).date(), months=months)
    return now.astimezone(zone).date() > last


@dataclass(frozen=True, slots=True)
class Chosen:
    """A new password that may be chosen, as it is kept."""

    hash: str


def choose(
    tried: Tried, new: str, policy: NetworkPolicy, strength: Strength, *, salt: bytes
) -> Chosen:
    """Hash a new password; raises `Invalid` where it may not be chosen (CRD-03, CRD-10, K-02)."""
    rules = policy.credentials.password
    passwords.require_strong(new, rules, least=strength.least, name=tried.name)
    row = tried.row
    used = [] if row is None else [row.content["hash"], *row.content["earlier"]]
    if any(passwords.matches(new, one) for one in used):
        raise Invalid(
            "this password was used before: choose another",
            "以前に使ったパスワードです。別のものにしてください", at="password", rule="CRD-10",
        )  # fmt: skip
    return Chosen(passwords.digest(new, salt, strength.cost))


def change(work: Work, tried: Tried, chosen: Chosen) -> None:
    """Keep a chosen password; whoever is logged in as the user is out (K-04)."""
    content = {"hash": chosen.hash, "temporary": "", "earlier": _earlier(tried.row)}
    rows.replace_password(work.db, rows.PasswordRow(tried.name, work.now, content))
    users_out(work, tried.name)
    binding.note(work, tried.name, "password-changed", "password", "own")


def users_out(work: Work, name: str) -> None:
    """End every session of a user."""
    work.trail.detail["ended"] = rows.delete_sessions(work.db, name)


def _earlier(row: rows.PasswordRow | None) -> list[str]:
    """The hashes that a new password is compared with; a temporary one is among them."""
    return [] if row is None else [row.content["hash"], *row.content["earlier"]][:_REMEMBERED]
