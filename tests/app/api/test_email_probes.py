#!/usr/bin/env python3
"""Answers that reveal whether an email has an account are throttled."""

from collections.abc import Callable
from typing import Any

import pytest

from tests.app.api.conftest import Build
from tests.app.api.service import PASSWORD, Service, stored_user
from tests.app.web.browser import Browser, signed_in
from tests.clocks import SetClock
from tests.serving import LOGIN, ME

PROBES = 30
Probe = Callable[[str], int]


@pytest.fixture
def service(build: Build, set_clock: SetClock) -> Service:
    """Return a service with every way in, and its throttle."""
    return build(
        "session_db_auth",
        WEB_PAGES="on",
        REGISTRATION="open",
        AUTHZ_POLICY="self",
        THROTTLE="on",
    )


def own_email(service: Service, client: Any = None) -> Probe:
    """Return a probe by a member who changes the own email."""
    client = client or service.client_for(stored_user())
    return lambda email: int(
        client.put(f"{ME}/email", json={"email": email}).status_code
    )


def own_email_page(service: Service) -> Probe:
    """Return the same probe on the page."""
    here = signed_in(service, stored_user())
    return lambda email: (
        here.post("/account/email", {"email": email}).status_code
    )


def registration(service: Service) -> Probe:
    """Return a probe by an anonymous client who registers."""
    browser = Browser(service)
    return lambda email: (
        browser.post(
            "/register", {"email": email, "password": PASSWORD}
        ).status_code
    )


def adding(service: Service) -> Probe:
    """Return a probe by an admin who adds a user."""
    client = service.client_for(stored_user("admin"))
    body = {"password": PASSWORD}
    return lambda email: (
        client.post("/api/v1/users", json={"email": email, **body}).status_code
    )


def inviting(service: Service) -> Probe:
    """Return a probe by an admin who invites a user."""
    client = service.client_for(stored_user("admin"))
    return lambda email: (
        client.post("/api/v1/admin/users", json={"email": email}).status_code
    )


def inviting_page(service: Service) -> Probe:
    """Return the same probe on the page."""
    here = signed_in(service, stored_user("admin"))
    return lambda email: (
        here.post("/admin/users/add", {"email": email}).status_code
    )


def signing_in(service: Service) -> Probe:
    """Return a probe by an anonymous client who logs in."""
    client = service.client()
    return lambda email: (
        client.post(
            LOGIN, data={"email": email, "password": "wrong"}
        ).status_code
    )


DOORS = [
    own_email,
    own_email_page,
    registration,
    adding,
    inviting,
    inviting_page,
    signing_in,
]


@pytest.mark.parametrize("door", DOORS)
def test_probes_for_taken_emails_are_throttled_and_logged(
    service: Service,
    logged: Callable[[], list[dict[str, Any]]],
    door: Callable[[Service], Probe],
) -> None:
    """Of thirty probes by any door at most 21 get an answer."""
    taken = [
        stored_user(email=f"{number}@example.com").email
        for number in range(PROBES)
    ]
    probe = door(service)
    seen = [probe(str(email)) for email in taken]
    answered = [status for status in seen if status != 429]
    assert set(answered) <= {400, 401}
    assert len(answered) <= 21
    kinds = [line["event"] for line in logged()]
    refused = "login_failed" if door is signing_in else "email_refused"
    assert kinds.count(refused) == len(answered)
    assert kinds.count("throttled") == PROBES - len(answered) > 0


@pytest.mark.parametrize("door", [own_email, own_email_page])
def test_probes_for_free_emails_are_throttled(
    service: Service, door: Callable[[Service], Probe]
) -> None:
    """A change that succeeds tells that the email was free."""
    probe = door(service)
    seen = [probe(f"{number}@example.com") for number in range(PROBES)]
    assert seen.count(429) >= PROBES - 4
    assert set(seen[:3]) <= {200, 303}


def test_wait_after_probes_ends(service: Service, set_clock: SetClock) -> None:
    """The client is told how long to wait, and may then go on."""
    client = service.client_for(stored_user())
    email = {"email": stored_user().email}
    for _ in range(4):
        assert client.put(f"{ME}/email", json=email).status_code == 400
    answer = client.put(f"{ME}/email", json=email)
    assert answer.status_code == 429
    set_clock.advance(int(answer.headers["Retry-After"]))
    answer = client.put(f"{ME}/email", json={"email": "free@example.com"})
    assert answer.status_code == 200


def test_admin_who_invites_many_does_not_wait(service: Service) -> None:
    """Only emails that are taken count."""
    probe = inviting(service)
    assert {probe(f"{number}@example.com") for number in range(40)} == {201}


def test_email_is_changed_by_admins_only(build: Build) -> None:
    """`EMAIL_CHANGE=admin` closes the route and the form for members."""
    service = build("session_db_auth", WEB_PAGES="on", EMAIL_CHANGE="admin")
    member, admin = stored_user(), stored_user("admin")
    assert own_email(service, service.client_for(member))("a@a.de") == 403
    assert own_email(service, service.client_for(admin))("b@a.de") == 200
    here = signed_in(service, member)
    assert "/account/email" not in here.get("/account").text
    assert "Ask an administrator" in here.get("/account").text
    form = {"email": "a@a.de", "password": PASSWORD}
    assert here.post("/account/email", form).status_code == 403
