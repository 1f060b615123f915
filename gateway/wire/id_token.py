"""ID tokens: who an OpenID provider says has logged in, believed only after every check.

OpenID Connect Core 1.0 3.1.3.7; RFC 7515, 7517, 7519; RFC 8725. The signature is PyJWT's work.
Which algorithms count is the settings' word, and the key is the provider's: nothing in a token
chooses either. Times are judged here, as of the moment that is handed in.
"""

import hmac
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from math import isfinite
from typing import Any

import jwt
import orjson
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from jwt.api_jws import PyJWS
from jwt.utils import base64url_decode

from gateway.errors import Unauthenticated

ALGORITHMS: Mapping[str, tuple[str, str]] = {
    "RS256": ("RSA", ""), "RS384": ("RSA", ""), "RS512": ("RSA", ""),
    "PS256": ("RSA", ""), "PS384": ("RSA", ""), "PS512": ("RSA", ""),
    "ES256": ("EC", "P-256"), "ES384": ("EC", "P-384"), "ES512": ("EC", "P-521"),
    "EdDSA": ("OKP", "Ed25519"),
}  # fmt: skip
"Every algorithm that may be configured, with the kty and crv of its keys (RFC 7518 3.1, RFC 8037)."
_LONGEST = 16 * 1024
_MOST_KEYS = 64
_RSA_BITS = range(2048, 8193)
_EXPONENT = 1 << 33
_TEXT = 255
"Longest identifier: OpenID Connect Core 2 of `sub`."
_PLAIN = re.compile(r"[^\x00-\x20\x7f]{1,255}")
_FRESH = timedelta(minutes=10)
"How long ago a token may have been issued: log-ins end within this."


class UnknownKey(Exception):
    """The provider's key set has no key of this id: it may have been renewed (rotation)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Expected:
    """What the token of one log-in must say."""

    issuer: str
    client_id: str
    nonce: str
    algorithms: frozenset[str]
    subject_claim: str = "sub"
    "The claim that names the practitioner."
    skew: timedelta = timedelta(seconds=60)
    longest_age: timedelta | None = None
    "How long ago the user may have proven to be there; None where that was not asked."


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """Whom a token that held is about."""

    subject: str
    "Value of the claim that names the practitioner."
    acr: str
    "Authentication context class; empty where the provider states none."
    key_id: str
    algorithm: str
    authenticated: datetime | None
    "When the user proved to be there, where the provider says so."


def refused(check: str, rule: str = "SIG-03") -> Unauthenticated:
    """The refusal of a provider's answer; `check` names what did not hold, for the trail."""
    return Unauthenticated(
        "the log-in service's answer is refused: try again, and tell the secretariat if it stays",
        "認証サービスの応答を確認できません。もう一度試し、続くときは事務局に連絡してください",
        at=check, rule=rule, log="LOGIN-FAIL",
    )  # fmt: skip


def read_keys(body: bytes) -> tuple[Mapping[str, Any], ...]:
    """The signing keys of a JWK Set (RFC 7517 5); what cannot sign is left out (RFC 7517 5).

    Raises `Unauthenticated` where it is not a JWK Set, or one of unheard-of size.
    """
    found = read_object(body, "jwks").get("keys")
    if not isinstance(found, list) or len(found) > _MOST_KEYS:
        raise refused("jwks")
    return tuple(key for key in found if isinstance(key, dict) and _is_public_signing(key))


def verify(
    token: str, keys: tuple[Mapping[str, Any], ...], expected: Expected, at: datetime
) -> Identity:
    """Whom the token is about; raises `Unauthenticated` naming the first check that failed.

    Raises `UnknownKey` where no key has the token's `kid`, so that the caller may fetch them again.
    """
    header = _header(token)
    algorithm = header.get("alg")
    if not isinstance(algorithm, str) or algorithm not in expected.algorithms & ALGORITHMS.keys():
        raise refused("alg")
    if "crit" in header or "b64" in header:
        raise refused("crit")
    key, key_id = _key(keys, header.get("kid"), algorithm)
    try:
        payload = PyJWS(algorithms=[algorithm]).decode(token, key, algorithms=[algorithm])
    except jwt.PyJWTError as error:
        raise refused("signature") from error
    claims = read_object(payload, "claims")
    _judge_parties(claims, expected)
    authenticated = _judge_times(claims, expected, at)
    acr = claims.get("acr", "")
    if not isinstance(acr, str) or len(acr) > _TEXT:
        raise refused("acr")
    _text(claims, "sub")
    return Identity(
        subject=_text(claims, expected.subject_claim), acr=acr, key_id=key_id,
        algorithm=algorithm, authenticated=authenticated,
    )  # fmt: skip


