#!/usr/bin/env python3
"""Concurrent requests for one account leave it consistent."""

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from tests.app.api.conftest import Build
from tests.app.api.service import (
    PASSWORD,
    session_id_of,
    stored_user,
)
from tests.serving import (
    ME,
)
from tests.stored_sessions import sessions_in
from tests.threads import at_once
from vestibule.db.models.user import User

# The hash queue has room for all of them.
WIDE = {"BLOCKING_THREADS": "256"}


@pytest.mark.parametrize("auth_type", ["session_auth", "session_db_auth"])
def test_one_of_twenty_concurrent_password_changes_wins(
    build: Build, auth_type: str
) -> None:
    """The stored password and the only session are the winner's."""
    service = build(auth_type, **WIDE)
    user = stored_user()
    session_ids = [
        service.mechanism.create_session(user.id) for _ in range(20)
    ]
    clients = [
        service.client_with_session(session_id) for session_id in session_ids
    ]

    def change(number: int) -> int:
        """Send a request that sets a password of its own."""
        return (
            clients[number]
            .put(
                f"{ME}/password",
                json={
                    "current_password": PASSWORD,
                    "new_password": f"violet umbrella {number}",
                },
            )
            .status_code
        )

    statuses = at_once(20, change)
    assert statuses.count(200) == 1
    assert set(statuses) <= {200, 401, 403}
    winner = statuses.index(200)
    stored = User.get(user.id)
    assert stored is not None
    assert stored.is_valid_password(f"violet umbrella {winner}")
    assert len(sessions_in(service.mechanism.store, user.id)) == 1
    assert [
        number
        for number, client in enumerate(clients)
        if client.get(ME).status_code == 200
    ] == [winner]
    assert (
        service.client_with_session(session_ids[winner]).get(ME).status_code
        == 403
    )


@pytest.mark.parametrize("auth_type", ["session_auth", "session_db_auth"])
def test_fifty_concurrent_logins_create_fifty_sessions(
    build: Build, auth_type: str
) -> None:
    """Each session has its own id and is valid."""
    service = build(auth_type, **WIDE)
    user = stored_user()
    done = at_once(50, lambda _: service.log_in(user))
    assert {answer.status_code for _, answer in done} == {200}
    assert len({session_id_of(client) for client, _ in done}) == 50
    assert len(sessions_in(service.mechanism.store, user.id)) == 50
    for client, _ in done:
        assert client.get(ME).status_code == 200


def test_login_with_full_hash_queue_returns_503(build: Build) -> None:
    """A refused login creates no session."""
    service = build("session_db_auth", BLOCKING_THREADS="4")
    user = stored_user()
    answers = [
        answer for _, answer in at_once(30, lambda _: service.log_in(user))
    ]
    statuses = [answer.status_code for answer in answers]
    assert set(statuses) == {200, 503}
    assert len(
        sessions_in(service.mechanism.store, user.id)
    ) == statuses.count(200)
    for answer in answers:
        if answer.status_code == 503:
            assert answer.headers["Retry-After"] == "1"
            assert answer.get_json() == {"error": "Service Unavailable"}


@pytest.mark.parametrize("auth_type", ["session_auth", "session_db_auth"])
def test_password_change_ends_concurrent_old_password_logins(
    build: Build, auth_type: str
) -> None:
    """In any order, only the client that changed it stays signed in."""
    service = build(auth_type, **WIDE)
    user = stored_user()
    changer = service.client_for(user)

    def act(number: int) -> tuple[FlaskClient, TestResponse]:
        """Change the password, or log in with the old one."""
        if number:
            return service.log_in(user)
        return changer, changer.put(
            f"{ME}/password",
            json={
                "current_password": PASSWORD,
                "new_password": "violet umbrella",
            },
        )

    (_, changed), *logins = at_once(9, act)
    assert changed.status_code == 200
    assert changer.get(ME).status_code == 200
    assert len(sessions_in(service.mechanism.store, user.id)) == 1
    for client, _ in logins:
        assert client.get(ME).status_code in (401, 403)
