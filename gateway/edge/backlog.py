"""What waits, as the operator's door counts it: by facility, and by drop folder; no patient data.

Facilities are those of the register and folders those that are watched, so the series are as many
as an installation has of them, and nothing that a client writes makes one.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from gateway.audit.door import Door
from gateway.record import queue, watched

_FACILITY = ["facility"]
_FOLDER = ["facility", "folder"]


@dataclass(frozen=True, slots=True)
class Backlog(Collector):
    """Asks the database when somebody asks, at most every five seconds."""

    door: Door
    clock: Callable[[], datetime]

    def collect(self) -> Iterator[Metric]:
        """The queue by facility, then drop folders."""
        now = self.clock()
        waiting = GaugeMetricFamily(
            "gateway_intake_waiting_files", "Files and parts that wait.", labels=_FACILITY
        )
        oldest = GaugeMetricFamily(
            "gateway_intake_oldest_seconds", "Since when the oldest of them waits.",
            labels=_FACILITY,
        )  # fmt: skip
        left = GaugeMetricFamily(
            "gateway_intake_left_seconds", "How long they take at the pace of lately.",
            labels=_FACILITY,
        )  # fmt: skip
        for one in self.door.snapshot(queue.backlog):
            name = [one["facility"]]
            waiting.add_metric(name, one["files"])
            oldest.add_metric(name, (now - one["oldest"]).total_seconds())
            if one["left"] is not None:
                left.add_metric(name, one["left"])
        yield from (waiting, oldest, left)
        done = CounterMetricFamily(
            "gateway_intake_files", "Files and parts that were worked on.", labels=_FACILITY
        )
        for facility, count in self.door.snapshot(queue.worked).items():
            done.add_metric([facility], count)
        yield done
        aside = GaugeMetricFamily(
            "gateway_intake_set_aside_files", "Files and parts that somebody must look at.",
            labels=_FACILITY,
        )  # fmt: skip
        for facility, count in self.door.snapshot(queue.set_aside).items():
            aside.add_metric([facility], count)
        yield aside
        yield from self._folders(now)

    def _folders(self, now: datetime) -> Iterator[Metric]:
        looked = GaugeMetricFamily(
            "gateway_watch_looked_seconds", "Since when a drop folder was not looked at.",
            labels=_FOLDER,
        )  # fmt: skip
        unfinished = GaugeMetricFamily(
            "gateway_watch_unfinished_files", "Files of a drop folder that are not complete.",
            labels=_FOLDER,
        )  # fmt: skip
        taken = CounterMetricFamily(
            "gateway_watch_taken_files", "Files taken from a drop folder.", labels=_FOLDER
        )
        refused = CounterMetricFamily(
            "gateway_watch_refused_files", "Files of a drop folder that were refused.",
            labels=_FOLDER,
        )  # fmt: skip
        for one in self.door.snapshot(watched.watches):
            names = [one.facility, one.folder]
            looked.add_metric(names, (now - one.looked).total_seconds())
            unfinished.add_metric(names, one.unfinished)
            taken.add_metric(names, one.taken)
            refused.add_metric(names, one.refused)
        yield from (looked, unfinished, taken, refused)
