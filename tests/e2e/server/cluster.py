#!/usr/bin/env python3
"""Servers on one database and one clock that the test moves."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from pathlib import Path

from tests.clocks import FileClock
from tests.e2e.server.server_state import defect_lines
from tests.serving import COOKIE, ClockedServer
from vestibule.db.models.user import User

#: Each mechanism with sessions, on each store that it supports.
SESSION_BACKENDS = (
    "session_auth",
    "session_exp_auth",
    "session_db_auth-sqlite",
    "session_db_auth-postgresql",
)
_LONG_AGO = datetime.min.replace(tzinfo=timezone.utc)


@dataclass
class Cluster:
    """Servers that run on one database and one clock."""

    auth_type: str
    servers: list[ClockedServer]
    clock: FileClock
    #: The latest time that the clock has shown.
    latest: datetime = _LONG_AGO

    def server(self, side: int) -> ClockedServer:
        """Return the server with this number, modulo their count."""
        return self.servers[side % len(self.servers)]

    def begin(self) -> datetime:
        """Delete all users and move the clock to days without any events."""
        for user in User.all():
            user.remove()
        now = max(self.latest, self.clock.moment) + timedelta(days=9)
        self.clock.moment = self.latest = now
        return now

    def move(self, seconds: float) -> datetime:
        """Move the clock of all servers; backward if `seconds` is negative."""
        self.clock.advance(seconds)
        now = self.clock.moment
        self.latest = max(self.latest, now)
        return now


@contextmanager
def running_cluster(
    kind: str, folder: Path, clock: FileClock, **given: str
) -> Iterator[Cluster]:
    """Run two servers, or one if the sessions are in memory.

    `kind` begins with the mechanism's name. No server may report a defect.
    """
    auth_type = kind.partition("-")[0]
    given |= {"AUTH_TYPE": auth_type, "SESSION_NAME": COOKIE}
    servers = [
        ClockedServer(folder, clock, **given)
        for _ in range(2 if auth_type == "session_db_auth" else 1)
    ]
    try:
        for server in servers:
            server.start()
        yield Cluster(auth_type, servers, clock)
    finally:
        for server in servers:
            if server.process.poll() is None:
                server.stop()
    for server in servers:
        assert defect_lines(server) == []
