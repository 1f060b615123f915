"""Users: one id per person, at one facility, with one position (USR-01)."""

import re
from dataclasses import dataclass, replace
from enum import Enum
from typing import Any

from gateway.errors import Inconsistent, Invalid, NotFound, NotPermitted
from gateway.members import facilities
from gateway.model.caller import Caller, CallerKind, LevelOfAssurance
from gateway.model.identifiers import Oid
from gateway.store import credentials, logins
from gateway.store import members as rows
from gateway.store.work import Work

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}", re.ASCII)


class State(Enum):
    """States of a user (section 4), as far as they are built."""

    ACTIVE = "active"
    SUSPENDED = "suspended"
    ENDED = "ended"


@dataclass(frozen=True, slots=True, kw_only=True)
class User:
    """One registered person at a facility."""

    name: str
    facility: str
    position: str
    "Position, as `access.positions` of the network policy lists them."
    title: str = ""
    "What people call them."
    state: State = State.ACTIVE


def is_name(text: str) -> bool:
    """Whether a text could be a user's name at all."""
    return _NAME.fullmatch(text) is not None


def register(work: Work, *, name: str, facility: str, position: str, title: str = "") -> User:
    """Register a user of an active facility (USR-01, ACC-03)."""
    _require_operator(work)
    if not is_name(name):
        raise Invalid("a user's name is letters and digits", "利用者IDの形式が違います", at="name")
    if not facilities.find(work, facility).is_active:
        raise Inconsistent("the facility is not active", "施設が有効ではありません", rule="ACC-03")
    _require_position(work, position)
    taken = credentials.select_id(work.db, name.lower()) is not None
    if taken or rows.select_member(work.db, name) is not None:
        raise Inconsistent("a user of this name exists", "登録済みの利用者IDです", at="name")
    user = User(name=name, facility=facility, position=position, title=title)
    content = {"title": title}
    rows.insert_member(work.db, rows.MemberRow(name, facility, position, user.state.value, content))
    _event(work, name, "registered")
    return user


def change(
    work: Work, name: str, *, position: str | None = None, title: str | None = None, reason: str
) -> User:
    """Change what is registered of a user; what is not given stays (USR-02)."""
    _require_operator(work)
    user = _alive(work, name, reason)
    if position is not None:
        _require_position(work, position)
    after = replace(
        user,
        position=user.position if position is None else position,
        title=user.title if title is None else title,
    )
    row = rows.MemberRow(
        name, user.facility, after.position, user.state.value, {"title": after.title}
    )
    rows.update_member(work.db, row)
    _event(work, name, "changed", reason)
    return after


def suspend(work: Work, name: str, *, reason: str) -> User:
    """Stop a user, on the next request (CRD-08)."""
    return _move(work, name, State.SUSPENDED, reason)


def resume(work: Work, name: str, *, reason: str) -> User:
    """Let a user act again."""
    return _move(work, name, State.ACTIVE, reason)


def end(work: Work, name: str, *, reason: str) -> User:
    """End a user for good; the name is never given again (USR-05)."""
    return _move(work, name, State.ENDED, reason)


def find(work: Work, name: str) -> User:
    """One user; raises `NotFound`."""
    row = rows.select_member(work.db, name)
    if row is None:
        raise NotFound("no such user", "利用者が登録されていません", at="user")
    return _user(row)


def every(work: Work) -> list[User]:
    """Every user, in the order of names."""
    return [_user(row) for row in rows.select_members(work.db)]


def caller(
    work: Work, name: str, *, domains: frozenset[Oid], purpose: str = "TREATMENT", request: str = ""
) -> Caller:
    """The caller that this user is; raises `NotPermitted` unless user and facility are active."""
    user = find(work, name)
    facility = facilities.find(work, user.facility)
    if user.state is not State.ACTIVE or not facility.is_active:
        raise NotPermitted(
            "the user or the facility is not active",
            "利用者または施設が有効ではありません",
            rule="ACC-03",
            log="AUTHZ-DENY",
        )
    return Caller(
        network=work.policy.network, kind=CallerKind.USER, facility=facility.name,
        facility_type=facility.type, subject=user.name, role=user.position, purpose=purpose,
        assurance=LevelOfAssurance.LOCAL, domains=domains, request=request,
    )  # fmt: skip


def _move(work: Work, name: str, state: State, reason: str) -> User:
    _require_operator(work)
    _alive(work, name, reason)
    rows.update_member_state(work.db, name, state.value)
    if state is not State.ACTIVE:
        logins.delete_sessions(work.db, name)
    _event(work, name, state.value, reason)
    return find(work, name)


def history(work: Work, name: str) -> list[dict[str, Any]]:
    """Every transition of one user, oldest first."""
    return [
        {"at": at, "what": what, "by": actor, **content}
        for at, what, actor, content in rows.select_events(work.db, name)
    ]


def _alive(work: Work, name: str, reason: str) -> User:
    """The user, if there is a reason to change it and it has not ended (USR-05)."""
    if not reason.strip():
        raise Invalid("give a reason", "理由が必要です", at="reason")
    user = find(work, name)
    if user.state is State.ENDED:
        raise Inconsistent("the user has ended", "終了した利用者です", at="user")
    return user


def _require_position(work: Work, position: str) -> None:
    positions = work.policy.access.positions
    if positions and position not in positions:
        raise Invalid(
            f"unknown position: possible are {', '.join(sorted(positions))}",
            "職種が不明です",
            at="position",
        )


def _require_operator(work: Work) -> None:
    if work.caller.kind is not CallerKind.OPERATOR:
        raise NotPermitted(
            "only the operator registers users", "事務局のみが登録できます", rule="USR-02",
            log="AUTHZ-DENY",
        )  # fmt: skip


def _user(row: rows.MemberRow) -> User:
    return User(
        name=row.name, facility=row.facility, position=row.position, state=State(row.state),
        title=row.content["title"],
    )  # fmt: skip


def _event(work: Work, subject: str, what: str, reason: str = "") -> None:
    rows.insert_event(
        work.db, at=work.now, subject=subject, what=what,
        actor=f"{work.caller.facility}/{work.caller.subject}", content={"reason": reason},
    )  # fmt: skip
    work.trail.detail["registry"] = f"user-{what}"
    work.trail.objects.append(subject)
