"""OUL^R22 with 30 OBX to FHIR, against hl7apy's parse of the same message in the same process."""

import statistics
import time
from collections.abc import Callable, Iterator

from bench.figures import Figure
from bench.population import laboratory_message, population
from bench.run import Run
from gateway import standardize
from gateway.standardize.format import Upload
from gateway.wire import fhir


def _cpu(do: Callable[[], object], times: int, windows: int = 5) -> float:
    """Median CPU seconds of one call over several windows, after one to warm up."""
    do()
    found = []
    for _ in range(windows):
        begun = time.process_time()
        for _ in range(times):
            do()
        found.append((time.process_time() - begun) / times)
    return statistics.median(found)


def measure(run: Run) -> Iterator[Figure]:
    """One row."""
    from hl7apy.parser import parse_message

    (patient,) = population(1, 1)
    content = laboratory_message(patient, 30)
    text = content.decode("iso2022_jp")

    def ours() -> object:
        batch = standardize.read(Upload(path="a.hl7", content=content))
        return [fhir.dumps(item.resource) for item in batch.items]

    mine = _cpu(ours, 50)
    theirs = _cpu(lambda: parse_message(text, find_groups=False), 2, 3)
    yield Figure(
        name="oul-r22-30-obx-to-fhir", figure=mine * 1e6, unit="us CPU/message",
        against="hl7apy parse", floor=theirs * 1e6, ratio=theirs / mine, goal=">= 30",
        command="python -m bench --only standardization",
    )  # fmt: skip
