#!/usr/bin/env python3
"""The service itself, under every mechanism."""

import pytest

from tests.app.api.conftest import Build
from tests.app.api.service import FORBIDDEN, STATUS, stored_user
from vestibule.mechanisms import MECHANISMS


@pytest.mark.parametrize("auth_type", [None, *MECHANISMS])
@pytest.mark.parametrize("slash", ["", "/"])
def test_what_is_open_is_open(
    build: Build, auth_type: str | None, slash: str
) -> None:
    """Status and both refusals answer whoever asks."""
    client = build(auth_type).client()
    answer = client.get(STATUS + slash)
    assert (answer.status_code, answer.get_json()) == (200, {"status": "OK"})
    answer = client.get("/api/v1/unauthorized" + slash)
    assert answer.status_code == 401
    assert answer.get_json() == {"error": "Unauthorized"}
    answer = client.get("/api/v1/forbidden" + slash)
    assert (answer.status_code, answer.get_json()) == (403, FORBIDDEN)
    assert "Session-Ended" not in answer.headers


def test_users_are_counted(build: Build) -> None:
    """As many as there are at that moment."""
    client = build(None).client()
    for number in range(3):
        assert client.get("/api/v1/stats").get_json() == {"users": number}
        stored_user()


@pytest.mark.parametrize("auth_type", [None, *MECHANISMS])
def test_nobody_is_let_in_who_shows_nothing(
    build: Build, auth_type: str | None
) -> None:
    """A 401 for whoever has no credential, but where there is no guard."""
    answer = build(auth_type).client().get("/api/v1/stats")
    assert answer.status_code == (200 if auth_type is None else 401)


@pytest.mark.parametrize("auth_type", MECHANISMS)
def test_nobody_is_let_in_who_shows_what_opens_nothing(
    build: Build, auth_type: str
) -> None:
    """A 403 for a credential that is wrong."""
    client = build(auth_type).client()
    for header in ("Test", "Basic", "Basic !", "Bearer x"):
        answer = client.get("/api/v1/stats", headers={"Authorization": header})
        assert (answer.status_code, answer.get_json()) == (403, FORBIDDEN)
