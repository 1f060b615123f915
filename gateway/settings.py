"""One frozen Settings, read once from one TOML file (`INTERFACES.md` section 5).

Every key has a docstring and a safe default or none. Unknown keys stop the start. Relative paths
are relative to the file. No environment look-ups happen elsewhere.
"""

import tomllib
import types
import typing
from dataclasses import MISSING, dataclass, field, fields
from pathlib import Path
from typing import Any, TypeVar

_Table = TypeVar("_Table")


class SettingsError(Exception):
    """The settings file is wrong; the text says which key and what to do."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CommunitySettings:
    """`[community]`: who we are to neighbours."""

    home_community_id: str
    "OID, bare."
    repository_id: str
    "OID of our document repository, bare."


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpSettings:
    """`[http]`: where we listen."""

    host: str = "127.0.0.1"
    port: int = 8443
    "Machines: client certificate required. 0 picks a free port."
    people_port: int = 8444
    operator_port: int = 8445
    "Plain HTTP, loopback only."
    names: tuple[str, ...] = ("localhost", "127.0.0.1")
    "Host header values that are answered (C-03)."
    workers: int = 1
    drain_seconds: float = 30.0


@dataclass(frozen=True, slots=True, kw_only=True)
class TlsSettings:
    """`[tls]`: our certificate and whom we accept."""

    certificate: Path
    key: Path
    client_ca: Path
    "PEM bundle of authorities whose client certificates are accepted on the machine port."
    crl: Path | None = None
    "PEM or DER revocation list of those authorities, reread when it changes."
    minimum: str = "1.3"
    "`1.3`, or `1.2` with ECDHE and AEAD suites."


@dataclass(frozen=True, slots=True, kw_only=True)
class DatabaseSettings:
    """`[database]`: `sqlite:///…` or `postgresql+psycopg://…`."""

    url: str


@dataclass(frozen=True, slots=True, kw_only=True)
class BlobSettings:
    """`[blobs]`: `file:///…`."""

    url: str


@dataclass(frozen=True, slots=True, kw_only=True)
class HpkiSettings:
    """`[hpki]`: trust for signatures on documents."""

    trust: Path | None = None
    "TOML of `gateway verify --trust`; None means the list that ships with the product."
    insecure_test_cards: bool = False
    "Accept test-card policies and authorities marked as test. Never in production (G13)."
    crl_proxy: str = ""
    "`http://HOST:PORT` through which revocation lists are fetched; no other proxy is ever used."
    crl_ca: Path | None = None
    "PEM bundle of authorities of a mirror's https; None means those of the operating system."
    crl_bytes: int = 16 * 1024 * 1024
    "The largest revocation list that is taken."
    crl_seconds: float = 30.0
    "How long one fetch may take from its beginning to its end."
    tsa: str = ""
    """`http(s)://…` of the time-stamp authority that stamps the archive (RFC 3161); empty: none. It
    must be one of the authorities in `trust`."""
    tsa_policy: str = ""
    "OID of the policy that its tokens must have; empty: whichever it uses."
    tsa_seconds: float = 30.0
    "How long it may take to answer."
    tsa_renew_days: int = 365
    "So many days before the certificate of a stamp's authority ends it is stamped again."


@dataclass(frozen=True, slots=True, kw_only=True)
class LoginSettings:
    """`[login]`: how people log in at the people port, and for how long (SIG-03, K-04)."""

    cards: bool = False
    "Doctor cards: TLS client certificates of the authentication authorities in `[hpki] trust`."
    policies: tuple[str, ...] = ("1.2.392.100495.1.5.1.2.3.1",)
    "Certificate policies of log-in cards; one must hold for the whole path."
    test_policies: tuple[str, ...] = ("1.2.392.100495.1.5.1.2.0.1",)
    "Those of test cards, which count only with `[hpki] insecure_test_cards`."
    tls13: bool = False
    """Offer TLS 1.3 where cards log in. TLS 1.3 wants RSA-PSS, which a card whose only mechanism is
    CKM_RSA_PKCS cannot make; without it the people port speaks TLS 1.2."""
    passwords: bool = False
    "Id and password, as `gateway user password` gives them out (CRD-01)."
    password_length: int = 13
    """Fewest characters of a password where the network's rules ask for fewer: 13 where nothing
    else is asked for, 8 or more where a second factor stands before it (K-02)."""
    password_days: int = 0
    "After how many days a password must be changed; 0: when the network's rules say so (CRD-04)."
    temporary_hours: float = 72.0
    "How long a temporary password that the secretariat gave out may be used to choose one's own."
    idle_minutes: float = 15.0
    longest_hours: float = 12.0


@dataclass(frozen=True, slots=True, kw_only=True)
class OidcSettings:
    """`[oidc]`: log-in at an OpenID provider, such as a card-less HPKI service (SIG-03, SIG-04)."""

    issuer: str = ""
    "Address of the provider, exactly as its discovery document names it. Empty: no such log-in."
    client_ids: tuple[str, ...] = ()
    """As whom the gateway is registered there. Several where the provider tells its ways to log in
    apart by them (telephone, My Number card, HPKI card); the first is used where none is named."""
    redirect_uri: str = ""
    "`https://HOST:PORT/login/oidc/callback`, exactly as it is registered there."
    authentication: str = "client_secret_basic"
    "How the gateway proves itself: this, `client_secret_post`, `private_key_jwt` or `none`."
    secret: Path | None = None
    "File with the client secret alone, readable by nobody else."
    key: Path | None = None
    "PEM of the private key of `private_key_jwt`, readable by nobody else."
    key_id: str = ""
    key_algorithm: str = "PS256"
    assertion_audience: str = ""
    "Whom assertions of `private_key_jwt` are for; empty: the issuer."
    algorithms: tuple[str, ...] = ("RS256", "PS256", "ES256")
    "Signature algorithms of ID tokens that count."
    scopes: tuple[str, ...] = ("openid",)
    subject_claim: str = "sub"
    "The claim that names the practitioner, as `gateway user account add` binds it."
    assurance: tuple[str, ...] = ()
    "`ACR=hpki` or `ACR=password`: how surely each `acr` says who it is. Others are refused."
    without_acr: str = ""
    "The same for a token that states no `acr`; empty: refused."
    longest_age_minutes: float = 15.0
    "How long ago the user may have proven to be there (`max_age`); 0 does not ask."
    clock_skew_seconds: int = 60
    origins: tuple[str, ...] = ()
    "`https://host` of addresses in the discovery document that lie elsewhere than the issuer."
    ca: Path | None = None
    "PEM of the authorities of the provider's TLS certificate; None: those of the system."
    seconds: float = 10.0
    "How long one answer of the provider may take."


@dataclass(frozen=True, slots=True, kw_only=True)
class XuaSettings:
    """`[xua]`: assertions about the users of neighbours."""

    audience: str = ""
    "Audience that assertions must carry."
    clock_skew_seconds: int = 180
    longest_lifetime_seconds: int = 4 * 3600


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditSettings:
    """`[audit]`: the chain and its checkpoints."""

    checkpoints: Path = Path("audit")
    "Folder for signed chain heads, outside the database (L-02)."
    seal_seconds: float = 1.0
    checkpoint_seconds: float = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class BackupSettings:
    """`[backup]`: to whom backups are encrypted (M-01)."""

    recipients: tuple[str, ...] = ()
    "Public keys, `age1…`; whoever has one of the secret keys can restore."
    key: Path | None = None
    "File with a secret key, for `gateway restore`; kept on another machine, but for the demo."


@dataclass(frozen=True, slots=True, kw_only=True)
class NetworkSettings:
    """`[network]`: the policy file."""

    policy: Path


@dataclass(frozen=True, slots=True, kw_only=True)
class IheSettings:
    """`[ihe]`: the published schemas, where the operator has them."""

    schemas: Path | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class FhirSettings:
    """`[fhir]`: the R4 JSON schema, where the operator has it."""

    schema: Path | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class MllpSettings:
    """`[mllp]`: HL7 v2 over TLS; off unless a port is set."""

    port: int = 0
    senders: tuple[str, ...] = ()
    """`NAME=facility`: what MSH-4 says of a facility's systems. A facility that is named here sends
    under these names only; of others MSH-4 is accepted unless it names another facility (E-04)."""
    strict: bool = False
    "Refuse every departure from a message's structure, not only wrong values in MSH, EVN and PID."
    idle_seconds: float = 900.0
    "A connection on which nothing comes for so long is closed."


@dataclass(frozen=True, slots=True, kw_only=True)
class IntakeSettings:
    """`[intake]`: what works received files through."""

    workers: int = 1
    "Processes beside those that serve; 0 works in the serving process."


@dataclass(frozen=True, slots=True, kw_only=True)
class LimitSettings:
    """`[limits]`: `security.md` section 3."""

    requests_per_second: float = 50.0
    burst: int = 100
    connections: int = 1024
    connections_per_client: int = 64
    soap_bytes: int = 20 * 1024 * 1024
    xml_depth: int = 100
    xml_elements: int = 500_000
    xml_attributes: int = 256
    mtom_parts: int = 100
    mtom_part_bytes: int = 1024**3
    mtom_message_bytes: int = 2 * 1024**3
    upload_bytes: int = 2 * 1024**3
    file_bytes: int = 1024**3
    archive_entries: int = 50_000
    folder_entries: int = 10_000_000
    "Files of a folder that `gateway intake` or `gateway standardize` is given."
    archive_bytes: int = 4 * 1024**3
    archive_ratio: int = 200
    archive_ratio_from: int = 10 * 1024 * 1024
    query_results: int = 1000
    query_references: int = 10_000
    query_values: int = 500
    header_seconds: float = 10.0
    idle_seconds: float = 30.0
    body_seconds: float = 60.0
    body_bytes_per_second: int = 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Everything an installation may set."""

    folder: Path
    "Folder of the settings file: peers/, mappings/ and relative paths are beside it."
    community: CommunitySettings
    tls: TlsSettings
    database: DatabaseSettings
    blobs: BlobSettings
    network: NetworkSettings
    http: HttpSettings = field(default_factory=HttpSettings)
    hpki: HpkiSettings = field(default_factory=HpkiSettings)
    login: LoginSettings = field(default_factory=LoginSettings)
    oidc: OidcSettings = field(default_factory=OidcSettings)
    xua: XuaSettings = field(default_factory=XuaSettings)
    audit: AuditSettings = field(default_factory=AuditSettings)
    backup: BackupSettings = field(default_factory=BackupSettings)
    ihe: IheSettings = field(default_factory=IheSettings)
    fhir: FhirSettings = field(default_factory=FhirSettings)
    mllp: MllpSettings = field(default_factory=MllpSettings)
    intake: IntakeSettings = field(default_factory=IntakeSettings)
    limits: LimitSettings = field(default_factory=LimitSettings)


