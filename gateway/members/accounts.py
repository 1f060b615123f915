"""Accounts at an OpenID provider: one account, one registered person (SIG-04).

An account is known by its issuer, the claim that names the practitioner, and that claim's value:
the same number under another claim, or at another provider, is another account. The secretariat
binds it; nothing is ever guessed from a name or an address.
"""

import hashlib
import re
from dataclasses import dataclass

from gateway.errors import Inconsistent, Invalid, NotFound
from gateway.members import binding, users
from gateway.members.users import User
from gateway.store import logins as rows
from gateway.store.work import Work

_MOST = 8
"Accounts that one person may have."
_SUBJECT = re.compile(r"[^\x00-\x20\x7f]{1,255}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """One account, whosever it is."""

    issuer: str
    claim: str
    "The claim that names the practitioner: `sub`, or what the provider calls the number."
    subject: str
    "Its value."

    @property
    def key(self) -> str:
        """What an account is bound by."""
        issuer = hashlib.sha256(self.issuer.encode()).hexdigest()
        return f"{issuer}/{self.claim}/{self.subject}"


def bind(work: Work, name: str, account: Account) -> Account:
    """Bind an account to a user; raises `Inconsistent` where it is somebody's already (SIG-04)."""
    binding.require_operator(work)
    if not _SUBJECT.fullmatch(account.subject):
        raise Invalid(
            "an account is 1 to 255 characters without spaces",
            "アカウントは空白を含まない1~255文字です", at="account",
        )  # fmt: skip
    binding.require_alive(work, name)
    held = rows.select_account(work.db, account.key)
    if held is not None:
        raise Inconsistent(
            "the account is bound already" if held.member == name else "the account is another's",
            "登録済みのアカウントです" if held.member == name else "他の利用者のアカウントです",
            at="account", rule="SIG-04",
        )  # fmt: skip
    if len(rows.select_accounts(work.db, name)) >= _MOST:
        raise Inconsistent(
            "the user has too many accounts", "アカウントの登録数が上限です", at="account"
        )
    content = {"issuer": account.issuer, "claim": account.claim, "subject": account.subject}
    rows.insert_account(work.db, rows.AccountRow(account.key, name, content))
    binding.note(work, name, "account-bound", "account", account.key)
    return account


def unbind(work: Work, name: str, subject: str, *, reason: str) -> Account:
    """Take an account from a user, and end what it logged in; raises `NotFound`."""
    binding.require_operator(work)
    binding.require_reason(reason)
    named = [one for one in of(work, name) if subject in (one.subject, one.key)]
    if len(named) != 1:
        raise NotFound(
            "no such account, or several: name it by its key",
            "アカウントがないか、複数あります。キーで指定してください", at="account",
        )  # fmt: skip
    (account,) = named
    rows.delete_account(work.db, account.key)
    binding.end_sessions(work, name, "account", account.key)
    binding.note(work, name, "account-unbound", "account", account.key, reason)
    return account


def of(work: Work, name: str) -> tuple[Account, ...]:
    """The accounts of one user."""
    return tuple(
        Account(
            issuer=row.content["issuer"], claim=row.content["claim"],
            subject=row.content["subject"],
        )
        for row in rows.select_accounts(work.db, name)
    )  # fmt: skip


def holder(work: Work, account: Account) -> User | None:
    """Whose account this is; None where nobody's."""
    row = rows.select_account(work.db, account.key)
    return None if row is None else users.find(work, row.member)
