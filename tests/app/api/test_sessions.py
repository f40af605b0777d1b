#!/usr/bin/env python3
"""The routes of the current user's sessions, in process."""

import pytest

from tests.app.api.conftest import Build
from tests.app.api.service import (
    NOT_FOUND,
    Service,
    session_id_of,
    stored_user,
)
from tests.clocks import SetClock
from tests.serving import (
    COOKIE,
    LOGOUT,
    ME,
    SESSIONS,
)
from vestibule.admin import filters
from vestibule.mechanisms.session_db_auth import SessionDBAuth

FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:130.0) Firefox/130.0"


def test_session_list_describes_sessions_newest_first(
    build: Build, set_clock: SetClock
) -> None:
    """The owner can recognize each session."""
    service = build("session_db_auth", SESSION_MAX_AGE="3600")
    user, other = stored_user(), stored_user()
    service.client_for(other)
    old = service.log_in(user, headers={"User-Agent": FIREFOX})[0]
    set_clock.advance(60)
    new = service.client_for(user)
    first, second = new.get(SESSIONS).get_json()
    assert (first["current"], second["current"]) == (True, False)
    assert second == {
        "id": second["id"],
        "current": False,
        "created_at": "2026-03-29 00:30:15",
        "last_seen_at": "2026-03-29 00:30:15",
        "expires_at": "2026-03-29 01:30:15",
        "ip": "127.0.0.1",
        "user_agent": FIREFOX,
        "device": "Firefox on Linux",
        "method": "password",
        "methods": ["pwd"],
        "level": 1,
    }
    first, second = old.get(SESSIONS + "/").get_json()
    assert (first["current"], second["current"]) == (False, True)
    set_clock.advance(3550)
    assert len(new.get(SESSIONS).get_json()) == 1


def test_long_session_list_is_answered_in_pages(service: Service) -> None:
    """The header `Link` leads through all sessions, each of them once."""
    user = stored_user()
    client = service.client_for(user)
    for _ in range(4):
        service.client_for(user)
    whole = client.get(SESSIONS)
    assert "Link" not in whole.headers
    path, seen = f"{SESSIONS}?limit=2", []
    for left in (3, 1, 0):
        answer = client.get(path)
        seen += answer.get_json()
        assert len(seen) == 5 - left
        link = answer.headers.get("Link")
        assert (link is None) is (left == 0)
        if link is not None:
            address, _, relation = link.partition("; ")
            assert relation == 'rel="next"'
            path = address.strip("<>")
    assert seen == whole.get_json()


def test_next_page_of_sessions_is_below_the_base_path(build: Build) -> None:
    """Behind the proxy, the path alone belongs to another application."""
    service = build("session_db_auth", BASE_PATH="/auth")
    user = stored_user()
    client = service.client_for(user)
    service.client_for(user)
    link = client.get(f"/auth{SESSIONS}?limit=1").headers["Link"]
    assert link.startswith(f"</auth{SESSIONS}?limit=1&after=")


def test_session_list_has_at_most_the_rows_of_a_page(
    build: Build, set_clock: SetClock
) -> None:
    """A user with very many sessions gets no more without a limit."""
    service = build("session_db_auth")
    user = stored_user()
    for _ in range(filters.MAX_PAGE_ROWS + 1):
        set_clock.advance(1)
        SessionDBAuth().create_session(user.id)
    client = service.client_for(user)
    answer = client.get(SESSIONS)
    assert len(answer.get_json()) == filters.MAX_PAGE_ROWS
    following = client.get(answer.headers["Link"].split(">")[0][1:])
    assert len(following.get_json()) == 2
    assert "Link" not in following.headers


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("limit=0", "limit"),
        ("limit=201", "limit"),
        ("limit=x", "limit"),
        ("after=x", "after"),
        ("after=%00", "after"),
    ],
)
def test_invalid_page_of_sessions_is_refused(
    service: Service, query: str, field: str
) -> None:
    """A client with a wrong position would read the first page again."""
    client = service.client_for(stored_user())
    answer = client.get(f"{SESSIONS}?{query}")
    assert answer.status_code == 400
    assert field in answer.get_json()["error"]


def test_position_in_the_list_of_another_user_is_refused(
    service: Service,
) -> None:
    """A position belongs to the list that gave it."""
    clients = []
    for user in (stored_user(), stored_user()):
        clients += [service.client_for(user), service.client_for(user)]
    link = clients[0].get(f"{SESSIONS}?limit=1").headers["Link"]
    address = link.split(">")[0][1:]
    assert clients[0].get(address).status_code == 200
    assert clients[2].get(address).status_code == 400


