#!/usr/bin/env python3
"""The users' routes, in process."""

import pytest

from tests.app.api.conftest import Build
from tests.app.api.service import (
    FORBIDDEN,
    NOT_FOUND,
    PASSWORD,
    WITH_SESSIONS,
    Service,
    stored_user,
)
from tests.clocks import SetClock
from tests.serving import (
    ME,
    USERS,
)
from vestibule.db.models.user import User

KNOWING = ("basic_auth", *WITH_SESSIONS)


@pytest.mark.parametrize("auth_type", KNOWING)
def test_user_routes_return_same_user_objects(
    build: Build, auth_type: str
) -> None:
    """`me`, one by id and the list agree."""
    user, other = stored_user(), stored_user()
    client = build(auth_type).client_for(user)
    assert client.get(ME).get_json() == user.to_json()
    assert client.get(f"{USERS}/{other.id}").get_json() == other.to_json()
    listed = client.get(USERS).get_json()
    assert sorted(one["id"] for one in listed) == sorted([user.id, other.id])
    answer = client.get(f"{USERS}/unknown")
    assert (answer.status_code, answer.get_json()) == (404, NOT_FOUND)


def test_deleting_user_ends_their_sessions(service: Service) -> None:
    """A client with such a cookie is told the reason."""
    user, admin = stored_user(), stored_user()
    client, other = service.client_for(user), service.client_for(admin)
    assert other.delete(f"{USERS}/{user.id}").status_code == 200
    answer = client.get(ME)
    assert (answer.status_code, answer.get_json()) == (403, FORBIDDEN)
    assert answer.headers["Session-Ended"] == "reason=user_removed"
    # A new user with the same id gets none of the sessions.
    User(id=user.id, email=user.email).save()
    assert client.get(ME).status_code == 403
    assert other.get(ME).status_code == 200


def test_user_removed_by_another_process_is_told_reason(
    service: Service,
) -> None:
    """That process does not know the sessions in this one's memory."""
    user = stored_user()
    client = service.client_for(user)
    user.remove()
    answer = client.get(ME)
    assert answer.headers["Session-Ended"] == "reason=user_removed"


def test_deletion_with_reauth_setting_needs_recent_password(
    build: Build, set_clock: SetClock
) -> None:
    """`REAUTH_TO_DELETE` is on."""
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


@pytest.mark.parametrize("field", ["first_name", "last_name"])
def test_name_has_a_bound(build: Build, field: str) -> None:
    """The API's description has it too; null and the bound itself pass."""
    service = build("session_db_auth")
    client = service.client_for(stored_user("admin"))
    body = {"email": "a@example.com", "password": PASSWORD}
    for name, status in (
        ("a" * 1_000_000, 400),
        ("a" * 201, 400),
        ("\u00e9" * 200, 201),
    ):
        answer = client.post("/api/v1/users", json={**body, field: name})
        assert answer.status_code == status
        if status == 400:
            assert answer.get_json()["error"] == (
                f"Can't create User: {field} must have at most 200 characters"
            )
    path = f"/api/v1/users/{answer.get_json()['id']}"
    answer = client.put(path, json={field: "a" * 201})
    assert answer.status_code == 400
    assert answer.get_json() == {"error": "Wrong format", "field": field}
    answer = client.post(
        "/api/v1/admin/users", json={"email": "b@a.de", field: "a" * 201}
    )
    assert answer.status_code == 400
    schemas = client.get("/openapi.json").get_json()["components"]["schemas"]
    for shape in ("NewUser", "Names"):
        assert schemas[shape]["properties"][field]["maxLength"] == 200
    assert schemas["NewUser"]["properties"]["email"]["maxLength"] == 254
    assert schemas["NewUser"]["properties"]["password"]["maxLength"] == 4096
