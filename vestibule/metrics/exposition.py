#!/usr/bin/env python3
"""The metrics of the service, in the Prometheus text format.

A label is a route, a method, a status or the name of an event: at most a
few hundred values, none of which comes from a client or identifies a
person.
"""

from collections.abc import Iterator
from typing import Any, NamedTuple

from vestibule.core import clock, mail_settings
from vestibule.core.errors import VestibuleError
from vestibule.db.outgoing_mails import queue_state
from vestibule.metrics import multiprocess
from vestibule.metrics.counters import DURATION_BUCKETS
from vestibule.metrics.multiprocess import ServerCounts, server_counts


class Metric(NamedTuple):
    """A metric: its name, type, labels and help text."""

    name: str
    kind: str
    labels: tuple[str, ...]
    help_text: str


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

MAILS = Metric(
    "vestibule_mails",
    "gauge",
    ("state",),
    "Mails of the last week that are queued, were sent, or failed.",
)
OLDEST_MAIL = Metric(
    "vestibule_oldest_queued_mail_seconds",
    "gauge",
    (),
    "Age of the queued mail that has waited for the longest.",
)

#: Every metric, in the order in which the documentation lists them.
ALL_METRICS = (
    REQUESTS,
    DURATIONS,
    EVENTS,
    WORKERS,
    WORKER_EXITS,
    MAILS,
    OLDEST_MAIL,
)


def exposition() -> tuple[bytes, str]:
    """Return the body of a scrape with all metrics, and its content type.

    prometheus-client is imported at the first scrape, because that is slow.
    """
    from prometheus_client import CollectorRegistry, generate_latest
    from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4

    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Collector(server_counts()))
    return generate_latest(registry), CONTENT_TYPE_PLAIN_0_0_4


class _Collector:
    """Gives a registry the counts of the server."""

    def __init__(self, server: ServerCounts) -> None:
        """Report the counts of `server`."""
        self._server = server

    def collect(self) -> Iterator[Any]:
        """Yield each metric with its samples."""
        from prometheus_client import core

        requests = core.CounterMetricFamily(
            REQUESTS.name, REQUESTS.help_text, labels=REQUESTS.labels
        )
        durations = core.HistogramMetricFamily(
            DURATIONS.name, DURATIONS.help_text, labels=DURATIONS.labels
        )
        events = core.CounterMetricFamily(
            EVENTS.name, EVENTS.help_text, labels=EVENTS.labels
        )
        for labels, times in sorted(self._requests().items()):
            requests.add_metric(labels, times)
        for route, (buckets, seconds) in sorted(self._durations().items()):
            durations.add_metric([route], buckets, seconds)
        for name, times in sorted(self._events().items()):
            events.add_metric([name], times)
        yield from (requests, durations, events)
        yield core.GaugeMetricFamily(
            WORKERS.name, WORKERS.help_text, value=self._server.workers
        )
        exits = core.CounterMetricFamily(
            WORKER_EXITS.name, WORKER_EXITS.help_text
        )
        # Under another server the number is unknown: no sample, not 0.
        if (number := multiprocess.exit_count()) is not None:
            exits.add_metric([], number)
        yield exits
        yield from self._mails()

    def _mails(self) -> Iterator[Any]:
        """Yield the metrics of the mail queue, if mail is sent.

        They are missing while the database cannot be read: the other
        metrics are needed most then.
        """
        from prometheus_client import core

        if mail_settings.MAIL_URL.read() is None:
            return
        try:
            state = queue_state()
        except VestibuleError:
            return
        mails = core.GaugeMetricFamily(
            MAILS.name, MAILS.help_text, labels=MAILS.labels
        )
        for name in ("queued", "sent", "failed"):
            mails.add_metric([name], getattr(state, name))
        yield mails
        age = 0.0
        if state.oldest is not None:
            age = max(0.0, (clock.now() - state.oldest).total_seconds())
        yield core.GaugeMetricFamily(
            OLDEST_MAIL.name, OLDEST_MAIL.help_text, value=age
        )

    def _events(self) -> dict[str, float]:
        """Return the number of each event."""
        return {
            key[0]: times
            for key, (times, _) in self._server.totals.items()
            if len(key) == 1
        }

    def _requests(self) -> dict[tuple[str, str, str], float]:
        """Return the number of responses by method, route and status."""
        found: dict[tuple[str, str, str], float] = {}
        for key, (times, _) in self._server.totals.items():
            if len(key) == 4:
                labels = key[:3]
                found[labels] = found.get(labels, 0) + times
        return found

    def _durations(
        self,
    ) -> dict[str, tuple[list[tuple[str, float]], float]]:
        """Return the cumulative buckets and total seconds of each route."""
        buckets_by_route: dict[str, list[float]] = {}
        seconds: dict[str, float] = {}
        for key, (times, spent) in self._server.totals.items():
            if len(key) == 4:
                _, route, _, bound = key
                counts = buckets_by_route.setdefault(
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
            for route, counts in buckets_by_route.items()
        }
