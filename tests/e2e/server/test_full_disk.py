#!/usr/bin/env python3
"""A server on a disk without room: health, readiness, doctor, sign-out."""

import errno
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import Serve
from tests.e2e.server.conftest import ADD_USER, EMAIL, PASSWORD
from tests.e2e.server.server_state import defect_lines
from tests.e2e.server.test_slow_clients import is_healthy_at_once
from tests.e2e.server.waiting import wait_until
from tests.serving import COOKIE, DB_SESSIONS, LOGIN, LOGOUT, Server

#: The server, whose /readyz writes each time: not only if nothing was written
#: for ten seconds.
CHECKING = """
from vestibule.db import statements
from vestibule.server import granian
statements.WRITE_CHECK_SECONDS = 0
granian.main()
"""
#: Bytes of the disk: some more than a new database and its log need.
DISK_BYTES = 4 * 1024 * 1024
#: Bytes that a file system in memory gives to a file at once.
PAGE_BYTES = 4096
#: Pages that are too few for a login.
FEW_PAGES = 5
#: Logins after which a full disk must have refused one. Until then SQLite
#: writes over what is in its log already.
MAX_LOGINS = 200


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """Mount a small file system in memory."""
    folder = tmp_path / "disk"
    folder.mkdir()
    options = ["-t", "tmpfs", "-o", f"size={DISK_BYTES}", "none"]
    mounted = subprocess.run(
        ["mount", *options, str(folder)], capture_output=True, text=True
    )
    if mounted.returncode:
        pytest.skip(f"no file system can be mounted here: {mounted.stderr}")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


def fill(folder: Path) -> None:
    """Fill a file system to its last page."""
    with (folder / "filler").open("ab", buffering=0) as writer:
        try:
            while writer.write(bytes(PAGE_BYTES)):
                pass
        except OSError as error:
            assert error.errno == errno.ENOSPC
    assert os.statvfs(folder).f_bavail == 0


def leave_few_pages(folder: Path) -> None:
    """Fill a file system but for pages that are too few for a login.

    SQLite shortens its log after a failure, so there may be more room.
    """
    fill(folder)
    filler = folder / "filler"
    os.truncate(filler, filler.stat().st_size - FEW_PAGES * PAGE_BYTES)


def is_login_refused(disk: Path, server: Server) -> bool:
    """Log in with few pages left; return True if that is refused."""
    leave_few_pages(disk)
    form = {"email": EMAIL, "password": PASSWORD}
    status = server.request("POST", LOGIN, data=form).status_code
    assert status in (200, 503)
    return status == 503


def doctor(server: Server) -> set[str]:
    """Return the levels of what doctor finds about the database."""
    done = subprocess.run(
        [sys.executable, "-m", "vestibule", "doctor", "--json"],
        cwd=server.folder,
        env=server.env,
        capture_output=True,
        text=True,
        timeout=60,
    )
    return {
        found["level"]
        for found in json.loads(done.stdout)
        if found["id"].startswith("database.")
    }


def test_full_disk_is_seen_by_readiness_and_doctor(
    disk: Path, serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Health answers at once, and sign-out ends it for the browser; with
    room again all works without a restart.
    """
    monkeypatch.setattr(Server, "program", ("-c", CHECKING))
    server = serve(
        **DB_SESSIONS, DATABASE_URL=f"sqlite:///{disk}/vestibule.db"
    )
    server.run(ADD_USER, EMAIL, PASSWORD)
    session = server.login(EMAIL, PASSWORD)
    assert server.request("GET", "/readyz").status_code == 200
    assert any(is_login_refused(disk, server) for _ in range(MAX_LOGINS))
    leave_few_pages(disk)
    assert server.request("GET", "/readyz").status_code == 503
    assert is_healthy_at_once(server)
    leave_few_pages(disk)
    assert "wrong" in doctor(server)
    fill(disk)
    left = server.request("DELETE", LOGOUT, cookie=session)
    assert left.status_code == 503
    assert f"{COOKIE}=;" in left.headers["Set-Cookie"]
    (disk / "filler").unlink()
    assert wait_until(
        5, lambda: server.request("GET", "/readyz").status_code == 200
    )
    server.login(EMAIL, PASSWORD)
    assert server.stop() == 0
    assert defect_lines(server) == []
