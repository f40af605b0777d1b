#!/usr/bin/env python3
"""The peers of one run: their users, stores and servers.

All have the same number of users with one password, and each session is
begun by a login over HTTP.
"""

import shutil
import subprocess
from collections.abc import Iterable
from contextlib import ExitStack
from pathlib import Path

import requests

from bench.filling import PASSWORD, email_of
from bench.peers import hashes
from bench.peers.installation import APPS, Installation
from bench.peers.peers import Peer
from bench.peers.queries import Attempt
from bench.peers.server import WHOAMI, PeerServer, started
from bench.peers.stores import Redis
from tests.backends import PostgreSQL
from tests.ports import free_port
from tests.serving import environment

#: Users of each peer, and sessions that its load uses in turn.
USERS = 10
#: Seconds in which a peer creates them: some hashes take a second each.
MAX_PREPARE_SECONDS = 300


class Fixtures:
    """Starts stores and peers, which the stack `running` ends."""

    def __init__(
        self, installation: Installation, folder: Path, running: ExitStack
    ) -> None:
        """Keep files in `folder`; start nothing yet."""
        self._installation = installation
        self._folder = folder
        self._running = running
        self._redis: Redis | None = None
        self._postgresql: PostgreSQL | None = None
        self.emails = [email_of(number) for number in range(USERS)]

    def missing(self, peer: Peer) -> str | None:
        """Return the program that a peer lacks here, or `None`."""
        found = {"redis-server": Redis.find(), "postgres": PostgreSQL.find()}
        for store in sorted(peer.stores):
            if found[store] is None:
                return store
        if not peer.is_python and not self._installation.has_node():
            return "node and npm"
        return None

    def start_peer(self, peer: Peer) -> "RunningPeer":
        """Create a peer's users and start it; it ends with the run."""
        folder = self._folder / f"{peer.app}-{free_port()}"
        folder.mkdir(parents=True)
        served = PeerServer(peer.name, free_port(), WHOAMI, folder)
        env = self._env(peer, folder, served.port)
        hashed = self._prepared(peer, env, folder)
        command = peer.command(served.port)
        command[0] = self._program(peer, command[0])
        if not peer.is_python:
            command[1] = str(self._installation.node / command[1])
        self._running.enter_context(started(served, command, env))
        return RunningPeer(peer, served, hashed, self.emails)

    def _prepared(self, peer: Peer, env: dict[str, str], folder: Path) -> str:
        """Create the tables and users; return the name of the hash."""
        if peer.is_python:
            program = [
                self._program(peer, "python"),
                str(APPS / f"{peer.app}.py"),
            ]
        else:
            program = [
                self._program(peer, "node"),
                str(self._installation.node / f"{peer.app}.mjs"),
            ]
        try:
            done = subprocess.run(
                [*program, "prepare"],
                cwd=folder,
                env=env,
                text=True,
                capture_output=True,
                timeout=MAX_PREPARE_SECONDS,
            )
        except subprocess.TimeoutExpired:
            raise RuntimeError(
                f"{peer.name} has no users after {MAX_PREPARE_SECONDS} s"
            ) from None
        if done.returncode:
            said = "\n".join(done.stderr.splitlines()[-15:])
            raise RuntimeError(f"{peer.name} has no users:\n{said}")
        return hashes.name_of(done.stdout.splitlines()[-1])

    def _program(self, peer: Peer, name: str) -> str:
        """Return the path of a program that a peer needs."""
        if not peer.is_python:
            return str(shutil.which(name))
        return self._installation.bin("peers", name)

    def _env(self, peer: Peer, folder: Path, port: int) -> dict[str, str]:
        """Return the environment variables of a peer's application."""
        env = environment(folder)
        env["PYTHONPATH"] = str(APPS)
        env["PYTHONDONTWRITEBYTECODE"] = "1"
        env |= {
            "NODE_ENV": "production",
            "PEER_FOLDER": str(folder),
            "PEER_PORT": str(port),
            "PEER_EMAILS": ",".join(self.emails),
            "PEER_PASSWORD": PASSWORD,
            "PEER_VARIANT": peer.variant,
        }
        if "redis-server" in peer.stores:
            env["PEER_REDIS"] = self._redis_url()
        if "postgres" in peer.stores:
            address = self.fresh_postgresql()
            env["PEER_POSTGRESQL"] = address.replace("psycopg", "asyncpg")
        return env

    def _redis_url(self) -> str:
        """Return the address of this run's Redis, and start it once."""
        if self._redis is None:
            self._redis = Redis(self._folder)
            self._running.callback(self._redis.stop)
        return self._redis.url

    def fresh_postgresql(self) -> str:
        """Return the address of an empty database, or "" without server."""
        if PostgreSQL.find() is None:
            return ""
        if self._postgresql is None:
            self._postgresql = PostgreSQL()
            self._running.callback(self._postgresql.remove)
        return self._postgresql.fresh_url()


class RunningPeer:
    """A running peer, and the sessions begun there."""

    def __init__(
        self, peer: Peer, served: PeerServer, hashed: str, emails: list[str]
    ) -> None:
        """Log all users in, and check that the sessions work."""
        self.definition = peer
        self.server = served
        self.hashed = hashed
        self.cookies = {email: self._logged_in(email) for email in emails}
        served.check(self.cookies)

    def attempts(self) -> list[Attempt]:
        """Return the login requests of its users."""
        login = self.definition.login
        return [
            (login.path, login.all_headers(), login.body(email, PASSWORD))
            for email in self.cookies
        ]

    def _logged_in(self, email: str) -> str:
        """Log a user in; return the `Cookie` header of the session."""
        login = self.definition.login
        response = requests.post(
            self.server.url + login.path,
            data=login.body(email, PASSWORD),
            headers=login.all_headers(),
            timeout=60,
            allow_redirects=False,
        )
        response.raise_for_status()
        return header_of(response.cookies.items())


def header_of(cookies: Iterable[tuple[str, str]]) -> str:
    """Return the `Cookie` header that sends all `cookies` back."""
    return "; ".join(f"{name}={value}" for name, value in cookies)
