"""Framing, pace and connection limits, with raw bytes on a real socket (C-01, C-02, section 3)."""

import json
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

Start = Callable[..., int]
_ECHO = Path(__file__).with_name("echo.py")


@pytest.fixture(scope="module")
def start() -> Iterator[Start]:
    """Start an echo server with these limits; its port."""
    with ExitStack() as stack:

        def run(**limits: float) -> int:
            process = stack.enter_context(
                subprocess.Popen(
                    [sys.executable, str(_ECHO), json.dumps({"limits": limits})],
                    stdout=subprocess.PIPE,
                    text=True,
                    cwd=_ECHO.parents[2],
                )
            )
            stack.callback(process.terminate)
            assert process.stdout is not None
            return int(process.stdout.readline())

        yield run


@pytest.fixture(scope="module")
def port(start: Start) -> int:
    return start()


def exchange(port: int, sent: bytes, *, wait: float = 5.0) -> bytes:
    """Everything that comes back until the server closes, or nothing comes for a while."""
    with socket.create_connection(("127.0.0.1", port), timeout=wait) as connection:
        connection.sendall(sent)
        return received(connection, wait=0.3)


def received(connection: socket.socket, *, wait: float) -> bytes:
    connection.settimeout(wait)
    found = b""
    try:
        while chunk := connection.recv(65536):
            found += chunk
    except (TimeoutError, ConnectionResetError):
        pass
    return found


def statuses(answer: bytes) -> list[int]:
    return [int(part[:3]) for part in answer.split(b"HTTP/1.1 ")[1:]]


