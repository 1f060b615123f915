"""`[oidc]` made into values: a provider that could let in the wrong one stops the start."""

import ssl
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from gateway.edge.provider import Provider
from gateway.edge.tls import check_private
from gateway.errors import Malformed
from gateway.model.caller import LevelOfAssurance
from gateway.settings import OidcSettings, Settings, SettingsError
from gateway.wire import oidc
from gateway.wire.id_token import ALGORITHMS
from gateway.wire.oidc import ClientAuthentication, Credentials

CALLBACK = "/login/oidc/callback"
_MOST_SKEW = 300
_KINDS = {"RSA": RSAPrivateKey, "EC": EllipticCurvePrivateKey, "OKP": Ed25519PrivateKey}
_LEVELS = {"hpki": LevelOfAssurance.HPKI, "password": LevelOfAssurance.PASSWORD}


def read_provider(settings: Settings) -> Provider | None:
    """The provider of an installation; None where nobody logs in at one.

    Raises `SettingsError` naming the key that is wrong.
    """
    found = settings.oidc
    if not found.issuer:
        return None
    if not found.client_ids or not all(found.client_ids):
        raise SettingsError("[oidc] client_ids: name what the provider knows the gateway as")
    if "openid" not in found.scopes:
        raise SettingsError("[oidc] scopes must contain openid")
    if not found.subject_claim:
        raise SettingsError("[oidc] subject_claim must not be empty")
    if found.clock_skew_seconds > _MOST_SKEW:
        raise SettingsError(f"[oidc] clock_skew_seconds must not be over {_MOST_SKEW}")
    if not 0 < found.seconds <= 60:
        raise SettingsError("[oidc] seconds must be over 0 and not over 60")
    algorithms = frozenset(found.algorithms)
    if not algorithms or algorithms - ALGORITHMS.keys():
        raise SettingsError(f"[oidc] algorithms: possible are {', '.join(ALGORITHMS)}")
    if urlsplit(found.issuer).query:
        raise SettingsError("[oidc] issuer must not have a query")
    origins = {_origin("issuer", found.issuer)}
    origins |= {_origin("origins", one) for one in found.origins}
    _check_redirect(found.redirect_uri, settings.http.names)
    longest = timedelta(minutes=found.longest_age_minutes)
    return Provider(
        issuer=found.issuer,
        origins=frozenset(origins),
        clients=_clients(found),
        redirect_uri=found.redirect_uri,
        scopes=found.scopes,
        acr_values=tuple(acr for acr in read_assurance(found) if acr),
        algorithms=algorithms,
        subject_claim=found.subject_claim,
        longest_age=longest or None,
        skew=timedelta(seconds=found.clock_skew_seconds),
        tls=_tls(found.ca),
        seconds=found.seconds,
    )


def read_assurance(settings: OidcSettings) -> Mapping[str, LevelOfAssurance]:
    """How surely each `acr` says who it is; raises `SettingsError` where none counts."""
    found: dict[str, LevelOfAssurance] = {}
    for one in settings.assurance:
        acr, _, level = one.rpartition("=")
        if not acr or level not in _LEVELS or acr in found or any(c.isspace() for c in acr):
            raise SettingsError(f"[oidc] assurance: {one} is not ACR=hpki or ACR=password")
        found[acr] = _LEVELS[level]
    if settings.without_acr:
        if settings.without_acr not in _LEVELS:
            raise SettingsError("[oidc] without_acr must be hpki, password or empty")
        found[""] = _LEVELS[settings.without_acr]
    if not found:
        raise SettingsError("[oidc] assurance: say which acr counts as hpki, or nobody gets in")
    return found


def _origin(key: str, address: str) -> str:
    try:
        return oidc.origin(address)
    except Malformed as error:
        raise SettingsError(f"[oidc] {key}: {address} is not a plain https address") from error


def _check_redirect(address: str, names: tuple[str, ...]) -> None:
    _origin("redirect_uri", address)
    parts = urlsplit(address)
    if parts.path != CALLBACK or parts.query:
        raise SettingsError(f"[oidc] redirect_uri must end in {CALLBACK}")
    if (parts.hostname or "") not in {name.lower() for name in names}:
        raise SettingsError("[oidc] redirect_uri: its host is not one of [http] names")


def _clients(settings: OidcSettings) -> dict[str, Credentials]:
    """What proves us, for each client id."""
    try:
        kind = ClientAuthentication(settings.authentication)
    except ValueError as error:
        known = ", ".join(one.value for one in ClientAuthentication)
        raise SettingsError(f"[oidc] authentication: possible are {known}") from error
    more: dict[str, Any] = {}
    if kind in (ClientAuthentication.SECRET_BASIC, ClientAuthentication.SECRET_POST):
        if len(settings.client_ids) > 1:
            raise SettingsError("[oidc] client_ids: one secret is of one client")
        more = {"secret": _secret(settings.secret)}
    elif kind is ClientAuthentication.PRIVATE_KEY:
        more = {
            "key": _key(settings.key, settings.key_algorithm), "key_id": settings.key_id,
            "algorithm": settings.key_algorithm, "audience": settings.assertion_audience,
        }  # fmt: skip
    return {one: Credentials(client_id=one, kind=kind, **more) for one in settings.client_ids}


def _secret(path: Path | None) -> str:
    if path is None:
        raise SettingsError("[oidc] secret: name the file with the client secret")
    check_private(path)
    try:
        secret = path.read_text("utf-8").strip()
    except UnicodeDecodeError as error:
        raise SettingsError(f"[oidc] secret: {path.name} is not text") from error
    if not secret:
        raise SettingsError(f"[oidc] secret: {path.name} is empty")
    return secret


def _key(path: Path | None, algorithm: str) -> Any:
    if path is None:
        raise SettingsError("[oidc] key: name the file with the private key")
    check_private(path)
    if algorithm not in ALGORITHMS:
        raise SettingsError(f"[oidc] key_algorithm: possible are {', '.join(ALGORITHMS)}")
    try:
        key = load_pem_private_key(path.read_bytes(), None)
    except (ValueError, TypeError) as error:
        raise SettingsError(f"[oidc] key: {path.name} is not a private key in PEM") from error
    if not isinstance(key, _KINDS[ALGORITHMS[algorithm][0]]):
        raise SettingsError(f"[oidc] key: {path.name} is not a key for {algorithm}")
    return key


def _tls(ca: Path | None) -> ssl.SSLContext:
    """Whom the provider's certificate must come from; its name is always checked."""
    try:
        context = ssl.create_default_context(cafile=None if ca is None else str(ca))
    except (OSError, ssl.SSLError) as error:
        raise SettingsError("[oidc] ca cannot be read: a PEM of authorities is wanted") from error
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context
