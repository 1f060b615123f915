"""How old the revocation lists are, for the operator's door: by source, as the trust file names it.

Sources are those that are configured, so nothing that a sender writes makes a series.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from gateway.errors import Busy
from gateway.intake import lists as intake
from gateway.intake.lists import Lists
from gateway.record import lists as archive

_SOURCE = ["source"]


@dataclass(frozen=True, slots=True, eq=False)
class ListAges(Collector):
    """Asks the database when somebody asks."""

    lists: Lists

    def collect(self) -> Iterator[Metric]:
        """Age, seconds until the window ends, failures since the last fetch; the archive's size."""
        now = self.lists.clock()
        age = GaugeMetricFamily(
            "gateway_crl_age_seconds", "Since when the newest list was made.", labels=_SOURCE
        )
        left = GaugeMetricFamily(
            "gateway_crl_left_seconds", "Until its window ends; negative once it has.",
            labels=_SOURCE,
        )  # fmt: skip
        failures = GaugeMetricFamily(
            "gateway_crl_failures", "Fetches that failed since one went well.", labels=_SOURCE
        )
        alarms = GaugeMetricFamily(
            "gateway_crl_alarm", "1 where the window ends soon, or no list is there.",
            labels=_SOURCE,
        )  # fmt: skip
        for one in self.lists.standings():
            name = [one.source.name]
            failures.add_metric(name, one.state.failures)
            alarms.add_metric(name, float(one.alarming))
            if one.row is not None and one.until is not None:
                age.add_metric(name, (now - one.row.since).total_seconds())
                left.add_metric(name, (one.until - now).total_seconds())
        yield from (age, left, failures, alarms)
        kept = GaugeMetricFamily("gateway_crl_archived", "Lists in the archive.")
        kept.add_metric([], self.lists.door.snapshot(archive.count, max_age=0.0))
        yield kept


def warnings(lists: Lists) -> list[dict[str, str]]:
    """What `/readyz` says of lists that end: documents then wait, the doors do not."""
    try:
        found = [line for one in lists.standings() for line in intake.lines(one)]
    except Busy as busy:
        found = [(busy.english, busy.japanese)]
    return [
        {"check": "revocation-lists", "text": english, "text_ja": japanese}
        for english, japanese in found
    ]
