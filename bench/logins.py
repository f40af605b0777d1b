#!/usr/bin/env python3
"""What logins cost: against the bare hash, and those who only look up."""

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
#: Logins on their way at once: one is being hashed, the others wait.
LOGINS = 4
LOOK_UPS = 8


class House:
    """A server with users who log in and users who are logged in."""

    def __init__(
        self, server: PinnedServer, known: list[Known], generator: Generator
    ) -> None:
        """Check its answers; prepare the requests of both."""
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
        #: What both saw while they shared the server.
        self.beside: list[tuple[Seen, Seen]] = []

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
        """Return how many are answered while logins run flat out."""
        run = self._generator.start(
            self.server.port, self._logins, LOGINS, seconds
        )
        look_ups = self._generator.run(
            self.server.port, self._look_ups, LOOK_UPS, seconds
        )
        self.beside.append((look_ups, run.finish()))
        return look_ups.rate


def rows(folder: Path, generator: Generator, rounds: Rounds) -> Iterator[Row]:
    """Yield the throughput of logins, and what they leave to others."""
    server = PinnedServer(folder / "logins")
    known = filled_apart(server.env, STORED)
    with server:
        house = House(server, known, generator)
        yield from _against_the_hash(house, rounds)
        yield from _beside_logins(house, rounds)
        yield Row(
            "most memory of the worker, after all this",
            [server.peak_memory()],
            Goal(120, at_most=True, unit=" MB"),
            unit=" MB",
        )


def _against_the_hash(house: House, rounds: Rounds) -> Iterator[Row]:
    """Compare logins with nothing but their hashes."""
    bare, logins = rounds.interleaved(
        partial(measured_apart, rounds.seconds),
        partial(house.logins, rounds.seconds),
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


def _beside_logins(house: House, rounds: Rounds) -> Iterator[Row]:
    """Compare look-ups beside logins with those when it is quiet."""
    quiet, busy = rounds.interleaved(
        partial(house.quiet, rounds.seconds),
        partial(house.busy, rounds.seconds),
    )
    logins = [seen.rate for _, seen in house.beside]
    yield Row(
        "users/me beside logins : when quiet",
        ratios(busy, quiet),
        Goal(0.25),
        seen=f"{medians('answers/s', busy, quiet)},"
        f" {medians('logins/s', logins)}",
    )
    yield Row(
        "their 99th percentile beside logins",
        [look_ups.p99 for look_ups, _ in house.beside],
        Goal(100, at_most=True, unit=" ms"),
        unit=" ms",
    )
