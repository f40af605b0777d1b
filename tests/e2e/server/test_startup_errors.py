#!/usr/bin/env python3
"""A start that fails prints one line that names the setting to change."""

import ctypes
import os
import re
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.backends import PostgreSQL
from tests.ports import free_port
from tests.serving import environment
from vestibule.db import drivers

_PR_CAPBSET_DROP = 24
_CAP_DAC = (1, 2)
SECRET = "s3kret-of-the-database"


def refusal(
    folder: Path, preexec: Callable[[], None] | None = None, **given: str
) -> str:
    """Start a server that must fail; return its error line."""
    settings = {"API_HOST": "127.0.0.1", "API_PORT": str(free_port())} | given
    done = subprocess.run(
        [sys.executable, "-m", "api.v1.app"],
        cwd=folder,
        env=environment(folder, **settings),
        capture_output=True,
        text=True,
        timeout=30,
        preexec_fn=preexec,
    )
    assert done.returncode not in (0, None) and done.returncode > 0
    assert done.stdout == ""
    assert "Traceback" not in done.stderr
    assert "panicked" not in done.stderr
    assert SECRET not in done.stderr
    *before, said = done.stderr.splitlines()
    assert said.startswith("vestibule: "), done.stderr
    assert not [line for line in before if line.startswith("vestibule:")]
    return said.removeprefix("vestibule: ")


def test_unknown_mechanism_is_refused(tmp_path: Path) -> None:
    """The error shows the invalid value of `AUTH_TYPE`."""
    said = refusal(tmp_path, AUTH_TYPE="SESSION_AUTH")
    assert said.startswith("AUTH_TYPE: ")
    assert repr("SESSION_AUTH") in said


@pytest.mark.parametrize(
    ("host", "shared"), [("127.0.0.1", False), ("0.0.0.0", True)]
)
def test_used_port_is_refused(tmp_path: Path, host: str, shared: bool) -> None:
    """A port of another server is refused, even with SO_REUSEPORT."""
    with socket.socket() as other:
        if shared:
            other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        other.bind((host, 0))
        other.listen()
        port = str(other.getsockname()[1])
        said = refusal(tmp_path, API_PORT=port)
    begin = f"API_PORT: port {port} is already in use; choose another one,"
    assert re.fullmatch(rf"{begin} such as API_PORT=\d+", said)


@pytest.mark.parametrize("host", ["256.1.1.1", "x" * 300])
def test_invalid_host_is_refused(tmp_path: Path, host: str) -> None:
    """A value that is neither an address nor a known name is refused."""
    assert refusal(tmp_path, API_HOST=host).startswith("API_HOST: ")


def test_address_of_other_machine_is_refused(tmp_path: Path) -> None:
    """The server cannot listen on an address of another machine."""
    said = refusal(tmp_path, API_HOST="192.0.2.1")
    assert said.startswith("API_HOST, API_PORT: cannot listen on 192.0.2.1")


@pytest.mark.parametrize(
    "url",
    [
        f"mysql://u:{SECRET}@127.0.0.1/x",
        f"postgresql+psycopg://u:{SECRET}@127.0.0.1:1/x",
        "sqlite:///file:x?mode=memory&uri=true",
        "sqlite:///.",
    ],
)
def test_invalid_database_url_is_refused(tmp_path: Path, url: str) -> None:
    """The error names `DATABASE_URL` and shows no password."""
    assert refusal(tmp_path, DATABASE_URL=url).startswith("DATABASE_URL: ")


def test_file_that_is_no_database_is_refused(tmp_path: Path) -> None:
    """A file of another format is refused and left unchanged."""
    content = b"SQLite format 3\0" + b"\0" * 99
    file = tmp_path / "vestibule.db"
    file.write_bytes(content)
    said = refusal(tmp_path)
    assert said.startswith("DATABASE_URL: ") and "not a database" in said
    assert file.read_bytes() == content


def test_foreign_schema_is_refused(tmp_path: Path) -> None:
    """A foreign schema is refused and left unchanged."""
    path = str(tmp_path / "vestibule.db")
    other = drivers.sqlite_driver().connect(path)
    other.execute("CREATE TABLE users (name)")
    other.commit()
    other.close()
    assert refusal(tmp_path).startswith("DATABASE_URL: ")
    other = drivers.sqlite_driver().connect(path)
    tables = other.execute("SELECT count(*) FROM sqlite_schema").fetchone()
    other.close()
    assert tables == (1,)


def drop_root_file_access() -> None:
    """Remove the capabilities by which root can write everywhere."""
    libc = ctypes.CDLL(None, use_errno=True)
    for capability in _CAP_DAC:
        if libc.prctl(_PR_CAPBSET_DROP, capability, 0, 0, 0):
            raise OSError(ctypes.get_errno(), "prctl")


def test_read_only_folder_is_refused(tmp_path: Path) -> None:
    """The server refuses to start if it cannot create the database."""
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o555)
    said = refusal(
        tmp_path,
        preexec=drop_root_file_access if os.geteuid() == 0 else None,
        DATABASE_URL=f"sqlite:///{closed}/vestibule.db",
    )
    assert said.startswith("DATABASE_URL: ") and "unable to open" in said
    assert list(closed.iterdir()) == []


def test_postgresql_without_schema_is_refused(
    tmp_path: Path, postgresql: PostgreSQL
) -> None:
    """A shared database is not migrated without an explicit command."""
    said = refusal(tmp_path, DATABASE_URL=postgresql.fresh_url())
    assert said.startswith("DATABASE_URL: ")
    assert said.endswith("python -m vestibule db upgrade")
