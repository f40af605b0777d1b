#!/usr/bin/env python3
"""Throwaway PostgreSQL servers and poolers, on free loopback ports."""

import glob
import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from contextlib import suppress
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

    def freeze(self) -> None:
        """Stop all processes of the server: they answer nothing."""
        self._signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Let the processes of a frozen server go on."""
        self._signal(signal.SIGCONT)

    def _signal(self, number: signal.Signals) -> None:
        """Send a signal to the server and all its child processes."""
        pid = self._process.pid
        tasks = Path(f"/proc/{pid}/task").glob("*/children")
        children = [
            int(child) for task in tasks for child in task.read_text().split()
        ]
        for each in (pid, *children):
            # A process of the server may have ended meanwhile.
            with suppress(ProcessLookupError):
                os.kill(each, number)

    def fresh_url(
        self, like: str | None = None, encoding: str | None = None
    ) -> str:
        """Return the address of a new database.

        It is empty, or a copy of the database at the address `like`, which
        must have no open connection. `encoding` is UTF8 by default.
        """
        server = f"vestibule@127.0.0.1:{self.port}"
        name = f"t{time.monotonic_ns()}"
        pattern = "template1" if like is None else like.rpartition("/")[2]
        command = SQL("CREATE DATABASE {} TEMPLATE {}").format(
            Identifier(name), Identifier(pattern)
        )
        if encoding is not None:
            command = SQL(
                "CREATE DATABASE {} TEMPLATE template0 ENCODING {}"
            ).format(Identifier(name), encoding)
        with psycopg.connect(
            f"postgresql://{server}/postgres", autocommit=True
        ) as connection:
            connection.execute(command)
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


class PgBouncer:
    """A PgBouncer in transaction mode before a `PostgreSQL`, until `stop`."""

    def __init__(self, server: PostgreSQL) -> None:
        """Start it on a free port, as a user without rights."""
        self.port = free_port()
        self._folder = Path(tempfile.mkdtemp(prefix="vestibule-pgbouncer-"))
        (self._folder / "users.txt").write_text('"vestibule" ""\n')
        (self._folder / "pgbouncer.ini").write_text(
            "[databases]\n"
            f"* = host=127.0.0.1 port={server.port}\n"
            "[pgbouncer]\n"
            "listen_addr = 127.0.0.1\n"
            f"listen_port = {self.port}\n"
            "unix_socket_dir =\n"
            "auth_type = trust\n"
            f"auth_file = {self._folder}/users.txt\n"
            "pool_mode = transaction\n"
            "default_pool_size = 4\n"
            "server_idle_timeout = 2\n"
            "max_client_conn = 200\n"
        )
        user = None
        if os.geteuid() == 0:
            user = pwd.getpwnam("postgres").pw_uid
            for path in (self._folder, *self._folder.iterdir()):
                os.chown(path, user, -1)
        self._process = subprocess.Popen(
            [self.find(), "-q", f"{self._folder}/pgbouncer.ini"],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            user=user,
        )
        self._wait()

    @staticmethod
    def find() -> str:
        """Return the program; empty if it is not installed."""
        return shutil.which("pgbouncer", path="/usr/sbin:/usr/bin") or ""

    def url(self, direct: str) -> str:
        """Return the address through the pooler of a `direct` address."""
        name = direct.rpartition("/")[2]
        return f"postgresql://vestibule@127.0.0.1:{self.port}/{name}"

    def stop(self) -> None:
        """End the pooler and delete its folder."""
        self._process.kill()
        self._process.wait(30)
        shutil.rmtree(self._folder)

    def _wait(self) -> None:
        """Wait until it takes connections."""
        for _ in range(200):
            try:
                socket.create_connection(("127.0.0.1", self.port), 1).close()
                return
            except OSError:
                time.sleep(0.05)
        raise RuntimeError("PgBouncer did not start")
