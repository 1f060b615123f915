"""Files of the queue to stored FHIR on SQLite: messages a second of one core.

Beside it hl7apy's parse alone of the same messages.
What is counted begins with files that are received and wait, and ends with items and audit events
committed: staged under custody, or shared with the documents made of them. `--profile` says where
the time goes.
"""

import argparse
import cProfile
import gc
import pstats
import shutil
import statistics
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from bench import installation
from bench.figures import Figure
from bench.population import (
    Patient,
    laboratory_message,
    population,
    prescription_message,
    stored_path,
)
from bench.run import Run
from gateway import app, serving, settings
from gateway.app import Gateway
from gateway.cli.demo_people import CHARTS
from gateway.consent import enrolment
from gateway.identity import crossref
from gateway.intake import FolderIntake, Intake
from gateway.members import facilities
from gateway.members.facilities import ContractKind
from gateway.model.audit import EventKind
from gateway.model.category import Source
from gateway.model.identifiers import Oid, PatientId

_COMMAND = "python -m bench --only intake"
_DAY = "20261120"
_FACILITY = "hospital-a"
_FILES = 400
_ROUNDS = 5
_PYTHON = gc.get_threshold()


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of message."""

    name: str
    folder: str
    make: Callable[[Patient], bytes]
    goal: float
    "Messages a second of one core."
    times: float
    "Times hl7apy's parse alone."


KINDS = (
    Kind("oul-r22-30-obx", "OML-11", laboratory_message, 400.0, 30.0),
    Kind("rde-o11", "OMP-01", prescription_message, 1500.0, 28.0),
)


def write(kind: Kind, patients: Iterator[Patient], folder: Path) -> None:
    """A storage with one message for each patient."""
    for patient in patients:
        path = stored_path(patient.charts[0][1], kind.folder, f"{patient.number:015d}", _DAY)
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(kind.make(patient))


def enrol(gateway: Gateway, patients: Iterator[Patient]) -> None:
    """Everybody takes part, with a linked chart."""
    domain = Oid(CHARTS[_FACILITY])
    for patient in patients:
        told, chart = installation.described(patient), PatientId(domain, patient.charts[0][1])
        caller = gateway.operator()
        with gateway.door.work(EventKind.ENROL, caller) as work:
            crossref.register(work, chart, told)
            shared = enrolment.enrol(
                work, told, signed_by="person", basis="treated_at_member_facility"
            )
            crossref.link(work, shared, chart)


def taken(
    gateway: Gateway, kind: Kind, *, first: int, consent: bool, files: int, place: Path
) -> tuple[float, float, float]:
    """CPU and wall seconds for all files of one round, and wall seconds of receiving them."""
    patients = [*population(1, first + files, first=first)]
    shutil.rmtree(place, ignore_errors=True)
    write(kind, iter(patients), place)
    if consent:
        enrol(gateway, iter(patients))
    intake = Intake(
        door=gateway.door, blobs=gateway.blobs, limits=gateway.settings.limits, new_id=app.new_id
    )
    begun = time.perf_counter()
    folder = FolderIntake(
        intake=intake, caller=gateway.operator, root=place, facility=_FACILITY, source=Source.EMR
    )
    delivery = folder.receive()
    received = time.perf_counter() - begun
    wall, cpu = time.perf_counter(), time.process_time()
    while intake.process_waiting(lambda: gateway.job("intake"), lambda: False):
        pass
    cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
    folder.close(delivery)
    found = intake.receipt(gateway.operator(), delivery.receipt)
    states = {(one["state"], one["items"]["promoted"] > 0) for one in found["files"]}
    if states != {("standardized", consent)}:
        raise RuntimeError(f"not stored as expected: {states}")
    return cpu, wall, received


def opened(run: Run) -> tuple[Path, Path]:
    """A fresh installation, and a folder for storages."""
    place = installation.make("intake", folder=run.folder)
    shutil.rmtree(place / "blobs", ignore_errors=True)
    return place / "gateway.toml", place / "storage"


def custody(gateway: Gateway) -> None:
    """The hospital may hand in data of people who did not consent."""
    with gateway.door.work(EventKind.ADMIN, gateway.operator()) as work:
        facilities.agree(work, ContractKind.CUSTODY, facility=_FACILITY, starts=date(2026, 1, 1))


def parsed(content: bytes, times: int = 3) -> float:
    """CPU seconds of hl7apy's parse alone, with Python's own settings of the garbage collector.

    Those of this process are made for what it does (`serving.settle`), and are not the peer's.
    """
    from hl7apy.parser import parse_message

    text = content.decode("iso2022_jp")
    ours = gc.get_threshold()
    gc.set_threshold(*_PYTHON)
    try:
        parse_message(text, find_groups=False)
        found = []
        for _ in range(times):
            begun = time.process_time()
            parse_message(text, find_groups=False)
            found.append(time.process_time() - begun)
    finally:
        gc.set_threshold(*ours)
    return statistics.median(found)


def measure(run: Run) -> Iterator[Figure]:
    """For each kind of message: staged under custody, and shared."""
    config, storage = opened(run)
    serving.settle()  # as the processes that work the queue
    with app.open_gateway(settings.load(config)) as gateway:
        custody(gateway)
        first = 1
        for kind in KINDS:
            (sample,) = population(1, 1)
            for consent, stored in ((False, "staged"), (True, "shared")):
                rounds, floors = [], [parsed(kind.make(sample))]
                for _ in range(_ROUNDS):
                    rounds.append(
                        taken(gateway, kind, first=first, consent=consent, files=_FILES,
                              place=storage)
                    )  # fmt: skip
                    first += _FILES
                    floors.append(parsed(kind.make(sample)))  # the machine's speed changes
                each = statistics.median(cpu for cpu, _, _ in rounds) / _FILES
                wall = statistics.median(wall for _, wall, _ in rounds) / _FILES
                # Each round against the floor before and after it.
                times = statistics.median(
                    (floors[n] + floors[n + 1]) / 2 * _FILES / cpu
                    for n, (cpu, _, _) in enumerate(rounds)
                )
                floor = statistics.median(floors)
                goal = ">= 1" if stored == "staged" else ""
                yield Figure(
                    name=f"{kind.name}-{stored}", figure=1 / each, unit="messages/CPU s",
                    against="at least", floor=kind.goal, ratio=1 / each / kind.goal, goal=goal,
                    command=_COMMAND,
                )  # fmt: skip
                yield Figure(
                    name=f"{kind.name}-{stored}-wall", figure=1 / wall, unit="messages/s",
                    against="hl7apy parse alone, CPU", floor=1 / floor, ratio=times,
                    goal=f">= {kind.times:.0f}" if goal else "", command=_COMMAND,
                )  # fmt: skip


def main() -> None:
    """Where the time goes, for one kind of message."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kind", choices=[one.name for one in KINDS], default=KINDS[0].name)
    parser.add_argument("--consent", action="store_true")
    parser.add_argument("--files", type=int, default=_FILES)
    parser.add_argument("--profile", action="store_true")
    parser.add_argument("--lines", type=int, default=45)
    arguments = parser.parse_args()
    kind = next(one for one in KINDS if one.name == arguments.kind)
    config, storage = opened(Run())
    serving.settle()
    with app.open_gateway(settings.load(config)) as gateway:
        custody(gateway)
        files, profile = arguments.files, cProfile.Profile()
        for first in (1, 1 + files):
            if arguments.profile and first > 1:
                profile.enable()
            cpu, wall, received = taken(
                gateway, kind, first=first, consent=arguments.consent, files=files, place=storage
            )
            profile.disable()
            print(
                f"{kind.name}: {cpu / files * 1e6:.0f} us CPU, {wall / files * 1e6:.0f} us wall a "
                f"message; received at {files / received:.0f} files/s"
            )
        if arguments.profile:
            pstats.Stats(profile).sort_stats("tottime").print_stats(arguments.lines)


if __name__ == "__main__":
    main()
