#!/usr/bin/env python3
"""The admin's lists of users, sessions and events in the API."""

import pytest
from flask.testing import FlaskClient

from tests.app.api.admin_queries import fetch, fetch_all
from tests.app.api.conftest import Build
from tests.app.api.service import (
    NOT_FOUND,
    RESET,
    Service,
    basic,
    stored_user,
)
from tests.clocks import SetClock
from tests.serving import (
    ME,
    USERS,
)
from vestibule.admin import filters
from vestibule.db.models.user import User

ADMIN_USERS, EVENTS = "/api/v1/admin/users", "/api/v1/events"
SESSIONS, FIGURES = "/api/v1/sessions", "/api/v1/figures"
EVIL = ("%", "_", "'", '"', "\u202e", "\u200f", "a" * 255, "=1+1", "\\")


@pytest.fixture
def admin(build: Build) -> FlaskClient:
    """Return an admin's client of a service with sessions in a database."""
    return build("session_db_auth").client_for(stored_user("admin"))


def test_user_search_returns_each_user_once(admin: FlaskClient) -> None:
    """Rows have what admins see, and no secret."""
    ids = {stored_user(email=f"ada{i}@example.com").id for i in range(5)}
    found = fetch_all(admin, ADMIN_USERS, "users", q="ADA", limit=2)
    assert {each["id"] for each in found} == ids and len(found) == 5
    assert set(found[0]) == {
        "created_at",
        "email",
        "first_name",
        "id",
        "last_name",
        "updated_at",
        "role",
        "disabled_at",
        "signed_in_at",
        "email_verified",
    }
    only = fetch(admin, ADMIN_USERS, role="admin", disabled="no")["users"]
    assert [each["role"] for each in only] == ["admin"]
    shown = fetch(admin, f"{ADMIN_USERS}/{found[0]['id']}")
    assert shown == found[0]


REFUSED: list[tuple[str, dict[str, str], str]] = [
    (ADMIN_USERS, {"q": "x" * 10_000}, "q"),
    (ADMIN_USERS, {"q": "\0"}, "q"),
    (ADMIN_USERS, {"role": "king"}, "role"),
    (ADMIN_USERS, {"disabled": "perhaps"}, "disabled"),
    (ADMIN_USERS, {"limit": "0"}, "limit"),
    (ADMIN_USERS, {"limit": "\u0661"}, "limit"),
    (ADMIN_USERS, {"limit": "9" * 256}, "limit"),
    (SESSIONS, {"network": "nowhere"}, "network"),
    (EVENTS, {"kind": "x"}, "kind"),
    (EVENTS, {"since": "yesterday"}, "since"),
    (EVENTS, {"until": "0001-01-01T00:00+23:59"}, "until"),
    (f"{EVENTS}/export", {"format": "xml"}, "format"),
    (f"{EVENTS}/export", {"kind": "x"}, "kind"),
    (FIGURES, {"period": "year"}, "period"),
    *(
        (path, {"after": place}, "after")
        for path in (ADMIN_USERS, SESSIONS, EVENTS)
        for place in ("x", "\u00e9" * 40, "A" * 9_000, "e" * 16 + "W10=")
    ),
]


def test_invalid_query_parameter_is_refused(admin: FlaskClient) -> None:
    """A 400 names the field."""
    for path, query, field in REFUSED:
        answer = admin.get(path, query_string=query)
        assert answer.status_code == 400, (path, query)
        assert answer.get_json() == {"error": "Wrong format", "field": field}


def test_cursor_of_another_list_or_filter_is_refused(
    admin: FlaskClient,
) -> None:
    """A changed cursor is refused too."""
    for number in range(3):
        stored_user(email=f"ada{number}@example.com")
    place = fetch(admin, ADMIN_USERS, q="ada", limit=1)["next"]
    assert (
        admin.get(
            ADMIN_USERS, query_string={"q": "ada", "after": place}
        ).status_code
        == 200
    )
    for path, query in (
        (ADMIN_USERS, {"q": "ad"}),
        (ADMIN_USERS, {}),
        (SESSIONS, {}),
        (EVENTS, {}),
        (ADMIN_USERS, {"q": "ada", "role": "member"}),
    ):
        answer = admin.get(path, query_string={**query, "after": place})
        assert answer.status_code == 400
    other = place[:-4] + ("AAA=" if place[-4:] != "AAA=" else "BBB=")
    answer = admin.get(ADMIN_USERS, query_string={"q": "ada", "after": other})
    assert answer.status_code == 400


def test_search_text_has_no_wildcards(admin: FlaskClient) -> None:
    """A text is found literally, or not at all."""
    stored_user()
    for text in EVIL:
        for typed in (text, "a" + text):
            fetch(admin, ADMIN_USERS, q=typed)
        found = fetch(admin, SESSIONS, device=text, user=text)
        assert found["sessions"] == []
        assert fetch(admin, EVENTS, user=text)["events"] == []
    for text in ("%", "_", "'", "a%"):
        assert fetch(admin, ADMIN_USERS, q=text)["users"] == []


