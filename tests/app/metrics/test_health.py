#!/usr/bin/env python3
"""Health and readiness routes report the true state."""

from pathlib import Path

import pytest

from tests.app.api.conftest import Build
from vestibule.db import engine
from vestibule.db.engine import database
from vestibule.db.tables import REVISION

OK = {"status": "OK"}
AWAY = {"error": "Service Unavailable"}
KINDS = [None, "auth", "basic_auth", "session_db_auth"]


@pytest.mark.parametrize("kind", KINDS)
def test_health_routes_need_no_credential(
    build: Build, kind: str | None
) -> None:
    """It holds with each mechanism, with and without a trailing slash."""
    client = build(kind).client()
    for path in ("/healthz", "/readyz", "/healthz/", "/readyz/"):
        for headers in ({}, {"Authorization": "Test"}):
            answer = client.get(path, headers=headers)
            assert (answer.status_code, answer.get_json()) == (200, OK)
    for path in ("/healthzz", "/readyz/x"):
        assert client.get(path).status_code == (404 if kind is None else 401)
    assert client.post("/healthz").status_code == 405


def test_lost_database_makes_service_not_ready(
    build: Build, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The process stays alive, and is ready again afterwards."""
    client = build("session_db_auth").client()
    there = f"sqlite:///{tmp_path}/there.db"
    gone = f"sqlite:///{tmp_path}/gone/gone.db"
    for url, status, expected in ((gone, 503, AWAY), (there, 200, OK)):
        monkeypatch.setenv("DATABASE_URL", url)
        engine.close()
        answer = client.get("/readyz")
        assert (answer.status_code, answer.get_json()) == (status, expected)
        assert client.get("/healthz").get_json() == OK


def test_wrong_schema_makes_service_not_ready(
    build: Build, caplog: pytest.LogCaptureFixture
) -> None:
    """The schema may be too old or too new."""
    client = build("session_db_auth").client()
    assert client.get("/readyz").status_code == 200
    for revision, status in (("0001", 503), ("9999", 503), (REVISION, 200)):
        with database().transaction() as connection:
            connection.exec_driver_sql(
                f"UPDATE vestibule_version SET version_num = '{revision}'"
            )
        caplog.clear()
        answer = client.get("/readyz")
        assert answer.status_code == status
        if status == 503:
            assert answer.get_json() == AWAY
            assert f"at revision {revision}, not" in caplog.text


def test_health_check_creates_no_database_file(
    build: Build, tmp_path: Path
) -> None:
    """A missing file stays missing."""
    client = build("session_db_auth").client()
    assert client.get("/readyz").status_code == 200
    file = tmp_path / "vestibule.db"
    file.unlink()
    assert client.get("/readyz").status_code == 503
    assert not file.exists()
