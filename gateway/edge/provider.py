"""The configured OpenID provider over HTTPS: nobody else is ever asked, and nothing is followed.

Its discovery document and its keys are remembered for a while; a key id that is not among them has
them fetched again, but seldom (rotation, OpenID Connect Core 10.1.1). Answers are bounded in size
and in time, whatever the other side does. No proxy, no redirect (`security.md` J-04).
"""

import http.client
import socket
import ssl
import threading
from collections.abc import Callable, Mapping
from contextlib import closing, suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, TypeVar
from urllib.parse import urlsplit

from gateway.errors import Busy
from gateway.wire import id_token, oidc
from gateway.wire.id_token import Expected, Identity, UnknownKey, refused
from gateway.wire.oidc import Answer, Attempt, Credentials, Metadata

_Value = TypeVar("_Value")
_MEDIA = ("application/json", "application/jwk-set+json")
"RFC 8259 11; RFC 7517 8.5.2: what some providers call their keys."
_LARGEST = 256 * 1024
_KNOWN = timedelta(minutes=10)
"How long the discovery document and the keys count; a key that was taken back counts no longer."
_SELDOM = timedelta(seconds=30)
"How soon keys may be fetched again for a key id that nobody knows."
_AT_ONCE = 8
"Log-ins that may be talking to the provider at the same time."


@dataclass(frozen=True, slots=True, kw_only=True)
class Provider:
    """How the provider is reached, and who we are to it."""

    issuer: str
    origins: frozenset[str]
    clients: Mapping[str, Credentials]
    redirect_uri: str
    scopes: tuple[str, ...]
    acr_values: tuple[str, ...]
    algorithms: frozenset[str]
    subject_claim: str
    longest_age: timedelta | None
    skew: timedelta
    tls: ssl.SSLContext
    seconds: float


@dataclass(slots=True, kw_only=True)
class _Known:
    metadata: Metadata
    keys: tuple[Mapping[str, Any], ...]
    at: datetime


