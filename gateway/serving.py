"""Serving: the processes, their doors and their jobs, put together from an opened installation."""

import gc
import logging
import os
import shutil
import socket
from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING

from gateway.app import (
    Gateway,
    check_private,
    new_id,
    new_request,
    now,
    open_gateway,
    open_intake,
    open_lists,
    open_sandbox,
    open_stamping,
    read_neighbours,
    transactions,
)
from gateway.intake import Filing, tidy
from gateway.intake.lists import Lists
from gateway.members import profiles, sessions
from gateway.model.audit import EventKind
from gateway.record import evidence, removal
from gateway.settings import Settings, SettingsError
from gateway.store import replay
from gateway.store.blobs import RESERVE, blobs_from_url
from gateway.store.serving import sole_server
from gateway.wire.schemas import Schemas

if TYPE_CHECKING:
    from concurrent.futures import Executor

    from gateway.edge.jobs import Job
    from gateway.edge.trusted import Archive
    from gateway.edge.working import Pipe, Run, Workers

logger = logging.getLogger(__name__)
_WORST_SKEW = timedelta(seconds=60)
_REPLAY, _CONTROLS = timedelta(days=1), timedelta(days=400)
_COLLECT = (100_000, 20, 20)
"""How many more objects than before, and how many such times, are worth a garbage collection: a
turn of the queue holds some ten thousands of them, none of which is garbage before it ends."""
_OLD_TEMPORARY = timedelta(minutes=15)


def serve(
    settings: Settings, ready: Callable[[str, dict[str, int]], None], *, workers: int = 0
) -> int:
    """Serve until SIGTERM; `ready` hears the address and the ports once every door accepts."""
    from gateway.edge import server, working
    from gateway.edge import workers as processes

    check_private(settings)
    http = settings.http
    addresses = {
        "machines": (http.host, http.port),
        "people": (http.host, http.people_port),
        "operator": ("127.0.0.1", http.operator_port),
    }
    if settings.mllp.port:
        addresses["mllp"] = (http.host, settings.mllp.port)
    sockets = {}
    for name, (host, port) in addresses.items():
        try:
            sockets[name] = server.bind(host, port)
        except OSError as error:
            where = "[mllp]" if name == "mllp" else "[http]"
            raise SettingsError(f"{where} port {port}: {error.strerror}: name another") from error
    ports = server.ports(sockets)

    def say_ready() -> None:
        ready(f"https://{http.names[0]}:{ports['machines']}", ports)

    count = workers or http.workers

    with sole_server(settings.blobs.url):
        blobs_from_url(settings.blobs.url).sweep_temp()
        several = settings.intake.workers
        intake = working.start(several, _work(settings), sockets.values()) if several else None

        def run(told: Callable[[], None]) -> None:
            with open_gateway(settings, answering=True) as gateway:
                _serve(gateway, sockets, told, alone=count <= 1, workers=intake)

        try:
            failed = 0
            if count > 1:
                failed = processes.supervise(count, run, say_ready)
            else:
                run(say_ready)
        finally:
            ended = intake is None or intake.end()
    return failed or int(not ended)


def _work(settings: Settings) -> "Run":
    """What one process that works the queue through does."""
    from gateway.edge.working import HUNG, until_told

    def run(number: int, stopping: Callable[[], bool], bell: "Pipe") -> None:
        with open_gateway(settings) as gateway, closing(open_sandbox(gateway)) as sandbox:
            intake = open_intake(
                gateway, sandbox, owner=f"{socket.gethostname()}/{number}",
                stuck=lambda: os._exit(HUNG),
            )  # fmt: skip
            intake.turns.begin()
            settle()
            caller = partial(gateway.job, "intake")
            until_told(partial(intake.process_waiting, caller), stopping, bell)

    return run


