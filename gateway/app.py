"""Composition root: settings, database, tables and I/O meet here and only here.

Also the only place that reads the clock and draws identifiers; both are handed down.
"""

import uuid
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from gateway.audit import chain
from gateway.audit.door import Door
from gateway.errors import Malformed
from gateway.model import network
from gateway.model.caller import Caller, CallerKind, LevelOfAssurance
from gateway.model.category import FacilityType
from gateway.model.identifiers import HomeCommunityId, Oid
from gateway.model.network import NetworkPolicy, PolicyError
from gateway.settings import Settings, SettingsError
from gateway.store.blobs import Blobs, blobs_from_url
from gateway.store.database import Database, SchemaError
from gateway.store.work import Community


def now() -> datetime:
    """The moment, in UTC."""
    return datetime.now(UTC)


def new_id() -> str:
    """A fresh random UUID (122 random bits, H-03)."""
    return str(uuid.uuid4())


@dataclass(frozen=True, slots=True, kw_only=True)
class Gateway:
    """An opened installation: what the server and every command work with."""

    settings: Settings
    policy: NetworkPolicy
    community: Community
    database: Database
    blobs: Blobs
    door: Door

    def operator(self, subject: str = "operator", request: str = "") -> Caller:
        """The caller of the command line and of the secretariat's entries."""
        return Caller(
            network=self.policy.network, kind=CallerKind.OPERATOR, facility="secretariat",
            facility_type=FacilityType.OTHER, subject=subject, role="secretariat",
            purpose="OPERATIONS", assurance=LevelOfAssurance.LOCAL, request=request or new_id(),
        )  # fmt: skip


def read_policy(path: Path) -> NetworkPolicy:
    """The network policy; a wrong one stops the start, naming the key."""
    try:
        return network.load(path.read_text("utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f"[network] policy: cannot read {path.name}") from error
    except PolicyError as error:
        raise SettingsError(f"{path.name}: {error}") from error


def check_private(settings: Settings) -> None:
    """Refuse to start with a private key that others can read (G13)."""
    for path in (settings.tls.key,):
        try:
            mode = path.stat().st_mode
        except OSError as error:
            raise SettingsError(f"[tls] key: cannot read {path.name}") from error
        if mode & 0o077:
            raise SettingsError(f"[tls] key: others can read {path.name}: run chmod 600 on it")


@contextmanager
def open_gateway(settings: Settings, *, migrating: bool = False) -> Iterator[Gateway]:
    """Open an installation; raises `SettingsError` where it must not start."""
    policy = read_policy(settings.network.policy)
    try:
        community = Community(
            HomeCommunityId(settings.community.home_community_id),
            Oid(settings.community.repository_id),
        )
    except Malformed as error:
        raise SettingsError("[community]: home_community_id and repository_id are OIDs") from error
    with closing(Database(settings.database.url)) as database:
        try:
            if migrating:
                database.migrate()
            database.check_schema()
        except SchemaError as error:
            raise SettingsError(str(error)) from error
        blobs = blobs_from_url(settings.blobs.url)
        chain.make_key(settings.audit.checkpoints)
        door = Door(
            database=database, blobs=blobs, policy=policy, community=community, clock=now,
            new_id=new_id,
        )  # fmt: skip
        door.open()
        with closing(door):
            yield Gateway(
                settings=settings, policy=policy, community=community, database=database,
                blobs=blobs, door=door,
            )  # fmt: skip
