"""Composition root: settings, database, tables and I/O meet here and only here.

Also the only place that reads the clock and draws identifiers; both are handed down.
"""

import logging
import secrets
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing, contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from gateway.audit import chain
from gateway.audit.door import Door
from gateway.errors import Malformed
from gateway.hpki.policy import SignaturePolicy
from gateway.intake import Intake, Signatures
from gateway.intake.lists import Lists
from gateway.members import codes, profiles
from gateway.members.mappings import Shelf
from gateway.members.neighbours import NeighbourError
from gateway.model import chance, network
from gateway.model.caller import Caller, CallerKind, LevelOfAssurance
from gateway.model.category import FacilityType
from gateway.model.identifiers import HomeCommunityId, Oid
from gateway.model.network import NetworkPolicy, PolicyError
from gateway.model.periods import day_of
from gateway.record import erasures
from gateway.settings import Settings, SettingsError
from gateway.store.blobs import Blobs, blobs_from_url
from gateway.store.database import Database, SchemaError
from gateway.store.metadata import time_ordered
from gateway.store.serving import sole_server
from gateway.store.work import Community
from gateway.transaction import Table, index

if TYPE_CHECKING:
    from gateway.edge.sandbox import Sandbox
    from gateway.edge.trusted import Archive
    from gateway.intake.stamping import Stamping

logger = logging.getLogger(__name__)
_ANSWERING, _WORKING = 64, 16
"""MiB of pages for each connection to SQLite. Questions come back to the same pages; what is taken
in hardly does, and its processes are to stay small whatever the size of the database."""


def now() -> datetime:
    """The moment, in UTC."""
    return datetime.now(UTC)


def new_id() -> str:
    """A fresh random UUID (122 random bits, H-03)."""
    return chance.new_id()


def new_request() -> str:
    """The id of a request: time, then chance, so that an index of them grows at its end."""
    return time_ordered(now(), new_id())


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

    def job(self, subject: str) -> Caller:
        """The gateway itself, as the caller of what it does by itself."""
        return Caller(
            network=self.policy.network, kind=CallerKind.JOB, facility="gateway",
            facility_type=FacilityType.OTHER, subject=subject, role="", purpose="OPERATIONS",
            assurance=LevelOfAssurance.LOCAL, request=new_id(),
        )  # fmt: skip

    def keep_erasures(self) -> None:
        """Let the list of erasures, which is kept apart from backups, have every one (M-09)."""
        known = self.door.snapshot(erasures.every, max_age=0.0)
        erasures.keep(self.settings.audit.checkpoints, known)

    def codes(self) -> codes.Shelf:
        """The code masters and maps that files are read with."""
        return codes.Shelf(self.door, lambda: self.day(now()))

    def day(self, moment: datetime) -> date:
        """The day of a moment where the network is."""
        return day_of(moment, self.policy.timezone)


def read_policy(path: Path) -> NetworkPolicy:
    """The network policy; a wrong one stops the start, naming the key."""
    try:
        return network.load(path.read_text("utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f"[network] policy: cannot read {path.name}") from error
    except PolicyError as error:
        raise SettingsError(f"{path.name}: {error}") from error


def read_neighbours(settings: Settings, policy: NetworkPolicy) -> list[profiles.Known]:
    """Every `peers/<name>.yaml` with the certificates it names; a wrong one stops the start."""
    try:
        return profiles.read_all(settings.folder, policy)
    except NeighbourError as error:
        raise SettingsError(str(error)) from error


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
def open_gateway(
    settings: Settings, *, migrating: bool = False, answering: bool = False
) -> Iterator[Gateway]:
    """Open an installation; raises `SettingsError` where it must not start.

    One that is `answering` holds more of the database in memory than one that takes files in.
    """
    policy = read_policy(settings.network.policy)
    try:
        community = Community(
            HomeCommunityId(settings.community.home_community_id),
            Oid(settings.community.repository_id),
        )
    except Malformed as error:
        raise SettingsError("[community]: home_community_id and repository_id are OIDs") from error
    cache = _ANSWERING if answering else _WORKING
    with closing(Database(settings.database.url, cache=cache)) as database:
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


def alone(settings: Settings) -> AbstractContextManager[None]:
    """Nobody serves this installation meanwhile, or `SettingsError`."""
    return sole_server(settings.blobs.url)


def open_intake(
    gateway: Gateway,
    sandbox: "Sandbox",
    *,
    owner: str = "",
    stuck: Callable[[], None] | None = None,
) -> Intake:
    """The one way in, with everything that files are read with."""
    settings = gateway.settings
    return Intake(
        door=gateway.door, blobs=gateway.blobs, limits=settings.limits, new_id=new_id,
        mappings=Shelf(settings.folder).of, codes=gateway.codes().of,
        signatures=Signatures(sandbox.verify, now), owner=owner, stuck=stuck,
    )  # fmt: skip


def open_sandbox(gateway: Gateway, archive: "Archive | None" = None) -> "Sandbox":
    """Where signatures are verified, with the revocation lists that came."""
    from gateway.edge.sandbox import Sandbox
    from gateway.edge.trusted import Archive

    return Sandbox(
        gateway.settings.hpki, grace_hours=gateway.policy.signature.crl_grace_hours,
        archive=archive or Archive(gateway.door),
    )  # fmt: skip


def open_lists(gateway: Gateway) -> Lists:
    """The sources of revocation lists; raises `SettingsError`."""
    from gateway.edge.fetching import fetcher
    from gateway.edge.trusted import read_policy

    hpki = gateway.settings.hpki
    return Lists(
        door=gateway.door, policy=read_policy(hpki, gateway.policy.signature.crl_grace_hours),
        fetch=fetcher(hpki), clock=now,
    )  # fmt: skip


def trusted_now(gateway: Gateway, archive: "Archive | None" = None) -> SignaturePolicy:
    """Whom the installation trusts today, with the revocation lists in use."""
    from gateway.edge.trusted import Archive, read_policy

    base = read_policy(gateway.settings.hpki, gateway.policy.signature.crl_grace_hours)
    return (archive or Archive(gateway.door)).policy(base)


def open_stamping(gateway: Gateway, archive: "Archive | None" = None) -> "Stamping | None":
    """What stamps the archive; None where no authority is configured. Raises `SettingsError`."""
    hpki = gateway.settings.hpki
    if not hpki.tsa:
        return None
    from gateway.edge.fetching import fetcher
    from gateway.edge.trusted import Archive, read_policy
    from gateway.hpki.stamping import ASKING
    from gateway.intake.stamping import Stamping

    if not hpki.tsa.startswith(("http://", "https://")):
        raise SettingsError("[hpki] tsa must be http://… or https://…")
    asking = fetcher(replace(hpki, crl_seconds=hpki.tsa_seconds))
    base = read_policy(hpki, gateway.policy.signature.crl_grace_hours)
    lists = archive or Archive(gateway.door)
    return Stamping(
        door=gateway.door, policy=lambda: lists.policy(base), clock=now,
        send=lambda request: asking.post(hpki.tsa, request, ASKING),
        nonce=lambda: secrets.randbits(64), demanded=hpki.tsa_policy,
        early=timedelta(days=hpki.tsa_renew_days),
    )  # fmt: skip


def transactions() -> Table:
    """Every transaction this gateway answers, by endpoint and action."""
    from gateway import pix, xca

    return index((*pix.TRANSACTIONS, *xca.TRANSACTIONS))
