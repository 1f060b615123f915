"""`gateway store stamp` with an authority behind HTTP, and `gateway verify --document` after it."""

import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from asn1crypto import tsp

from gateway.demo import sign
from tests.served import Installation, Templates


@pytest.fixture
def made(templates: Templates, tmp_path: Path) -> Installation:
    return templates.copy("sqlite", tmp_path / "installation")


@pytest.fixture
def authority(made: Installation) -> Iterator[tuple[str, list[str]]]:
    """The demo's time-stamp authority behind HTTP; its address, and what was asked of it."""
    certificate, key = sign._authority(made.folder)
    asked: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            asked.append(self.headers["Content-Type"])
            body = self.rfile.read(int(self.headers["Content-Length"]))
            request = tsp.TimeStampReq.load(body, strict=True)
            answer = sign.stamper(certificate, key, datetime.now(UTC)).request_tsa_response(request)
            self.send_response(200 if self.path == "/tsa" else 302)
            self.send_header("Location", "http://127.0.0.1:1/")
            self.end_headers()
            self.wfile.write(answer.dump())

        def log_message(self, *_: object) -> None:
            """Nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}", asked
    server.shutdown()
    server.server_close()


def test_documents_are_stamped_and_verify_says_so(
    made: Installation, authority: tuple[str, list[str]]
) -> None:
    address, asked = authority
    made.command("store", "stamp", exit_code=2)  # no authority is named
    made.change("[hpki]\n", f'[hpki]\ntsa = "{address}/elsewhere"\n')
    made.command("store", "stamp", exit_code=1)  # a redirect is not followed
    made.change(f"{address}/elsewhere", f"{address}/tsa")
    assert made.command("store", "stamp") == {"stamped": 1, "failed": 0}
    assert made.command("store", "stamp") == {"stamped": 0, "failed": 0}
    assert asked == ["application/timestamp-query"] * 2
    filed = made.patient("A")["documents"]
    signed = next(one["unique_id"] for one in filed if one["type"] == "57133-1")
    found = made.command("verify", "--document", signed)
    (stamp,) = found["stored"]["archive_time_stamps"]
    assert (stamp["outcome"], stamp["number"]) == ("passed", 1)
    assert found["stored"]["same"] is True
