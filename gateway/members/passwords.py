"""Passwords of users: given out once, changed at the first log-in, kept as hashes (CRD-01, CRD-04).

Hashing takes long on purpose and is never done inside a Work: `kept` reads, `Tried` is what came of
it, and the Work that uses it looks whether the row is still the same.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache

from sqlalchemy import Connection

from gateway.errors import Inconsistent, Invalid, NotFound, Unauthenticated
from gateway.members import binding, ids, users
from gateway.members.ids import LoginId
from gateway.members.users import User
from gateway.model import chance, passwords, periods
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
class Kept:
    """What is kept of a user's password, and the id that it goes with."""

    login: LoginId
    row: rows.PasswordRow


@dataclass(frozen=True, slots=True)
class Tried:
    """A password that somebody gave, compared with what is kept."""

    name: str
    "The id, as it was typed."
    found: Kept | None
    matched: bool


@dataclass(frozen=True, slots=True)
class Issued:
    """A temporary password that was given out."""

    user: str
    login_id: str
    "The id that it goes with."
    ends: datetime


def kept(db: Connection, typed: str) -> Kept | None:
    """What is kept of the password of whoever logs in with an id."""
    login = ids.holder(db, typed)
    row = None if login is None else rows.select_password(db, login.member)
    return None if login is None or row is None else Kept(login, row)


def compare(name: str, found: Kept | None, given: str, strength: Strength) -> Tried:
    """Whether a password is the user's; takes as long for ids that do not exist."""
    matched = passwords.matches(
        given, _nobodys(strength.cost) if found is None else found.row.content["hash"]
    )
    return Tried(name, found, matched and found is not None)


@cache
def _nobodys(cost: int) -> str:
    """What is compared for ids that do not exist, so that they take as long as others (K-01)."""
    return passwords.digest("nobody's", b"a salt of nobody", cost)


def issue(
    work: Work, name: str, digest: str, *, holds: timedelta, in_person: bool = False
) -> Issued:
    """Give a user a temporary password, in the place of any other; says until when it holds.

    `digest` is what is kept of it. Whoever is logged in as the user is out (K-04). Raises `Invalid`
    where the user's id is not one that logs in by password (CRD-02); `Inconsistent` where managers
    hand passwords over, unless the operator does it `in_person` (CRD-07).
    """
    binding.require_operator(work)
    if work.policy.credentials.handover == "manager" and not in_person:
        raise Inconsistent(
            "a manager hands it over: name one with --manager, or say --in-person for a manager's"
            " own",
            "管理者が引き渡します。--manager で指定するか、管理者本人の分は --in-person を付けて"
            "実行してください",
            at="manager", rule="CRD-07",
        )  # fmt: skip
    return give(work, name, digest, holds=holds)


def gets_new_id(work: Work, name: str) -> bool:
    """Whether the network gives another id out with the user's next password (CRD-05, CRD-06)."""
    rules = work.policy.credentials
    if "id" in rules.temporary.replace or ids.current(work.db, name) is None:
        return True
    lost = rows.select_password(work.db, name) is not None
    return lost and rules.reissue == "new_id_and_password"


def require_usable_id(work: Work, name: str) -> None:
    """Raise `Invalid` unless the user's present id may log in by password (CRD-02)."""
    login = ids.current(work.db, name)
    passwords.require_id(name if login is None else login.written, work.policy.credentials.id)


def give(work: Work, name: str, digest: str, *, holds: timedelta) -> Issued:
    """What `issue` does, for who has looked whether this caller may."""
    binding.require_alive(work, name)
    if gets_new_id(work, name):
        rules = work.policy.credentials
        drawn = chance.new_login_id(rules.id.min_length)
        ids.replace(work, name, drawn, temporary="id" in rules.temporary.replace)
    require_usable_id(work, name)
    login = ids.current(work.db, name)
    before = rows.select_password(work.db, name)
    ends = work.now + holds
    content = {
        "hash": digest, "temporary": ends.isoformat(), "earlier": _earlier(before),
    }  # fmt: skip
    rows.replace_password(work.db, rows.PasswordRow(name, work.now, content))
    users_out(work, name)
    binding.note(work, name, "password-issued", "password", "temporary")
    return Issued(name, name if login is None else login.written, ends)


def withdraw(work: Work, name: str, *, reason: str) -> None:
    """Let a user log in by password no more; raises `NotFound`."""
    binding.require_operator(work)
    binding.require_reason(reason)
    if not rows.delete_password(work.db, name):
        raise NotFound("the user has no password", "パスワードが登録されていません", at="user")
    if gets_new_id(work, name) or work.policy.credentials.reissue == "new_id_and_password":
        ids.end(work, name)  # what logs in next is another id (CRD-06)
    users_out(work, name)
    binding.note(work, name, "password-withdrawn", "password", "", reason)


