#!/usr/bin/env python3
"""The users' routes, in this process."""

from typing import Any

import pytest

from tests.app.api.conftest import Build
from tests.app.api.service import (
    FORBIDDEN,
    ME,
    NOT_FOUND,
    PASSWORD,
    USERS,
    WITH_SESSIONS,
    Service,
    stored_user,
)
from tests.clocks import SetClock
from vestibule.db.models.user import User

KNOWING = ("basic_auth", *WITH_SESSIONS)


@pytest.mark.parametrize("auth_type", KNOWING)
def test_one_sees_oneself_and_the_others(build: Build, auth_type: str) -> None:
    """`me`, one by id, and all of them are the same objects."""
    user, other = stored_user(), stored_user()
    client = build(auth_type).client_for(user)
    assert client.get(ME).get_json() == user.to_json()
    assert client.get(f"{USERS}/{other.id}").get_json() == other.to_json()
    listed = client.get(USERS).get_json()
    assert sorted(one["id"] for one in listed) == sorted([user.id, other.id])
    answer = client.get(f"{USERS}/nobody")
    assert (answer.status_code, answer.get_json()) == (404, NOT_FOUND)


def test_without_a_mechanism_nobody_is_me(build: Build) -> None:
    """All routes are open, and `me` is nobody."""
    client = build(None).client()
    user = stored_user()
    assert client.get(ME).status_code == 404
    assert client.get(f"{USERS}/{user.id}").status_code == 200
    assert client.delete(f"{USERS}/{user.id}").status_code == 200
    assert User.get(user.id) is None


@pytest.mark.parametrize(
    ("body", "why"),
    [
        ([], "Wrong format"),
        ({}, "email missing"),
        ({"email": "", "password": "x"}, "email missing"),
        ({"email": "a@example.com"}, "password missing"),
        ({"email": "a@example.com", "password": ""}, "password missing"),
        (
            {"email": "a@example.com", "password": "short"},
            "Can't create User: password must have at least 8 characters",
        ),
        (
            {"email": "a@example.com", "password": 12345678},
            "Can't create User: password must be a string",
        ),
        (
            {"email": 1, "password": PASSWORD},
            "Can't create User: email must be a string",
        ),
        (
            # One octet more than an address may have (RFC 5321, 4.5.3.1).
            {"email": f"abc@{'b.' * 120}example.com", "password": PASSWORD},
            "Can't create User: email is not an email address",
        ),
        (
            {"email": "a", "password": PASSWORD},
            "Can't create User: email is not an email address",
        ),
        (
            {"email": "a@example.com", "password": PASSWORD, "first_name": 1},
            "Can't create User: first_name must be a string",
        ),
    ],
)
def test_what_is_no_user_is_not_added(
    build: Build, body: Any, why: str
) -> None:
    """A 400 says what is missing or wrong, and nothing is stored."""
    answer = build(None).client().post(USERS, json=body)
    assert answer.status_code == 400
    assert answer.get_json() == {"error": why}
    assert User.count() == 0


def test_a_user_is_added_named_and_deleted(build: Build) -> None:
    """The life of an account over HTTP."""
    client = build(None).client()
    body = {"email": "a@example.com", "password": PASSWORD}
    answer = client.post(USERS, json=body)
    assert answer.status_code == 201
    path = f"{USERS}/{answer.get_json()['id']}"
    assert client.post(USERS, json=body).get_json() == {
        "error": "Can't create User: email is already registered"
    }
    answer = client.put(
        path, json={"first_name": "A", "email": "b@example.com"}
    )
    assert answer.status_code == 200
    assert answer.get_json()["first_name"] == "A"
    assert answer.get_json()["email"] == "a@example.com"
    answer = client.put(path, json={"last_name": 1})
    assert answer.status_code == 400
    assert answer.get_json() == {"error": "Wrong format", "field": "last_name"}
    assert client.put(path, data="x").get_json() == {"error": "Wrong format"}
    assert client.delete(path).get_json() == {}
    for answer in (client.delete(path), client.put(path, json={})):
        assert (answer.status_code, answer.get_json()) == (404, NOT_FOUND)


def test_sessions_go_with_their_user(service: Service) -> None:
    """Who has the cookie of one is told why it opens nothing any more."""
    user, admin = stored_user(), stored_user()
    client, other = service.client_for(user), service.client_for(admin)
    assert other.delete(f"{USERS}/{user.id}").status_code == 200
    answer = client.get(ME)
    assert (answer.status_code, answer.get_json()) == (403, FORBIDDEN)
    assert answer.headers["Session-Ended"] == "reason=user_removed"


def test_a_user_removed_elsewhere_is_told_too(service: Service) -> None:
    """By another process, which does not know the sessions of this one."""
    user = stored_user()
    client = service.client_for(user)
    user.remove()
    answer = client.get(ME)
    assert answer.headers["Session-Ended"] == "reason=user_removed"


def test_deleting_may_need_a_recent_proof(
    build: Build, set_clock: SetClock
) -> None:
    """Where `REAUTH_TO_DELETE` is on, an old login is not enough."""
    service = build("session_db_auth", REAUTH_TO_DELETE="on")
    user = stored_user()
    client = service.client_for(user)
    set_clock.advance(301)
    answer = client.delete(f"{USERS}/{user.id}")
    assert answer.status_code == 403
    assert answer.get_json() == {"error": "Re-authentication required"}
    assert (
        service.client_for(user).delete(f"{USERS}/{user.id}").status_code
        == 200
    )


@pytest.mark.parametrize("auth_type", KNOWING)
def test_under_self_one_has_ones_own(build: Build, auth_type: str) -> None:
    """Others are for admins, whether they exist or not."""
    service = build(auth_type, AUTHZ_POLICY="self")
    user, admin = stored_user(), stored_user("admin")
    client = service.client_for(user)
    assert client.get(f"{USERS}/{user.id}").status_code == 200
    for path in (USERS, f"{USERS}/{admin.id}", f"{USERS}/nobody"):
        answer = client.get(path)
        assert (answer.status_code, answer.get_json()) == (403, FORBIDDEN)
    assert client.post(USERS, json={}).status_code == 403
    assert client.delete(f"{USERS}/{admin.id}").status_code == 403
    assert service.client_for(admin).get(USERS).status_code == 200
