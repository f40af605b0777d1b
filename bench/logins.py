#!/usr/bin/env python3
"""Measures logins, and requests with a session while logins run."""

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from urllib.parse import urlencode

from bench.filling import (
    PASSWORD,
    Known,
    email_of,
    filled_apart,
    owners_of,
)
from bench.hashing import Speed, measured_apart
from bench.load import Generator, Seen, get, post
from bench.rows import Goal, Rounds, Row, cpu_seconds, medians, ratios
from bench.serving import LOGIN, ME, PinnedServer

STORED = 100_000
#: Concurrent logins: one is being hashed, the others wait.
LOGINS = 4
LOOK_UPS = 8


class LoginServer:
    """A server with users who log in and users who have sessions."""

    def __init__(
        self, server: PinnedServer, known: list[Known], generator: Generator
    ) -> None:
        """Check the server's responses; prepare both kinds of requests."""
        server.check(known)
        server.login(email_of(0), PASSWORD)
        self.server = server
        self._generator = generator
        self._logins = generator.file(
            [
                post(
                    LOGIN,
                    urlencode(
                        {
                            "email": email_of(number),
                            "password": PASSWORD,
                        }
                    ),
                )
                for number in range(owners_of(STORED))
            ]
        )
        self._look_ups = generator.file(
            [get(ME, session_id) for session_id, _ in known]
        )
        #: The results of look-ups and logins that ran at the same time.
        self.together: list[tuple[Seen, Seen]] = []

    def logins(self, seconds: int) -> Speed:
        """Return the rate of logins without other load."""
        (worker,) = self.server.workers()
        before = cpu_seconds(worker)
        rate = self._generator.run(
            self.server.port, self._logins, LOGINS, seconds
        ).rate
        used = cpu_seconds(worker) - before
        return Speed(rate, used * 1000 / (rate * seconds))

    def quiet(self, seconds: int) -> float:
        """Return the rate of look-ups without logins."""
        return self._generator.run(
            self.server.port, self._look_ups, LOOK_UPS, seconds
        ).rate

    def busy(self, seconds: int) -> float:
        """Return the rate of look-ups while logins use the whole server."""
        run = self._generator.start(
            self.server.port, self._logins, LOGINS, seconds
        )
        look_ups = self._generator.run(
            self.server.port, self._look_ups, LOOK_UPS, seconds
        )
        self.together.append((look_ups, run.finish()))
        return look_ups.rate


def rows(folder: Path, generator: Generator, rounds: Rounds) -> Iterator[Row]:
    """Yield the throughput of logins, and of look-ups beside them."""
    pinned = PinnedServer(folder / "logins")
    known = filled_apart(pinned.env, STORED)
    with pinned:
        server = LoginServer(pinned, known, generator)
        yield from _against_the_hash(server, rounds)
        yield from _beside_logins(server, rounds)
        yield Row(
            "most memory of the worker, after all this",
            [pinned.peak_memory()],
            Goal(120, at_most=True, unit=" MB"),
            unit=" MB",
        )


def _against_the_hash(server: LoginServer, rounds: Rounds) -> Iterator[Row]:
    """Compare logins with hashing alone."""
    bare, logins = rounds.interleaved(
        partial(measured_apart, rounds.seconds),
        partial(server.logins, rounds.seconds),
    )
    rates, references = [s.rate for s in logins], [s.rate for s in bare]
    yield Row(
        "logins : bare hashes",
        ratios(rates, references),
        Goal(0.9),
        seen=medians("/s", rates, references),
    )
    costs, references = [s.cost for s in logins], [s.cost for s in bare]
    yield Row(
        "the same, by the processes' processor time",
        ratios(references, costs),
        seen=medians("ms each", costs, references),
    )


def _beside_logins(server: LoginServer, rounds: Rounds) -> Iterator[Row]:
    """Compare look-ups during logins with look-ups alone."""
    quiet, busy = rounds.interleaved(
        partial(server.quiet, rounds.seconds),
        partial(server.busy, rounds.seconds),
    )
    logins = [seen.rate for _, seen in server.together]
    yield Row(
        "users/me beside logins : when quiet",
        ratios(busy, quiet),
        Goal(0.25),
        seen=f"{medians('answers/s', busy, quiet)},"
        f" {medians('logins/s', logins)}",
    )
    yield Row(
        "their 99th percentile beside logins",
        [look_ups.p99 for look_ups, _ in server.together],
        Goal(100, at_most=True, unit=" ms"),
        unit=" ms",
    )
