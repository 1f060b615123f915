"""What requests at the people door carry: cookies, the token of a change, forms (K-04, K-05)."""

import hashlib
import hmac
from collections.abc import Collection
from http.cookies import CookieError, SimpleCookie
from typing import Any
from urllib.parse import parse_qs, parse_qsl

import orjson

from gateway.edge.answers import BodyRefused, Receive, Scope, declared_length, header, read_body
from gateway.edge.protocol import Client
from gateway.errors import Invalid, Unauthenticated
from gateway.record.handling import Handling

COOKIE, ATTEMPT = "__Host-session", "__Host-login"
_BODY = 4096
_FORM = "application/x-www-form-urlencoded"


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
    """Whether a change comes from a page of ours, or from no page at all (K-05).

    The forms of a page without referrer come with `Origin: null` (Fetch Standard 3.1), and are ours
    only where the browser says so by Sec-Fetch-Site.
    """
    origin, site = header(scope, b"origin"), header(scope, b"sec-fetch-site")
    if origin == "null" and site == "same-origin":
        return True
    if origin and origin.lower() != f"https://{header(scope, b'host')}".lower():
        return False
    return site in ("", "none", "same-origin")


def wants_page(scope: Scope) -> bool:
    """Whether a browser asks, rather than a program."""
    return "text/html" in header(scope, b"accept")


async def typed(scope: Scope, receive: Receive, names: Collection[str]) -> dict[str, str]:
    """What somebody typed, as a JSON object or as a form: only these names, only texts."""
    length = declared_length(scope) if _has_body(scope) else 0
    body = await read_body(receive, _BODY, length)
    if not body:
        return {}
    media = header(scope, b"content-type").partition(";")[0].strip()
    if media == _FORM:
        found = _fields(body)
    elif media == "application/json":
        found = _object(body)
    else:
        raise BodyRefused(415)
    if found.keys() - set(names) or not all(isinstance(one, str) for one in found.values()):
        raise BodyRefused(422)
    return found


def _object(body: bytes) -> dict[str, Any]:
    try:
        value = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise BodyRefused(400) from error
    if not isinstance(value, dict):
        raise BodyRefused(422)
    return value


def _fields(body: bytes) -> dict[str, str]:
    """The fields of a form, each once."""
    try:
        pairs = parse_qsl(
            body.decode("ascii"), keep_blank_values=True, strict_parsing=True, errors="strict",
            max_num_fields=8,
        )  # fmt: skip
    except ValueError as error:
        raise BodyRefused(400) from error
    found = dict(pairs)
    if len(found) != len(pairs):
        raise BodyRefused(400)
    return found


def _has_body(scope: Scope) -> bool:
    return bool(header(scope, b"content-length") or header(scope, b"transfer-encoding"))
