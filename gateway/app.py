"""Composition root: settings, database, tables and I/O meet here and only here.

Also the only place that reads the clock and draws identifiers; both are handed down.
"""

import gc
import logging
import os
import shutil
import socket
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, closing, contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

from gateway.audit import chain
from gateway.audit.door import Door
from gateway.audit.events import time_ordered
from gateway.errors import Malformed
from gateway.intake import Filing, Intake, Signatures, tidy
from gateway.members import codes, profiles
from gateway.members.mappings import Shelf
from gateway.members.neighbours import NeighbourError
from gateway.model import chance, network
from gateway.model.audit import EventKind
from gateway.model.caller import Caller, CallerKind, LevelOfAssurance
from gateway.model.category import FacilityType
from gateway.model.identifiers import HomeCommunityId, Oid
from gateway.model.network import NetworkPolicy, PolicyError
from gateway.model.periods import ZONES
from gateway.record import erasures, removal
from gateway.settings import Settings, SettingsError
from gateway.store import replay
from gateway.store.blobs import RESERVE, Blobs, blobs_from_url
from gateway.store.database import Database, SchemaError
from gateway.store.serving import sole_server
from gateway.store.work import Community
from gateway.transaction import Table, index
from gateway.wire.schemas import Schemas

logger = logging.getLogger(__name__)
_WORST_SKEW = timedelta(seconds=60)
_REPLAY = timedelta(days=1)
_COLLECT = (10_000, 20, 20)
"How many more objects than before, and how many such times, are worth a garbage collection."
_OLD_TEMPORARY = timedelta(minutes=15)


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
        return moment.astimezone(ZONES[self.policy.timezone]).date()


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


def alone(settings: Settings) -> AbstractContextManager[None]:
    """Nobody serves this installation meanwhile, or `SettingsError`."""
    return sole_server(settings.blobs.url)


# --- serving --------------------------------------------------------------------------------------


def serve(
    settings: Settings, ready: Callable[[str, dict[str, int]], None], *, workers: int = 0
) -> int:
    """Serve until SIGTERM; `ready` hears the address and the ports once every door accepts."""
    from gateway.edge import server
    from gateway.edge import workers as processes

    check_private(settings)
    http = settings.http
    addresses = {
        "machines": (http.host, http.port),
        "people": (http.host, http.people_port),
        "operator": ("127.0.0.1", http.operator_port),
    }
    sockets = {}
    for name, (host, port) in addresses.items():
        try:
            sockets[name] = server.bind(host, port)
        except OSError as error:
            raise SettingsError(f"[http] port {port}: {error.strerror}: name another") from error
    ports = server.ports(sockets)

    def say_ready() -> None:
        ready(f"https://{http.names[0]}:{ports['machines']}", ports)

    count = workers or http.workers

    def run(told: Callable[[], None]) -> None:
        with open_gateway(settings) as gateway:
            _serve(gateway, sockets, told, alone=count <= 1)

    with sole_server(settings.blobs.url):
        blobs_from_url(settings.blobs.url).sweep_temp()
        if count > 1:
            return processes.supervise(count, run, say_ready)
        run(say_ready)
    return 0


def _serve(
    gateway: Gateway,
    sockets: Mapping[str, socket.socket],
    ready: Callable[[], None],
    *,
    alone: bool,
) -> None:
    """One process: its doors and its jobs; `alone` where no other process takes anything in."""
    from gateway.edge import compose, server, tls
    from gateway.edge.jobs import every, once, until_empty
    from gateway.edge.operator import OperatorDoor
    from gateway.edge.people import PeopleDoor
    from gateway.edge.readiness import Readiness
    from gateway.edge.sandbox import Sandbox

    settings, door = gateway.settings, gateway.door
    begun = now() if alone else now() - _OLD_TEMPORARY
    machines = compose.Machines(
        settings=settings, door=door, table=transactions(), schemas=_schemas(settings),
        inline_reads=gateway.database.kind == "sqlite", clock=now, day=gateway.day, new_id=new_id,
        new_request=new_request,
    )  # fmt: skip
    watch = profiles.Watch(settings.folder, gateway.policy)
    machines.know(read_neighbours(settings, gateway.policy))
    sandbox = Sandbox(settings.hpki)
    intake = Intake(
        door=door, blobs=gateway.blobs, limits=settings.limits, new_id=new_id,
        mappings=Shelf(settings.folder).of, codes=gateway.codes().of,
        signatures=Signatures(sandbox.verify, now),
    )  # fmt: skip
    filing = Filing(door=door, blobs=gateway.blobs, verify=sandbox.verify, clock=now)

    def work_through(stopping: Callable[[], bool]) -> int:
        return intake.process_waiting(lambda: gateway.job("intake"), stopping)

    context = tls.server_context(settings.tls, client=True)
    machines.revocations.guard(context)
    machines.revocations.refresh()
    with door.work(EventKind.ADMIN, gateway.job("start")) as work:  # no audit, no start (G13)
        work.trail.detail.update(start=os.getpid(), insecure=_insecure(settings))
    pool = machines.pool
    background = [
        every(settings.audit.seal_seconds, "seal", lambda: _seal(gateway), pool),
        every(settings.audit.checkpoint_seconds, "checkpoint", lambda: _checkpoint(gateway), pool),
        until_empty("intake", machines.waiting, work_through, pool),
        every(2.0, "register", machines.refresh, pool),
        every(2.0, "neighbours", lambda: machines.know_anew(watch.changed()), pool),
        every(5.0, "revocations", machines.revocations.refresh, pool),
        every(60.0, "temporary files", lambda: gateway.blobs.sweep_temp(now() - _OLD_TEMPORARY),
              pool),
        every(60.0, "removal", lambda: _sweep(gateway), pool),
        once("unreferenced bytes", lambda: _tidy(gateway, begun), pool),
        every(3600.0, "unreferenced bytes", lambda: _tidy(gateway, now() - _OLD_TEMPORARY), pool,
              last=False),
        every(60.0, "verification", lambda: _examine_again(gateway, filing), pool),
        every(3600.0, "replay memory", lambda: _forget(gateway), pool),
    ]  # fmt: skip
    readiness = Readiness(_checks(gateway), pool)
    gc.collect()
    gc.freeze()  # what is here now stays: no collection needs to look at it again
    gc.set_threshold(*_COLLECT)
    server.serve(
        [
            server.Listener(
                app=machines.application(intake, filing), socket=sockets["machines"], tls=context
            ),
            server.Listener(
                app=PeopleDoor(settings.http.names), socket=sockets["people"],
                tls=tls.server_context(settings.tls, client=False),
            ),
            server.Listener(
                app=OperatorDoor(readiness, machines.metrics.registry),
                socket=sockets["operator"], tls=None, last=True,
            ),
        ],
        http=settings.http, limits=settings.limits, ready=ready, refused=machines.refused,
        background=background,
    )  # fmt: skip
    sandbox.close()
    pool.shutdown(wait=True)