def seen(port: int) -> dict[str, Any]:
    answer = exchange(port, b"GET /seen HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
    found: dict[str, Any] = json.loads(answer.partition(b"\r\n\r\n")[2])
    return found


POST = b"POST /x HTTP/1.1\r\nHost: a\r\n"
CHUNKED = POST + b"Transfer-Encoding: chunked\r\n\r\n"

ODD = {
    "CL and TE": POST + b"Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "two CL, equal": POST + b"Content-Length: 3\r\nContent-Length: 3\r\n\r\nabc",
    "two CL, other": POST + b"Content-Length: 3\r\nContent-Length: 4\r\n\r\nabc",
    "CL list": POST + b"Content-Length: 3, 3\r\n\r\nabc",
    "CL with sign": POST + b"Content-Length: +3\r\n\r\nabc",
    "CL too large": POST + b"Content-Length: 1000000000000000000000\r\n\r\n",
    "TE xchunked": POST + b"Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
    "TE gzip, chunked": POST + b"Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
    "TE twice": POST + b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "TE identity": POST + b"Transfer-Encoding: identity\r\n\r\n",
    "TE in HTTP/1.0": b"POST /x HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "bare LF in the head": b"POST /x HTTP/1.1\nHost: a\nContent-Length: 0\n\n",
    "bare LF after a header": b"POST /x HTTP/1.1\r\nHost: a\nContent-Length: 0\r\n\r\n",
    "obs-fold": POST + b"X: a\r\n b\r\nContent-Length: 0\r\n\r\n",
    "chunk extension": CHUNKED + b"3;a=b\r\nabc\r\n0\r\n\r\n",
    "chunk extension at the end": CHUNKED + b"3\r\nabc\r\n0;x\r\n\r\n",
    "chunk size with blank": CHUNKED + b"3 \r\nabc\r\n0\r\n\r\n",
    "chunk size in 0x": CHUNKED + b"0x3\r\nabc\r\n0\r\n\r\n",
    "chunk ends with LF": CHUNKED + b"3\nabc\n0\n\n",
    "chunk longer than its size": CHUNKED + b"3\r\nabcd\r\n0\r\n\r\n",
    "trailer": CHUNKED + b"3\r\nabc\r\n0\r\nX: y\r\n\r\n",
    "blank before colon": b"POST /x HTTP/1.1\r\nHost: a\r\nContent-Length : 0\r\n\r\n",
    "control character in a value": POST + b"X: a\x01b\r\nContent-Length: 0\r\n\r\n",
    "NUL in a value": POST + b"X: a\x00b\r\nContent-Length: 0\r\n\r\n",
    "control character in a name": POST + b"X\x01: a\r\nContent-Length: 0\r\n\r\n",
    "lower-case version": b"GET /x http/1.1\r\nHost: a\r\n\r\n",
    "HTTP/0.9": b"GET /x\r\n\r\n",
    "HTTP/2.0": b"GET /x HTTP/2.0\r\nHost: a\r\n\r\n",
    "HTTP/2 preface": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "RTSP": b"OPTIONS * RTSP/1.0\r\nHost: a\r\n\r\n",
    "two blanks in the request line": b"GET  /x HTTP/1.1\r\nHost: a\r\n\r\n",
    "LF before the request": b"\nGET /x HTTP/1.1\r\nHost: a\r\n\r\n",
    "no Host": b"GET /x HTTP/1.1\r\n\r\n",
    "two Hosts": b"GET /x HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n",
    "two Content-Types": POST + b"Content-Type: a/b\r\nContent-Type: a/b\r\n\r\n",
    "upgrade": b"GET /x HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: h2c\r\n\r\n",
    "no colon": b"GET /x HTTP/1.1\r\nHost a\r\n\r\n",
    "unknown method": b"FOO /x HTTP/1.1\r\nHost: a\r\n\r\n",
    "TLS hello": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(64),
    "nothing but bytes": bytes(range(256)),
}


@pytest.mark.parametrize("sent", ODD.values(), ids=ODD.keys())
def test_odd_framing_is_refused_and_nothing_behind_it_runs(port: int, sent: bytes) -> None:
    before = len(seen(port)["seen"])
    smuggled = b"GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n"
    answer = exchange(port, sent + smuggled)
    assert statuses(answer) == [400]
    assert b"connection: close" in answer
    found = seen(port)
    assert all(one["path"] != "/smuggled" for one in found["seen"])
    assert len(found["seen"]) - before <= 1
    assert found["refused"][-1] == ["HTTP-FRAME", 400]


@pytest.mark.parametrize("cut", [1, 2, 3, 7])
def test_odd_chunks_are_found_at_every_cut(port: int, cut: int) -> None:
    sent = CHUNKED + b"3\r\nabc\r\n4;x=y\r\nabcd\r\n0\r\n\r\n"
    with socket.create_connection(("127.0.0.1", port), timeout=5) as connection:
        for place in range(0, len(sent), cut):
            try:
                connection.sendall(sent[place : place + cut])
            except (BrokenPipeError, ConnectionResetError):
                break
            time.sleep(0.001)
        assert statuses(received(connection, wait=0.5)) in ([400], [])
    assert seen(port)["refused"][-1] == ["HTTP-FRAME", 400]


@pytest.mark.parametrize("cut", [1, 2, 5, 1000])
def test_a_plain_chunked_body_passes_at_every_cut(port: int, cut: int) -> None:
    sent = CHUNKED + b"3\r\nabc\r\nA\r\n0123456789\r\n0\r\n\r\n"
    with socket.create_connection(("127.0.0.1", port), timeout=5) as connection:
        for place in range(0, len(sent), cut):
            connection.sendall(sent[place : place + cut])
            time.sleep(0.001)
        answer = received(connection, wait=0.3)
    assert statuses(answer) == [200]
    assert b'"body":"abc0123456789"' in answer


def test_connect_is_405_and_trace_never_echoes(port: int) -> None:
    assert statuses(exchange(port, b"CONNECT a:443 HTTP/1.1\r\nHost: a\r\n\r\n")) == [405]


def test_pipelined_requests_are_answered_in_order(port: int) -> None:
    one = b"POST /%d HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc"
    answer = exchange(port, one % 1 + one % 2 + one % 3)
    assert statuses(answer) == [200, 200, 200]
    assert answer.index(b'"/1"') < answer.index(b'"/2"') < answer.index(b'"/3"')


def test_a_request_before_a_refused_one_is_answered_first(port: int) -> None:
    good = POST + b"Content-Length: 3\r\n\r\nabc"
    answer = exchange(port, good + b"GARBAGE\r\n\r\n")
    assert statuses(answer)[0] == 200
    assert statuses(answer)[1:] in ([], [400])


def test_a_crlf_between_requests_is_let_pass(port: int) -> None:
    one = POST + b"Content-Length: 3\r\n\r\nabc\r\n"
    assert statuses(exchange(port, one + one)) == [200, 200]


@pytest.mark.parametrize(
    ("head", "status"),
    [
        pytest.param(b"X: " + b"a" * 8100 + b"\r\n", 200, id="a long line"),
        pytest.param(b"X: " + b"a" * 8192 + b"\r\n", 400, id="a line too long"),
        pytest.param(b"".join(b"X%d: a\r\n" % n for n in range(98)), 200, id="100 lines"),
        pytest.param(b"".join(b"X%d: a\r\n" % n for n in range(100)), 400, id="102 lines"),
        pytest.param(b"".join(b"X%d: %s\r\n" % (n, b"a" * 8000) for n in range(3)), 200, id="24k"),
        pytest.param(b"".join(b"X%d: %s\r\n" % (n, b"a" * 8000) for n in range(5)), 400, id="40k"),
        pytest.param(b"X: " + b"a" * 200_000, 400, id="a line that never ends"),
    ],
)
def test_limits_of_the_head(port: int, head: bytes, status: int) -> None:
    sent = b"GET /x HTTP/1.1\r\nHost: a\r\n" + head + b"\r\n"
    assert statuses(exchange(port, sent)) == [status]


def test_a_long_target_is_refused(port: int) -> None:
    sent = b"GET /%s HTTP/1.1\r\nHost: a\r\n\r\n"
    assert statuses(exchange(port, sent % (b"a" * 8000))) == [200]
    assert statuses(exchange(port, sent % (b"a" * 9000))) == [400]


def test_an_early_answer_reaches_a_client_that_is_still_sending(port: int) -> None:
    sent = b"POST /early HTTP/1.1\r\nHost: a\r\nContent-Length: 3000000\r\n\r\n" + bytes(3_000_000)
    assert statuses(exchange(port, sent)) == [413]


def test_slow_heads_bodies_and_silence_are_ended(start: Start) -> None:
    """The waits are shorter than the usual limits of 10, 60 and 30 s, so those do not pass."""
    port = start(header_seconds=1, idle_seconds=2, body_seconds=1, body_bytes_per_second=10)
    with ExitStack() as stack:
        head, body, idle, fine = (
            stack.enter_context(socket.create_connection(("127.0.0.1", port), timeout=10))
            for _ in range(4)
        )
        head.sendall(b"GET /x HT")
        body.sendall(POST + b"Content-Length: 20\r\n\r\nabc")
        fine.sendall(POST + b"Content-Length: 3\r\n\r\nabc")
        began = time.monotonic()
        assert statuses(fine.recv(65536)) == [200]
        assert statuses(received(head, wait=9)) == [408]
        assert statuses(received(body, wait=20)) == [408]
        assert received(idle, wait=20) == b""
        assert time.monotonic() - began < 25
    assert ["LIMIT", 408] in seen(port)["refused"]


def test_connections_over_the_limit_are_dropped(start: Start) -> None:
    port = start(connections=3)
    get = b"GET /x HTTP/1.1\r\nHost: a\r\n\r\n"
    with ExitStack() as stack:
        held = [
            stack.enter_context(socket.create_connection(("127.0.0.1", port), timeout=5))
            for _ in range(3)
        ]
        for one in held:
            one.sendall(get)
            assert statuses(one.recv(65536)) == [200]
        assert exchange(port, get) == b""
    time.sleep(0.2)
    assert statuses(exchange(port, get)) == [200]
