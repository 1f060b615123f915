"""Revocation lists fetched from the addresses and files of the trust file, and from nowhere else.

No address out of a certificate or a document is ever asked, no redirect followed, no proxy of the
environment used (G7, J-04). An answer has a largest size, and a whole fetch a longest time,
whatever the server does in between.
"""

import contextlib
import http.client
import socket
import ssl
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from urllib.parse import SplitResult, urlsplit

from gateway.errors import Busy, Invalid, Refusal
from gateway.hpki.policy import ListSource
from gateway.settings import HpkiSettings, SettingsError

_CHUNK = 64 * 1024
_PORTS = {"http": 80, "https": 443}


@dataclass(frozen=True, slots=True, kw_only=True)
class Fetcher:
    """Reads the bytes that a source gives now."""

    folder: Path
    "Where the trust file is: names of files are relative to it."
    proxy: tuple[str, int] | None
    largest: int
    seconds: float
    tls: Callable[[], ssl.SSLContext]
    "Made when it is wanted: the authorities of the operating system take a while to read."

    def __call__(self, source: ListSource) -> bytes:
        """The bytes; raises `Busy` where the source does not answer, `Invalid` for what it says."""
        return self._ask(source.name) if source.remote else self._read(source.name)

    def _read(self, name: str) -> bytes:
        try:
            with (self.folder / name).open("rb") as stream:
                content = stream.read(self.largest + 1)
        except OSError as error:
            raise _unanswered(f"the file cannot be read: {error.strerror}") from error
        return self._within(content)

    def post(self, url: str, content: bytes, media: str) -> bytes:
        """What an address answers to `content`; raises as the call does."""
        return self._ask(url, content, {"Content-Type": media})

    def _ask(
        self, url: str, content: bytes | None = None, more: Mapping[str, str] | None = None
    ) -> bytes:
        parts = urlsplit(url)
        try:
            with self._connected(parts) as connection:
                path = parts.path or "/"
                target = f"{path}?{parts.query}" if parts.query else path
                if self.proxy is not None and parts.scheme == "http":
                    target = f"http://{parts.netloc}{target}"
                headers = {"Host": parts.netloc, "Accept": "*/*", "Connection": "close"}
                connection.request(
                    "GET" if content is None else "POST", target, content,
                    {**headers, **(more or {})},
                )  # fmt: skip
                with connection.getresponse() as answer:
                    self._check(answer)
                    return self._body(answer)
        except (OSError, http.client.HTTPException) as error:
            raise _unanswered(f"the address does not answer: {_reason(error)}") from error

    @contextmanager
    def _connected(self, parts: SplitResult) -> Iterator[http.client.HTTPConnection]:
        """A connection that ends at the deadline, whatever happens on it."""
        host, port = parts.hostname or "", parts.port or _PORTS[parts.scheme]
        to, at = self.proxy or (host, port)
        connection: http.client.HTTPConnection
        if parts.scheme == "https":
            connection = http.client.HTTPSConnection(
                to, at, timeout=self.seconds, context=self.tls()
            )
            if self.proxy is not None:
                connection.set_tunnel(host, port)
        else:
            connection = http.client.HTTPConnection(to, at, timeout=self.seconds)
        late = threading.Event()
        timer = threading.Timer(self.seconds, _cut, (connection, late))
        timer.daemon = True
        timer.start()
        try:
            yield connection
            if late.is_set():  # what was read may be only a part
                raise TimeoutError
        finally:
            timer.cancel()
            connection.close()

    def _check(self, answer: http.client.HTTPResponse) -> None:
        if 300 <= answer.status < 400:
            raise _refused("the address redirects elsewhere; write the address where the list is",
                           "転送されました。失効リストの所在を直接指定してください",
                           log="PKI-URL")  # fmt: skip
        if answer.status != 200:
            raise _unanswered(f"the address answers {answer.status}")
        if answer.getheader("Content-Encoding", "identity") != "identity":
            raise _refused("the answer is packed", "圧縮された応答です")
        if (answer.length or 0) > self.largest:
            raise _too_large()

    def _body(self, answer: http.client.HTTPResponse) -> bytes:
        parts, size = [], 0
        while chunk := answer.read(min(_CHUNK, self.largest + 1 - size)):
            parts.append(chunk)
            size += len(chunk)
            if size > self.largest:
                raise _too_large()
        if answer.length:  # cut off by the deadline or by the server
            raise http.client.IncompleteRead(b"")
        return b"".join(parts)

    def _within(self, content: bytes) -> bytes:
        if len(content) > self.largest:
            raise _too_large()
        return content


def fetcher(settings: HpkiSettings) -> Fetcher:
    """The fetcher of an installation; raises `SettingsError`."""
    proxy = None
    if settings.crl_proxy:
        try:
            parts = urlsplit(settings.crl_proxy)
            host, port = parts.hostname, parts.port
        except ValueError as error:
            raise SettingsError("[hpki] crl_proxy: not an address") from error
        if parts.scheme != "http" or not host or not port or parts.path.strip("/"):
            raise SettingsError("[hpki] crl_proxy must be http://HOST:PORT")
        if parts.username is not None:
            raise SettingsError("[hpki] crl_proxy: no user or password in settings")
        proxy = (host, port)
    return Fetcher(
        folder=settings.trust.parent if settings.trust else Path(),
        proxy=proxy,
        largest=settings.crl_bytes,
        seconds=settings.crl_seconds,
        tls=cache(ssl.create_default_context) if settings.crl_ca is None else _own(settings.crl_ca),
    )


def _own(authorities: Path) -> Callable[[], ssl.SSLContext]:
    """By the operator's bundle, which is read at once, so that a wrong one is told at the start."""
    context = _context(authorities)
    return lambda: context


def _context(authorities: Path) -> ssl.SSLContext:
    try:
        return ssl.create_default_context(cafile=authorities)
    except (OSError, ssl.SSLError) as error:
        raise SettingsError("[hpki] crl_ca cannot be read: it is a PEM bundle") from error


def _cut(connection: http.client.HTTPConnection, late: threading.Event) -> None:
    """Wake whoever waits for the server."""
    late.set()
    with contextlib.suppress(OSError):
        if connection.sock is not None:
            connection.sock.shutdown(socket.SHUT_RDWR)


def _reason(error: BaseException) -> str:
    """What an operator can act on; never what the server wrote."""
    if isinstance(error, TimeoutError):
        return "timed out"
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return type(error).__name__


def _unanswered(english: str) -> Busy:
    return Busy(english, "失効リストを取得できません", at="crl", rule="J-03", log="PKI-REV")


def _too_large() -> Refusal:
    return _refused("the list is larger than [hpki] crl_bytes",
                    "失効リストが上限 [hpki] crl_bytes を超えています", log="LIMIT")  # fmt: skip


def _refused(english: str, japanese: str, *, log: str = "PKI-REV") -> Invalid:
    return Invalid(english, japanese, at="crl", rule="J-04", log=log)
