"""`edge.fetching` against a real server: only what was asked for, only so much, only so long."""

import ssl
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import ip_address
from pathlib import Path
from threading import Thread
from types import MappingProxyType

import pytest
from cryptography import x509

from gateway.cli import demo_authority as make
from gateway.edge.fetching import Fetcher, fetcher
from gateway.errors import Busy, Invalid, Refusal
from gateway.hpki.policy import ListSource
from gateway.settings import HpkiSettings, SettingsError

CONTENT = b"a list" * 1000


class Mirror(BaseHTTPRequestHandler):
    """Answers by the path that is asked."""

    asked: list[str]
    given: Mapping[str, bytes] = MappingProxyType({})
    "More paths, with what they give."

    def do_GET(self) -> None:
        type(self).asked.append(self.path)
        if self.path in self.given:
            self._send(200, self.given[self.path])
            return
        match self.path.rpartition("/")[2]:
            case "list.crl" | "list.crl?v=2":
                self._send(200, CONTENT)
            case "elsewhere":
                self._send(302, b"", Location="/list.crl")
            case "missing":
                self._send(404, b"no")
            case "packed":
                self._send(200, CONTENT, **{"Content-Encoding": "gzip"})
            case "large":
                self._send(200, b"x" * 20_000)
            case "endless":
                self.send_response(200)
                self.end_headers()
                for _ in range(40):
                    self.wfile.write(b"x" * 1000)
            case "cut":
                self.send_response(200)
                self.send_header("Content-Length", "5000")
                self.end_headers()
                self.wfile.write(b"x")
            case "drip":
                self.wfile.write(b"HTTP/1.1 200 OK\r\nX-Slow: ")
                for _ in range(100):
                    time.sleep(0.05)
                    self.wfile.write(b"x")
                    self.wfile.flush()

    def _send(self, status: int, content: bytes, **headers: str) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def handle(self) -> None:
        try:
            super().handle()
        except (BrokenPipeError, ConnectionResetError):
            return  # the client had enough

    def log_message(self, format: str, *arguments: object) -> None:
        return


@contextmanager
def serving(tls: ssl.SSLContext | None = None) -> Iterator[tuple[str, list[str]]]:
    handler = type("Handler", (Mirror,), {"asked": []})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        if tls is not None:
            server.socket = tls.wrap_socket(server.socket, server_side=True)
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            scheme = "http" if tls is None else "https"
            yield f"{scheme}://127.0.0.1:{server.server_port}", handler.asked
        finally:
            server.shutdown()
            thread.join()


@pytest.fixture
def mirror() -> Iterator[tuple[str, list[str]]]:
    with serving() as found:
        yield found


def made(folder: Path, **more: object) -> Fetcher:
    usual = {"trust": folder / "trust.toml", "crl_bytes": 10_000, "crl_seconds": 0.6}
    return fetcher(HpkiSettings(**{**usual, **more}))  # type: ignore[arg-type]


def remote(url: str) -> ListSource:
    return ListSource(name=url, remote=True)


def test_what_the_address_gives(mirror: tuple[str, list[str]], tmp_path: Path) -> None:
    url, asked = mirror
    fetch = made(tmp_path)
    assert fetch(remote(f"{url}/a/list.crl")) == CONTENT
    assert fetch(remote(f"{url}/list.crl?v=2")) == CONTENT
    assert asked == ["/a/list.crl", "/list.crl?v=2"]


@pytest.mark.parametrize(
    ("path", "kind", "words"),
    [
        ("elsewhere", Invalid, "redirects elsewhere"),
        ("missing", Busy, "answers 404"),
        ("packed", Invalid, "packed"),
        ("large", Invalid, "larger than"),
        ("endless", Invalid, "larger than"),
        ("cut", Busy, "IncompleteRead"),
        ("drip", Busy, "does not answer"),
    ],
)
def test_what_is_not_taken(
    mirror: tuple[str, list[str]], tmp_path: Path, path: str, kind: type[Refusal], words: str
) -> None:
    url, asked = mirror
    began = time.monotonic()
    with pytest.raises(kind, match=words) as caught:
        made(tmp_path)(remote(f"{url}/{path}"))
    assert time.monotonic() - began < 3
    assert asked == [f"/{path}"], "a redirect is not followed"
    assert (caught.value.log == "PKI-URL") is (path == "elsewhere")


def test_nobody_there(tmp_path: Path) -> None:
    with serving() as (url, _):
        pass
    with pytest.raises(Busy, match="refused"):
        made(tmp_path)(remote(url))


def test_no_proxy_but_the_one_of_the_settings(
    mirror: tuple[str, list[str]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    url, asked = mirror
    with serving() as (proxy, through):
        monkeypatch.setenv("http_proxy", proxy)
        assert made(tmp_path)(remote(f"{url}/list.crl")) == CONTENT
        assert (asked, through) == (["/list.crl"], [])
        there = remote("http://crl.invalid/list.crl")
        assert made(tmp_path, crl_proxy=proxy)(there) == CONTENT
        assert through == ["http://crl.invalid/list.crl"]


@pytest.mark.parametrize(
    "proxy", ["proxy:3128", "http://proxy", "https://proxy:1", "http://a:b@proxy:1", "http://p:x"]
)
def test_a_proxy_that_cannot_be_used_stops_the_start(tmp_path: Path, proxy: str) -> None:
    with pytest.raises(SettingsError, match="crl_proxy"):
        made(tmp_path, crl_proxy=proxy)


def test_https_is_believed_only_by_a_known_authority(tmp_path: Path) -> None:
    ca = make.issue(make.name("Mirror CA"), make.ec_key(), None, make.authority(), **about(1))
    names = make.names(x509.IPAddress(ip_address("127.0.0.1")))
    server = make.issue(make.name("mirror"), make.ec_key(), ca, (make.leaf(), names), **about(2))
    (tmp_path / "ca.pem").write_bytes(ca.pem)
    (tmp_path / "server.pem").write_bytes(server.pem + server.key_pem)
    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    tls.load_cert_chain(tmp_path / "server.pem")
    with serving(tls) as (url, asked):
        assert url.startswith("https://")
        with pytest.raises(Busy, match="does not answer"):
            made(tmp_path)(remote(f"{url}/list.crl"))
        assert asked == []
        known = made(tmp_path, crl_ca=tmp_path / "ca.pem")
        assert known(remote(f"{url}/list.crl")) == CONTENT
        with pytest.raises(Busy):
            known(remote(f"{url.replace('127.0.0.1', 'localhost')}/list.crl"))
    (tmp_path / "ca.pem").write_bytes(b"nothing")
    with pytest.raises(SettingsError, match="crl_ca"):
        made(tmp_path, crl_ca=tmp_path / "ca.pem")


def about(serial: int) -> dict[str, object]:
    now = datetime.now(UTC)
    return {"serial": serial, "since": now - timedelta(days=1), "until": now + timedelta(days=1)}


def test_a_file_of_a_mirror(tmp_path: Path) -> None:
    fetch = made(tmp_path)
    source = ListSource(name="lists/one.crl", remote=False)
    with pytest.raises(Busy, match="No such file"):
        fetch(source)
    (tmp_path / "lists").mkdir()
    (tmp_path / "lists" / "one.crl").write_bytes(CONTENT)
    assert fetch(source) == CONTENT
    (tmp_path / "lists" / "one.crl").write_bytes(b"x" * 10_001)
    with pytest.raises(Invalid, match="larger"):
        fetch(source)