def load(path: Path) -> Settings:
    """Read and check the settings file; raises `SettingsError` naming the key."""
    try:
        tables = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise SettingsError(f"cannot read {path.name}: make it with `gateway init`") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingsError(f"{path.name} is not TOML: {error}") from error
    folder = path.resolve().parent
    values: dict[str, Any] = {"folder": folder}
    hints = typing.get_type_hints(Settings)
    known = {item.name for item in fields(Settings)} - {"folder"}
    for name in tables.keys() - known:
        raise SettingsError(f"unknown table [{name}]: known are {', '.join(sorted(known))}")
    for item in fields(Settings):
        if item.name == "folder":
            continue
        table = tables.get(item.name)
        if table is None:
            if item.default_factory is MISSING:
                raise SettingsError(f"table [{item.name}] is missing")
            continue
        if not isinstance(table, dict):
            raise SettingsError(f"{item.name} must be a table")
        values[item.name] = _read_table(hints[item.name], item.name, table, folder)
    return Settings(**values)


def _read_table(kind: type[_Table], name: str, table: dict[str, Any], folder: Path) -> _Table:
    """One TOML table as its dataclass."""
    hints = typing.get_type_hints(kind)
    items = {item.name: item for item in fields(kind)}  # type: ignore[arg-type]
    for key in table.keys() - items.keys():
        known = ", ".join(sorted(items))
        raise SettingsError(f"unknown key {key} in [{name}]: known are {known}")
    values: dict[str, Any] = {}
    for key, item in items.items():
        if key in table:
            values[key] = _read_value(hints[key], f"[{name}] {key}", table[key], folder)
        elif item.default is MISSING and item.default_factory is MISSING:
            raise SettingsError(f"[{name}] {key} is missing")
        elif isinstance(item.default, Path):
            values[key] = folder / item.default
    return kind(**values)


def _read_value(hint: Any, name: str, value: Any, folder: Path) -> Any:
    """One value as its declared type; numbers must be positive."""
    if isinstance(hint, types.UnionType):
        hint = next(part for part in typing.get_args(hint) if part is not types.NoneType)
    if hint is Path and isinstance(value, str):
        return folder / value
    if typing.get_origin(hint) is tuple and isinstance(value, list):
        if all(isinstance(part, str) for part in value):
            return tuple(value)
    elif hint is bool and isinstance(value, bool):
        return value
    elif hint in (int, float) and isinstance(value, int | float) and not isinstance(value, bool):
        if value < 0:
            raise SettingsError(f"{name} must not be negative")
        return hint(value)
    elif hint is str and isinstance(value, str):
        return value
    raise SettingsError(f"{name} has the wrong type: {type(value).__name__}")
