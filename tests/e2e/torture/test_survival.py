#!/usr/bin/env python3
"""Killed at any moment, the service keeps what it acknowledged."""

import os
import random
import signal
import threading
from pathlib import Path

import pytest

from tests.e2e.server.waiting import is_serving, wait_until
from tests.e2e.torture.audit import audit
from tests.e2e.torture.chance import chance
from tests.e2e.torture.crowd import PASSWORD, Account, Client, Journal, Session
from tests.serving import COOKIE, Server
from vestibule.db.models.user import User

CLIENTS = 4
WORKERS = 2
VICTIMS = ["worker", "worker", "all workers", "parent", "both"]


class Ordeal:
    """A server, its clients and what they know, over many kills."""

    def __init__(self, folder: Path, url: str, seed: str) -> None:
        """Start the server with one user who has the key to it."""
        self._chance = random.Random(seed)
        self._server = Server(
            folder,
            AUTH_TYPE="session_db_auth",
            SESSION_NAME=COOKIE,
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
        """Kill the server so many times; return what was compared last."""
        compared = 0
        for _ in range(rounds):
            self._round(self._chance.choice(VICTIMS))
            compared = audit(
                self._server,
                [*self._journals, Journal([], [self._key])],
            )
        return compared

    def end(self) -> None:
        """Stop the server as its operator would, or for good."""
        if self._server.process.poll() is None:
            assert self._server.stop() == 0

    def _round(self, victim: str) -> None:
        """Let the clients work, kill in the middle, and see it come back."""
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
        """Tell whether the server answers with workers in place of those
        that were `killed`.
        """
        workers = self._server.workers()
        return (
            len(workers) == WORKERS
            and not set(workers) & set(killed)
            and is_serving(self._server)
        )

    def _kill(self, victim: str) -> list[int]:
        """Kill a worker, all of them, the parent, or all there is; return
        which workers.
        """
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


def survive(folder: Path, url: str, rounds: int) -> None:
    """Go through an ordeal whose seed is shown if it fails."""
    ordeal = Ordeal(folder, url, chance())
    try:
        # A journal that is all but empty would prove nothing.
        assert ordeal.run(rounds) > rounds
    finally:
        ordeal.end()


@pytest.mark.timeout(300)
def test_six_kills(tmp_path: Path) -> None:
    """What was acknowledged is there after each of six kills."""
    survive(tmp_path, f"sqlite:///{tmp_path}/vestibule.db", 6)


@pytest.mark.torture
@pytest.mark.timeout(1800)
def test_two_hundred_kills(tmp_path: Path, any_database: str) -> None:
    """What was acknowledged is there after each of two hundred kills, on
    each kind of database.
    """
    survive(tmp_path, any_database, 200)
