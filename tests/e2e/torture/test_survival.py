#!/usr/bin/env python3
"""A service that is killed at any moment keeps what it acknowledged."""

import os
import random
import signal
import threading
from pathlib import Path

import pytest

from tests.e2e.server.waiting import is_serving, wait_until
from tests.e2e.torture.audit import audit
from tests.e2e.torture.clients import (
    PASSWORD,
    Account,
    Client,
    Journal,
    Session,
)
from tests.e2e.torture.seed import random_seed
from tests.serving import DB_SESSIONS, Server
from vestibule.db.models.user import User

CLIENTS = 4
WORKERS = 2
VICTIMS = ["worker", "worker", "all workers", "parent", "both"]


class KillRun:
    """A server, its clients and their journals, over many kills."""

    def __init__(self, folder: Path, url: str, seed: str) -> None:
        """Start the server with one user, whose session adds others."""
        self._chance = random.Random(seed)
        self._server = Server(
            folder,
            **DB_SESSIONS,
            WORKERS=str(WORKERS),
            DATABASE_URL=url,
        )
        keeper = User(email="keeper@hbtn.io")
        keeper.password = PASSWORD
        keeper.save()
        self._server.start()
        session_id = self._server.login("keeper@hbtn.io", PASSWORD)
        account = Account("keeper@hbtn.io", keeper.id, True)
        self._key = Session(session_id, account)
        self._journals = [Journal() for _ in range(CLIENTS)]

    def run(self, rounds: int) -> int:
        """Kill the server so many times; return the last number compared."""
        compared = 0
        for _ in range(rounds):
            self._round(self._chance.choice(VICTIMS))
            compared = audit(
                self._server,
                [*self._journals, Journal([], [self._key])],
            )
        return compared

    def end(self) -> None:
        """Stop the server if it still runs."""
        if self._server.process.poll() is None:
            assert self._server.stop() == 0

    def _round(self, victim: str) -> None:
        """Let the clients work, kill meanwhile, and check the restart."""
        stop = threading.Event()
        clients = [
            Client(
                self._server,
                journal,
                self._key,
                random.Random(self._chance.getrandbits(64)),
                stop,
            )
            for journal in self._journals
        ]
        for client in clients:
            client.start()
        try:
            stop.wait(self._chance.uniform(0.05, 0.5))
            killed = self._kill(victim)
            if victim not in ("parent", "both"):
                assert wait_until(5, lambda: self._is_whole(killed)), victim
        finally:
            stop.set()
            for client in clients:
                client.join(30)
        if victim in ("parent", "both"):
            self._server.kill()
            self._server.start()

    def _is_whole(self, killed: list[int]) -> bool:
        """Return True if the server responds and the `killed` workers are
        replaced.
        """
        workers = self._server.workers()
        return (
            len(workers) == WORKERS
            and not set(workers) & set(killed)
            and is_serving(self._server)
        )

    def _kill(self, victim: str) -> list[int]:
        """Kill a worker, all workers, the parent or all; return workers."""
        workers = self._server.workers()
        if victim == "worker" and workers:
            workers = [self._chance.choice(workers)]
        if victim in ("parent", "both"):
            self._server.process.kill()
        if victim == "parent":
            return []
        for pid in workers:
            os.kill(pid, signal.SIGKILL)
        return workers


def run_kills(folder: Path, url: str, rounds: int) -> None:
    """Run the kills; a failure shows the seed."""
    kill_run = KillRun(folder, url, random_seed())
    try:
        # An almost empty journal would prove nothing.
        assert kill_run.run(rounds) > rounds
    finally:
        kill_run.end()


@pytest.mark.timeout(300)
def test_acknowledged_data_survives_six_kills(tmp_path: Path) -> None:
    """All acknowledged changes are there after each kill."""
    run_kills(tmp_path, f"sqlite:///{tmp_path}/vestibule.db", 6)


@pytest.mark.torture
@pytest.mark.timeout(1800)
def test_acknowledged_data_survives_two_hundred_kills(
    tmp_path: Path, any_database: str
) -> None:
    """All acknowledged changes are there, on each kind of database."""
    run_kills(tmp_path, any_database, 200)
