"""`wire.id_token`: what a provider says counts only if every check holds (SIG-03)."""

import hashlib
import hmac
import json
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.cli import demo_authority as make
from gateway.errors import Unauthenticated
from gateway.wire import id_token
from gateway.wire.id_token import Expected, UnknownKey
from tests.edge.openid import curve_key, jwk, signing_key, unsigned

NOW = datetime(2026, 11, 21, tzinfo=UTC)
AT = int(NOW.timestamp())
EXPECTED = Expected(
    issuer="https://id.example", client_id="gateway", nonce="n-1",
    algorithms=frozenset({"RS256", "ES256"}), longest_age=timedelta(minutes=15),
)  # fmt: skip
CLAIMS: dict[str, Any] = {
    "iss": "https://id.example", "sub": "doctor-1", "aud": "gateway", "nonce": "n-1", "iat": AT,
    "exp": AT + 300, "auth_time": AT, "acr": "urn:example:hpki",
}  # fmt: skip
KEYS = (jwk(signing_key()), jwk(curve_key(), "e1"))


def sign(
    claims: object, *, key: Any = None, algorithm: str = "RS256", **header: Any
) -> str:  # fmt: skip
    return jwt.api_jws.encode(
        json.dumps(claims).encode(), key or signing_key(), algorithm, {"kid": "k1", **header}
    )


def verify(token: str, keys: Any = KEYS, **changed: Any) -> id_token.Identity:
    return id_token.verify(token, keys, replace(EXPECTED, **changed), NOW)


def test_a_good_token_tells_who() -> None:
    found = verify(sign(CLAIMS))
    assert (found.subject, found.acr) == ("doctor-1", "urn:example:hpki")
    assert (found.algorithm, found.key_id, found.authenticated) == ("RS256", "k1", NOW)
    curve = sign(CLAIMS, key=curve_key(), algorithm="ES256", kid="e1")
    assert verify(curve).algorithm == "ES256"


def test_another_claim_may_name_the_practitioner() -> None:
    token = sign({**CLAIMS, "registration_number": "第123456号"})
    assert verify(token, subject_claim="registration_number").subject == "第123456号"
    with pytest.raises(Unauthenticated) as refused:
        verify(sign(CLAIMS), subject_claim="registration_number")
    assert refused.value.at == "registration_number"


@pytest.mark.parametrize(
    ("changed", "check"),
    [
        pytest.param({"iss": "https://id.example/"}, "iss", id="another issuer"),
        pytest.param({"iss": ["https://id.example"]}, "iss", id="a list of issuers"),
        pytest.param({"aud": "another"}, "aud", id="for another client"),
        pytest.param({"aud": ["gateway", "another"]}, "aud", id="for others too"),
        pytest.param({"aud": []}, "aud", id="for nobody"),
        pytest.param({"azp": "another"}, "azp", id="another party"),
        pytest.param({"nonce": "n-2"}, "nonce", id="another log-in"),
        pytest.param({"nonce": ["n-1"]}, "nonce", id="a list of nonces"),
        pytest.param({"exp": AT - 60}, "exp", id="expired"),
        pytest.param({"exp": "tomorrow"}, "exp", id="an end in words"),
        pytest.param({"exp": True}, "exp", id="an end that is a truth"),
        pytest.param({"exp": 1e300}, "exp", id="an end that never comes"),
        pytest.param({"iat": AT + 61}, "iat", id="issued in the future"),
        pytest.param({"iat": AT - 661}, "iat", id="issued long ago"),
        pytest.param({"nbf": AT + 61}, "nbf", id="not yet"),
        pytest.param({"auth_time": AT - 961}, "auth_time", id="proven too long ago"),
        pytest.param({"auth_time": AT + 61}, "auth_time", id="proven in the future"),
        pytest.param({"sub": ""}, "sub", id="nobody"),
        pytest.param({"sub": "a b"}, "sub", id="a space"),
        pytest.param({"sub": "x" * 256}, "sub", id="a long name"),
        pytest.param({"sub": 7}, "sub", id="a number"),
        pytest.param({"acr": 1}, "acr", id="an acr that is a number"),
    ],
)
def test_a_claim_that_does_not_hold(changed: dict[str, Any], check: str) -> None:
    with pytest.raises(Unauthenticated) as refused:
        verify(sign({**CLAIMS, **changed}))
    assert refused.value.at == check
    for value in changed.values():  # the refusal names the check, never the value
        assert len(str(value)) < 3 or str(value) not in str(refused.value)


