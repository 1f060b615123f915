"""The people door: `INTERFACES.md` section 4: log-in, the session, and one person's shared record.

Everything that would show data answers 401 to who is not logged in; what may not be seen looks as
what is not there (G8). Every change wants its token and an Origin of our own (K-05).
"""

import asyncio
import hmac
import logging
from collections.abc import Awaitable, Callable, Collection
from concurrent.futures import Executor
from typing import Any, TypeVar

from starlette.routing import Route, Router

from gateway.audit.door import Defect
from gateway.edge import people_asked as asked
from gateway.edge import people_pages
from gateway.edge.answers import (
    BodyRefused,
    Receive,
    Scope,
    Send,
    answer,
    answer_file,
    answer_json,
    header,
)
from gateway.edge.limits import Rate
from gateway.edge.logins import Begun, Logins
from gateway.edge.machines import is_our_host
from gateway.edge.metrics import Metrics
from gateway.edge.oidc_settings import CALLBACK
from gateway.edge.password_logins import Given
from gateway.edge.people_api import OPENAPI
from gateway.edge.people_ways import AccountDoor, Late, PasswordDoor
from gateway.edge.refusals import STATUS, headers_of, told
from gateway.errors import Refusal, Unauthenticated
from gateway.members.attempts import LIFETIME
from gateway.members.sessions import Session
from gateway.record.handling import Handling
from gateway.wire import fhir, fhir_reference

logger = logging.getLogger(__name__)
_Value = TypeVar("_Value")
TOKEN = b"x-csrf-token"
_SAFE = (
    ("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'"),
    ("Referrer-Policy", "no-referrer"),
)
_SHUT = (
    ("Content-Security-Policy", "default-src 'none'; sandbox; frame-ancestors 'none'"),
    ("Referrer-Policy", "no-referrer"),
)
"Of a document: whatever acts in it does nothing."
_DOCUMENT = "/records/{patient}/documents/{document}"
_ATTRIBUTES = "Path=/; Secure; HttpOnly; SameSite=Strict"
# It must come along when the provider sends the browser back, and is worth nothing by itself.
_PASSING = "Path=/; Secure; HttpOnly; SameSite=Lax"
Endpoint = Callable[[Scope, Receive, Send], Awaitable[None]]


