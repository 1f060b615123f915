"""`edge.provider`: only the configured provider is asked, within bounds, whatever it answers."""

import base64
import hashlib
import json
import ssl
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from gateway.edge.provider import Conversation
from gateway.errors import Busy, Unauthenticated
from gateway.wire import oidc
from gateway.wire.id_token import Identity
from gateway.wire.oidc import WELL_KNOWN, Attempt
from tests.conftest import Clock
from tests.edge import openid
from tests.edge.openid import CLIENT, OpenId, Place, jwk, signing_key

ATTEMPT = Attempt("the secret of one browser")
JSON = {"Content-Type": "application/json"}


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    with openid.serve(tmp_path_factory.mktemp("provider")) as served:
        yield served


@pytest.fixture
def provider(place: Place) -> Iterator[OpenId]:
    """The same provider as new, for each test."""
    fresh = OpenId(origin=place.openid.origin)
    for name, value in vars(fresh).items():
        setattr(place.openid, name, value)
    yield place.openid
    place.openid.drip = 0.0


def talk(place: Place, clock: Clock, **changed: Any) -> Conversation:
    return Conversation(provider=place.provider(**changed), clock=clock, new_id=lambda: "jti-1")


def log_in(conversation: Conversation, provider: OpenId, code: str = "code-1") -> Identity:
    back = provider.log_in(conversation.address(ATTEMPT, CLIENT), code)
    return conversation.redeem(oidc.read_answer(back.encode()), ATTEMPT, CLIENT)


def test_a_code_becomes_an_identity(place: Place, provider: OpenId, clock: Clock) -> None:
    conversation = talk(place, clock)
    address = conversation.address(ATTEMPT, CLIENT)
    assert address.startswith(f"{provider.origin}/authorize?response_type=code&client_id=gateway&")
    found = log_in(conversation, provider)
    assert (found.subject, found.acr, found.key_id) == ("doctor-1", openid.ACR, "k1")
    path, headers, form = provider.asked[-1]
    assert path == "/token"
    assert (
        base64.b64decode(headers["authorization"].removeprefix("Basic ")) == b"gateway:s3cret%26%3A"
    )
    assert form["redirect_uri"] == openid.REDIRECT
    assert "client_secret" not in form
    digest = hashlib.sha256(form["code_verifier"].encode()).digest()
    challenge = base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
    assert provider.challenges["code-1"] == challenge  # RFC 7636 4.6
    log_in(conversation, provider, "code-2")
    assert provider.paths() == [WELL_KNOWN, "/keys", "/token", "/token"]  # fetched once


def test_a_renewed_key_is_fetched_but_seldom(place: Place, provider: OpenId, clock: Clock) -> None:
    conversation = talk(place, clock)
    log_in(conversation, provider)
    # Some providers make a key in the moment in which they first need it.
    provider.key, provider.headers = signing_key(2), {"kid": "k2"}
    provider.keys = [jwk(signing_key()), jwk(signing_key(2), "k2")]
    assert log_in(conversation, provider).key_id == "k2"
    assert provider.paths().count("/keys") == 2
    provider.headers = {"kid": "k3"}
    for later, fetched in ((0, 2), (29, 2), (1, 3), (0, 3)):
        clock.advance(seconds=later)
        with pytest.raises(Unauthenticated) as refused:
            log_in(conversation, provider)
        assert refused.value.at == "kid"
        assert provider.paths().count("/keys") == fetched


def test_a_key_that_was_taken_back_counts_no_longer(
    place: Place, provider: OpenId, clock: Clock
) -> None:
    conversation = talk(place, clock)
    log_in(conversation, provider)
    provider.keys = [jwk(signing_key(2), "k2")]
    log_in(conversation, provider)  # known for ten minutes
    clock.advance(minutes=10)
    provider.now = clock()
    with pytest.raises(Unauthenticated) as refused:
        log_in(conversation, provider)
    assert refused.value.at == "kid"


def _moved(provider: OpenId) -> None:
    provider.answers["/token"] = (302, {"Location": f"{provider.origin}/other", **JSON}, b"{}")


def _metadata(**changed: Any) -> Callable[[OpenId], None]:
    return lambda provider: provider.metadata.update(changed)


def _answers(path: str, status: int, body: bytes, **headers: str) -> Callable[[OpenId], None]:
    fields = {name.replace("_", "-"): value for name, value in headers.items()} or JSON
    return lambda provider: provider.answers.update({path: (status, fields, body)})


