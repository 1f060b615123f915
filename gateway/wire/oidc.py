"""OpenID Connect, authorization code flow with PKCE: what is asked and what is answered.

OpenID Connect Core 1.0 3.1, Discovery 1.0 4; RFC 6749 4.1, RFC 7636 (S256 alone), RFC 7523 2.2,
RFC 9207. Pure: addresses and bodies in, values out, and back. What came is refused by
`id_token.refused`, which names the check and never the value.
"""

import base64
import hashlib
import hmac
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum
from typing import Any
from urllib.parse import parse_qsl, quote_plus, urlencode, urlsplit

import jwt

from gateway.errors import Malformed, Unauthenticated
from gateway.wire.id_token import read_object, refused

WELL_KNOWN = "/.well-known/openid-configuration"
_ASSERTION = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
_ASSERTED = timedelta(seconds=60)
"How long an assertion of ours holds (RFC 7523 3)."
_LONGEST = 4096
_ERRORS = (
    "access_denied", "invalid_request", "unauthorized_client", "unsupported_response_type",
    "invalid_scope", "server_error", "temporarily_unavailable", "interaction_required",
    "login_required", "account_selection_required", "consent_required",
    "unmet_authentication_requirements",
)  # fmt: skip
"RFC 6749 4.1.2.1, OpenID Connect Core 3.1.2.6: what else a provider may say is not repeated."


_TOKEN_ERRORS = (
    "invalid_request", "invalid_client", "invalid_grant", "unauthorized_client",
    "unsupported_grant_type", "invalid_scope",
)  # fmt: skip
"RFC 6749 5.2."


class ClientAuthentication(Enum):
    """How we prove to the provider who we are (OpenID Connect Core 9)."""

    SECRET_BASIC = "client_secret_basic"  # noqa: S105
    SECRET_POST = "client_secret_post"  # noqa: S105
    PRIVATE_KEY = "private_key_jwt"
    NONE = "none"


@dataclass(frozen=True, slots=True, kw_only=True)
class Metadata:
    """What a provider says of itself."""

    issuer: str
    authorization: str
    token: str
    keys: str
    names_itself: bool
    "Whether every answer carries `iss` (RFC 9207 3)."


@dataclass(frozen=True, slots=True, kw_only=True)
class Credentials:
    """Who we are to the provider."""

    client_id: str
    kind: ClientAuthentication
    secret: str = ""
    key: Any = None
    "Private key for `private_key_jwt`."
    key_id: str = ""
    algorithm: str = ""
    audience: str = ""
    "Whom our assertions are for; the issuer where empty."

    def __repr__(self) -> str:
        """Without the secret."""
        return f"Credentials({self.client_id!r}, {self.kind.value})"


