#!/usr/bin/env python3
"""Measures requests that identify a user by a session, end to end."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from functools import partial
from pathlib import Path

from bench.filling import Known, email_of, filled_apart
from bench.load import Generator, get
from bench.rows import Goal, Rounds, Row, cpu_seconds, medians, ratios
from bench.serving import ME, STATUS, BareServer, PinnedServer
from tests.backends import PostgreSQL

#: Concurrent requests: enough to keep all threads busy.
CONNECTIONS = 32
STORED = 100_000
FEW, MANY = 1_000, 1_000_000
#: Logins before the measurement, where sessions cannot be stored.
LOGGED_IN = 10


class Target:
    """A route of a running server, and requests with its sessions."""

    def __init__(
        self,
        server: PinnedServer,
        known: list[Known],
        generator: Generator,
        path: str = ME,
        build: Callable[[str, str], bytes] = get,
    ) -> None:
        """Check the server's answers; prepare the requests."""
        self.body = server.check(known)
        self.server = server
        self._generator = generator
        self._requests = generator.file(
            [build(path, session_id) for session_id, _ in known]
        )
        #: Milliseconds of the worker's time per answer, for each run.
        self.cost: list[float] = []

    def rate(self, seconds: int) -> float:
        """Return the rate of successful responses per second."""
        (worker,) = self.server.workers()
        before = cpu_seconds(worker)
        seen = self._generator.run(
            self.server.port, self._requests, CONNECTIONS, seconds
        )
        used = cpu_seconds(worker) - before
        self.cost.append(used * 1000 / (seen.rate * seconds))
        return seen.rate


def against_bare_flask(
    folder: Path, generator: Generator, rounds: Rounds
) -> Iterator[Row]:
    """Yield the throughput of look-ups against that of bare Flask."""
    with ExitStack() as running:
        server = PinnedServer(folder / "sqlite")
        known = filled_apart(server.env, STORED)
        running.enter_context(server)
        sqlite = Target(server, known, generator)
        bare_server = BareServer(folder / "bare", sqlite.body)
        running.enter_context(bare_server)
        targets = {
            "the same, session_auth (in memory)": _in_memory(
                folder / "memory", running, generator
            ),
            "GET /status : bare Flask": Target(
                server, known, generator, STATUS
            ),
        }
        if PostgreSQL.find() is not None:
            targets["the same, PostgreSQL (on the load's core)"] = (
                _in_postgresql(folder / "postgresql", running, generator)
            )
        yield from _compared(
            Target(bare_server, known, generator), sqlite, targets, rounds
        )


def by_number(
    folder: Path, generator: Generator, rounds: Rounds
) -> Iterator[Row]:
    """Yield how much longer a look-up takes among many sessions."""
    with ExitStack() as running:
        few, many = (
            _stored(folder / f"stored{count}", count, running, generator)
            for count in (FEW, MANY)
        )
        of_few, of_many = rounds.interleaved(
            partial(few.rate, rounds.seconds),
            partial(many.rate, rounds.seconds),
        )
    yield Row(
        f"time of users/me, {MANY:,} sessions : {FEW:,}",
        ratios(of_few, of_many),
        Goal(1.5, at_most=True),
        seen=medians("answers/s", of_many, of_few),
    )


def _compared(
    bare: Target,
    goal: Target,
    informative: dict[str, Target],
    rounds: Rounds,
) -> Iterator[Row]:
    """Yield the rates against that of `bare`; the first has a goal."""
    targets = [goal, *informative.values()]
    reference, *taken = rounds.interleaved(
        *(partial(target.rate, rounds.seconds) for target in (bare, *targets))
    )
    yield Row(
        f"users/me, {STORED:,} sessions in SQLite : bare Flask",
        ratios(taken[0], reference),
        Goal(0.6),
        seen=medians("answers/s", taken[0], reference),
    )
    yield Row(
        "the same, by the workers' processor time",
        ratios(bare.cost, goal.cost),
        seen=medians("ms/answer", goal.cost, bare.cost),
    )
    for what, rates in zip(informative, taken[1:], strict=True):
        yield Row(
            what,
            ratios(rates, reference),
            seen=medians("answers/s", rates, reference),
        )


def _stored(
    folder: Path, count: int, running: ExitStack, generator: Generator
) -> Target:
    """Start a server on an SQLite file with `count` sessions."""
    server = PinnedServer(folder)
    known = filled_apart(server.env, count)
    running.enter_context(server)
    return Target(server, known, generator)


def _in_memory(
    folder: Path, running: ExitStack, generator: Generator
) -> Target:
    """Start a server with sessions in memory, and log in there."""
    server = PinnedServer(folder, AUTH_TYPE="session_auth")
    filled_apart(server.env, FEW)
    running.enter_context(server)
    emails = [email_of(number) for number in range(LOGGED_IN)]
    return Target(server, server.logged_in(emails), generator)


def _in_postgresql(
    folder: Path, running: ExitStack, generator: Generator
) -> Target:
    """Start a server on a PostgreSQL that has as many sessions."""
    cluster = PostgreSQL()
    running.callback(cluster.remove)
    server = PinnedServer(folder, DATABASE_URL=cluster.fresh_url())
    known = filled_apart(server.env, STORED)
    running.enter_context(server)
    return Target(server, known, generator)