BAD: dict[str, tuple[Callable[[OpenId], None], str]] = {
    "a redirect is not followed": (_moved, "status-302"),
    "another issuer": (_metadata(issuer="https://evil.example"), "discovery-issuer"),
    "an issuer with a slash": (_metadata(issuer="https://localhost/"), "discovery-issuer"),
    "tokens elsewhere": (
        _metadata(token_endpoint="https://evil.example/token"), "discovery-token_endpoint"),
    "keys in the clear": (_metadata(jwks_uri="http://localhost/keys"), "discovery-jwks_uri"),
    "keys on this machine": (_metadata(jwks_uri="https://127.0.0.1/keys"), "discovery-jwks_uri"),
    "keys in a file": (_metadata(jwks_uri="file:///etc/passwd"), "discovery-jwks_uri"),
    "log-in elsewhere": (
        _metadata(authorization_endpoint="https://evil.example/"),
        "discovery-authorization_endpoint"),
    "log-in at a user": (
        _metadata(authorization_endpoint="https://localhost@evil.example/"),
        "discovery-authorization_endpoint"),
    "no address": (_metadata(token_endpoint=7), "discovery-token_endpoint"),
    "discovery is a page": (_answers(WELL_KNOWN, 200, b"<html>", Content_Type="text/html"),
                            "answer"),
    "discovery is a list": (_answers(WELL_KNOWN, 200, b"[]"), "discovery"),
    "oversized keys": (
        _answers("/keys", 200, b'{"keys": [' + b" " * 300_000 + b"]}"), "answer"),
    "too many keys": (_answers("/keys", 200, json.dumps({"keys": [{}] * 65}).encode()), "jwks"),
    "keys that are none": (_answers("/keys", 200, b'{"keys": "k1"}'), "jwks"),
    "a code of yesterday": (
        _answers("/token", 400, b'{"error": "invalid_grant"}'), "status-400 invalid_grant"),
    "an error of its own": (
        _answers("/token", 400, b'{"error": "<script>", "error_description": "x"}'), "status-400"),
    "no token": (_answers("/token", 200, b'{"token_type": "Bearer"}'), "token-response"),
    "a token of another kind": (
        _answers("/token", 200, b'{"token_type": "mac", "id_token": "x"}'), "token-response"),
    "a page": (_answers("/token", 200, b"{}", Content_Type="text/html"), "answer"),
}  # fmt: skip


@pytest.mark.parametrize("what", BAD)
def test_what_a_provider_may_not_answer(
    place: Place, provider: OpenId, clock: Clock, what: str
) -> None:
    spoil, check = BAD[what]
    spoil(provider)
    with pytest.raises(Unauthenticated) as refused:
        log_in(talk(place, clock), provider)
    assert refused.value.at == check
    assert refused.value.log == "LOGIN-FAIL"
    assert "/other" not in provider.paths()


def test_an_answer_of_another_issuer_is_a_mix_up(
    place: Place, provider: OpenId, clock: Clock
) -> None:
    """RFC 9207: the code goes nowhere, not even to our own provider."""
    conversation = talk(place, clock)
    back = provider.log_in(conversation.address(ATTEMPT, CLIENT))
    for wrong in (back.replace("iss=https", "iss=http"), back.partition("&iss=")[0]):
        with pytest.raises(Unauthenticated) as refused:
            conversation.redeem(oidc.read_answer(wrong.encode()), ATTEMPT, CLIENT)
        assert refused.value.at == "answer-iss"
    assert "/token" not in provider.paths()


def test_an_error_is_told_by_its_word_alone(place: Place, provider: OpenId, clock: Clock) -> None:
    conversation = talk(place, clock)
    for error, told in (("access_denied", "access_denied"), ("<b>call+me</b>", "other")):
        back = f"error={error}&error_description=%3Cb%3E&state=s&iss={provider.origin}"
        with pytest.raises(Unauthenticated) as refused:
            conversation.redeem(oidc.read_answer(back.encode()), ATTEMPT, CLIENT)
        assert refused.value.at == f"error={told}"


@pytest.mark.parametrize("status", [500, 503, 429])
def test_a_provider_that_is_down_is_busy(
    place: Place, provider: OpenId, clock: Clock, status: int
) -> None:
    provider.answers["/keys"] = (status, JSON, b"{}")
    with pytest.raises(Busy):
        talk(place, clock).address(ATTEMPT, CLIENT)


def test_a_slow_provider_is_cut_off(place: Place, provider: OpenId, clock: Clock) -> None:
    provider.drip = 0.05
    conversation, since = talk(place, clock, seconds=0.4), time.monotonic()
    with pytest.raises((Busy, Unauthenticated)):
        conversation.address(ATTEMPT, CLIENT)
    assert time.monotonic() - since < 5


def test_a_provider_that_nobody_vouches_for_is_not_talked_to(
    place: Place, provider: OpenId, clock: Clock
) -> None:
    conversation = talk(place, clock, tls=ssl.create_default_context())
    with pytest.raises(Busy):
        conversation.address(ATTEMPT, CLIENT)
    assert not provider.asked


def test_no_other_place_is_asked(place: Place, provider: OpenId, clock: Clock) -> None:
    """The last look before a connection, whatever let an address come so far."""
    with pytest.raises(Unauthenticated) as refused:
        talk(place, clock)._ask(provider.origin.replace("localhost", "127.0.0.1") + "/keys")
    assert refused.value.at == "origin"
    assert not provider.asked


def test_few_may_wait_for_a_provider(place: Place, provider: OpenId, clock: Clock) -> None:
    conversation = talk(place, clock)
    for _ in range(8):
        conversation._room.acquire()
    with pytest.raises(Busy):
        conversation.address(ATTEMPT, CLIENT)
    conversation._room.release()
    assert conversation.address(ATTEMPT, CLIENT)


def test_how_surely_and_how_lately_is_asked_for(
    place: Place, provider: OpenId, clock: Clock
) -> None:
    asked = talk(place, clock).address(ATTEMPT, CLIENT)
    assert "max_age=900" in asked
    assert "acr_values=urn%3Aexample%3Ahpki" in asked
    silent = talk(place, clock, longest_age=None, acr_values=()).address(ATTEMPT, CLIENT)
    assert "max_age" not in silent
    assert "acr_values" not in silent
