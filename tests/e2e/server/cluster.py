#!/usr/bin/env python3
"""Servers on one database, and on one clock that the test moves."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from pathlib import Path

from tests.clocks import FileClock
from tests.e2e.server.server_state import defect_lines
from tests.serving import COOKIE, ClockedServer
from vestibule.db.models.user import User

#: Each mechanism with sessions, on each store that it can have.
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
    #: The latest moment that the clock has shown.
    latest: datetime = _LONG_AGO

    def server(self, side: int) -> ClockedServer:
        """Return one of the servers, or the one there is."""
        return self.servers[side % len(self.servers)]

    def begin(self) -> datetime:
        """Delete the users; go to days that no server has seen."""
        for user in User.all():
            user.remove()
        now = max(self.latest, self.clock.moment) + timedelta(days=9)
        self.clock.moment = self.latest = now
        return now

    def move(self, seconds: float) -> datetime:
        """Move the clock of all servers, perhaps back."""
        self.clock.advance(seconds)
        now = self.clock.moment
        self.latest = max(self.latest, now)
        return now


@contextmanager
def running_cluster(
    kind: str, folder: Path, clock: FileClock, **given: str
) -> Iterator[Cluster]:
    """Run a town: two servers, or one where memory has the sessions.

    `kind` begins with the mechanism's name. No server may complain.
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
