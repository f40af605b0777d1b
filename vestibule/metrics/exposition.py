#!/usr/bin/env python3
"""The metrics of the service, in the text format that Prometheus reads.

Its law: a label has a route, a method, a status or the name of an event:
a few hundred values at most, none of which comes from a client or names a
person.
"""

from collections.abc import Iterator
from typing import Any, NamedTuple

from vestibule.metrics import worker_exits
from vestibule.metrics.counters import DURATION_BUCKETS
from vestibule.metrics.multiprocess import PooledCounts, pooled_counts


class Metric(NamedTuple):
    """A metric: its kind, its labels and what it tells."""

    name: str
    kind: str
    labels: tuple[str, ...]
    meaning: str


REQUESTS = Metric(
    "vestibule_http_requests_total",
    "counter",
    ("method", "route", "status"),
    "Requests that were answered.",
)
DURATIONS = Metric(
    "vestibule_http_request_duration_seconds",
    "histogram",
    ("route",),
    "Seconds from the arrival of a request to the head of its answer.",
)
EVENTS = Metric(
    "vestibule_security_events_total",
    "counter",
    ("event",),
    "Lines of the security log: logins, failures, ended sessions, changes.",
)
WORKERS = Metric(
    "vestibule_workers",
    "gauge",
    (),
    "Worker processes whose counts are in the other metrics.",
)
WORKER_EXITS = Metric(
    "vestibule_worker_exits_total",
    "counter",
    (),
    "Worker processes that ended unexpectedly since the server started.",
)

#: Every metric, in the order in which the documentation lists them.
ALL = (REQUESTS, DURATIONS, EVENTS, WORKERS, WORKER_EXITS)


def exposition() -> tuple[bytes, str]:
    """Return all metrics as a scrape reads them, and the kind of content.

    What writes them is loaded at the first scrape: it takes a while.
    """
    from prometheus_client import CollectorRegistry, generate_latest
    from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4

    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Collector(pooled_counts()))
    return generate_latest(registry), CONTENT_TYPE_PLAIN_0_0_4


class _Collector:
    """Gives a registry what was counted."""

    def __init__(self, pooled: PooledCounts) -> None:
        """Keep what is to be told."""
        self._pooled = pooled

    def collect(self) -> Iterator[Any]:
        """Yield each metric with its samples."""
        from prometheus_client import core

        requests = core.CounterMetricFamily(
            REQUESTS.name, REQUESTS.meaning, labels=REQUESTS.labels
        )
        durations = core.HistogramMetricFamily(
            DURATIONS.name, DURATIONS.meaning, labels=DURATIONS.labels
        )
        events = core.CounterMetricFamily(
            EVENTS.name, EVENTS.meaning, labels=EVENTS.labels
        )
        for labels, times in sorted(self._requests().items()):
            requests.add_metric(labels, times)
        for route, (buckets, seconds) in sorted(self._durations().items()):
            durations.add_metric([route], buckets, seconds)
        for name, times in sorted(self._events().items()):
            events.add_metric([name], times)
        yield from (requests, durations, events)
        yield core.GaugeMetricFamily(
            WORKERS.name, WORKERS.meaning, value=self._pooled.workers
        )
        exits = core.CounterMetricFamily(
            WORKER_EXITS.name, WORKER_EXITS.meaning
        )
        # Under another server they are not seen: no sample, and not 0.
        if (number := worker_exits.count()) is not None:
            exits.add_metric([], number)
        yield exits

    def _events(self) -> dict[str, float]:
        """Return how often each event happened."""
        return {
            key[0]: times
            for key, (times, _) in self._pooled.sums.items()
            if len(key) == 1
        }

    def _requests(self) -> dict[tuple[str, str, str], float]:
        """Return the number of answers by method, route and status."""
        found: dict[tuple[str, str, str], float] = {}
        for key, (times, _) in self._pooled.sums.items():
            if len(key) == 4:
                labels = key[:3]
                found[labels] = found.get(labels, 0) + times
        return found

    def _durations(
        self,
    ) -> dict[str, tuple[list[tuple[str, float]], float]]:
        """Return for each route its cumulated classes and all seconds."""
        classes: dict[str, list[float]] = {}
        seconds: dict[str, float] = {}
        for key, (times, spent) in self._pooled.sums.items():
            if len(key) == 4:
                _, route, _, bound = key
                counts = classes.setdefault(
                    route, [0] * (len(DURATION_BUCKETS) + 1)
                )
                counts[bound] += times
                seconds[route] = seconds.get(route, 0) + spent
        names = [*map(str, DURATION_BUCKETS), "+Inf"]
        return {
            route: (
                [
                    (name, sum(counts[: index + 1]))
                    for index, name in enumerate(names)
                ],
                seconds[route],
            )
            for route, counts in classes.items()
        }