def require_right(work: Work, tried: Tried) -> User:
    """Whose password it is; raises `Unauthenticated` with one text for whatever is wrong (K-01)."""
    found = tried.found
    if found is not None:
        work.trail.objects.append(found.login.member)
    if not tried.matched or found is None or kept(work.db, tried.name) != found:
        raise Unauthenticated(
            "the id or the password is wrong", "IDまたはパスワードが違います",
            at="password", rule="CRD-01", log="LOGIN-FAIL",
        )  # fmt: skip
    ends = found.row.content["temporary"]
    if ends and datetime.fromisoformat(ends) <= work.now:
        raise Unauthenticated(
            "the temporary password has ended: ask the secretariat for another",
            "仮パスワードの期限が切れました。事務局に再発行を依頼してください",
            at="password", rule="CRD-05", log="LOGIN-FAIL",
        )  # fmt: skip
    return users.find(work, found.login.member)


def require_current(work: Work, tried: Tried, strength: Strength) -> None:
    """Raise `Unauthenticated` where the password must be changed before anything else."""
    found = tried.found
    if found is None:
        raise Inconsistent("there is no password", "パスワードがありません", at="password")
    row = found.row
    temporary = bool(row.content["temporary"])
    if found.login.temporary:
        raise Unauthenticated(
            "the id and the password must be changed first: they are temporary ones",
            "先に利用者IDとパスワードを変更してください(仮のIDとパスワードです)",
            at="password-change", rule="CRD-05", log="LOGIN-FAIL",
        )  # fmt: skip
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
    last = periods.last_day(periods.day_of(changed, policy.timezone), months=months)
    return periods.day_of(now, policy.timezone) > last


@dataclass(frozen=True, slots=True)
class Chosen:
    """A new password that may be chosen, as it is kept."""

    hash: str
    login_id: str = ""
    "The id in the place of a temporary one."


def choose(
    tried: Tried,
    new: str,
    policy: NetworkPolicy,
    strength: Strength,
    *,
    salt: bytes,
    login_id: str = "",
) -> Chosen:
    """Hash a new password; raises `Invalid` where it may not be chosen (CRD-03, CRD-10, K-02).

    A temporary id needs a `login_id` in its place, and no other may be replaced (CRD-05).
    """
    _require_login_id(tried, login_id, policy)
    rules = policy.credentials.password
    for name in filter(None, (tried.name, login_id)):
        passwords.require_strong(new, rules, least=strength.least, name=name)
    row = None if tried.found is None else tried.found.row
    used = [] if row is None else [row.content["hash"], *row.content["earlier"]]
    if any(passwords.matches(new, one) for one in used):
        raise Invalid(
            "this password was used before: choose another",
            "以前に使ったパスワードです。別のものにしてください", at="password", rule="CRD-10",
        )  # fmt: skip
    return Chosen(passwords.digest(new, salt, strength.cost), login_id)


def _require_login_id(tried: Tried, login_id: str, policy: NetworkPolicy) -> None:
    """An id of one's own comes with the first password of one's own, and at no other time."""
    temporary = tried.found is not None and tried.found.login.temporary
    if temporary and not login_id:
        raise Invalid(
            "the id is a temporary one too: choose another (new_user)",
            "利用者IDも仮のものです。新しい利用者IDを指定してください",
            at="new_user", rule="CRD-05",
        )  # fmt: skip
    if login_id and not temporary:
        raise Invalid(
            "the id is not changed here: leave new_user away",
            "利用者IDは変更できません。新しい利用者IDは空にしてください",
            at="new_user", rule="CRD-05",
        )  # fmt: skip
    if login_id:
        passwords.require_id(login_id, policy.credentials.id)


def change(work: Work, tried: Tried, chosen: Chosen) -> None:
    """Keep a chosen password; whoever is logged in as the user is out (K-04).

    Raises `Invalid` where the chosen id is somebody's.
    """
    found = tried.found
    if found is None:
        raise Inconsistent("there is no password", "パスワードがありません", at="password")
    name = found.login.member
    if chosen.login_id:
        ids.replace(work, name, chosen.login_id, temporary=False)
    content = {"hash": chosen.hash, "temporary": "", "earlier": _earlier(found.row)}
    rows.replace_password(work.db, rows.PasswordRow(name, work.now, content))
    users_out(work, name)
    binding.note(work, name, "password-changed", "password", "own")


def users_out(work: Work, name: str) -> None:
    """End every session of a user."""
    work.trail.detail["ended"] = rows.delete_sessions(work.db, name)


def _earlier(row: rows.PasswordRow | None) -> list[str]:
    """The hashes that a new password is compared with; a temporary one is among them."""
    return [] if row is None else [row.content["hash"], *row.content["earlier"]][:_REMEMBERED]
