#!/usr/bin/env python3
"""What a code of an authenticator app adds to a sign-in."""

import base64
import statistics
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import requests

from bench.filling import PASSWORD, email_of, filled_apart
from bench.load import Generator
from bench.rows import Goal, Rounds, Row, cpu_seconds, medians
from bench.serving import LOGIN, PinnedServer
from vestibule.accounts import totp
from vestibule.core import clock
from vestibule.core.crypto import new_key

STORED = 1_000
#: Sign-ins of each kind in a round; each has a user of its own, because a
#: code works once.
SIGN_INS = 10
FACTORS = "/api/v1/auth_session/factors"
SECOND_FACTOR = "/api/v1/auth_session/second-factor"


class Person:
    """A user at a client of their own, with an app or without."""

    def __init__(self, server: PinnedServer, number: int) -> None:
        """Take the user with this number."""
        self._server = server
        self._email = email_of(number)
        self._client = requests.Session()
        self._seed = b""

    def enroll(self) -> None:
        """Log in, and set up an app with the code of the step before."""
        self._post(LOGIN, data=self._password())
        new = self._post(FACTORS, 201, json={"name": "phone"}).json()
        self._seed = base64.b32decode(new["key"].replace(" ", ""))
        path = f"{FACTORS}/{new['id']}/confirm"
        self._post(path, json=self._code(-1))
        self._client.cookies.clear()

    def sign_in(self) -> float:
        """Sign in, with a code if there is an app; return the seconds."""
        before = time.perf_counter()
        if self._seed:
            self._post(LOGIN, 401, data=self._password())
            self._post(SECOND_FACTOR, json=self._code(0))
        else:
            self._post(LOGIN, data=self._password())
        return time.perf_counter() - before

    def _password(self) -> dict[str, str]:
        """Return the form of the login."""
        return {"email": self._email, "password": PASSWORD}

    def _code(self, offset: int) -> dict[str, str]:
        """Return the body with a code, some steps from now."""
        step = totp.step_at(clock.now()) + offset
        return {"code": totp.hotp(self._seed, step)}

    def _post(
        self, path: str, status: int = 200, **body: Any
    ) -> requests.Response:
        """Send a request; fail on another status."""
        answer = self._client.post(self._server.url + path, timeout=30, **body)
        if answer.status_code != status:
            raise RuntimeError(f"{path}: {answer.status_code} {answer.text}")
        return answer


def rows(folder: Path, generator: Generator, rounds: Rounds) -> Iterator[Row]:
    """Yield the milliseconds that a code adds to a sign-in.

    One sign-in runs at a time; `generator` stays unused.
    """
    server = PinnedServer(folder / "factors", SECRETS_KEY=new_key())
    filled_apart(server.env, STORED)
    count = rounds.count * SIGN_INS
    with server:
        plain = [Person(server, number) for number in range(count)]
        owners = [Person(server, count + number) for number in range(count)]
        for each in owners:
            each.enroll()
        without, with_code = rounds.interleaved(
            partial(_measured, server, iter(plain)),
            partial(_measured, server, iter(owners)),
        )
    for what, index in (
        ("what the code of an app adds to a sign-in", 0),
        ("the same, by the processor time of the worker", 1),
    ):
        slow = [taken[index] for taken in with_code]
        fast = [taken[index] for taken in without]
        yield Row(
            what,
            [more - less for more, less in zip(slow, fast, strict=True)],
            Goal(5, at_most=True, unit=" ms"),
            unit=" ms",
            seen=medians("ms", slow, fast),
        )


def _measured(
    server: PinnedServer, people: Iterator[Person]
) -> tuple[float, float]:
    """Sign the next people in, one by one.

    Return the median of the times that it took, and the processor time of
    the worker for one of them, in ms. A busy machine changes the second
    one little.
    """
    (worker,) = server.workers()
    before = cpu_seconds(worker)
    taken = [next(people).sign_in() for _ in range(SIGN_INS)]
    used = cpu_seconds(worker) - before
    return statistics.median(taken) * 1000, used * 1000 / SIGN_INS
