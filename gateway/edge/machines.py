"""The machine door: routes of `INTERFACES.md` section 3; a client certificate is required.

SOAP endpoints are found in a table before any router looks, because every query passes here.
"""

from collections.abc import Awaitable, Callable, Collection, Mapping

from gateway.edge.answers import Receive, Scope, Send, answer, header
from gateway.edge.authn import Authenticator
from gateway.edge.soap import SoapDoor

Endpoint = Callable[[Scope, Receive, Send], Awaitable[None]]

SOAP_PATHS = ("/pix", "/pix/consumer", "/pdq", "/xcpd", "/xca/query", "/xca/retrieve",
              "/registry", "/repository", "/uploads/soap")  # fmt: skip
"Every SOAP door; one whose transaction is not built answers ActionNotSupported."


def is_our_host(scope: Scope, names: Collection[str]) -> bool:
    """The Host header names us, whatever the port (C-03); framing let only one through."""
    host = header(scope, b"host")
    name, colon, port = host.rpartition(":")
    return (name if colon and port.isdigit() else host).lower() in names


class MachineDoor:
    """Everything that is not one of our paths is 400, 403, 404 or 405."""

    def __init__(
        self,
        *,
        soap: SoapDoor,
        others: Mapping[str, Endpoint],
        names: Collection[str],
        authenticator: Authenticator,
        wsdl: Callable[[str, str], bytes],
        new_id: Callable[[], str],
    ) -> None:
        self._soap = soap
        self._names = frozenset(name.lower() for name in names)
        self._authenticator = authenticator
        self._wsdl = wsdl
        self._new_id = new_id
        self._paths = frozenset(SOAP_PATHS)
        self._others = others

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        path, method = scope["path"], scope["method"]
        if not is_our_host(scope, self._names):
            self._soap.refuse_host(scope)
            await answer(send, 400, headers=[("Connection", "close")])
        elif path not in self._paths:
            await self._other(path)(scope, receive, send)
        elif method == "POST":
            await self._soap(scope, receive, send)
        elif method == "GET":
            await self._describe(scope, send, path)
        else:
            await self._turn_away(scope, send, 405)

    async def _turn_away(self, scope: Scope, send: Send, status: int) -> None:
        """404 or 405, recorded; 403 to machines that we do not know."""
        peer = self._authenticator.peer(scope["state"]["client"], self._new_id())
        status = 403 if peer is None else status
        self._soap.turned_away(scope, peer, status)
        headers = [("Allow", "GET, POST")] if status == 405 else []
        await answer(send, status, headers=headers)

    async def _describe(self, scope: Scope, send: Send, path: str) -> None:
        """`GET …?wsdl`."""
        known = self._authenticator.peer(scope["state"]["client"], self._new_id()) is not None
        if not known or scope["query_string"].lower() != b"wsdl":
            await self._turn_away(scope, send, 404)
        else:
            body = self._wsdl(path, f"https://{header(scope, b'host')}{path}")
            await answer(send, 200, body, media="text/xml; charset=UTF-8")

    def _other(self, path: str) -> Endpoint:
        """What answers a path; a key that ends in a slash stands for everything below it."""
        first, slash, _ = path[1:].partition("/")
        return self._others.get(f"/{first}{slash}", self._nothing_here)

    async def _nothing_here(self, scope: Scope, receive: Receive, send: Send) -> None:
        """404, or 405 for methods that only upload paths know; 403 to those we do not know."""
        known = scope["method"] in ("GET", "HEAD", "POST")
        await self._turn_away(scope, send, 404 if known else 405)
