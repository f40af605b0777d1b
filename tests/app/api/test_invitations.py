#!/usr/bin/env python3
"""The API of invitations: links, lifetimes, the list, and revocation."""

from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from flask.testing import FlaskClient

from tests.app.api.conftest import Build
from tests.app.api.passkey_owner import enroll
from tests.app.api.service import NEW, Service, stored_user
from tests.clocks import SetClock
from tests.soft_authenticator import SoftAuthenticator
from vestibule.db.models.user import User

USERS, OPEN = "/api/v1/admin/users", "/api/v1/admin/invitations"
RESET = "/api/v1/auth_session/reset"


@pytest.fixture
def service(build: Build, set_clock: SetClock) -> Service:
    """Return a service with pages."""
    return build("session_db_auth", WEB_PAGES="on")


@pytest.fixture
def admin(service: Service) -> FlaskClient:
    """Return the client of an admin who has just signed in."""
    return service.client_for(stored_user("admin", "chief@example.com"))


def invited(admin: FlaskClient, email: str, **more: Any) -> dict[str, Any]:
    """Invite a user; return the answer."""
    answer = admin.post(USERS, json={"email": email, **more})
    assert answer.status_code == 201, answer.text
    found: dict[str, Any] = answer.get_json()
    return found


def accept(service: Service, email: str, code: str) -> int:
    """Set a password with a code; return the status."""
    return (
        service.client()
        .post(RESET, data={"email": email, "code": code, "new_password": NEW})
        .status_code
    )


def open_emails(admin: FlaskClient, query: str = "") -> list[str]:
    """Return the emails of the open invitations, in their order."""
    found = admin.get(f"{OPEN}{query}").get_json()["invitations"]
    return [one["email"] for one in found]


def test_link_has_email_and_code_in_its_fragment(admin: FlaskClient) -> None:
    """What is sent to a server, path and query, has neither."""
    made = invited(admin, "a+b&c=d@example.com")
    link = urlsplit(made["link"])
    assert link._replace(fragment="").geturl() == (
        "http://localhost/account/invitation"
    )
    assert parse_qs(link.fragment) == {
        "email": ["a+b&c=d@example.com"],
        "code": [made["code"]],
    }


@pytest.mark.parametrize(
    ("setting", "begins"),
    [
        ("https://auth.example.com", "https://auth.example.com/account/"),
        ("https://example.com/auth/", "https://example.com/auth/account/"),
    ],
)
def test_link_begins_with_public_url(
    admin: FlaskClient,
    monkeypatch: pytest.MonkeyPatch,
    setting: str,
    begins: str,
) -> None:
    """The address of the request then has no influence."""
    monkeypatch.setenv("PUBLIC_URL", setting)
    answer = admin.post(
        USERS,
        json={"email": "bob@example.com"},
    )
    assert answer.get_json()["link"].startswith(begins)


def test_forwarded_host_of_a_stranger_is_not_in_the_link(
    admin: FlaskClient,
) -> None:
    """Only a trusted proxy may name another host."""
    answer = admin.post(
        USERS,
        json={"email": "bob@example.com"},
        headers={"X-Forwarded-Host": "evil.example"},
    )
    assert answer.get_json()["link"].startswith("http://localhost/")


def test_service_without_pages_gives_no_link(build: Build) -> None:
    """The code works by the API."""
    service = build("session_db_auth")
    admin = service.client_for(stored_user("admin"))
    made = invited(admin, "bob@example.com")
    assert made["link"] is None
    assert accept(service, "bob@example.com", made["code"]) == 200


def test_reset_of_a_known_user_gives_a_link(admin: FlaskClient) -> None:
    """It leads to the page of resets."""
    user = stored_user()
    made = admin.post(f"/api/v1/users/{user.id}/password-reset").get_json()
    assert made["link"].startswith("http://localhost/reset#email=")


@pytest.mark.parametrize(
    ("hours", "lifetime"), [(None, 3600), (1, 3600), (168, 604_800)]
)
def test_invitation_lives_for_the_chosen_hours(
    service: Service,
    admin: FlaskClient,
    set_clock: SetClock,
    hours: int | None,
    lifetime: int,
) -> None:
    """It works until its last second, and not after."""
    more = {} if hours is None else {"valid_hours": hours}
    one = invited(admin, "one@example.com", **more)
    two = invited(admin, "two@example.com", **more)
    set_clock.advance(lifetime - 1)
    assert accept(service, "one@example.com", one["code"]) == 200
    set_clock.advance(1)
    assert accept(service, "two@example.com", two["code"]) != 200


@pytest.mark.parametrize("hours", [0, 169, -1, "24", 1.5, True, [], {}])
def test_other_lifetimes_are_refused(admin: FlaskClient, hours: Any) -> None:
    """No user is stored then."""
    answer = admin.post(
        USERS, json={"email": "bob@example.com", "valid_hours": hours}
    )
    assert answer.status_code == 400
    assert "valid_hours" in answer.get_json()["error"]
    assert User.search({"email": "bob@example.com"}) == []


