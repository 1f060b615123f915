"""What binding a card and binding an account share: who may, whom, and what the register keeps."""

from gateway.errors import Inconsistent, Invalid, NotPermitted
from gateway.members import users
from gateway.members.users import State
from gateway.model.caller import CallerKind
from gateway.store import logins as rows
from gateway.store import members as member_rows
from gateway.store.work import Work


def require_operator(work: Work) -> None:
    """Raise `NotPermitted` unless the secretariat is there."""
    if work.caller.kind is not CallerKind.OPERATOR:
        raise NotPermitted(
            "only the operator binds cards and accounts", "事務局のみが登録できます",
            rule="SIG-04", log="AUTHZ-DENY",
        )  # fmt: skip


def require_alive(work: Work, name: str) -> None:
    """Raise `NotFound` or `Inconsistent` unless there is such a user who has not ended."""
    if users.find(work, name).state is State.ENDED:
        raise Inconsistent("the user has ended", "終了した利用者です", at="user")


def require_reason(reason: str) -> None:
    """Raise `Invalid` where no reason is given."""
    if not reason.strip():
        raise Invalid("give a reason", "理由が必要です", at="reason")


def end_sessions(work: Work, name: str, proof: str, key: str) -> None:
    """End the sessions of a user that a card or an account began; `proof` says which kind."""
    for session in rows.select_sessions(work.db, name):
        if session.content.get(proof) == key:
            rows.delete_session(work.db, session.token)


def note(work: Work, name: str, what: str, proof: str, key: str, reason: str = "") -> None:
    """Keep in the register and in the trail what was bound or taken away."""
    member_rows.insert_event(
        work.db, at=work.now, subject=name, what=what,
        actor=f"{work.caller.facility}/{work.caller.subject}",
        content={"reason": reason, proof: key},
    )  # fmt: skip
    work.trail.detail["registry"] = what
    work.trail.objects.append(name)
