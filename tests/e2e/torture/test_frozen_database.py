#!/usr/bin/env python3
"""A PostgreSQL server that stops answering under load delays no answer long.

The server is frozen as a debugger or a stuck disk would do it: connections
stay open, and queries get no answer.
"""

import threading
import time
from dataclasses import dataclass

import pytest
import requests

from tests.backends import PostgreSQL
from tests.conftest import Serve
from tests.e2e.server.conftest import ADD_USER, EMAIL, PASSWORD
from tests.serving import COOKIE, DB_SESSIONS, LOGIN, ME, VERIFY

#: Seconds for which the database answers nothing.
FROZEN_SECONDS = 30.0
#: Milliseconds of `DATABASE_TIMEOUT`.
TIMEOUT_MS = 2_000
#: Seconds that an answer may take beyond `DATABASE_TIMEOUT`.
MAX_EXTRA_SECONDS = 1.0
#: Seconds after which all answers are as before.
MAX_RECOVERY_SECONDS = 2.0
#: Clients of each kind of request.
CLIENTS = 4


@dataclass(frozen=True)
class Answered:
    """One answer: when the request began and ended, in seconds."""

    path: str
    began: float
    ended: float
    status: int


class Client(threading.Thread):
    """A client that sends one kind of request until it is stopped."""

    def __init__(
        self, url: str, path: str, session: str, stop: threading.Event
    ) -> None:
        """Prepare to send requests with this session."""
        super().__init__(name=f"client {path}", daemon=True)
        self._address, self._path = url + path, path
        self._session = session
        self._stopping = stop
        self.answers: list[Answered] = []

    def run(self) -> None:
        """Send one request after another, and note each answer."""
        with requests.Session() as http:
            http.cookies.set(COOKIE, self._session)
            while not self._stopping.wait(0.02):
                began = time.monotonic()
                status = self._send(http)
                ended = time.monotonic()
                self.answers.append(Answered(self._path, began, ended, status))

    def _send(self, http: requests.Session) -> int:
        """Send a request; return the status of its answer."""
        if self._path == LOGIN:
            form = {"email": EMAIL, "password": PASSWORD}
            return requests.post(
                self._address, data=form, timeout=60
            ).status_code
        return http.get(self._address, timeout=60).status_code


@pytest.mark.torture
@pytest.mark.timeout(180)
def test_frozen_database_delays_answers_by_its_time_limit_only(
    serve: Serve, postgresql: PostgreSQL, on_postgresql: str
) -> None:
    """Each request is answered in time, and the service recovers at once."""
    server = serve(
        **DB_SESSIONS,
        DATABASE_URL=on_postgresql,
        DATABASE_TIMEOUT=str(TIMEOUT_MS),
    )
    server.run(ADD_USER, EMAIL, PASSWORD)
    session = server.login(EMAIL, PASSWORD)
    stop = threading.Event()
    paths = [VERIFY, ME, "/api/v1/stats"] * CLIENTS + [LOGIN]
    clients = [Client(server.url, path, session, stop) for path in paths]
    for client in clients:
        client.start()
    time.sleep(2)
    postgresql.freeze()
    frozen = time.monotonic()
    try:
        time.sleep(FROZEN_SECONDS)
    finally:
        postgresql.thaw()
    thawed = time.monotonic()
    time.sleep(MAX_RECOVERY_SECONDS + 5)
    stop.set()
    for client in clients:
        client.join(60)
    answers = [answer for client in clients for answer in client.answers]
    during = [one for one in answers if frozen < one.began < thawed]
    longest = max(answers, key=lambda one: one.ended - one.began)
    late = [
        one for one in answers if one.began > thawed + MAX_RECOVERY_SECONDS
    ]
    refused = [one for one in late if one.status != 200]
    print(
        f"{len(during)} answers while frozen, longest"
        f" {longest.ended - longest.began:.2f} s ({longest.path}),"
        f" {len(late)} after, {len(refused)} of them not 200"
    )
    most = TIMEOUT_MS / 1000 + MAX_EXTRA_SECONDS
    assert longest.ended - longest.began <= most, longest
    assert {one.status for one in during} >= {503}
    assert {one.status for one in answers} <= {200, 503}
    assert late and not refused, refused[:5]