class PeopleDoor:
    """TLS with a doctor's card, or without a client certificate."""

    def __init__(
        self,
        names: Collection[str],
        *,
        logins: Logins,
        accounts: AccountDoor | None,
        passwords: PasswordDoor | None,
        metrics: Metrics,
        rate: Rate,
        pool: Executor,
        new_id: Callable[[], str],
    ) -> None:
        self._names = frozenset(name.lower() for name in names)
        self._logins = logins
        self._accounts = accounts
        self._passwords = passwords
        self._metrics = metrics
        self._rate = rate
        self._pool = pool
        self._new_id = new_id
        self._router = Router(
            routes=[
                Route("/login", _App(self._ways), methods=["GET"]),
                Route("/login", _App(self._log_in), methods=["POST"]),
                Route("/login/oidc", _App(self._send_away), methods=["POST"]),
                Route(CALLBACK, _App(self._come_back), methods=["GET"]),
                Route("/password", _App(self._choose), methods=["POST"]),
                Route("/handover", _App(self._hand_over), methods=["POST"]),
                Route("/logout", _App(self._log_out), methods=["POST"]),
                Route("/session", _App(self._session), methods=["GET"]),
                Route("/records/{patient}", _App(self._record), methods=["GET"]),
                Route(_DOCUMENT, _App(self._document), methods=["GET"]),
                Route(_DOCUMENT + "/fhir", _App(self._described), methods=["GET"]),
                Route("/admin/openapi.json", _App(_openapi), methods=["GET"]),
                Route("/admin/{path:path}", _App(_not_logged_in)),
                Route("/records/{path:path}", _App(_not_logged_in)),
            ],
            redirect_slashes=False,
            default=_App(_nothing_here),
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if not is_our_host(scope, self._names):
            await answer(send, 400, headers=[*_SAFE, ("Connection", "close")])
            return
        try:
            await self._router(scope, receive, send)
        except BodyRefused as refused:
            await answer(send, refused.status, headers=[*_SAFE, ("Connection", "close")])
        except Late as late:
            await self._may_after(late.seconds, send)
        except Refusal as refusal:
            await self._refuse(refusal, scope, send)
        except Exception as error:
            incident = error.incident if isinstance(error, Defect) else self._new_id()[:8]
            if not isinstance(error, Defect):
                logger.error("incident %s at the people door: %s", incident, type(error).__name__)
            value = {"error": "internal error", "incident": incident}
            await answer_json(send, 500, value, headers=_SAFE)

    async def _ways(self, scope: Scope, receive: Receive, send: Send) -> None:
        """The ways to log in, and whether this connection shows a card."""
        if asked.wants_page(scope):
            await self._page(send, 200, self._log_in_page())
            return
        shown = bool(asked.client_of(scope).certificate)
        value: dict[str, Any] = {"ways": self._every_way, "card": shown}
        if self._accounts is not None:
            value["clients"] = self._client_ids
        await answer_json(send, 200, value, headers=_SAFE)

    @property
    def _every_way(self) -> tuple[str, ...]:
        oidc = () if self._accounts is None else ("oidc",)
        password = () if self._passwords is None else ("password",)
        return (*self._logins.ways, *oidc, *password)

    @property
    def _client_ids(self) -> tuple[str, ...]:
        return () if self._accounts is None else self._accounts.logins.client_ids

    def _log_in_page(self, said: tuple[str, ...] = ()) -> bytes:
        return people_pages.log_in(self._every_way, self._client_ids, said)

    async def _page(self, send: Send, status: int, body: bytes, *more: tuple[str, str]) -> None:
        origins = () if self._accounts is None else self._accounts.origins
        headers = [
            ("Content-Security-Policy", people_pages.policy(origins)), _SAFE[1], *more,
        ]  # fmt: skip
        await answer(send, status, body, media="text/html; charset=utf-8", headers=headers)

    async def _log_in(self, scope: Scope, receive: Receive, send: Send) -> None:
        """A session, by the card of this connection or by the password that comes."""
        client = asked.client_of(scope)
        if not asked.is_own(scope):
            await self._turn_away(send, 403, "CSRF")
            return
        given = await asked.typed(scope, receive, ("user", "password"))
        if "password" in given:
            await self._log_in_by_password(scope, send, given)
            return
        known = client.sha256 or client.address
        if not await self._may(self._rate, known, send):
            return
        begun = await self._run(lambda: self._logins.enter(client, given.get("user")))
        self._rate.give_back(known)  # only what fails counts (K-01)
        await self._begin(begun, scope, send)

    async def _log_in_by_password(self, scope: Scope, send: Send, given: dict[str, str]) -> None:
        one, door, client = _given(given), self._password_door(), asked.client_of(scope)
        begun = await door.attempt(client, one, lambda: door.logins.enter(client, one))
        await self._begin(begun, scope, send)

    async def _choose(self, scope: Scope, receive: Receive, send: Send) -> None:
        """A password of one's own, in the place of the present one; nobody is logged in by it."""
        client = asked.client_of(scope)
        if not asked.is_own(scope):
            await self._turn_away(send, 403, "CSRF")
            return
        given = await asked.typed(scope, receive, ("user", "password", "new", "new_user"))
        if "new" not in given:
            raise BodyRefused(422)
        one, door, new = _given(given), self._password_door(), given["new"]
        another = given.get("new_user", "")
        await door.attempt(client, one, lambda: door.logins.change(client, one, new, another))
        if asked.wants_page(scope):
            said = ("パスワードを変更しました。ログインしてください", "Changed: log in now")
            await self._page(send, 200, self._log_in_page(said))
            return
        await answer(send, 204, headers=_SAFE)

    async def _hand_over(self, scope: Scope, receive: Receive, send: Send) -> None:
        """What a manager hands over to somebody, shown this once (CRD-07)."""
        cookie, client = asked.session_cookie(scope), asked.client_of(scope)
        given = await asked.typed(scope, receive, ("code", "csrf"))
        if not _is_meant(scope, cookie, given):
            await self._turn_away(send, 403, "CSRF")
            return
        door, code = self._password_door(), given.get("code", "")
        found = await self._run(lambda: door.logins.hand_over(client, cookie, code), door.pool)
        if asked.wants_page(scope):
            await self._page(send, 200, people_pages.handed_over(found))
            return
        await answer_json(send, 200, found.as_json(), headers=_SAFE)

    def _password_door(self) -> PasswordDoor:
        if self._passwords is None:
            raise Unauthenticated(
                "passwords do not log in here", "パスワードではログインできません",
                at="password", log="LOGIN-FAIL",
            )  # fmt: skip
        return self._passwords

    async def _send_away(self, scope: Scope, receive: Receive, send: Send) -> None:
        """To the OpenID provider; where the browser goes afterwards is not for a page to say."""
        accounts, client = self._accounts, asked.client_of(scope)
        if accounts is None:
            await _nothing_here(scope, receive, send)
            return
        if not asked.is_own(scope):
            await self._turn_away(send, 403, "CSRF")
            return
        chosen = (await asked.typed(scope, receive, ("client",))).get("client", "")
        if not await self._may(accounts.rate, client.address, send):
            return
        sent = await self._run(lambda: accounts.logins.begin(client, chosen), accounts.pool)
        age = int(LIFETIME.total_seconds())
        cookie = ("Set-Cookie", f"{asked.ATTEMPT}={sent.secret}; {_PASSING}; Max-Age={age}")
        await answer(send, 303, headers=[*_SAFE, cookie, ("Location", sent.address)])

    async def _come_back(self, scope: Scope, receive: Receive, send: Send) -> None:
        """A session, where the provider vouches for the account of a registered user."""
        accounts, client = self._accounts, asked.client_of(scope)
        if accounts is None:
            await _nothing_here(scope, receive, send)
            return
        if not await self._may(self._rate, client.address, send):
            return
        secret, query = asked.read_cookie(scope, asked.ATTEMPT), bytes(scope["query_string"])
        begun = await self._run(
            lambda: accounts.logins.finish(client, secret, query), accounts.pool
        )  # fmt: skip
        self._rate.give_back(client.address)
        await self._begin(
            begun, scope, send, ("Set-Cookie", f"{asked.ATTEMPT}=; {_PASSING}; Max-Age=0")
        )

    async def _may(self, rate: Rate, known: str, send: Send) -> bool:
        """Whether this client may go on now; it hears when otherwise."""
        return await self._may_after(rate.take(known), send)

    async def _may_after(self, wait: float, send: Send) -> bool:
        if wait:
            headers = [*_SAFE, ("Retry-After", str(max(1, round(wait))))]
            self._metrics.refused("LIMIT")
            await answer(send, 429, headers=headers)
        return not wait

    async def _begin(self, begun: Begun, scope: Scope, send: Send, *more: tuple[str, str]) -> None:
        cookie = ("Set-Cookie", f"{asked.COOKIE}={begun.cookie}; {_ATTRIBUTES}")
        if asked.wants_page(scope):
            hands_over = self._passwords is not None and self._passwords.logins.hands_over
            page = people_pages.logged_in(
                begun.session, asked.token(begun.cookie), hands_over=hands_over
            )
            await self._page(send, 200, page, cookie, *more)
            return
        value = _about(begun.session, begun.cookie)
        await answer_json(send, 200, value, headers=[*_SAFE, cookie, *more])

    async def _log_out(self, scope: Scope, receive: Receive, send: Send) -> None:
        """End the session at the server."""
        cookie, client = asked.session_cookie(scope), asked.client_of(scope)
        if not _is_meant(scope, cookie, await asked.typed(scope, receive, ("csrf",))):
            await self._turn_away(send, 403, "CSRF")
            return
        await self._run(lambda: self._logins.leave(client, cookie))
        gone = ("Set-Cookie", f"{asked.COOKIE}=; {_ATTRIBUTES}; Max-Age=0")
        if asked.wants_page(scope):
            said = ("ログアウトしました", "Logged out")
            await self._page(send, 200, self._log_in_page(said), gone)
            return
        await answer(send, 204, headers=[*_SAFE, gone])

    async def _session(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Who is logged in."""
        cookie, client = asked.session_cookie(scope), asked.client_of(scope)
        session = await self._run(lambda: self._logins.session(client, cookie))
        await answer_json(send, 200, _about(session, cookie), headers=_SAFE)

    async def _record(self, scope: Scope, receive: Receive, send: Send) -> None:
        """What this user sees of one person's shared record (VIEW)."""
        cookie, client = asked.session_cookie(scope), asked.client_of(scope)
        patient = scope["path_params"]["patient"]
        wanted = asked.handling(scope)
        viewed = await self._run(lambda: self._logins.view(client, cookie, patient, wanted))
        body = fhir.dumps({"items": viewed.items, "documents": viewed.documents})
        await answer(send, 200, body, media="application/json", headers=_SAFE)

    async def _document(self, scope: Scope, receive: Receive, send: Send) -> None:
        """A document to be looked at or, where that is allowed, saved or printed (HND-01)."""
        cookie, client = asked.session_cookie(scope), asked.client_of(scope)
        wanted = asked.handling(scope)
        named = scope["path_params"]
        found = await self._run(
            lambda: self._logins.document(
                client, cookie, named["patient"], named["document"], wanted
            )
        )
        kind = "attachment" if wanted is Handling.SAVE else "inline"
        await answer_file(
            send, found.path, found.entry.size, self._pool, media=found.entry.mime_type,
            headers=[*_SHUT, ("Content-Disposition", kind)],
        )  # fmt: skip

    async def _described(self, scope: Scope, receive: Receive, send: Send) -> None:
        """A document's DocumentReference, and the Provenance with its signatures (SIG-06)."""
        cookie, client = asked.session_cookie(scope), asked.client_of(scope)
        named = scope["path_params"]
        entry = await self._run(
            lambda: self._logins.described(client, cookie, named["patient"], named["document"])
        )
        body = fhir.dumps(fhir_reference.described(entry))
        await answer(send, 200, body, media="application/fhir+json", headers=_SAFE)

    async def _run(self, do: Callable[[], _Value], pool: Executor | None = None) -> _Value:
        return await asyncio.get_running_loop().run_in_executor(pool or self._pool, do)

    async def _refuse(self, refusal: Refusal, scope: Scope, send: Send) -> None:
        """A refusal in two languages; who is not logged in hears 401 (K-01)."""
        self._metrics.refused(refusal.log)
        out = isinstance(refusal, Unauthenticated)
        status = 401 if out else STATUS[type(refusal)]
        if asked.wants_page(scope):
            said = (refusal.japanese, refusal.english)
            await self._page(send, status, self._log_in_page(said), *headers_of(status))
            return
        await answer_json(
            send, status, {"error": refusal.english, "refused": told(refusal)},
            headers=[*_SAFE, *headers_of(status)],
        )  # fmt: skip

    async def _turn_away(self, send: Send, status: int, code: str) -> None:
        self._metrics.refused(code)
        await answer(send, status, headers=_SAFE)


class _App:
    """A function as an ASGI application, so that the router does not wrap it."""

    def __init__(self, endpoint: Endpoint) -> None:
        self._endpoint = endpoint

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._endpoint(scope, receive, send)


def _is_meant(scope: Scope, cookie: str, typed: dict[str, str]) -> bool:
    """Whether a change comes from a page of ours, with its token (K-05)."""
    given = header(scope, TOKEN) or typed.get("csrf", "")
    return asked.is_own(scope) and hmac.compare_digest(given.encode(), asked.token(cookie).encode())


def _given(typed: dict[str, str]) -> Given:
    """An id and a password; refused where one of them did not come."""
    if not {"user", "password"} <= typed.keys():
        raise BodyRefused(422)
    return Given(typed["user"], typed["password"])


def _about(session: Session, cookie: str) -> dict[str, Any]:
    """Who is logged in, how surely we know (SIG-03), and until when."""
    return {
        "user": session.user,
        "facility": session.caller.facility,
        "position": session.caller.role,
        "assurance": session.assurance.value,
        "roles": session.roles,
        "began": session.began,
        "ends": session.ends,
        "csrf": asked.token(cookie),
    }


async def _openapi(scope: Scope, receive: Receive, send: Send) -> None:
    await answer_json(send, 200, OPENAPI, headers=_SAFE)


async def _not_logged_in(scope: Scope, receive: Receive, send: Send) -> None:
    await answer_json(send, 401, {"error": "not logged in"}, headers=_SAFE)


async def _nothing_here(scope: Scope, receive: Receive, send: Send) -> None:
    await answer(send, 404, headers=_SAFE)
