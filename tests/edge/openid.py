"""An OpenID provider made by hand, over real HTTPS: each test says what it does wrong."""

import base64
import json
import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, parse_qsl, urlsplit

import jwt
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from jwt.algorithms import ECAlgorithm, RSAAlgorithm

from gateway.cli import demo_authority as make
from gateway.edge.provider import Provider
from gateway.wire.oidc import WELL_KNOWN, ClientAuthentication, Credentials

REDIRECT = "https://gateway.example/login/oidc/callback"
CLIENT = "gateway"
ACR = "urn:example:hpki"


@cache
def signing_key(number: int = 1) -> rsa.RSAPrivateKey:
    return make.rsa_key()


@cache
def curve_key() -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(ec.SECP256R1())


def jwk(key: Any, kid: str | None = "k1", **more: Any) -> dict[str, Any]:
    """The public half of a key, as a provider publishes it."""
    algorithm: Any = RSAAlgorithm if isinstance(key, rsa.RSAPrivateKey) else ECAlgorithm
    made = algorithm.to_jwk(key.public_key(), as_dict=True)
    made.pop("key_ops", None)
    return {**made, "use": "sig", **({} if kid is None else {"kid": kid}), **more}


def unsigned(header: dict[str, Any], claims: dict[str, Any], signature: bytes = b"") -> str:
    """A token with any header at all."""
    parts = (json.dumps(header).encode(), json.dumps(claims).encode(), signature)
    return ".".join(base64.urlsafe_b64encode(one).rstrip(b"=").decode() for one in parts)


@dataclass
class OpenId:
    """What the provider answers; tests change it."""

    origin: str = ""
    now: datetime = field(default_factory=lambda: datetime(2026, 11, 21, tzinfo=UTC))
    keys: list[dict[str, Any]] = field(default_factory=lambda: [jwk(signing_key())])
    key: Any = field(default_factory=signing_key)
    headers: dict[str, Any] = field(default_factory=lambda: {"kid": "k1"})
    algorithm: str = "RS256"
    metadata: dict[str, Any] = field(default_factory=dict)
    claims: dict[str, Any] = field(default_factory=dict)
    "Claims that differ; None leaves one out."
    token: str | None = None
    "The whole token, in place of a good one."
    answers: dict[str, tuple[int, dict[str, str], bytes]] = field(default_factory=dict)
    "What a path answers instead: status, headers, body."
    drip: float = 0.0
    "Seconds between the bytes of an answer."
    asked: list[tuple[str, dict[str, str], dict[str, str]]] = field(default_factory=list)
    "Every request: path, headers in lower case, form."
    nonces: dict[str, str] = field(default_factory=dict)
    "Of each code."
    challenges: dict[str, str] = field(default_factory=dict)

    def log_in(self, address: str, code: str = "code-1") -> str:
        """What a browser brings back from an authorization address."""
        asked = {name: value for name, (value,) in parse_qs(urlsplit(address).query).items()}
        self.nonces[code] = asked["nonce"]
        self.challenges[code] = asked["code_challenge"]
        return f"code={code}&state={asked['state']}&iss={self.origin}"

    def paths(self) -> list[str]:
        return [path for path, _, _ in self.asked]

    def answer(self, path: str, form: dict[str, str]) -> tuple[int, dict[str, str], bytes]:
        if path in self.answers:
            return self.answers[path]
        kind = {"Content-Type": "application/json"}
        if path == WELL_KNOWN:
            place = {
                "issuer": self.origin, "authorization_endpoint": f"{self.origin}/authorize",
                "token_endpoint": f"{self.origin}/token", "jwks_uri": f"{self.origin}/keys",
                "authorization_response_iss_parameter_supported": True,
            }  # fmt: skip
            return 200, kind, json.dumps({**place, **self.metadata}).encode()
        if path == "/keys":
            return 200, kind, json.dumps({"keys": self.keys}).encode()
        if path == "/token":
            token = self.token or self._token(form["code"])
            return 200, kind, json.dumps({"token_type": "Bearer", "id_token": token}).encode()
        return 404, kind, b"{}"

    def _token(self, code: str) -> str:
        claims = {
            "iss": self.origin, "sub": "doctor-1", "aud": CLIENT, "nonce": self.nonces[code],
            "iat": self.now, "exp": self.now + timedelta(minutes=5), "auth_time": self.now,
            "acr": ACR, **self.claims,
        }  # fmt: skip
        for name in ("iat", "exp", "auth_time"):
            if isinstance(claims[name], datetime):
                claims[name] = int(claims[name].timestamp())
        claims = {name: value for name, value in claims.items() if value is not None}
        return jwt.api_jws.encode(
            json.dumps(claims).encode(), self.key, self.algorithm, self.headers
        )


