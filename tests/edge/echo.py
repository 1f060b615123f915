"""A server process for the tests of the protocol: one door, an application that tells what came."""

import json
import sys
from pathlib import Path

from gateway.edge import server
from gateway.edge.answers import Receive, Scope, Send, answer_early, answer_json, read_body
from gateway.edge.protocol import Client
from gateway.edge.tls import Revocations, server_context
from gateway.settings import HttpSettings, LimitSettings, TlsSettings

SEEN: list[dict[str, object]] = []
REFUSED: list[list[object]] = []


async def application(scope: Scope, receive: Receive, send: Send) -> None:
    """Every request is told back; `/seen` tells all of them and every refusal."""
    path = scope["path"]
    if path == "/seen":
        await answer_json(send, 200, {"seen": SEEN, "refused": REFUSED})
        return
    SEEN.append({"method": scope["method"], "path": path})
    if path == "/early":
        await answer_early(send, receive, 413)
        return
    body = await read_body(receive, 10_000_000, None)
    client: Client = scope["state"]["client"]
    told = {"path": path, "size": len(body), "body": body[:100].decode("latin-1"),
            "certificate": client.sha256}  # fmt: skip
    await answer_json(send, 200, told)


def main() -> None:
    """`echo.py '{"limits": {…}, "tls": {…}}'`."""
    given = json.loads(sys.argv[1])
    tls = None
    revocations = Revocations(None)
    if "tls" in given:
        files = {name: Path(value) for name, value in given["tls"].items() if name != "minimum"}
        settings = TlsSettings(**files, minimum=given["tls"].get("minimum", "1.3"))
        tls = server_context(settings, client=True)
        revocations = Revocations(settings.crl)
        revocations.guard(tls)
        revocations.refresh()
    socket = server.bind("127.0.0.1", 0)
    server.serve(
        [server.Listener(app=application, socket=socket, tls=tls)],
        http=HttpSettings(drain_seconds=5),
        limits=LimitSettings(**given.get("limits", {})),
        ready=lambda: print(socket.getsockname()[1], flush=True),  # noqa: T201
        refused=lambda client, code, status: REFUSED.append([code, status]),
    )


if __name__ == "__main__":
    main()