@dataclass(slots=True, kw_only=True)
class Conversation:
    """Talks to one provider; every method may take `seconds` for each of its answers."""

    provider: Provider
    clock: Callable[[], datetime]
    new_id: Callable[[], str]
    _known: _Known | None = None
    _renewed: datetime | None = None
    "When the keys were fetched last for a key id that nobody knew."
    _guard: threading.Lock = field(default_factory=threading.Lock)
    _room: threading.BoundedSemaphore = field(
        default_factory=lambda: threading.BoundedSemaphore(_AT_ONCE)
    )

    def address(self, attempt: Attempt, client_id: str) -> str:
        """Where the browser is sent; raises `Busy` where the provider cannot be reached."""
        provider = self.provider
        return oidc.authorization_address(
            self._talk(self._metadata), attempt, client_id=client_id,
            redirect_uri=provider.redirect_uri, scopes=provider.scopes,
            acr_values=provider.acr_values, longest_age=provider.longest_age,
        )  # fmt: skip

    def redeem(self, answer: Answer, attempt: Attempt, client_id: str) -> Identity:
        """Who logged in, by the code that came back.

        Raises `Unauthenticated` where anything does not hold, `Busy` where the provider cannot be
        reached.
        """
        return self._talk(lambda: self._redeem(answer, attempt, client_id))

    def _redeem(self, answer: Answer, attempt: Attempt, client_id: str) -> Identity:
        provider = self.provider
        metadata = self._metadata()
        code = oidc.judge_answer(answer, metadata)
        body, headers = oidc.token_request(
            metadata, provider.clients[client_id], attempt, code=code,
            redirect_uri=provider.redirect_uri, at=self.clock(), new_id=self.new_id(),
        )  # fmt: skip
        token = oidc.read_tokens(self._ask(metadata.token, body, headers))
        expected = Expected(
            issuer=provider.issuer, client_id=client_id, nonce=attempt.nonce,
            algorithms=provider.algorithms, subject_claim=provider.subject_claim,
            skew=provider.skew, longest_age=provider.longest_age,
        )  # fmt: skip
        try:
            return id_token.verify(token, self._keys(), expected, self.clock())
        except UnknownKey:
            keys = self._keys(anew=True)
        try:
            return id_token.verify(token, keys, expected, self.clock())
        except UnknownKey as error:
            raise refused("kid") from error

    def _talk(self, do: Callable[[], _Value]) -> _Value:
        """Do it unless too many are at it: a slow provider must not hold up the hospitals."""
        if not self._room.acquire(blocking=False):
            raise _away()
        try:
            return do()
        finally:
            self._room.release()

    def _metadata(self) -> Metadata:
        return self._fetched().metadata

    def _keys(self, *, anew: bool = False) -> tuple[Mapping[str, Any], ...]:
        return self._fetched(anew=anew).keys

    def _fetched(self, *, anew: bool = False) -> _Known:
        """Discovery document and keys; `anew` for a key id that is not among them."""
        with self._guard:
            known, now = self._known, self.clock()
            if anew and not _within(self._renewed, now, _SELDOM):
                self._renewed, known = now, None
            if known is None or not _within(known.at, now, _KNOWN):
                provider = self.provider
                place = provider.issuer.removesuffix("/") + oidc.WELL_KNOWN
                metadata = oidc.read_metadata(self._ask(place), provider.issuer, provider.origins)
                keys = id_token.read_keys(self._ask(metadata.keys))
                known = self._known = _Known(metadata=metadata, keys=keys, at=now)
            return known

    def _ask(
        self, address: str, body: bytes | None = None, headers: Mapping[str, str] | None = None
    ) -> bytes:
        """One answer in JSON; raises `Unauthenticated` for a refusal, `Busy` for no answer."""
        if oidc.origin(address) not in self.provider.origins:
            raise refused("origin")
        try:
            status, media, content = self._exchange(address, body, dict(headers or {}))
        except (OSError, http.client.HTTPException) as error:
            raise _away() from error
        if status >= 500 or status == 429:
            raise _away()
        if len(content) > _LARGEST or media not in _MEDIA:
            raise refused("answer")
        if status != 200:
            raise refused(f"status-{status} {oidc.read_error(content)}".rstrip())
        return content

    def _exchange(
        self, address: str, body: bytes | None, headers: dict[str, str]
    ) -> tuple[int, str, bytes]:
        """One request on a connection of its own, cut off after so many seconds."""
        parts = urlsplit(address)
        host, seconds = parts.hostname or "", self.provider.seconds
        connection = http.client.HTTPSConnection(
            host, parts.port, timeout=seconds, context=self.provider.tls
        )
        # A second handle on the connection cuts off hand-shake and answer alike.
        with (
            closing(socket.create_connection((host, parts.port or 443), seconds)) as plain,
            closing(plain.dup()) as handle,
        ):
            timer = threading.Timer(seconds, _cut, [handle])
            timer.daemon = True
            timer.start()
            try:
                connection.sock = self.provider.tls.wrap_socket(plain, server_hostname=host)
                target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
                sent = {"Accept": "application/json", **headers, "Connection": "close"}
                connection.request("GET" if body is None else "POST", target, body, sent)
                answer = connection.getresponse()
                content = answer.read(_LARGEST + 1)
                return answer.status, answer.headers.get_content_type(), content
            finally:
                timer.cancel()
                connection.close()


def _within(since: datetime | None, now: datetime, period: timedelta) -> bool:
    return since is not None and timedelta() <= now - since < period


def _cut(handle: socket.socket) -> None:
    with suppress(OSError):
        handle.shutdown(socket.SHUT_RDWR)


def _away() -> Busy:
    return Busy(
        "the log-in service does not answer: try again later, or log in by another way",
        "認証サービスが応答しません。後でもう一度試すか、別の方法でログインしてください",
        at="provider",
    )  # fmt: skip
