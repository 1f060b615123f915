"""Logging in at an OpenID provider: an account there becomes a session here (SIG-03, SIG-04).

The browser is sent to the provider with one secret of its own in a cookie, of which `state`,
`nonce` and the code verifier are made; it comes back once, within ten minutes. What the provider
says counts as far as `wire.id_token` believes it; who the account belongs to is what the
secretariat registered.
"""

import hmac
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from gateway.audit.door import tried
from gateway.edge.logins import Begun, Logins
from gateway.edge.protocol import Client
from gateway.edge.provider import Conversation
from gateway.errors import Invalid, NotPermitted, Unauthenticated
from gateway.members import accounts, attempts
from gateway.members.accounts import Account
from gateway.model.audit import EventKind
from gateway.model.caller import LevelOfAssurance
from gateway.store.work import Work
from gateway.wire import oidc
from gateway.wire.id_token import Identity
from gateway.wire.oidc import Attempt

_SECRET = re.compile(r"[A-Za-z0-9_-]{1,128}", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sent:
    """A browser on its way to the provider."""

    address: str
    secret: str
    "Value of the cookie that it must bring back; kept nowhere else."


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountLogins:
    """Sends browsers to the provider, and lets in who comes back."""

    logins: Logins
    conversation: Conversation
    assurance: Mapping[str, LevelOfAssurance]
    "How surely each `acr` says who it is; the empty one is of tokens that state none."
    new_secret: Callable[[], str]

    @property
    def client_ids(self) -> tuple[str, ...]:
        """The provider's ways to log in."""
        return tuple(self.conversation.provider.clients)

    def begin(self, client: Client, client_id: str) -> Sent:
        """Send a browser to log in; the first client id where none is named.

        Raises `Invalid` where it is not one of ours, `Busy` where the provider does not answer,
        `Unauthenticated` where what it says of itself does not hold; these are recorded.
        """
        chosen = client_id or self.client_ids[0]
        if chosen not in self.client_ids:
            raise Invalid("no such way to log in", "指定のログイン方法はありません", at="client")
        attempt = Attempt(self.new_secret())
        door = self.logins.door
        address = tried(lambda: self.conversation.address(attempt, chosen))
        if isinstance(address, Exception):
            with door.work(EventKind.LOGIN, self.logins.stranger(client)) as work:
                work.trail.detail |= {"issuer": self.conversation.provider.issuer}
                raise address
        now = self.logins.clock()
        door.keep(lambda db: attempts.begin(db, attempt.state, chosen, now))
        return Sent(address=address, secret=attempt.secret)

    def finish(self, client: Client, secret: str, query: bytes) -> Begun:
        """Log in who came back; whatever becomes of it, the attempt is used up and recorded.

        Raises `Unauthenticated` where the answer does not hold, `NotPermitted` where the account is
        nobody's or the user or facility is suspended, `Busy` where the provider does not answer.
        """
        stranger = self.logins.stranger(client)
        noted: dict[str, Any] = {"issuer": self.conversation.provider.issuer}
        # The provider is asked before the Work: nothing of the database waits for it.
        found = tried(lambda: self._identity(secret, query, noted))
        try:
            with self.logins.door.work(EventKind.LOGIN, stranger) as work:
                work.trail.detail.update(noted)
                if isinstance(found, Exception):
                    raise found
                return self._enter(work, client, found)
        except NotPermitted as refusal:
            if refusal.rule == "SIG-04":
                self.logins.incident(stranger, noted, refusal)
            raise

    def _identity(self, secret: str, query: bytes, noted: dict[str, Any]) -> Identity:
        """Whom the provider vouches for; `noted` is what the trail keeps of it."""
        answer = oidc.read_answer(query)
        attempt = Attempt(secret if _SECRET.fullmatch(secret) else "")
        begun = None
        if attempt.secret and hmac.compare_digest(answer.state.encode(), attempt.state.encode()):
            now = self.logins.clock()
            begun = self.logins.door.keep(lambda db: attempts.use_up(db, answer.state, now))
        if begun is None or begun.client_id not in self.client_ids:
            raise Unauthenticated(
                "the log-in took too long, or was begun elsewhere: begin again",
                "時間切れか、別の画面で始めたログインです。最初からやり直してください",
                at="state", rule="K-05", log="LOGIN-FAIL",
            )  # fmt: skip
        noted["client_id"] = begun.client_id
        identity = self.conversation.redeem(answer, attempt, begun.client_id)
        since = identity.authenticated
        noted |= {
            "account": self._account(identity).key, "acr": identity.acr,
            "algorithm": identity.algorithm, "key": identity.key_id,
            "authenticated": None if since is None else since.isoformat(),
        }  # fmt: skip
        return identity

    def _enter(self, work: Work, client: Client, identity: Identity) -> Begun:
        level = self.assurance.get(identity.acr)
        if level is None:
            raise Unauthenticated(
                "this way to log in at the log-in service is not accepted here: choose another",
                "認証サービスでのこの認証方法は使えません。別の方法を選んでください",
                at="acr", rule="SIG-03", log="LOGIN-FAIL",
            )  # fmt: skip
        account = self._account(identity)
        user = accounts.holder(work, account)
        if user is None:
            raise NotPermitted(
                "the account is not registered: ask the secretariat",
                "登録されていないアカウントです。事務局に届け出てください",
                at="account", rule="SIG-04", log="LOGIN-FAIL",
            )  # fmt: skip
        return self.logins.let_in(work, client, user, level, account=account.key)

    def _account(self, identity: Identity) -> Account:
        provider = self.conversation.provider
        return Account(
            issuer=provider.issuer, claim=provider.subject_claim, subject=identity.subject
        )
