#!/usr/bin/env python3
"""The service itself, under every mechanism."""

import pytest

from tests.app.api.conftest import Build
from tests.app.api.service import FORBIDDEN, STATUS, stored_user
from vestibule.mechanisms import MECHANISMS


@pytest.mark.parametrize("auth_type", [None, *MECHANISMS])
@pytest.mark.parametrize("slash", ["", "/"])
def test_public_routes_need_no_credential(
    build: Build, auth_type: str | None, slash: str
) -> None:
    """The status route and both error routes answer every client."""
    client = build(auth_type).client()
    answer = client.get(STATUS + slash)
    assert (answer.status_code, answer.get_json()) == (200, {"status": "OK"})
    answer = client.get("/api/v1/unauthorized" + slash)
    assert answer.status_code == 401
    assert answer.get_json() == {"error": "Unauthorized"}
    answer = client.get("/api/v1/forbidden" + slash)
    assert (answer.status_code, answer.get_json()) == (403, FORBIDDEN)
    assert "Session-Ended" not in answer.headers


def test_stats_returns_number_of_users(build: Build) -> None:
    """The number is the current one."""
    client = build(None).client()
    for number in range(3):
        assert client.get("/api/v1/stats").get_json() == {"users": number}
        stored_user()


@pytest.mark.parametrize("auth_type", [None, *MECHANISMS])
def test_request_without_credential_gets_401(
    build: Build, auth_type: str | None
) -> None:
    """Without a mechanism the routes are open."""
    answer = build(auth_type).client().get("/api/v1/stats")
    assert answer.status_code == (200 if auth_type is None else 401)


@pytest.mark.parametrize("auth_type", MECHANISMS)
def test_request_with_wrong_credential_gets_403(
    build: Build, auth_type: str
) -> None:
    """The credential is present and invalid."""
    client = build(auth_type).client()
    for header in ("Test", "Basic", "Basic !", "Bearer x"):
        answer = client.get("/api/v1/stats", headers={"Authorization": header})
        assert (answer.status_code, answer.get_json()) == (403, FORBIDDEN)