@pytest.mark.parametrize("name", ["iss", "sub", "aud", "exp", "iat", "nonce", "auth_time"])
def test_a_claim_that_is_missing(name: str) -> None:
    claims = {key: value for key, value in CLAIMS.items() if key != name}
    with pytest.raises(Unauthenticated) as refused:
        verify(sign(claims))
    assert refused.value.at == name


@pytest.mark.parametrize(
    "changed",
    [
        {"exp": AT - 59}, {"iat": AT + 60}, {"iat": AT - 600}, {"nbf": AT + 60},
        {"auth_time": AT - 960}, {"aud": ["gateway"]}, {"azp": "gateway"}, {"exp": AT + 0.5},
    ],
)  # fmt: skip
def test_what_still_holds(changed: dict[str, Any]) -> None:
    assert verify(sign({**CLAIMS, **changed})).subject == "doctor-1"


def test_who_was_not_asked_when_need_not_say() -> None:
    claims = {key: value for key, value in CLAIMS.items() if key not in ("auth_time", "acr")}
    found = verify(sign(claims), longest_age=None)
    assert (found.authenticated, found.acr) == (None, "")


def _confused(algorithm: str) -> str:
    """An HMAC whose key is the provider's public key, in the form everybody can make."""
    public = signing_key().public_key()
    pem = public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    head = unsigned({"alg": algorithm, "kid": "k1"}, CLAIMS).rpartition(".")[0]
    digest = hmac.new(pem, head.encode(), hashlib.sha256).digest()
    return head + unsigned({}, {}, digest)[unsigned({}, {}).rindex(".") :]


FORGED: dict[str, tuple[Callable[[], str], str]] = {
    "alg none": (lambda: unsigned({"alg": "none", "kid": "k1"}, CLAIMS), "alg"),
    "alg None": (lambda: unsigned({"alg": "nOnE", "kid": "k1"}, CLAIMS), "alg"),
    "no alg": (lambda: unsigned({"kid": "k1"}, CLAIMS), "alg"),
    "alg is a list": (lambda: unsigned({"alg": ["RS256"], "kid": "k1"}, CLAIMS), "alg"),
    "HS256 with the public key": (lambda: _confused("HS256"), "alg"),
    "RS256 with an HMAC": (lambda: _confused("RS256"), "signature"),
    "an algorithm that is not allowed": (lambda: sign(CLAIMS, algorithm="RS512"), "alg"),
    "another's key": (lambda: sign(CLAIMS, key=signing_key(2)), "signature"),
    "no signature": (lambda: sign(CLAIMS).rpartition(".")[0] + ".", "signature"),
    "an algorithm that is not the key's": (
        lambda: unsigned({"alg": "ES256", "kid": "k1"}, CLAIMS, b"x" * 64), "kid"),
    "kid is a number": (lambda: unsigned({"alg": "RS256", "kid": 1}, CLAIMS, b"x"), "kid"),
    "crit": (lambda: unsigned({"alg": "RS256", "kid": "k1", "crit": ["exp"]}, CLAIMS), "crit"),
    "b64": (lambda: unsigned({"alg": "RS256", "kid": "k1", "b64": False}, CLAIMS), "crit"),
    "encrypted": (lambda: "a.b.c.d.e", "form"),
    "not a token": (lambda: "hello", "form"),
    "no base64": (lambda: "é.b.c", "form"),
    "a header that is no object": (lambda: "W10.e30.", "form"),
    "a header that is no JSON": (lambda: "e.e.e", "form"),
    "oversized": (lambda: sign({**CLAIMS, "x": "y" * 16384}), "form"),
    "claims that are a list": (lambda: sign([CLAIMS]), "claims"),
}  # fmt: skip


@pytest.mark.parametrize("how", FORGED)
def test_a_token_that_nobody_signed(how: str) -> None:
    forge, check = FORGED[how]
    with pytest.raises(Unauthenticated) as refused:
        verify(forge())
    assert refused.value.at == check


