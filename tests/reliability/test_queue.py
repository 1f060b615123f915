"""A flood of one facility, and nineteen others that send meanwhile (`security.md` R-09).

The suite sends some hundred files; `make campaign` as many as `QUEUED` says.
"""

import os
import re
import threading
import time
from dataclasses import replace
from datetime import date, datetime
from io import BytesIO
from typing import Any

import pytest
from sqlalchemy import text

from bench.population import population, prescription_message, stored_path
from gateway import app
from gateway import settings as configured
from gateway.identity import domains
from gateway.intake import Intake
from gateway.members import facilities
from gateway.members.facilities import ContractKind
from gateway.model.audit import EventKind
from gateway.model.category import FacilityType, Source
from gateway.model.identifiers import Oid
from gateway.store.blobs import Blob
from tests.reliability import campaign
from tests.reliability.installation import Installation

NAMES = [f"house-{number:02d}" for number in range(20)]
FLOODING = NAMES[0]
QUEUED = int(os.environ.get("QUEUED", "20000"))
SMALL = {"sqlite": 400, "postgresql": 200}
DAY = "20261120"
_ID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
_STATES = "SELECT state, count(*) FROM upload_file WHERE facility LIKE 'house-%' GROUP BY state"


class Sent:
    """One message on its way in."""

    in_tree = True

    def __init__(self, intake: Intake, path: str, content: bytes) -> None:
        self.intake, self.path, self.content = intake, path, content

    def reader(self) -> BytesIO:
        return BytesIO(self.content)

    def commit(self) -> Blob:
        return self.intake.blobs.put_bytes(self.content)


def register(gateway: app.Gateway) -> None:
    with gateway.door.work(EventKind.ADMIN, gateway.operator()) as work:
        for number, name in enumerate(NAMES):
            facilities.register(work, name=name, type=FacilityType.CLINIC, administrator="管理")
            facilities.agree(work, ContractKind.CUSTODY, facility=name, starts=date(2026, 1, 1))
            domains.declare(work, Oid(f"2.999.77.{number}"), kind="chart", facility=name)


def send(gateway: app.Gateway, intake: Intake, name: str, numbers: range, bad: int = -1) -> None:
    """Messages of some patients; every one whose number is `bad` cannot be read by us."""
    several = []
    for patient in population(1, numbers.stop, first=numbers.start):
        path = stored_path(patient.charts[0][1], "OMP-01", f"{patient.number:015d}", DAY)
        content = prescription_message(patient)
        if patient.number == bad:
            content = content.replace(b"RXE|", b"RXE|POISON")
        several.append(Sent(intake, path, content))
    intake.receive(gateway.operator(), several, facility=name, source=Source.EMR)


def run(installed: Installation, count: int, monkeypatch: pytest.MonkeyPatch) -> str:
    """All of it, and the figures."""
    from gateway import standardize

    read = standardize.read

    def poisoned(upload: Any, **more: Any) -> Any:
        if b"POISON" in upload.content:
            raise KeyError("a defect of ours")
        return read(upload, **more)

    monkeypatch.setattr(standardize, "read", poisoned)
    flood = count * 9 // 10
    each = max((count - flood) // 19, 1)
    with app.open_gateway(configured.load(installed.config)) as gateway:
        register(gateway)
        intake = Intake(
            door=gateway.door, blobs=gateway.blobs, limits=gateway.settings.limits,
            new_id=app.new_id,
        )  # fmt: skip
        for start in range(0, flood, 500):
            numbers = range(start, min(start + 500, flood))
            send(gateway, intake, FLOODING, numbers, bad=start + 7)
        stop = threading.Event()
        worker = replace(intake, owner="worker/0")

        def work() -> None:
            while not stop.is_set():
                if not worker.process_waiting(lambda: gateway.job("intake"), stop.is_set):
                    time.sleep(0.02)

        thread = threading.Thread(target=work)
        begun = time.monotonic()
        thread.start()
        for number in range(each):
            for name in NAMES[1:]:
                send(gateway, intake, name, range(number, number + 1))
        waiting = 1
        while waiting:
            time.sleep(0.2)  # to count the queue is not for nothing
            waiting = gateway.door.snapshot(
                lambda db: db.execute(
                    text("SELECT count(*) FROM upload_file WHERE state = 'received'")
                ).scalar_one(),
                max_age=0.0,
            )
        took = time.monotonic() - begun
        stop.set()
        thread.join()
        states, waits, order = judge(gateway)
    poison = len(range(0, flood, 500))
    assert states == {"standardized": flood + 19 * each - poison, "set-aside": poison}
    assert order, "files of a facility were not worked on as they came"
    p99 = sorted(waits)[int(len(waits) * 0.99)]
    rate = (flood + 19 * each) / took
    assert p99 <= 30, p99
    return (
        f"{flood} queued of one facility, {19 * each} of nineteen others meanwhile: "
        f"{rate:.0f} messages/s while they are sent, others wait {p99:.1f} s (p99), "
        f"{poison} poison files set aside, 0 lost"
    )


def judge(gateway: app.Gateway) -> tuple[dict[str, int], list[float], bool]:
    """States, seconds that files of the others waited, and whether the order was kept."""
    with gateway.database.reading() as db:
        states = dict(db.execute(text(_STATES)).all())
        sent = {
            row[0]: (row[1], datetime.fromisoformat(row[2]))
            for row in db.execute(text("SELECT receipt, facility, received FROM upload"))
        }
        events = db.execute(
            text("SELECT at, content FROM audit_event WHERE kind = 'intake' ORDER BY id")
        ).all()
    waits, last, order = [], dict[str, datetime](), True
    for at, content in events:
        receipt = next((one for one in _ID.findall(content) if one in sent), "")
        if not receipt:
            continue
        name, received = sent[receipt]
        if name == FLOODING or name not in NAMES:
            continue
        order = order and last.get(name, received) <= received
        last[name] = received
        waits.append((datetime.fromisoformat(at) - received).total_seconds())
    return states, waits, order


def test_a_flood_holds_up_nobody(installed: Installation, monkeypatch: pytest.MonkeyPatch) -> None:
    print(run(installed, SMALL[installed.kind], monkeypatch))


@pytest.mark.campaign
def test_a_long_flood_holds_up_nobody(
    installed: Installation, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> None:
    with campaign.figure(request) as figure:
        figure.say(run(installed, QUEUED, monkeypatch))
