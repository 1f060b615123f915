"""What the operator may count: requests, refusals, time; no patient data (M-07)."""

from collections.abc import Callable, Iterator

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.process_collector import ProcessCollector

_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0, 60.0)


class Metrics:
    """The counters of one process."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry(auto_describe=True)
        ProcessCollector(registry=self.registry)
        self._requests = Counter(
            "gateway_requests", "Requests answered.", ["path", "status"], registry=self.registry
        )
        self._seconds = Histogram(
            "gateway_request_seconds", "Time from head to answer.", ["path"],
            buckets=_SECONDS, registry=self.registry,
        )  # fmt: skip
        self._refusals = Counter(
            "gateway_refusals", "Refusals by audit code.", ["code"], registry=self.registry
        )
        self._known: dict[tuple[str, int], Callable[[], None]] = {}
        self._timed: dict[str, Callable[[float], None]] = {}

    def answered(self, path: str, status: int, seconds: float) -> None:
        """Count one answer; `path` is a route of ours, never what the client wrote."""
        count = self._known.get((path, status))
        if count is None:
            count = self._known[path, status] = self._requests.labels(path, str(status)).inc
            self._timed[path] = self._seconds.labels(path).observe
        count()
        self._timed[path](seconds)

    def refused(self, code: str) -> None:
        """Count one refusal."""
        self._refusals.labels(code or "none").inc()

    def gauge(self, name: str, about: str, read: Callable[[], float]) -> None:
        """A number that is read when somebody asks."""
        Gauge(name, about, registry=self.registry).set_function(read)

    def names(self) -> Iterator[str]:
        """Every series that is kept, for the handbook."""
        for collector in self.registry.collect():
            yield collector.name
