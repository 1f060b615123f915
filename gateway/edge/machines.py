"""The machine door: routes of `INTERFACES.md` section 3 as one plain ASGI application."""

from collections.abc import Awaitable, Callable, Collection, MutableMapping
from typing import Any

from gateway.edge.answers import Receive, Send, answer
from gateway.edge.authn import Authenticator
from gateway.edge.soap import SoapDoor

Scope = MutableMapping[str, Any]
Route = Callable[[Scope, Receive, Send], Awaitable[None]]

SOAP_PATHS = ("/pix", "/pix/consumer", "/pdq", "/xcpd", "/xca/query", "/xca/retrieve",
              "/registry", "/repository")  # fmt: skip
"Every SOAP door; one whose transaction is not built answers ActionNotSupported."


class MachineDoor:
    """Client certificate required; everything else is 400, 403, 404 or 405."""

    def __init__(
        self,
        *,
        soap: SoapDoor,
        names: Collection[str],
        authenticator: Authenticator,
        wsdl: Callable[[str, str], bytes],
        new_id: Callable[[], str],
    ) -> None:
        self._soap = soap
        self._names = frozenset(names)
        self._authenticator = authenticator
        self._wsdl = wsdl
        self._new_id = new_id
        self._paths = frozenset(SOAP_PATHS)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            return
        if not self._is_our_host(scope):
            await answer(send, 400)
            return
        path, method = scope["path"], scope["method"]
        if path not in self._paths:
            await self._nothing_here(scope, send)
        elif method == "POST":
            await self._soap(scope, receive, send, path)
        elif method == "GET":
            await self._describe(scope, send, path)
        else:
            await answer(send, 405, headers=[("Allow", "GET, POST")])

    async def _describe(self, scope: Scope, send: Send, path: str) -> None:
        """`GET …?wsdl`."""
        if self._authenticator.peer(scope, self._new_id()) is None:
            await answer(send, 403)
        elif scope["query_string"].lower() != b"wsdl":
            await answer(send, 404)
        else:
            host = next(value for name, value in scope["headers"] if name == b"host")
            body = self._wsdl(path, f"https://{host.decode('latin-1')}{path}")
            await answer(send, 200, body, media="text/xml; charset=UTF-8")

    async def _nothing_here(self, scope: Scope, send: Send) -> None:
        """404 to those we know, 403 to others: the paths are nobody else's business."""
        known = self._authenticator.peer(scope, self._new_id()) is not None
        await answer(send, 404 if known else 403)

    def _is_our_host(self, scope: Scope) -> bool:
        """Exactly one Host header, of the allowed list, whatever the port (C-03)."""
        hosts = [value for name, value in scope["headers"] if name == b"host"]
        if len(hosts) != 1:
            return False
        host = hosts[0].decode("latin-1")
        name = host.rpartition(":")[0] if host.rpartition(":")[2].isdigit() else host
        return name in self._names