def _is_public_signing(key: Mapping[str, Any]) -> bool:
    uses = key.get("key_ops", ["verify"])
    return (
        any(key.get("kty") == kind for kind, _ in ALGORITHMS.values())
        and key.get("use", "sig") == "sig"
        and isinstance(uses, list)
        and "verify" in uses
        and "d" not in key
    )


def _header(token: str) -> dict[str, Any]:
    if len(token) > _LONGEST or not token.isascii() or token.count(".") != 2:
        raise refused("form")
    try:
        header = base64url_decode(token.partition(".")[0])
    except ValueError as error:
        raise refused("form") from error
    return read_object(header, "form")


def _key(keys: tuple[Mapping[str, Any], ...], kid: object, algorithm: str) -> tuple[jwt.PyJWK, str]:
    """The one key that may have signed: by its id, or the only one of its kind."""
    kind, curve = ALGORITHMS[algorithm]
    if kid is not None and not isinstance(kid, str):
        raise refused("kid")
    named = [key for key in keys if kid is None or key.get("kid") == kid]
    if not named:
        raise UnknownKey
    fitting = [
        key
        for key in named
        if key.get("kty") == kind
        and key.get("crv", "") == curve
        and key.get("alg", algorithm) == algorithm
    ]
    if len(fitting) != 1:  # RFC 8725 3.1: a key is used with the algorithm it is for
        raise refused("kid")
    try:
        made = jwt.PyJWK(dict(fitting[0]), algorithm)
    except jwt.PyJWTError as error:
        raise refused("key") from error
    if isinstance(made.key, RSAPublicKey):
        public = made.key.public_numbers()
        if made.key.key_size not in _RSA_BITS or public.e >= _EXPONENT:
            raise refused("key")
    return made, kid or ""


def _judge_parties(claims: Mapping[str, Any], expected: Expected) -> None:
    """Rules 2 to 5 and 11 of OpenID Connect Core 3.1.3.7; other audiences are not trusted here."""
    if claims.get("iss") != expected.issuer:
        raise refused("iss")
    audience = claims.get("aud")
    if audience not in (expected.client_id, [expected.client_id]):
        raise refused("aud")
    if claims.get("azp", expected.client_id) != expected.client_id:
        raise refused("azp")
    nonce = claims.get("nonce")
    if not isinstance(nonce, str) or not hmac.compare_digest(
        nonce.encode(), expected.nonce.encode()
    ):
        raise refused("nonce")


def _judge_times(claims: Mapping[str, Any], expected: Expected, at: datetime) -> datetime | None:
    """Rules 9, 10 and 13 of OpenID Connect Core 3.1.3.7, and RFC 7519 4.1.5; says `auth_time`."""
    now, skew = at.timestamp(), expected.skew.total_seconds()
    if _number(claims, "exp") <= now - skew:
        raise refused("exp")
    if not now - skew - _FRESH.total_seconds() <= _number(claims, "iat") <= now + skew:
        raise refused("iat")
    if "nbf" in claims and _number(claims, "nbf") > now + skew:
        raise refused("nbf")
    if "auth_time" not in claims and expected.longest_age is None:
        return None
    since = _number(claims, "auth_time")
    if since > now + skew:
        raise refused("auth_time")
    if (
        expected.longest_age is not None
        and since + expected.longest_age.total_seconds() < now - skew
    ):
        raise refused("auth_time")
    return datetime.fromtimestamp(since, at.tzinfo)


def _number(claims: Mapping[str, Any], name: str) -> float:
    """A NumericDate (RFC 7519 2)."""
    value = claims.get(name)
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise refused(name)
    if not isfinite(value) or not 0 <= value < 1 << 40:
        raise refused(name)
    return float(value)


def _text(claims: Mapping[str, Any], name: str) -> str:
    """A short identifier, without spaces and without what cannot be seen."""
    value = claims.get(name)
    if not isinstance(value, str) or not _PLAIN.fullmatch(value):
        raise refused(name)
    return value


def read_object(body: bytes, check: str) -> dict[str, Any]:
    """A JSON object; raises `Unauthenticated` where it is none."""
    try:
        value = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise refused(check) from error
    if not isinstance(value, dict):
        raise refused(check)
    return value
