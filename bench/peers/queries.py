#!/usr/bin/env python3
"""The measured queries: a route under load, or logins one by one."""

import time
from collections.abc import Callable
from http.client import HTTPConnection
from pathlib import Path

from bench.filling import DOMAIN
from bench.load import BadAnswers, Generator, Seen
from bench.look_ups import CONNECTIONS
from bench.rows import cpu_seconds

#: Seconds of load before the first round.
WARM_UP = 2
Pids = Callable[[], list[int]]
#: Requests of one login: path, headers and body.
Attempt = tuple[str, dict[str, str], str]


class RouteLoad:
    """A route under load, and the processor time that it costs."""

    def __init__(
        self,
        name: str,
        port: int,
        pids: Pids,
        requests: Path,
        generator: Generator,
        wanted: str = DOMAIN,
    ) -> None:
        """Send the `requests` of a file; each response must have `wanted`.

        That is a part of every user's email, so a response that identifies
        no user does not count.
        """
        self.name = name
        self._port = port
        self._pids = pids
        self._requests = requests
        self._generator = generator
        self._wanted = wanted
        self.rates: list[float] = []
        #: Milliseconds of its processes' time per answer, for each run.
        self.costs: list[float] = []

    def measure(self, seconds: int) -> None:
        """Record how many good responses a second it gives.

        Raise `BadAnswers` if there was another one.
        """
        before = spent(self._pids())
        seen = self._run(seconds)
        used = spent(self._pids()) - before
        self.rates.append(seen.rate)
        self.costs.append(used * 1000 / (seen.rate * seconds))

    def warm_up(self) -> None:
        """Let it compile and fill its caches, without recording."""
        self._run(WARM_UP)

    def _run(self, seconds: int) -> Seen:
        """Return the result of some seconds of load."""
        try:
            return self._generator.run(
                self._port,
                self._requests,
                CONNECTIONS,
                seconds,
                self._wanted,
            )
        except BadAnswers as error:
            raise BadAnswers(f"{self.name}: {error}") from None


class LoginLoad:
    """A login that is repeated, one at a time.

    A window that ends amid a slow hash would not count that one; here the
    last login is waited for, so nothing is lost by rounding.
    """

    def __init__(
        self, name: str, port: int, pids: Pids, attempts: list[Attempt]
    ) -> None:
        """Log in by all `attempts` in turn."""
        self.name = name
        self._port = port
        self._pids = pids
        self._attempts = attempts
        self._turn = 0
        self.rates: list[float] = []
        #: Milliseconds of its processes' time per login, for each run.
        self.costs: list[float] = []

    def measure(self, seconds: int) -> None:
        """Record how many logins a second succeed, each with a cookie.

        Raise `BadAnswers` about one that does not.
        """
        connection = HTTPConnection("127.0.0.1", self._port, timeout=30)
        try:
            self._log_in(connection)
            before = spent(self._pids())
            done, begun, passed = 0, time.perf_counter(), 0.0
            while not done or passed < seconds:
                self._log_in(connection)
                done += 1
                passed = time.perf_counter() - begun
            used = spent(self._pids()) - before
        finally:
            connection.close()
        self.rates.append(done / passed)
        self.costs.append(used * 1000 / done)

    def _log_in(self, connection: HTTPConnection) -> None:
        """Log in once, by the next attempt."""
        path, headers, body = self._attempts[self._turn]
        self._turn = (self._turn + 1) % len(self._attempts)
        connection.request("POST", path, body, headers)
        answer = connection.getresponse()
        answer.read()
        if answer.status >= 300 or not answer.getheader("Set-Cookie"):
            raise BadAnswers(f"{self.name}: no login, {answer.status}")


def spent(pids: list[int]) -> float:
    """Return the processor time that processes have used so far, in s."""
    return sum(map(cpu_seconds, pids))
