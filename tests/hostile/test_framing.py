"""HTTP framing over TLS: the published cases, smuggling, Host and its friends (C-01 to C-04)."""

import re
import ssl
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.edge.test_protocol import ODD, statuses
from tests.hostile.forms import PUBLISHED, published
from tests.hostile.site import Site
from tests.shared import needs_shared

CASES = published("http/*.md")
PAYLOADS = set(CASES)
_SMUGGLED = b"GET /pix?wsdl HTTP/1.1\r\nHost: localhost\r\n\r\n"


def blocks(name: str) -> list[bytes]:
    """The request texts of one file, with the line ends and escapes that they stand for."""
    text = (PUBLISHED / name).read_text("utf-8")
    found = re.findall(r'"type": "request[^`]*?```http\n(.*?)```', text, re.DOTALL)
    return [
        one.replace("\n", "\r\n").replace("\\r", "\r").replace("\\n", "\n").replace("\\t", "\t")
        .replace("\\f", "\f").encode("utf-8", "replace")
        for one in found
    ]  # fmt: skip


def received(connection: ssl.SSLSocket, wait: float = 0.25) -> tuple[bytes, bool]:
    """What comes until it is quiet, and whether the connection was closed."""
    connection.settimeout(wait)
    found = b""
    try:
        while chunk := connection.recv(65536):
            found += chunk
    except TimeoutError:
        return found, False
    except (ConnectionResetError, ssl.SSLError):
        return found, True
    return found, True


def exchange(site: Site, sent: bytes) -> tuple[bytes, bool]:
    with site.raw() as connection:
        connection.sendall(sent)
        return received(connection)


@needs_shared
@pytest.mark.parametrize("name", CASES)
def test_published_requests_give_defined_answers(site: Site, name: str) -> None:
    sent = blocks(name)
    assert sent
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda one: exchange(site, one + _SMUGGLED), sent))
    for content, (answer, closed) in zip(sent, answers, strict=True):
        found = statuses(answer)
        assert set(found) <= {200, 400, 403, 404, 405, 408, 411, 413, 415}, content
        if 400 in found:
            assert found.index(400) == len(found) - 1, content
            assert closed, content


def test_odd_framing_over_tls_is_refused_and_nothing_behind_it_runs(site: Site) -> None:
    """The forms that the protocol's own test sends in the clear, to the whole gateway."""
    sent = [one.replace(b"Host: a\r", b"Host: localhost\r") for one in ODD.values()]
    with site.nothing_left("HTTP-FRAME", count=len(sent) // 2):
        with ThreadPoolExecutor(8) as pool:
            answers = list(pool.map(lambda one: exchange(site, one + _SMUGGLED), sent))
    for name, (answer, closed) in zip(ODD, answers, strict=True):
        assert statuses(answer) == [400], name
        assert closed, name
        assert b"wsdl" not in answer


@pytest.mark.parametrize("host", [
    "example.invalid", "localhost.example.invalid", "localhost:x", "127.0.0.1.", "", "LOCALHOST@x",
    "[::1]", "127.1", "localhost, localhost", "localhost:8443:8443", "evil:443",
])  # fmt: skip
def test_c_03_another_host_is_refused(site: Site, host: str) -> None:
    with site.nothing_left("HTTP-HOST", "HTTP-FRAME"):
        answer, _ = exchange(site, f"GET /pix?wsdl HTTP/1.1\r\nHost: {host}\r\n\r\n".encode())
        assert statuses(answer) == [400]
        assert not host or host.encode() not in answer


@pytest.mark.parametrize("header", [
    "X-Forwarded-For: 10.9.9.9", "X-Forwarded-Host: evil.invalid", "Forwarded: host=evil.invalid",
    "X-Forwarded-Proto: http", "X-HTTP-Method-Override: DELETE", "X-Original-URL: /uploads",
    "X-Client-Cert: MIIB", "X-SSL-Client-Verify: SUCCESS", "X-Forwarded-Client-Cert: Hash=00",
])  # fmt: skip
def test_c_03_what_a_proxy_would_say_is_ignored(site: Site, header: str) -> None:
    plain = b"GET /pix?wsdl HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n%s\r\n"
    usual, _ = exchange(site, plain % b"")
    answer, _ = exchange(site, plain % (header.encode() + b"\r\n"))
    assert statuses(answer) == statuses(usual) == [200]
    assert answer.partition(b"\r\n\r\n")[2] == usual.partition(b"\r\n\r\n")[2]
    assert b"evil" not in answer


def test_c_03_a_target_with_another_host_in_it_gets_nowhere(site: Site) -> None:
    for target in ("https://evil.invalid/pix?wsdl", "https://localhost/pix?wsdl", "//evil.invalid/",
                   "*", "evil.invalid:443"):  # fmt: skip
        answer, _ = exchange(site, f"GET {target} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
        assert statuses(answer) in ([400], [404], [405]), target
        assert b"evil" not in answer


@pytest.mark.parametrize("method", ["TRACE", "CONNECT", "PROPFIND", "MKCOL", "PUT", "DELETE",
                                    "OPTIONS", "PATCH"])  # fmt: skip
@pytest.mark.parametrize("path", ["/pix", "/uploads", "/documents", "/", "/healthz", "/x"])
def test_c_04_other_methods(site: Site, method: str, path: str) -> None:
    with site.nothing_left("HTTP-FRAME"):
        answer, _ = exchange(
            site,
            f"{method} {path} HTTP/1.1\r\nHost: localhost\r\nX-Marker: MARKER\r\n\r\n".encode(),
        )
        assert set(statuses(answer)) <= {400, 405}
        assert statuses(answer)
        assert b"MARKER" not in answer


def test_the_operators_paths_are_not_on_the_machine_door(site: Site) -> None:
    for path in ("/metrics", "/healthz", "/readyz", "/admin/openapi.json", "/login", "/records/1"):
        with site.nothing_left("HTTP-FRAME"):
            answer = site.client("hospital-a").request("GET", path)
            assert (answer.status, answer.body) == (404, b"")


def test_c_11_values_never_become_headers(site: Site) -> None:
    with site.raw() as connection:
        connection.sendall(
            b"GET /uploads/x%0d%0aSet-Cookie:%20a=b HTTP/1.1\r\nHost: localhost\r\n\r\n"
        )
        answer, _ = received(connection)
    assert statuses(answer) == [404]
    assert b"set-cookie" not in answer.lower()