def transactions() -> Table:
    """Every transaction this gateway answers, by endpoint and action."""
    from gateway import pix, xca

    return index((*pix.TRANSACTIONS, *xca.TRANSACTIONS))


def _schemas(settings: Settings) -> Schemas | None:
    """The published schemas, compiled before the first request, where the operator has them."""
    if settings.ihe.schemas is None:
        return None
    schemas = Schemas(settings.ihe.schemas)
    rows = transactions().values()
    try:
        schemas.load({name for row in rows for name in row.request_schemas.values()})
        schemas.load({name for row in rows for name in row.response_schema.values()})
    except (OSError, ValueError, SyntaxError) as error:
        raise SettingsError(f"[ihe] schemas: cannot be read: {error}") from error
    return schemas


def _insecure(settings: Settings) -> list[str]:
    """The relaxing switches that are on; loud in log and audit (G13)."""
    found = ["insecure_test_cards"] if settings.hpki.insecure_test_cards else []
    for name in found:
        logger.warning("%s is on: not for production", name)
    return found


def _seal(gateway: Gateway) -> None:
    """Fold what is committed into the chain, batch by batch."""
    sealed = 1
    while sealed:
        with gateway.database.writing() as db:
            sealed = chain.seal(db)


def _checkpoint(gateway: Gateway) -> None:
    """Seal, then sign the chain's head (L-02)."""
    _seal(gateway)
    with gateway.database.reading() as db:
        chain.checkpoint(db, gateway.settings.audit.checkpoints, now())
    gateway.keep_erasures()


def _sweep(gateway: Gateway) -> None:
    """Remove the bytes of what was erased or refused (WDR-01)."""
    if gateway.door.snapshot(removal.any_loose, max_age=0.0):
        with gateway.door.work(EventKind.JOB, gateway.job("removal")) as work:
            removal.sweep(work)


def _tidy(gateway: Gateway, before: datetime) -> None:
    """Remove bytes that were kept for an upload whose receipt never came to be."""
    tidy.unreferenced(gateway.door, gateway.blobs, lambda: gateway.job("removal"), before)


def _examine_again(gateway: Gateway, filing: Filing) -> None:
    """Verify again what could not be established (RD-23)."""
    job = gateway.job("verification")
    filing.examine_again(lambda: job, lambda facility: replace(job, facility=facility))


def _forget(gateway: Gateway) -> None:
    """Drop what can no longer be replayed."""
    moment = now()
    with gateway.database.writing() as db:
        replay.delete_expired(db, messages_before=moment - _REPLAY, now=moment)


def _checks(gateway: Gateway) -> dict[str, Callable[[], bool]]:
    """What `/readyz` asks (R-24)."""
    from gateway.edge import tls

    settings = gateway.settings

    def database() -> bool:
        with gateway.database.reading() as db:
            return bool(db.exec_driver_sql("SELECT 1").scalar_one() == 1)

    def audit() -> bool:
        with gateway.database.writing() as db:
            db.exec_driver_sql("SELECT 1")
        return gateway.door.is_open

    def disk() -> bool:
        folders = [] if gateway.database.folder is None else [gateway.database.folder]
        free = min(shutil.disk_usage(one).free for one in (*folders, settings.audit.checkpoints))
        return free > RESERVE and gateway.blobs.has_room()

    def clock() -> bool:
        with gateway.database.reading() as db:
            told = db.exec_driver_sql("SELECT CURRENT_TIMESTAMP").scalar_one()
        moment = datetime.fromisoformat(told) if isinstance(told, str) else told
        if moment.tzinfo is None:
            moment = moment.replace(tzinfo=UTC)
        return bool(abs(now() - moment) < _WORST_SKEW)

    def keys() -> bool:
        return tls.is_usable(settings.tls, now())

    return {"database": database, "audit": audit, "disk": disk, "clock": clock, "keys": keys}
