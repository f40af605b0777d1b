#!/usr/bin/env python3
"""Measures a hand-over: how a signed-in browser gets another host's session.

A browser sends three requests: the application's host leads to the sign-in
host, which leads back with a code, for which the host sets its cookie.
"""

import statistics
import time
from collections.abc import Iterator
from functools import partial
from http.client import HTTPConnection
from itertools import cycle
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlsplit

from bench.filling import Known, filled_apart
from bench.load import Generator
from bench.rows import Goal, Rounds, Row, cpu_seconds, medians
from bench.serving import VERIFY, PinnedServer
from tests.serving import COOKIE
from vestibule.core.application_hosts import SESSION_PATH

STORED = 100_000
SIGN_IN_HOST, APP_HOST = "auth.example.com", "app.example.com"
PAGE = "/page?number=1"
#: Milliseconds of our own time in a hand-over: its responses together.
MAX_HAND_OVER = 20
#: Seconds to wait for a response.
TIMEOUT = 30


class Taken(NamedTuple):
    """The milliseconds of hand-overs: the median, the slowest, the worker."""

    median: float
    slowest: float
    cost: float


class SignedInBrowsers:
    """Browsers with a session of the sign-in host and no other cookie."""

    def __init__(self, server: PinnedServer, known: list[Known]) -> None:
        """Check the server's answers with the sessions in `known`."""
        server.check(known)
        self._server = server
        self._sessions = cycle(session_id for session_id, _ in known)
        self._connection = HTTPConnection(
            "127.0.0.1", server.port, timeout=TIMEOUT
        )
        self.hand_over()

    def measure(self, seconds: int) -> Taken:
        """Hand sessions over, one after the other; return the times."""
        (worker,) = self._server.workers()
        before, taken = cpu_seconds(worker), []
        end = time.perf_counter() + seconds
        while time.perf_counter() < end:
            taken.append(self.hand_over())
        cost = (cpu_seconds(worker) - before) * 1000 / len(taken)
        return Taken(statistics.median(taken), max(taken), cost)

    def hand_over(self) -> float:
        """Hand a session to the application's host; return milliseconds.

        The host must identify the user afterwards; that is not measured.
        """
        own, began = f"{COOKIE}={next(self._sessions)}", time.perf_counter()
        url, cookie = self._follow(f"{SESSION_PATH}?return_to={PAGE}")
        url, _ = self._follow(url, SIGN_IN_HOST, own)
        url, session = self._follow(url, APP_HOST, cookie)
        passed = time.perf_counter() - began
        if url != PAGE or self._ask(VERIFY, APP_HOST, session)[0] != 200:
            raise RuntimeError(f"the hand-over ended at {url}")
        return passed * 1000

    def _follow(
        self, url: str, host: str = APP_HOST, cookie: str = "theme=dark"
    ) -> tuple[str, str]:
        """Return where a page of a host leads, and the cookie that it sets."""
        parts = urlsplit(url)
        status, headers = self._ask(
            f"{parts.path}?{parts.query}", host, cookie
        )
        if status != 303 or "Location" not in headers:
            raise RuntimeError(f"{host}{parts.path} answered {status}")
        name_and_value, _, _ = headers.get("Set-Cookie", "").partition(";")
        return headers["Location"], name_and_value

    def _ask(
        self, path: str, host: str, cookie: str
    ) -> tuple[int, dict[str, str]]:
        """Return the status of a response, and the first of its headers."""
        self._connection.request(
            "GET", path, headers={"Host": host, "Cookie": cookie}
        )
        response = self._connection.getresponse()
        response.read()
        headers: dict[str, str] = {}
        for name, value in response.getheaders():
            headers.setdefault(name.title(), value)
        return response.status, headers


def handed_over(folder: Path, _: Generator, rounds: Rounds) -> Iterator[Row]:
    """Yield the time of a hand-over, without a network and a proxy."""
    server = PinnedServer(
        folder / "hand-over",
        WEB_PAGES="on",
        APP_HOSTS=APP_HOST,
        LOGIN_URL=f"http://{SIGN_IN_HOST}/sign-in",
        TRUSTED_PROXIES="127.0.0.1",
    )
    known = filled_apart(server.env, STORED)
    with server:
        browsers = SignedInBrowsers(server, known)
        (taken,) = rounds.interleaved(
            partial(browsers.measure, rounds.seconds)
        )
    yield Row(
        "a hand-over to another host, its three responses",
        [each.median for each in taken],
        Goal(MAX_HAND_OVER, at_most=True, unit=" ms"),
        unit=" ms",
        seen=f"{medians('ms the slowest', [each.slowest for each in taken])},"
        f" {medians('ms of the worker', [each.cost for each in taken])}",
    )