def test_invited_user_sets_password_with_code(build: Build) -> None:
    """The new user then signs in with that password."""
    service = build("session_db_auth")
    admin = service.client_for(stored_user("admin"))
    email = "new@example.com"
    body = {"email": email, "first_name": "New", "password": "chosen by me"}
    answer = admin.post(ADMIN_USERS, json=body)
    assert answer.status_code == 201
    made = answer.get_json()
    assert (made["user"]["role"], made["user"]["first_name"]) == (
        "member",
        "New",
    )
    stored = User.get(made["user"]["id"])
    assert stored is not None and stored.password is None
    new = "violet umbrella 7"
    set_it = service.client().post(
        RESET,
        data={
            "email": email,
            "code": made["code"],
            "new_password": new,
        },
    )
    assert set_it.status_code == 200
    assert service.log_in(stored, new)[1].status_code == 200
    for bad, message in (
        (body, "Can't create User: email is already registered"),
        ({"email": "x"}, "Can't create User: email is not an email address"),
        ({}, "email missing"),
        ([], "Wrong format"),
    ):
        answer = admin.post(ADMIN_USERS, json=bad)
        assert (answer.status_code, answer.get_json()) == (
            400,
            {"error": message},
        )


def test_invite_and_revoke_need_recent_password(
    build: Build, set_clock: SetClock
) -> None:
    """A stolen admin session can neither add a user nor end a session."""
    service = build("session_db_auth")
    user, admin = stored_user(), service.client_for(stored_user("admin"))
    client = service.client_for(user)
    (one,) = fetch(admin, SESSIONS, user=user.id)["sessions"]
    set_clock.advance(301)
    for answer in (
        admin.post(ADMIN_USERS, json={"email": "new@example.com"}),
        admin.delete(f"{SESSIONS}/{one['id']}"),
    ):
        assert answer.status_code == 403
        assert answer.get_json() == {"error": "Re-authentication required"}
    assert User.count() == 2
    assert client.get(ME).status_code == 200


def test_admin_resets_failures_of_user(build: Build) -> None:
    """The admin sees the failures; after the reset the user may log in."""
    service = build("session_db_auth", THROTTLE="on")
    admin, user = service.client_for(stored_user("admin")), stored_user()
    path = f"{USERS}/{user.id}/failures"
    assert fetch(admin, path) == {
        "count": 0,
        "last_at": None,
        "retry_after": 0,
    }
    for _ in range(5):
        service.log_in(user, "wrong")
    found = fetch(admin, path)
    assert found["count"] >= 4 and found["retry_after"] >= 0
    assert found["last_at"] is not None
    assert service.log_in(user)[1].status_code == 429
    for _ in range(2):
        assert admin.delete(path).status_code == 200
    assert fetch(admin, path)["count"] == 0
    assert service.log_in(user)[1].status_code == 200


def test_sessions_are_filtered_by_user_network_and_device(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It holds with each mechanism; one session is then ended."""
    bob, eve = stored_user(), stored_user()
    admin = service.client_for(stored_user("admin"))
    agent = {"User-Agent": "Mozilla/5.0 (X11; Linux) Firefox/128.0"}
    there = {"REMOTE_ADDR": "192.0.2.7"}
    client, _ = service.log_in(bob, headers=agent)
    service.log_in(bob)
    service.log_in(eve, environ_base=there)
    assert len(fetch_all(admin, SESSIONS, "sessions", limit=1)) == 4
    of_bob = fetch_all(admin, SESSIONS, "sessions", user=bob.email, limit=1)
    assert [each["user_id"] for each in of_bob] == [bob.id] * 2
    assert of_bob[0]["current"] is False
    (one,) = fetch(admin, SESSIONS, device="firefox on")["sessions"]
    assert one["device"] == "Firefox on Linux"
    for query in (
        {"network": "192.0.2.7"},
        {"network": "192.0.2.7/32"},
        {"network": "192.0.2.7", "user": eve.id},
    ):
        (other,) = fetch(admin, SESSIONS, **query)["sessions"]
        assert other["user_id"] == eve.id
    monkeypatch.setattr(filters, "MAX_ROWS_SCANNED", 1)
    page = fetch(admin, SESSIONS, device="firefox", limit=1)
    assert (page["sessions"], page["next"] is None) == ([], False)
    path = f"{SESSIONS}/{one['id']}"
    assert admin.delete(path).status_code == 200
    assert client.get(ME).status_code == 403
    again = admin.delete(path)
    assert (again.status_code, again.get_json()) == (404, NOT_FOUND)


def test_sessions_with_basic_return_404(build: Build) -> None:
    """HTTP Basic has no sessions to list or end."""
    client = build("basic_auth").client()
    shown = {"Authorization": basic(stored_user("admin"))}
    for method, path in (("GET", SESSIONS), ("DELETE", f"{SESSIONS}/x")):
        answer = client.open(path, method=method, headers=shown)
        assert (answer.status_code, answer.get_json()) == (404, NOT_FOUND)
