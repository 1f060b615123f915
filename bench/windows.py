"""Windows of load on several servers, one after the other and round by round.

The machine is shared and its speed drifts: every round measures each server once, so that a ratio
is made of neighbours in time. The median of the rounds counts; of a Java peer the last one, when
its compiler has warmed up.
"""

import statistics
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from bench import generator
from bench.generator import Job, Window
from bench.run import Run

_JAVA = 4
"How much longer a Java server is measured, and warmed up before: its compiler takes its time."


@dataclass(slots=True)
class Series:
    """The windows of one server."""

    windows: list[Window] = field(default_factory=list)

    @property
    def each(self) -> float:
        """Median microseconds of server CPU per answer."""
        return statistics.median(window.each for window in self.windows)

    @property
    def warm(self) -> float:
        """The last window's."""
        return self.windows[-1].each


def measure(jobs: Mapping[str, Job], run: Run) -> dict[str, Series]:
    """Every job once in each round."""
    found = {name: Series() for name in jobs}
    for turn in range(run.rounds):
        for name, job in jobs.items():
            longer = _JAVA if name.startswith("ipf") else 1
            window = generator.run(
                replace(job, seconds=run.seconds * longer, warm=run.warm * longer)
            )
            found[name].windows.append(window)
            print(
                f"  round {turn + 1} {name:24} {window.each:8.1f} us CPU, "
                f"{window.answers / window.wall:7.0f} answers/s",
                file=sys.stderr,
            )
    return found


def ratio(above: Series, below: Series) -> float:
    """Median of the ratios of each round."""
    pairs = zip(above.windows, below.windows, strict=True)
    return statistics.median(one.each / other.each for one, other in pairs)
