"""`wire.oidc`: what is asked of an OpenID provider, and what may come back (SIG-03, K-05)."""

import base64
import hashlib
import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qs, urlsplit

import jwt
import pytest

from gateway.errors import Malformed, Unauthenticated
from gateway.wire import oidc
from gateway.wire.oidc import Attempt, ClientAuthentication, Credentials, Metadata
from tests.edge.openid import signing_key

NOW = datetime(2026, 11, 21, tzinfo=UTC)
METADATA = Metadata(
    issuer="https://id.example/realm", authorization="https://id.example/auth?realm=1",
    token="https://id.example/token", keys="https://id.example/keys", names_itself=True,
)  # fmt: skip
BACK = "https://gateway.example:8444/login/oidc/callback"
ATTEMPT = Attempt("secret")


def test_every_secret_of_an_attempt_is_another() -> None:
    made = {ATTEMPT.state, ATTEMPT.nonce, ATTEMPT.verifier, ATTEMPT.challenge, ATTEMPT.secret}
    assert len(made) == 5
    assert all(re.fullmatch("[A-Za-z0-9_-]{43}", one) for one in made - {ATTEMPT.secret})
    assert not made & {Attempt("another").state, Attempt("another").verifier}
    digest = hashlib.sha256(ATTEMPT.verifier.encode()).digest()
    assert base64.urlsafe_b64decode(ATTEMPT.challenge + "=") == digest  # RFC 7636 4.2
    assert "secret" not in repr(ATTEMPT)


def test_the_address_asks_for_a_code_and_nothing_else() -> None:
    address = oidc.authorization_address(
        METADATA, ATTEMPT, client_id="a&b", redirect_uri=BACK, scopes=("openid", "x"),
        acr_values=("one", "two"), longest_age=timedelta(minutes=15),
    )  # fmt: skip
    assert parse_qs(urlsplit(address).query) == {
        "realm": ["1"], "response_type": ["code"], "client_id": ["a&b"], "redirect_uri": [BACK],
        "scope": ["openid x"], "state": [ATTEMPT.state], "nonce": [ATTEMPT.nonce],
        "code_challenge": [ATTEMPT.challenge], "code_challenge_method": ["S256"],
        "acr_values": ["one two"], "max_age": ["900"],
    }  # fmt: skip
    assert ATTEMPT.verifier not in address


@pytest.mark.parametrize(
    ("address", "origin"),
    [
        ("https://id.example/realm", "https://id.example"),
        ("https://ID.example:443/", "https://id.example"),
        ("https://id.example:8443/a?b", "https://id.example:8443"),
        ("https://[::1]:8443/a", "https://[::1]:8443"),
    ],
)
def test_the_origin_of_an_address(address: str, origin: str) -> None:
    assert oidc.origin(address) == origin


@pytest.mark.parametrize(
    "address",
    [
        "http://id.example/", "file:///etc/passwd", "//id.example/", "id.example", "",
        "https:///x", "https://id.example@evil.example/", "https://a:b@id.example/",
        "https://id.example/#x", "https://id.example:99999/", "https://id.example/ x",
        "https://evil.example\\@id.example/", "https://ïd.example/", "https://id.example/\r\nX: y",
    ],
)  # fmt: skip
def test_what_is_no_address(address: str) -> None:
    with pytest.raises(Malformed):
        oidc.origin(address)


def test_an_answer_is_read() -> None:
    found = oidc.read_answer(b"code=c%2B1&state=s&iss=https%3A%2F%2Fid.example&session_state=x")
    assert (found.code, found.state, found.issuer) == ("c+1", "s", "https://id.example")


@pytest.mark.parametrize(
    "query",
    [
        b"", b"code=c", b"state=s", b"code=&state=s", b"code=c&error=access_denied&state=s",
        b"code=c&code=d&state=s", b"code=c&state=s&state=s", b"code=c&state=s&iss=a&iss=b",
        b"code=%ff&state=s", b"code=\xe3\x81\x82&state=s", b"code=" + b"c" * 5000 + b"&state=s",
        b"&".join(b"x%d=1" % number for number in range(30)) + b"&code=c&state=s",
    ],
)  # fmt: skip
def test_what_is_no_answer(query: bytes) -> None:
    with pytest.raises(Unauthenticated) as refused:
        oidc.read_answer(query)
    assert refused.value.at == "query"


def test_a_provider_that_does_not_name_itself_need_not() -> None:
    """RFC 9207 2.4: `iss` may be absent where the provider does not say that it sends it."""
    silent = replace(METADATA, names_itself=False)
    answer = oidc.read_answer(b"code=c&state=s")
    assert oidc.judge_answer(answer, silent) == "c"
    with pytest.raises(Unauthenticated):
        oidc.judge_answer(answer, METADATA)
    with pytest.raises(Unauthenticated):
        oidc.judge_answer(replace(answer, issuer="https://evil.example"), silent)


def ask(credentials: Credentials) -> tuple[dict[str, list[str]], dict[str, str]]:
    body, headers = oidc.token_request(
        METADATA, credentials, ATTEMPT, code="c", redirect_uri=BACK, at=NOW, new_id="jti-1"
    )
    return parse_qs(body.decode()), dict(headers)


def test_how_the_gateway_proves_itself() -> None:
    plain = Credentials(client_id="g:w", kind=ClientAuthentication.NONE, secret="s")
    form, headers = ask(plain)
    assert form == {
        "grant_type": ["authorization_code"], "code": ["c"], "redirect_uri": [BACK],
        "code_verifier": [ATTEMPT.verifier], "client_id": ["g:w"],
    }  # fmt: skip
    assert "Authorization" not in headers
    form, headers = ask(replace(plain, kind=ClientAuthentication.SECRET_BASIC, secret="ä b%"))
    assert base64.b64decode(headers["Authorization"].split()[1]) == b"g%3Aw:%C3%A4+b%25"
    assert "client_id" not in form
    form, headers = ask(replace(plain, kind=ClientAuthentication.SECRET_POST))
    assert (form["client_id"], form["client_secret"]) == (["g:w"], ["s"])
    assert "secret" not in repr(plain)


@pytest.mark.parametrize(("audience", "told"), [("", METADATA.issuer), ("https://x", "https://x")])
def test_an_assertion_of_our_own(audience: str, told: str) -> None:
    credentials = Credentials(
        client_id="gateway", kind=ClientAuthentication.PRIVATE_KEY, key=signing_key(),
        key_id="ours", algorithm="PS256", audience=audience,
    )  # fmt: skip
    form, headers = ask(credentials)
    assert "Authorization" not in headers
    (kind,), (token,) = form["client_assertion_type"], form["client_assertion"]
    assert kind == "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
    assert jwt.get_unverified_header(token) == {"alg": "PS256", "kid": "ours", "typ": "JWT"}
    claims = jwt.decode(
        token, signing_key().public_key(), ["PS256"],
        options={"verify_exp": False, "verify_iat": False, "verify_aud": False},
    )  # fmt: skip
    now = int(NOW.timestamp())
    assert claims == {
        "iss": "gateway", "sub": "gateway", "aud": told, "jti": "jti-1", "iat": now,
        "exp": now + 60,
    }  # fmt: skip
