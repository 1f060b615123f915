"""Big populations and a soak: what holds for ten must hold for a hundred thousand (R-10, AUD-05).

`PERSONS`, `FILES` and `SECONDS` say how big and how long.
"""

import os
import random
import time
from pathlib import Path

import pytest

from bench.population import population, tree
from conformance import client
from conformance.messages import FEED_ADD, feed
from gateway import app
from gateway import settings as configured
from gateway.app import transactions
from gateway.cli.intake import take_in
from gateway.dispatch import Dispatch
from gateway.model.audit import EventKind
from gateway.model.caller import Caller, CallerKind
from gateway.model.category import FacilityType, Source
from gateway.model.identifiers import Oid
from gateway.record import consistency
from gateway.wire import soap
from tests.reliability import campaign, compare
from tests.reliability.installation import Installation, Server, logged
from tests.reliability.load import HOSPITAL, Load

pytestmark = pytest.mark.campaign
PAGES = {"sqlite": 128, "postgresql": 0}
"MiB of database pages that SQLite may still come to hold: 64 for each of two busy connections."
PERSONS = int(os.environ.get("PERSONS", "100000"))
FILES = int(os.environ.get("FILES", "20000"))
SECONDS = float(os.environ.get("SECONDS", "300"))


def _audited(gateway: app.Gateway) -> int:
    """Nothing shared without consent, and the chain verifies; how many events it has."""
    with gateway.door.work(EventKind.JOB, gateway.operator(), reading=True) as work:
        assert consistency.check(work) == ()
    gateway.door.seal()
    verified = gateway.door.verify(gateway.settings.audit.checkpoints)
    assert verified.good, verified
    return verified.sealed


def test_a_population_is_fed(installed: Installation, request: pytest.FixtureRequest) -> None:
    with (
        campaign.figure(request) as figure,
        app.open_gateway(configured.load(installed.config)) as gateway,
    ):
        dispatch = Dispatch(door=gateway.door, table=transactions(), new_id=app.new_id)
        caller = Caller(
            network="tgp", kind=CallerKind.SYSTEM, facility="hospital-a",
            facility_type=FacilityType.HOSPITAL, subject="hospital-a", role="professional_user",
            domains=frozenset({Oid(HOSPITAL)}), certificate="aa" * 32,
        )  # fmt: skip
        begun = time.perf_counter()
        for patient in population(int(figure.seed), PERSONS, domains=(HOSPITAL,)):
            payload = feed(HOSPITAL, patient.charts[0][1], patient.person)
            content = client.envelope(FEED_ADD, payload, to="https://localhost/pix")
            message = soap.read(content)
            answer = dispatch.answer(
                dispatch.find("/pix", message), message, caller, content=content
            )
            assert b'typeCode code="CA"' in answer.payload.xml
        fed = time.perf_counter() - begun
        events, begun = _audited(gateway), time.perf_counter()
        gateway.door.verify(gateway.settings.audit.checkpoints)
        took = time.perf_counter() - begun
        figure.say(
            f"{PERSONS} feeds, {PERSONS / fed:.0f}/s; "
            f"{events} events verified, {events / took:.0f}/s"
        )
        assert events >= PERSONS


def test_a_big_tree_is_taken_in(
    installed: Installation, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    with (
        campaign.figure(request) as figure,
        app.open_gateway(configured.load(installed.config)) as gateway,
    ):
        place = tmp_path / "storage"
        assert tree(population(int(figure.seed), FILES), place) == FILES
        begun = time.perf_counter()
        receipt = take_in(gateway, place, facility="hospital-a", source=Source.EMR)
        took = time.perf_counter() - begun
        states = {file["state"] for file in receipt["files"]}
        assert len(receipt["files"]) == FILES
        assert states == {"standardized"}, states
        items = sum(file["items"]["staged"] for file in receipt["files"])
        events = _audited(gateway)
        figure.say(f"{FILES} files, {items} items, {FILES / took:.0f} files/s; {events} events")


def _held(server: Server) -> tuple[float, int]:
    """MiB of memory and how many handles."""
    process = Path(f"/proc/{server.process.pid}")
    status = (process / "status").read_text()
    resident = int(status.partition("VmRSS:")[2].split()[0]) / 1024
    return resident, len(list((process / "fd").iterdir()))


def test_soak(installed: Installation, request: pytest.FixtureRequest) -> None:
    """Two of each sender, all the time: memory and handles stay, and everything is there."""
    with campaign.figure(request) as figure, installed.served() as server:
        loads = [Load(f"{figure.seed}/{number}") for number in range(2)]
        threads = [one.start(server) for one in loads]
        time.sleep(SECONDS / 5)
        early, handles = _held(server)
        time.sleep(SECONDS * 4 / 5)
        late, handles_late = _held(server)
        for one, running in zip(loads, threads, strict=True):
            one.stop(running)
        sent = [one for load in loads for one in load.sent]
        assert all(one.acked for one in sent), [one.refused for one in sent if not one.acked][:3]
        assert not logged(server)
        figure.say(
            f"{len(sent)} requests with writes in {SECONDS:.0f} s, "
            f"memory {early:.0f} to {late:.0f} MiB, handles {handles} to {handles_late}"
        )
        for one in random.Random(figure.seed).sample(loads, 1):
            one.sent = one.sent[-200:]
            compare.by_wire(
                server, one, patience=60 + 2 * SECONDS
            )  # senders are faster than intake
        assert server.terminate() == 0
        assert late - early < 32 + PAGES[installed.kind]
        assert abs(handles_late - handles) <= 8
