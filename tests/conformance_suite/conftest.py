"""A demo gateway in its own process, and servers in its place that do not do as they should."""

import http.client
import http.server
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from gateway.demo.outside import served
from tests.served import Templates

Answer = tuple[int, dict[str, str], bytes]
"Status, headers and body."
Server = Callable[[str, str, bytes, dict[str, str]], Answer]
"Method, path, body and headers to an answer."


@pytest.fixture(scope="session")
def demo(
    tmp_path_factory: pytest.TempPathFactory, templates: Templates
) -> Iterator[tuple[Path, str]]:
    """The folder of a demo installation, and the address where it is served."""
    folder = tmp_path_factory.mktemp("demo") / "installation"
    templates.copy("sqlite", folder)
    with served(folder) as target:
        yield folder, target


def forward(folder: Path, target: str) -> Server:
    """Hand requests on to the gateway, as the machine whose door it is."""
    parts = urlsplit(target)
    pki = folder / "pki"
    contexts = {}
    for name in ("hospital-a", "neighbour-n"):
        contexts[name] = ssl.create_default_context(cafile=str(pki / "ca.pem"))
        contexts[name].load_cert_chain(
            pki / "clients" / f"{name}.pem", pki / "clients" / f"{name}.key"
        )

    def serve(method: str, path: str, body: bytes, headers: dict[str, str]) -> Answer:
        name = "neighbour-n" if path.startswith("/x") else "hospital-a"
        connection = http.client.HTTPSConnection(
            "localhost", parts.port, context=contexts[name], timeout=30
        )
        try:
            kept = {key: headers[key] for key in ("Content-Type",) if key in headers}
            connection.request(method, path, body, kept)
            response = connection.getresponse()
            found = {key: value for key, value in response.getheaders() if key in _KEPT}
            return response.status, found, response.read()
        finally:
            connection.close()

    return serve


_KEPT = {"content-type", "cache-control", "Content-Type", "Cache-Control"}


@contextmanager
def instead(folder: Path, server: Server) -> Iterator[str]:
    """Serve something else under the gateway's own certificate; its address."""

    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            status, headers, content = server(self.command, self.path, body, dict(self.headers))
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        do_GET = do_POST  # noqa: N815 - as the library names it

        def log_message(self, format: str, *arguments: object) -> None:
            """Say nothing."""

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "pki" / "server.pem", folder / "pki" / "server.key")
    listening = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    listening.daemon_threads = True
    listening.handle_error = lambda *_: None  # type: ignore[assignment,method-assign]
    listening.socket = context.wrap_socket(
        listening.socket, server_side=True, do_handshake_on_connect=False
    )
    thread = threading.Thread(target=listening.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"https://localhost:{listening.server_port}"
    finally:
        listening.shutdown()
        listening.server_close()
        thread.join(timeout=10)