def test_a_token_chooses_no_key() -> None:
    """`jwk`, `jku` and `x5u` in a header are nothing to us."""
    own = sign(CLAIMS, key=signing_key(2), jwk=jwk(signing_key(2)), jku="https://evil.example/k")
    with pytest.raises(Unauthenticated) as refused:
        verify(own)
    assert refused.value.at == "signature"


def test_a_changed_claim_is_noticed() -> None:
    head, _, _ = sign(CLAIMS).partition(".")
    _, payload, signature = sign(CLAIMS).split(".")
    other = unsigned({}, {**CLAIMS, "sub": "doctor-2"}).split(".")[1]
    with pytest.raises(Unauthenticated):
        verify(f"{head}.{other}.{signature}")
    assert verify(f"{head}.{payload}.{signature}").subject == "doctor-1"


def test_an_unknown_key_is_told_apart() -> None:
    with pytest.raises(UnknownKey):
        verify(sign(CLAIMS, kid="k9"))


def test_a_token_without_kid_wants_a_single_key() -> None:
    bare = jwt.api_jws.encode(json.dumps(CLAIMS).encode(), signing_key(), "RS256")
    assert verify(bare).key_id == ""
    with pytest.raises(Unauthenticated) as refused:
        verify(bare, (*KEYS, jwk(signing_key(2), "k2")))
    assert refused.value.at == "kid"


@pytest.mark.parametrize(
    ("keys", "check"),
    [
        pytest.param([jwk(signing_key()), jwk(signing_key(2))], "kid", id="two of one name"),
        pytest.param([jwk(signing_key(), alg="RS512")], "kid", id="for another algorithm"),
        pytest.param([{"kty": "RSA", "kid": "k1", "n": "AQAB", "e": "AQAB"}], "key", id="tiny"),
        pytest.param([{"kty": "RSA", "kid": "k1"}], "key", id="no number"),
        pytest.param([{"kty": "RSA", "kid": "k1", "n": 7, "e": []}], "key", id="numbers as such"),
    ],
)
def test_keys_that_verify_nothing(keys: list[dict[str, Any]], check: str) -> None:
    with pytest.raises(Unauthenticated) as refused:
        verify(sign(CLAIMS), id_token.read_keys(json.dumps({"keys": keys}).encode()))
    assert refused.value.at == check


def test_weak_keys_are_refused() -> None:
    weak = make.rsa_key(1024)
    with pytest.warns(jwt.InsecureKeyLengthWarning):
        token = sign(CLAIMS, key=weak)
    with pytest.raises(Unauthenticated) as refused:
        verify(token, (jwk(weak),))
    assert refused.value.at == "key"


@pytest.mark.parametrize(
    "odd",
    [
        {"kty": "oct", "k": "c2VjcmV0", "kid": "k1"},
        {**jwk(signing_key()), "use": "enc"},
        {**jwk(signing_key()), "key_ops": ["encrypt"]},
        {**jwk(signing_key()), "key_ops": 7},
        {**jwk(signing_key()), "d": "AQ"},
        {"kty": ["RSA"]}, "k1", None,
    ],
)  # fmt: skip
def test_what_cannot_sign_is_left_out(odd: object) -> None:
    body = json.dumps({"keys": [odd, jwk(curve_key(), "e1")]}).encode()
    assert [key["kid"] for key in id_token.read_keys(body)] == ["e1"]


@pytest.mark.parametrize("body", [b"", b"[]", b"{}", b'{"keys": {}}', b"[" * 5000, b"\xff"])
def test_what_is_no_key_set(body: bytes) -> None:
    with pytest.raises(Unauthenticated):
        id_token.read_keys(body)


_JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=8,
)


@settings(max_examples=25)
@given(
    st.dictionaries(st.sampled_from(["alg", "kid", "typ", "crit", "x5c"]), _JSON),
    st.dictionaries(st.sampled_from(["kty", "n", "e", "crv", "x", "y", "alg", "kid"]), _JSON),
    st.text(max_size=20),
)
def test_whatever_comes_is_refused_or_unknown(
    header: dict[str, Any], key: dict[str, Any], rest: str
) -> None:
    keys = ({"kty": "RSA", **key}, {**key, "kty": "EC", "crv": "P-256"}, {**key, "kid": "k1"})
    for token in (unsigned(header, CLAIMS), unsigned({"alg": "RS256", **header}, {}), rest):
        with pytest.raises((Unauthenticated, UnknownKey)):
            verify(token, keys)
