"""Passwords that a manager hands over: logged, and shown once (CRD-07).

The manager is given a code, and the temporary password is made when they use it: until then there
is nothing that anybody could read, and afterwards nobody can read it again.
"""

import hashlib
from datetime import datetime, timedelta

from sqlalchemy import Connection

from gateway.errors import Gone, Inconsistent, Invalid, NotFound
from gateway.members import binding, ids, passwords, users
from gateway.members.passwords import Issued
from gateway.members.users import State
from gateway.store import credentials as rows
from gateway.store import logins as login_rows
from gateway.store.work import Work

_REMEMBERED = timedelta(days=30)
"How long it is still said that something was shown."


def prepare(work: Work, name: str, manager: str, code: str, *, holds: timedelta) -> datetime:
    """Let a manager hand a password over to a user with `code`; says until when.

    What the user had logs in no more. Raises `Inconsistent` where the network's passwords are not
    handed over so, `Invalid` where that is no manager of theirs.
    """
    binding.require_operator(work)
    if work.policy.credentials.handover != "manager":
        raise Inconsistent(
            "in this network the secretariat hands passwords over itself: leave --manager away",
            "このネットワークでは事務局が直接引き渡します。--manager を付けずに実行してください",
            at="manager", rule="CRD-07",
        )  # fmt: skip
    binding.require_alive(work, name)
    user, chosen = users.find(work, name), users.find(work, manager)
    if name == manager or chosen.state is not State.ACTIVE or chosen.facility != user.facility:
        raise Invalid(
            "the manager is another, active user of the same facility",
            "管理者は同じ施設の有効な別の利用者です", at="manager", rule="CRD-07",
        )  # fmt: skip
    if passwords.gets_new_id(work, name):
        ids.end(work, name)
    else:
        passwords.require_usable_id(work, name)
    login_rows.delete_password(work.db, name)
    passwords.users_out(work, name)
    ends = work.now + holds
    rows.replace_handover(work.db, rows.HandoverRow(_digest(code), name, manager, ends, None))
    binding.note(work, name, "hand-over-prepared", "manager", manager)
    return ends


def show(work: Work, code: str, digest: str, *, holds: timedelta) -> Issued:
    """What the manager hands over, this once; `digest` is what is kept of the password.

    Raises `NotFound` where there is nothing of this caller's, `Gone` the second time.
    """
    row = rows.select_handover(work.db, _digest(code))
    if row is None or row.manager != work.caller.subject:
        raise NotFound(
            "no such hand-over", "引き渡しコードが違います", at="code", rule="CRD-07"
        )  # fmt: skip
    work.trail.objects.append(row.member)
    if row.shown is not None or row.ends <= work.now:
        raise Gone(
            "it was shown already, or its time is over: ask the operator for another",
            "表示済みか期限切れです。運営者に再発行を依頼してください", at="code", rule="CRD-07",
        )  # fmt: skip
    binding.require_alive(work, row.member)
    rows.show_handover(work.db, row.code, work.now)
    issued = passwords.give(work, row.member, digest, holds=holds)
    binding.note(work, row.member, "password-handed-over", "manager", row.manager)
    return issued


def forget(db: Connection, now: datetime) -> None:
    """Drop hand-overs that ended long ago."""
    rows.delete_ended(db, now - _REMEMBERED)


def _digest(code: str) -> str:
    return hashlib.sha256(code.strip().encode("utf-8", "replace")).hexdigest()