def test_list_has_open_invitations_only(
    service: Service, admin: FlaskClient, set_clock: SetClock
) -> None:
    """Used, revoked, expired and replaced ones and resets are not in it."""
    used = invited(admin, "used@example.com")
    revoked = invited(admin, "revoked@example.com", valid_hours=24)
    invited(admin, "expired@example.com", valid_hours=1)
    renewed = invited(admin, "renewed@example.com", valid_hours=24)
    assert accept(service, "used@example.com", used["code"]) == 200
    path = f"{OPEN}/{revoked['user']['id']}"
    assert admin.delete(path).status_code == 200
    admin.post(f"/api/v1/users/{stored_user().id}/password-reset")
    assert sorted(open_emails(admin)) == [
        "expired@example.com",
        "renewed@example.com",
    ]
    set_clock.advance(3600)
    (only,) = admin.get(OPEN).get_json()["invitations"]
    assert only["email"] == "renewed@example.com"
    assert only["user_id"] == renewed["user"]["id"]
    assert renewed["code"] not in str(only)
    assert admin.delete(path).status_code in (403, 404)
    assert accept(service, "revoked@example.com", revoked["code"]) != 200


def test_reset_code_of_a_user_with_passkeys_is_no_invitation(
    service: Service, admin: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A user who removed the password was invited long ago."""
    monkeypatch.setenv("PUBLIC_URL", "http://localhost")
    user = stored_user(email="eve@example.com")
    owner = service.client_for(user)
    enroll(owner, SoftAuthenticator())
    assert owner.delete("/api/v1/users/me/password").status_code == 200
    invited(admin, "new@example.com")
    path = f"/api/v1/users/{user.id}/password-reset"
    made = admin.post(path).get_json()
    assert made["link"].startswith("http://localhost/reset#email=")
    assert open_emails(admin) == ["new@example.com"]
    assert admin.delete(f"{OPEN}/{user.id}").status_code == 404
    assert accept(service, "eve@example.com", made["code"]) == 200


def test_renewed_invitation_is_still_one(admin: FlaskClient) -> None:
    """Its user never had a password, so a second code is an invitation."""
    made = invited(admin, "new@example.com")
    path = f"/api/v1/users/{made['user']['id']}/password-reset"
    assert "/account/invitation#" in admin.post(path).get_json()["link"]
    assert open_emails(admin) == ["new@example.com"]


def test_list_is_sorted_and_paged(
    admin: FlaskClient, set_clock: SetClock
) -> None:
    """Each order, and a page at a time; a cursor fits its order only."""
    for number, hours in ((1, 48), (2, 1), (3, 24)):
        invited(admin, f"{number}@example.com", valid_hours=hours)
        set_clock.advance(1)
    for sort, order in (
        ("", "321"),
        ("created", "123"),
        ("expires", "231"),
        ("-email", "321"),
    ):
        seen = ""
        after: str | None = ""
        while after is not None:
            found = admin.get(
                OPEN, query_string={"sort": sort, "limit": 2, "after": after}
            ).get_json()
            seen += "".join(one["email"][0] for one in found["invitations"])
            other = admin.get(
                OPEN, query_string={"sort": "email", "after": found["next"]}
            )
            assert other.status_code == (400 if found["next"] else 200)
            after = found["next"]
        assert seen == order, sort
    assert admin.get(f"{OPEN}?sort=password").status_code == 400


def test_revocation_is_for_open_invitations_of_that_user(
    service: Service, admin: FlaskClient
) -> None:
    """A reset code of a user with a password stays; so does the user."""
    user = stored_user()
    code = admin.post(f"/api/v1/users/{user.id}/password-reset").get_json()
    for id in (user.id, "unknown", "%00", "x" * 3_000):
        assert admin.delete(f"{OPEN}/{id}").status_code == 404
    assert accept(service, str(user.email), code["code"]) == 200
    made = invited(admin, "bob@example.com")
    path = f"{OPEN}/{made['user']['id']}"
    assert [admin.delete(path).status_code for _ in range(2)] == [200, 404]
    assert accept(service, "bob@example.com", made["code"]) != 200
    assert User.get(made["user"]["id"]) is not None


def test_member_neither_sees_nor_revokes_invitations(
    service: Service, admin: FlaskClient
) -> None:
    """The answer is 403, and the invitation works."""
    made = invited(admin, "bob@example.com")
    member = service.client_for(stored_user())
    assert member.get(OPEN).status_code == 403
    path = f"{OPEN}/{made['user']['id']}"
    assert member.delete(path).status_code == 403
    assert accept(service, "bob@example.com", made["code"]) == 200