def test_session_list_has_no_session_id(service: Service) -> None:
    """It holds with each mechanism; no limit means no expiry."""
    client = service.client_for(stored_user())
    answer = client.get(SESSIONS)
    assert session_id_of(client) not in answer.text
    (only,) = answer.get_json()
    assert only["expires_at"] is None
    assert service.client_with_session(only["id"]).get(ME).status_code == 403


def test_user_ends_one_other_session(service: Service) -> None:
    """It ends at once and once; its client is told the reason."""
    user = stored_user()
    client, other = service.client_for(user), service.client_for(user)
    handle = next(
        one["id"]
        for one in client.get(SESSIONS).get_json()
        if not one["current"]
    )
    answer = client.delete(f"{SESSIONS}/{handle}")
    assert (answer.status_code, answer.get_json()) == (200, {})
    assert "Set-Cookie" not in answer.headers
    refused = other.get(ME)
    assert refused.status_code == 403
    assert refused.headers["Session-Ended"] == "reason=revoked"
    answer = client.delete(f"{SESSIONS}/{handle}")
    assert (answer.status_code, answer.get_json()) == (404, NOT_FOUND)
    assert client.get(ME).status_code == 200


def test_ending_current_session_clears_cookie(service: Service) -> None:
    """The current session is ended by its handle."""
    client = service.client_for(stored_user())
    session_id = session_id_of(client)
    (only,) = client.get(SESSIONS).get_json()
    answer = client.delete(f"{SESSIONS}/{only['id']}")
    assert answer.status_code == 200
    assert "Max-Age=0" in answer.headers["Set-Cookie"]
    assert service.client_with_session(session_id).get(ME).status_code == 403


def test_ending_unknown_or_foreign_session_returns_404(
    service: Service,
) -> None:
    """Secrets, foreign handles and invalid text all get 404."""
    user, other = stored_user(), stored_user()
    client, victim = service.client_for(user), service.client_for(other)
    (theirs,) = victim.get(SESSIONS).get_json()
    for handle in (
        theirs["id"],
        "unknown",
        "00000000-0000-0000-0000-000000000000",
        session_id_of(client),
        session_id_of(victim),
        "%00",
        "%ff",
        "' or 1",
        "\u00e9",
        "x" * 5000,
        other.id,
        "..",
        "*",
    ):
        answer = client.delete(f"{SESSIONS}/{handle}")
        assert answer.status_code == 404, handle
    assert victim.get(ME).status_code == client.get(ME).status_code == 200


def test_user_ends_all_other_sessions(service: Service) -> None:
    """The response has their number; the current session stays."""
    user, other = stored_user(), stored_user()
    client, bystander = service.client_for(user), service.client_for(other)
    others = [service.client_for(user) for _ in range(3)]
    assert client.delete(SESSIONS).get_json() == {"ended": 3}
    assert client.delete(SESSIONS).get_json() == {"ended": 0}
    for gone in others:
        assert gone.get(ME).headers["Session-Ended"] == "reason=revoked"
    assert client.get(ME).status_code == 200
    assert bystander.get(ME).status_code == 200


def test_session_limit_ends_oldest_session(build: Build) -> None:
    """`MAX_SESSIONS_PER_USER` is the limit; the reason is kept."""
    service = build("session_db_auth", MAX_SESSIONS_PER_USER="2")
    user = stored_user()
    first, second, third = (service.client_for(user) for _ in range(3))
    answer = first.get(ME)
    assert answer.headers["Session-Ended"] == "reason=too_many_sessions"
    assert second.get(ME).status_code == third.get(ME).status_code == 200


def test_conflicting_session_cookies_are_ignored(service: Service) -> None:
    """The service cannot know which of them is its own."""
    client = service.client_for(stored_user())
    session_id = session_id_of(client)
    bare = service.app.test_client(use_cookies=False)
    for other, status in [("evil", 401), (session_id, 200)]:
        for pair in ((session_id, other), (other, session_id)):
            header = "; ".join(f"{COOKIE}={one}" for one in pair)
            answer = bare.get(ME, headers={"Cookie": header})
            assert answer.status_code == status
    assert (
        bare.delete(
            LOGOUT, headers={"Cookie": f"{COOKIE}={session_id}"}
        ).status_code
        == 200
    )


def test_session_ended_by_admin_has_reason_revoked_by_admin(
    service: Service,
) -> None:
    """`DELETE /sessions/<id>` tells the user's client why it ended."""
    user = stored_user()
    client = service.client_for(user)
    admin = service.client_for(stored_user("admin"))
    (own,) = client.get(SESSIONS).get_json()
    assert admin.delete(f"/api/v1/sessions/{own['id']}").status_code == 200
    ended = client.get(ME)
    assert ended.headers["Session-Ended"] == "reason=revoked_by_admin"