@dataclass(frozen=True, slots=True)
class Attempt:
    """The secrets of one log-in, all made of the one that its browser alone holds.

    Nobody who sees the address can find the others: each is an HMAC of its own (RFC 7636 7.1).
    """

    secret: str

    def __repr__(self) -> str:
        """Without the secret."""
        return "Attempt()"

    def _derived(self, what: str) -> str:
        digest = hmac.new(self.secret.encode(), what.encode(), hashlib.sha256).digest()
        return _base64url(digest)

    @property
    def state(self) -> str:
        """Comes back by the browser, which must hold the secret (RFC 6749 10.12)."""
        return self._derived("state")

    @property
    def nonce(self) -> str:
        """Comes back inside the ID token."""
        return self._derived("nonce")

    @property
    def verifier(self) -> str:
        """Goes to the provider with the code (RFC 7636 4.1)."""
        return self._derived("verifier")

    @property
    def challenge(self) -> str:
        """Goes to the provider first (RFC 7636 4.2)."""
        return _base64url(hashlib.sha256(self.verifier.encode()).digest())


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What the browser brings back from the provider."""

    state: str
    issuer: str
    code: str = ""
    error: str = ""


def origin(address: str) -> str:
    """`https://host[:port]` of an address; raises `Malformed` unless it is a plain https one."""
    try:
        parts = urlsplit(address)
        port = parts.port
    except ValueError as error:
        raise Malformed("not an address") from error
    plain = address.isascii() and address.isprintable() and " " not in address
    if parts.scheme != "https" or not parts.hostname or not plain or "\\" in address:
        raise Malformed("not an https address")
    if parts.username is not None or parts.password is not None or parts.fragment:
        raise Malformed("an address without user and fragment is wanted")
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    return f"https://{host}" + ("" if port in (None, 443) else f":{port}")


def read_metadata(body: bytes, issuer: str, origins: Iterable[str]) -> Metadata:
    """What the provider says of itself; every address must lie at one of `origins`.

    Raises `Unauthenticated` where it names another issuer (Discovery 4.3) or a place of others.
    """
    found = read_object(body, "discovery")
    if found.get("issuer") != issuer:
        raise refused("discovery-issuer")
    allowed = frozenset(origins)

    def address(name: str) -> str:
        value = found.get(name)
        try:
            known = isinstance(value, str) and origin(value) in allowed
        except Malformed:
            known = False
        if not known:
            raise refused(f"discovery-{name}")
        return str(value)

    return Metadata(
        issuer=issuer, authorization=address("authorization_endpoint"),
        token=address("token_endpoint"), keys=address("jwks_uri"),
        names_itself=found.get("authorization_response_iss_parameter_supported") is True,
    )  # fmt: skip


def authorization_address(
    metadata: Metadata,
    attempt: Attempt,
    *,
    client_id: str,
    redirect_uri: str,
    scopes: Iterable[str],
    acr_values: Iterable[str] = (),
    longest_age: timedelta | None = None,
) -> str:
    """Where the browser is sent to log in (OpenID Connect Core 3.1.2.1)."""
    asked = {
        "response_type": "code", "client_id": client_id, "redirect_uri": redirect_uri,
        "scope": " ".join(scopes), "state": attempt.state, "nonce": attempt.nonce,
        "code_challenge": attempt.challenge, "code_challenge_method": "S256",
    }  # fmt: skip
    if wanted := " ".join(acr_values):
        asked["acr_values"] = wanted
    if longest_age is not None:
        asked["max_age"] = str(int(longest_age.total_seconds()))
    return (
        metadata.authorization + ("&" if "?" in metadata.authorization else "?") + urlencode(asked)
    )


def read_answer(query: bytes) -> Answer:
    """What the browser brought back; a parameter that comes twice is refused (RFC 6749 3.1)."""
    try:
        pairs = parse_qsl(query.decode("ascii"), keep_blank_values=True, max_num_fields=20,
                          errors="strict")  # fmt: skip
    except ValueError as wrong:
        raise refused("query") from wrong
    given = dict(pairs)
    if len(given) != len(pairs) or any(len(value) > _LONGEST for value in given.values()):
        raise refused("query")
    state, code, error = (given.get(name, "") for name in ("state", "code", "error"))
    if not state or bool(code) == bool(error):
        raise refused("query")
    return Answer(
        state=state, code=code, issuer=given.get("iss", ""),
        error=(error if error in _ERRORS else "other") if error else "",
    )  # fmt: skip


def judge_answer(answer: Answer, metadata: Metadata) -> str:
    """The code of an answer that the asked provider gave (RFC 9207 2.4)."""
    if answer.issuer != metadata.issuer and (answer.issuer or metadata.names_itself):
        raise refused("answer-iss")
    if answer.error:
        raise Unauthenticated(
            "the log-in service did not log you in: begin again",
            "認証サービスでログインできませんでした。最初からやり直してください",
            at=f"error={answer.error}", rule="SIG-03", log="LOGIN-FAIL",
        )  # fmt: skip
    return answer.code


def token_request(
    metadata: Metadata,
    credentials: Credentials,
    attempt: Attempt,
    *,
    code: str,
    redirect_uri: str,
    at: datetime,
    new_id: str,
) -> tuple[bytes, Mapping[str, str]]:
    """The form that turns a code into tokens, and its headers (RFC 6749 4.1.3, RFC 7636 4.5)."""
    form = {
        "grant_type": "authorization_code", "code": code, "redirect_uri": redirect_uri,
        "code_verifier": attempt.verifier,
    }  # fmt: skip
    headers = {"Content-Type": "application/x-www-form-urlencoded", "Accept": "application/json"}
    name = credentials.client_id
    match credentials.kind:
        case ClientAuthentication.SECRET_BASIC:
            # RFC 6749 2.3.1: both are form-encoded before they are joined.
            pair = f"{quote_plus(name)}:{quote_plus(credentials.secret)}"
            headers["Authorization"] = "Basic " + base64.b64encode(pair.encode()).decode()
        case ClientAuthentication.SECRET_POST:
            form |= {"client_id": name, "client_secret": credentials.secret}
        case ClientAuthentication.PRIVATE_KEY:
            form |= {
                "client_id": name, "client_assertion_type": _ASSERTION,
                "client_assertion": _assertion(metadata, credentials, at, new_id),
            }  # fmt: skip
        case ClientAuthentication.NONE:
            form["client_id"] = name
    return urlencode(form).encode(), headers


def _assertion(metadata: Metadata, credentials: Credentials, at: datetime, new_id: str) -> str:
    """A token of our own, signed by our key (OpenID Connect Core 9, RFC 7523 3)."""
    name = credentials.client_id
    claims = {
        "iss": name, "sub": name, "aud": credentials.audience or metadata.issuer, "jti": new_id,
        "iat": at, "exp": at + _ASSERTED,
    }  # fmt: skip
    headers = {"kid": credentials.key_id} if credentials.key_id else None
    return jwt.encode(claims, credentials.key, credentials.algorithm, headers)


def read_tokens(body: bytes) -> str:
    """The ID token of a token response (OpenID Connect Core 3.1.3.3); the others are dropped."""
    found = read_object(body, "token-response")
    kind, token = found.get("token_type"), found.get("id_token")
    if not isinstance(kind, str) or kind.lower() != "bearer" or not isinstance(token, str):
        raise refused("token-response")
    return token


def read_error(body: bytes) -> str:
    """Why a provider gave no tokens (RFC 6749 5.2); empty where it says nothing that is known."""
    try:
        error = read_object(body, "error").get("error")
    except Unauthenticated:
        return ""
    return error if error in _TOKEN_ERRORS else ""


def _base64url(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()