@dataclass
class Place:
    """A provider that answers."""

    openid: OpenId
    ca: Path

    def provider(self, **changed: Any) -> Provider:
        """How a gateway sees it."""
        credentials = Credentials(
            client_id=CLIENT, kind=ClientAuthentication.SECRET_BASIC, secret="s3cret&:"
        )
        return Provider(
            **{
                "issuer": self.openid.origin, "origins": frozenset({self.openid.origin}),
                "clients": {CLIENT: credentials}, "redirect_uri": REDIRECT,
                "scopes": ("openid",), "acr_values": (ACR,),
                "algorithms": frozenset({"RS256", "ES256"}), "subject_claim": "sub",
                "longest_age": timedelta(minutes=15), "skew": timedelta(seconds=60),
                "tls": ssl.create_default_context(cafile=str(self.ca)), "seconds": 10.0,
                **changed,
            }
        )  # fmt: skip


def certificate(folder: Path) -> tuple[Path, Path]:
    """An authority, and a key with its certificate for `localhost`, for a provider of its own."""
    since = datetime.now(UTC).replace(microsecond=0) - timedelta(days=1)
    until = since + timedelta(days=30)
    authority = make.issue(
        make.name("Provider CA"), make.ec_key(), None, make.authority(0), serial=1, since=since,
        until=until,
    )  # fmt: skip
    own = make.issue(
        make.name("localhost"), make.ec_key(), authority,
        (make.leaf(), make.usage("digital_signature"), make.names(x509.DNSName("localhost"))),
        serial=2, since=since, until=until,
    )  # fmt: skip
    ca, pem = folder / "provider-ca.pem", folder / "provider.pem"
    ca.write_bytes(authority.pem)
    pem.write_bytes(own.key_pem + own.pem)
    return ca, pem


@contextmanager
def serve(folder: Path) -> Iterator[Place]:
    """A provider on a free port of this machine."""
    openid = OpenId()

    class Handler(BaseHTTPRequestHandler):
        def _any(self) -> None:
            length = int(self.headers.get("Content-Length") or 0)
            form = dict(parse_qsl(self.rfile.read(length).decode()))
            headers = {name.lower(): value for name, value in self.headers.items()}
            openid.asked.append((self.path, headers, form))
            status, fields, body = openid.answer(self.path, form)
            self.send_response(status)
            for name, value in fields.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            with suppress(OSError):
                for start in range(0, len(body), 1) if openid.drip else (0,):
                    self.wfile.write(body[start : start + 1] if openid.drip else body)
                    self.wfile.flush()
                    time.sleep(openid.drip)

        do_GET = do_POST = _any  # noqa: N815

        def log_message(self, *_: Any) -> None:
            pass

    ca, pem = certificate(folder)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pem)
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        server.handle_error = lambda *_: None  # type: ignore[method-assign]
        server.socket = context.wrap_socket(server.socket, server_side=True)
        openid.origin = f"https://localhost:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
        thread.start()
        try:
            yield Place(openid, ca)
        finally:
            server.shutdown()
            thread.join()
