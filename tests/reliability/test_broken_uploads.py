"""Uploads that break off, lie about their length or drip; a stop and a second start meanwhile.

`security.md` C-02, C-08, R-16, R-18, M-04: nothing half-written stays, nobody honest waits.
"""

import json
import random
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from conformance.submissions import Given, include, provided
from gateway.demo.files import storage
from tests.reliability import load
from tests.reliability.installation import Installation, Server, logged

FORM = b'--x\r\nContent-Disposition: form-data; name="source"\r\n\r\nemr\r\n'
FILE = b'--x\r\nContent-Disposition: form-data; name="file"; filename="a.csv"\r\n\r\n'
BODY = FORM + FILE + b"JAHISTC08,1\r\n" + b"x" * 200_000


@pytest.fixture(scope="module")
def server(demo: Installation, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A gateway that waits only a short while for what comes slowly."""
    made = demo.copy(tmp_path_factory.mktemp("broken") / "gateway")
    made.add("header_seconds = 1.0\nbody_seconds = 5.0\nidle_seconds = 20.0\n")
    with made.served() as running:
        while not (made.blobs / "tidied").exists():
            time.sleep(0.05)
        yield running
        assert not logged(running)


@contextmanager
def connected(server: Server) -> Iterator[ssl.SSLSocket]:
    """A bare TLS connection of hospital-a."""
    pki = server.folder / "pki"
    context = ssl.create_default_context(cafile=str(pki / "ca.pem"))
    context.load_cert_chain(pki / "clients/hospital-a.pem", pki / "clients/hospital-a.key")
    with socket.create_connection(("127.0.0.1", server.ports["machines"]), timeout=20) as raw:
        with context.wrap_socket(raw, server_hostname="localhost") as wrapped:
            yield wrapped


def refuses(server: Server) -> None:
    """Wait until nothing listens there any more."""
    until = time.monotonic() + 30
    while True:
        try:
            with connected(server):
                assert time.monotonic() < until, "new connections are still taken"
        except ConnectionRefusedError:
            return
        except OSError:
            continue  # taken, and ended before its first word


def is_open(wire: ssl.SSLSocket) -> bool:
    """Whether the server has neither answered nor ended a connection."""
    wire.settimeout(0)
    try:
        wire.recv(1)
    except ssl.SSLWantReadError:
        return True
    except OSError:
        return False
    finally:
        wire.settimeout(20)
    return False


def head(method: str, path: str, length: int | None, kind: str) -> bytes:
    size = "Transfer-Encoding: chunked" if length is None else f"Content-Length: {length}"
    lines = (f"{method} {path} HTTP/1.1", "Host: localhost", f"Content-Type: {kind}", size, "", "")
    return "\r\n".join(lines).encode()


def kept(server: Server) -> tuple[int, int]:
    """How many temporary files and how many documents lie there."""
    blobs = server.folder / "blobs"
    return (
        len(list((blobs / "temporary").iterdir())),
        sum(1 for path in blobs.glob("[0-9a-f][0-9a-f]/*/*")),
    )


def settles(server: Server, wanted: tuple[int, int], seconds: float = 30.0) -> None:
    until = time.monotonic() + seconds
    while kept(server) != wanted:
        assert time.monotonic() < until, f"{kept(server)} is there instead of {wanted}"
        time.sleep(0.05)


MULTIPART = "multipart/form-data; boundary=x"
PUT = ("PUT", "/uploads/files/000/a", "application/octet-stream")


@pytest.mark.parametrize(
    ("method", "path", "kind", "length"),
    [
        pytest.param("POST", "/uploads", MULTIPART, 400_000, id="form"),
        pytest.param("POST", "/documents", MULTIPART, 400_000, id="document"),
        pytest.param(*PUT, 400_000, id="file"),
        pytest.param(*PUT, 2**40, id="an absurd length"),
    ],
)
def test_a_client_that_dies_leaves_nothing(
    server: Server, method: str, path: str, kind: str, length: int
) -> None:
    before = kept(server)
    with connected(server) as wire:
        wire.sendall(head(method, path, length, kind) + BODY)
        time.sleep(0.2)
    settles(server, (0, before[1]))


def test_a_submission_that_breaks_off_leaves_nothing(server: Server) -> None:
    """ITI-41 (C-08): its document is spooled while it comes, and is gone with its sender."""
    before = kept(server)
    one = Given(patient="1^^^&2.999.30.1&ISO", content=include("a@b"))
    kind, body = provided([one], {"a@b": ("text/xml", b"x" * 1_300_000)})
    for length, sent in ((len(body), body[:-1000]), (None, b"%x\r\n" % len(body) + body[:-1000])):
        with connected(server) as wire:
            wire.sendall(head("POST", "/repository", length, kind) + sent)
            settles(server, (1, before[1]))
        settles(server, (0, before[1]))
    with connected(server) as wire:  # without its closing boundary
        cut = body[: body.rindex(b"\r\n--")]
        wire.sendall(head("POST", "/repository", len(cut), kind) + cut)
        assert wire.recv(4096).startswith(b"HTTP/1.1 400 ")
    settles(server, (0, before[1]))


@pytest.mark.parametrize("path", ["/uploads", "/documents"])
def test_a_form_without_its_end_is_refused(server: Server, path: str) -> None:
    before = kept(server)
    with connected(server) as wire:
        wire.sendall(head("POST", path, len(BODY), MULTIPART) + BODY)
        assert wire.recv(4096).startswith(b"HTTP/1.1 400 ")
    settles(server, (0, before[1]))


def test_bytes_beyond_the_length_are_no_request(server: Server) -> None:
    before = kept(server)
    with connected(server) as wire:
        wire.sendall(head(*PUT[:2], 10, PUT[2]) + BODY)
        answers = b""
        while piece := wire.recv(65536):
            answers += piece
    statuses = [line.split()[1] for line in answers.split(b"\r\n") if line.startswith(b"HTTP/1.1")]
    assert statuses == [b"422"], "one answer, and the connection is closed"
    settles(server, (0, before[1]))


def test_dripping_clients_are_ended_and_nobody_waits_for_them(server: Server) -> None:
    before = kept(server)
    with connected(server) as body, connected(server) as line:
        body.sendall(head(*PUT[:2], 1_000_000, PUT[2]))
        line.sendall(b"POST /uploads HT")
        began = time.monotonic()
        for number in range(8):
            body.sendall(b"x")
            with server.client("hospital-a") as client:
                sent = load.tree_file(random.Random(f"drip/{number}"))
                assert sent.send(client).status == 202
            assert number or is_open(body), "answered only when the slow upload had been ended"
        assert line.recv(4096).startswith(b"HTTP/1.1 408 ")
        while True:
            try:
                body.sendall(b"x")
            except OSError:
                break
            assert time.monotonic() - began < 30, "a dripping upload is never ended"
            time.sleep(0.3)
    settles(server, (0, before[1] + 8))


def test_a_stop_lets_a_running_upload_end(demo: Installation, tmp_path) -> None:
    """R-16: SIGTERM; what had begun is received, acknowledged, and there after the next start."""
    made = demo.copy(tmp_path / "gateway")
    content = storage(load.newcomer(random.Random("stop")), load.DAY)
    kind, body = load.form({"source": b"emr"}, [("file", "storage.zip", content)])
    with made.served() as server, connected(server) as wire:
        whole = head("POST", "/uploads", len(body), kind) + body
        wire.sendall(whole[:-300])
        time.sleep(1.0)
        server.process.terminate()
        refuses(server)
        assert server.process.poll() is None
        wire.sendall(whole[-300:])
        answer = b""
        while piece := wire.recv(65536):
            answer += piece
        assert answer.startswith(b"HTTP/1.1 202 "), answer[:80]
        assert server.process.wait(20) == 0
        assert server.process.stdout is not None
        server.process.stdout.close()
    receipt = json.loads(answer.partition(b"\r\n\r\n")[2])["receipt"]
    with made.served() as server, server.client("hospital-a") as client:
        found = json.loads(client.request("GET", f"/uploads/{receipt}").body)
        assert len(found["files"]) == 4


def test_a_second_server_on_the_same_folder_is_refused(server: Server) -> None:
    """It would sweep away what is coming in; the first one goes on (M-04)."""
    before = kept(server)
    with connected(server) as wire:
        wire.sendall(head(*PUT[:2], 50 * 1024 * 1024, PUT[2]) + BODY)
        settles(server, (1, before[1]))
        second = subprocess.run(
            [sys.executable, "-m", "gateway", "serve", "--config",
             str(server.folder / "gateway.toml")],
            capture_output=True, text=True, timeout=60, check=False,
        )  # fmt: skip
        assert second.returncode == 2
        assert "another gateway serves" in second.stderr
        assert kept(server)[0] == 1
    settles(server, (0, before[1]))
