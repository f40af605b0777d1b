#!/usr/bin/env python3
"""A throwaway PostgreSQL server for the tests, on a free loopback port."""

import glob
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from pathlib import Path

import psycopg
import pytest
from psycopg.sql import SQL, Identifier

from tests.ports import free_port

#: Set by CI: a program that is not installed fails the test there.
REQUIRED = bool(os.environ.get("REQUIRE_BACKENDS"))


def missing(backend: str) -> None:
    """Skip the test because `backend` is not installed; fail in CI."""
    reason = f"{backend} is not installed on this machine"
    if REQUIRED:
        pytest.fail(reason)
    pytest.skip(reason)


class PostgreSQL:
    """A server in a folder of its own, started and stopped by pid."""

    def __init__(self) -> None:
        """Create a cluster and start its server."""
        self._bin = self.find()
        self.port = free_port()
        # PostgreSQL refuses to run as root, and pytest's folders are closed
        # to other users.
        self._data = Path(tempfile.mkdtemp(prefix="vestibule-postgresql-"))
        self._user = "postgres" if os.geteuid() == 0 else None
        if self._user:
            shutil.chown(self._data, self._user)
        self._run(
            f"{self._bin}/initdb",
            "-D",
            str(self._data),
            "-U",
            "vestibule",
            "--auth=trust",
            "--no-sync",
            "--encoding=UTF8",
            "--locale=C",
        )
        self._process = self.start()

    @property
    def pid(self) -> int:
        """Return the pid of the server's first process."""
        return self._process.pid

    @staticmethod
    def find() -> str | None:
        """Return the folder of the newest installed server, or `None`."""
        found = glob.glob("/usr/lib/postgresql/*/bin/initdb")
        if found:
            return os.path.dirname(max(found))
        on_path = shutil.which("initdb")
        return os.path.dirname(on_path) if on_path else None

    def start(self) -> "subprocess.Popen[bytes]":
        """Start the server and wait until it takes connections."""
        self._process = subprocess.Popen(
            [
                f"{self._bin}/postgres",
                "-D",
                str(self._data),
                "-p",
                str(self.port),
                "-c",
                "listen_addresses=127.0.0.1",
                "-c",
                "unix_socket_directories=",
                "-c",
                "fsync=off",
                "-c",
                "max_connections=200",
            ],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            user=pwd.getpwnam(self._user).pw_uid if self._user else None,
        )
        for _ in range(200):
            done = subprocess.run(
                [
                    f"{self._bin}/pg_isready",
                    "-q",
                    "-h",
                    "127.0.0.1",
                    "-p",
                    str(self.port),
                ],
            )
            if done.returncode == 0:
                return self._process
            time.sleep(0.05)
        raise RuntimeError("PostgreSQL did not start")

    def stop(self) -> None:
        """End the server and wait for its end."""
        self._process.send_signal(signal.SIGINT)
        self._process.wait(30)

    def remove(self) -> None:
        """End the server and delete its cluster."""
        self.stop()
        shutil.rmtree(self._data)

    def fresh_url(self, like: str | None = None) -> str:
        """Return the address of a new database.

        It is empty, or a copy of the database at the address `like`, which
        must have no open connection.
        """
        server = f"vestibule@127.0.0.1:{self.port}"
        name = f"t{time.monotonic_ns()}"
        pattern = "template1" if like is None else like.rpartition("/")[2]
        with psycopg.connect(
            f"postgresql://{server}/postgres", autocommit=True
        ) as connection:
            connection.execute(
                SQL("CREATE DATABASE {} TEMPLATE {}").format(
                    Identifier(name), Identifier(pattern)
                )
            )
        return f"postgresql+psycopg://{server}/{name}"

    def _run(self, *command: str) -> None:
        """Run a PostgreSQL program as the server's user."""
        subprocess.run(
            command,
            check=True,
            stdout=subprocess.DEVNULL,
            user=pwd.getpwnam(self._user).pw_uid if self._user else None,
            cwd="/",
        )
