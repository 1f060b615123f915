"""The people door: `INTERFACES.md` section 4. Login and the pages behind it are not built yet.

So nobody is logged in here: everything that would show data answers 401, everything else 404.
No path of this door reads a record.
"""

from collections.abc import Awaitable, Callable, Collection
from typing import Any

from starlette.routing import Route, Router

from gateway.edge.answers import Receive, Scope, Send, answer, answer_json
from gateway.edge.machines import is_our_host

_OPENAPI: dict[str, Any] = {
    "openapi": "3.1.0",
    "info": {"title": "Regional gateway: administration", "version": "1"},
    "paths": {
        "/login": {
            "get": {
                "summary": "Ways to log in; empty while none is configured.",
                "responses": {"200": {"description": "The ways."}},
            },
            "post": {
                "summary": "Log in.",
                "responses": {"401": {"description": "Not logged in."}},
            },
        },
        "/records/{shared_id}": {
            "get": {
                "summary": "The shared record of one person.",
                "parameters": [
                    {
                        "name": "shared_id",
                        "in": "path",
                        "required": True,
                        "schema": {"type": "string"},
                    }
                ],
                "responses": {"401": {"description": "Not logged in."}},
            }
        },
        "/admin/openapi.json": {
            "get": {
                "summary": "This document.",
                "responses": {"200": {"description": "OpenAPI 3.1."}},
            }
        },
    },
}
_SAFE = (
    ("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'"),
    ("Referrer-Policy", "no-referrer"),
)
Endpoint = Callable[[Scope, Receive, Send], Awaitable[None]]


class PeopleDoor:
    """TLS without client certificate."""

    def __init__(self, names: Collection[str]) -> None:
        self._names = frozenset(name.lower() for name in names)
        self._router = Router(
            routes=[
                Route("/login", _App(_login), methods=["GET", "POST"]),
                Route("/admin/openapi.json", _App(_openapi), methods=["GET"]),
                Route("/admin/{path:path}", _App(_not_logged_in)),
                Route("/records/{path:path}", _App(_not_logged_in)),
            ],
            redirect_slashes=False,
            default=_App(_nothing_here),
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if is_our_host(scope, self._names):
            await self._router(scope, receive, send)
        else:
            await answer(send, 400, headers=[*_SAFE, ("Connection", "close")])


class _App:
    """A function as an ASGI application, so that the router does not wrap it."""

    def __init__(self, endpoint: Endpoint) -> None:
        self._endpoint = endpoint

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._endpoint(scope, receive, send)


async def _login(scope: Scope, receive: Receive, send: Send) -> None:
    """No way to log in is built: say so to GET, refuse POST with one text for all (K-01)."""
    if scope["method"] == "POST":
        await answer_json(send, 401, {"error": "not logged in"}, headers=_SAFE)
    else:
        await answer_json(send, 200, {"ways": []}, headers=_SAFE)


async def _openapi(scope: Scope, receive: Receive, send: Send) -> None:
    await answer_json(send, 200, _OPENAPI, headers=_SAFE)


async def _not_logged_in(scope: Scope, receive: Receive, send: Send) -> None:
    await answer_json(send, 401, {"error": "not logged in"}, headers=_SAFE)


async def _nothing_here(scope: Scope, receive: Receive, send: Send) -> None:
    await answer(send, 404, headers=_SAFE)