def settle() -> None:
    """Let garbage be collected rarely, and look no more at what is here now: all of it stays."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(*_COLLECT)


def _serve(
    gateway: Gateway,
    sockets: Mapping[str, socket.socket],
    ready: Callable[[], None],
    *,
    alone: bool,
    workers: "Workers | None",
) -> None:
    """One process: its doors and its jobs; `alone` where no other process takes anything in.

    Without `workers` it works the queue through itself.
    """
    from gateway.edge import compose, server, tls
    from gateway.edge.backlog import Backlog
    from gateway.edge.jobs import Bell, at_stop, every, once, until_empty
    from gateway.edge.listed import ListAges, warnings
    from gateway.edge.operator import OperatorDoor
    from gateway.edge.readiness import Readiness
    from gateway.edge.trusted import Archive

    settings, door = gateway.settings, gateway.door
    lists, archive = open_lists(gateway), Archive(door)
    begun = now() if alone else now() - _OLD_TEMPORARY
    machines = compose.Machines(
        settings=settings, door=door, table=transactions(), schemas=_schemas(settings),
        inline_reads=gateway.database.kind == "sqlite", clock=now, day=gateway.day, new_id=new_id,
        new_request=new_request, waiting=workers.bell if workers else Bell(),
        signatures=lists.policy, archive=archive,
    )  # fmt: skip
    watch = profiles.Watch(settings.folder, gateway.policy)
    machines.know(read_neighbours(settings, gateway.policy))
    sandbox = open_sandbox(gateway, archive)
    intake = open_intake(gateway, sandbox)
    filing = Filing(door=door, blobs=gateway.blobs, verify=sandbox.verify, clock=now)

    caller = partial(gateway.job, "intake")
    working = (
        at_stop(workers.tell)
        if workers
        else until_empty("intake", machines.waiting, partial(intake.process_waiting, caller),
                         machines.pool)
    )  # fmt: skip
    context = tls.server_context(settings.tls, client=True)
    people, people_tls = machines.people()
    machines.revocations.guard(context)
    machines.revocations.refresh()
    with door.work(EventKind.ADMIN, gateway.job("start")) as work:  # no audit, no start (G13)
        work.trail.detail.update(start=os.getpid(), insecure=_insecure(settings))
    pool = machines.pool
    background = [
        every(settings.audit.seal_seconds, "seal", door.seal, pool),
        every(settings.audit.checkpoint_seconds, "checkpoint", lambda: _checkpoint(gateway), pool),
        working,
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
        *_stamping(gateway, archive, pool),
        once("revocation lists", lambda: _refresh(gateway, lists), pool),
        every(30.0, "revocation lists", lambda: _refresh(gateway, lists), pool, last=False),
    ]  # fmt: skip
    machines.metrics.registry.register(Backlog(door, now))
    machines.metrics.registry.register(ListAges(lists))
    readiness = Readiness(_checks(gateway), pool)
    settle()
    server.serve(
        [
            server.Listener(
                app=machines.application(intake, filing), socket=sockets["machines"], tls=context
            ),
            server.Listener(app=people, socket=sockets["people"], tls=people_tls),
            server.Listener(
                app=OperatorDoor(
                    readiness, machines.metrics.registry, pool, partial(warnings, lists)
                ),
                socket=sockets["operator"], tls=None, last=True,
            ),
        ],
        http=settings.http, limits=settings.limits, ready=ready, refused=machines.refused,
        background=background,
        beside=[machines.mllp(intake, sockets["mllp"], context)] if "mllp" in sockets else [],
    )  # fmt: skip
    sandbox.close()
    pool.shutdown(wait=True)


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


def _checkpoint(gateway: Gateway) -> None:
    """Seal, then sign the chain's head (L-02)."""
    gateway.door.checkpoint(gateway.settings.audit.checkpoints)
    gateway.keep_erasures()


def _sweep(gateway: Gateway) -> None:
    """Remove the bytes of what was erased or refused (WDR-01)."""
    if gateway.door.snapshot(removal.any_loose, max_age=0.0):
        with gateway.door.work(EventKind.JOB, gateway.job("removal")) as work:
            removal.sweep(work)


def _tidy(gateway: Gateway, before: datetime) -> None:
    """Remove bytes of uploads whose receipt never came to be, and evidence of nothing."""
    if gateway.door.snapshot(evidence.any_unused, max_age=0.0):
        with gateway.door.work(EventKind.JOB, gateway.job("removal")) as work:
            evidence.sweep(work)
    tidy.unreferenced(gateway.door, gateway.blobs, lambda: gateway.job("removal"), before)


def _examine_again(gateway: Gateway, filing: Filing) -> None:
    """Verify again what could not be established (RD-23)."""
    job = gateway.job("verification")
    filing.examine_again(lambda: job, lambda facility: replace(job, facility=facility))


def _refresh(gateway: Gateway, lists: Lists) -> None:
    """Fetch the revocation lists that are due, and give the alarm for those that end (J-03)."""
    caller = partial(gateway.job, "revocation lists")
    lists.refresh(caller)
    lists.watch(caller)


def _stamping(gateway: Gateway, archive: "Archive", pool: "Executor") -> "list[Job]":
    """The job that stamps the archive, where an authority is configured."""
    from gateway.edge.jobs import every

    stamping = open_stamping(gateway, archive)
    if stamping is None:
        return []
    caller = partial(gateway.job, "archive time-stamps")
    return [every(3600.0, "archive time-stamps", lambda: stamping.run(caller), pool, last=False)]


def _forget(gateway: Gateway) -> None:
    """Drop what can no longer be replayed."""
    moment = now()
    with gateway.database.writing() as db:
        replay.delete_expired(db, moment - _REPLAY, moment - _CONTROLS, moment)
        sessions.forget_ended(db, moment)


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
