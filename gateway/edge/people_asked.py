"""What requests at the people door carry: cookies, the token of a change, forms (K-04, K-05)."""

import hashlib
import hmac
from http.cookies import CookieError, SimpleCookie
from urllib.parse import parse_qs, parse_qsl

import orjson

from gateway.edge.answers import BodyRefused, Receive, Scope, declared_length, header, read_body
from gateway.edge.protocol import Client
from gateway.errors import Invalid, Unauthenticated
from gateway.record.handling import Handling

COOKIE, ATTEMPT = "__Host-session", "__Host-login"
_BODY = 4096


def token(cookie: str) -> str:
    """What a change must bring beside the cookie: another origin cannot know it (K-05)."""
    return hmac.new(cookie.encode(), b"change", hashlib.sha256).hexdigest()


def handling(scope: Scope) -> Handling:
    """What is wanted: `?purpose=view` (as without it), `save` or `print`."""
    try:
        asked = parse_qs(
            scope["query_string"].decode("ascii"), strict_parsing=True, keep_blank_values=True
        )
    except ValueError:
        asked = {} if not scope["query_string"] else {"": []}
    words = asked.pop("purpose", [Handling.VIEW.value])
    found = [one for one in Handling if [one.value] == words]
    if asked or not found:
        raise Invalid(
            "purpose is view, save or print", "purpose は view、save、print のいずれかです",
            at="purpose",
        )  # fmt: skip
    return found[0]


def client_of(scope: Scope) -> Client:
    """The other end of the connection."""
    client: Client = scope["state"]["client"]
    return client


def session_cookie(scope: Scope) -> str:
    """The session's cookie; raises `Unauthenticated` where there is none."""
    value = read_cookie(scope, COOKIE)
    if not value:
        raise Unauthenticated("not logged in", "ログインしていません", log="COOKIE")
    return value


def read_cookie(scope: Scope, name: str) -> str:
    """The value of a cookie; empty where there is none."""
    try:
        found = SimpleCookie(header(scope, b"cookie")).get(name)
    except CookieError:
        found = None
    return "" if found is None else found.value


def is_own(scope: Scope) -> bool:
    """Whether a change comes from a page of ours, or from no page at all (K-05)."""
    origin, site = header(scope, b"origin"), header(scope, b"sec-fetch-site")
    if origin and origin.lower() != f"https://{header(scope, b'host')}".lower():
        return False
    return site in ("", "none", "same-origin")


async def account(scope: Scope, receive: Receive) -> str | None:
    """The account that the caller says to be: `{"user": …}`, or nothing."""
    body = await _body(scope, receive, "application/json")
    if not body:
        return None
    try:
        value = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise BodyRefused(400) from error
    if not isinstance(value, dict) or value.keys() - {"user"}:
        raise BodyRefused(422)
    user = value.get("user")
    if user is not None and not isinstance(user, str):
        raise BodyRefused(422)
    return user


async def chosen(scope: Scope, receive: Receive) -> str:
    """The client id that a form names, or nothing: `client=…`."""
    body = await _body(scope, receive, "application/x-www-form-urlencoded")
    try:
        fields = parse_qsl(
            body.decode("ascii"), keep_blank_values=True, strict_parsing=bool(body),
            errors="strict", max_num_fields=1,
        )  # fmt: skip
    except ValueError as error:
        raise BodyRefused(400) from error
    if any(name != "client" for name, _ in fields):
        raise BodyRefused(422)
    return fields[0][1] if fields else ""


async def _body(scope: Scope, receive: Receive, media: str) -> bytes:
    """A short body of this kind, or none."""
    length = declared_length(scope) if _has_body(scope) else 0
    body = await read_body(receive, _BODY, length)
    if body and header(scope, b"content-type").partition(";")[0].strip() != media:
        raise BodyRefused(415)
    return body


def _has_body(scope: Scope) -> bool:
    return bool(header(scope, b"content-length") or header(scope, b"transfer-encoding"))
