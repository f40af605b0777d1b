#!/usr/bin/env python3
"""Each refusal, wait and wrong code leaves exactly one security event."""

import json
from collections.abc import Iterator

import pytest
from flask.testing import FlaskClient
from werkzeug.routing import Rule

from tests.app.api.conftest import Build
from tests.app.api.service import NEW, RESET, Service, basic, stored_user
from tests.clocks import SetClock
from tests.serving import ME
from vestibule.accounts.users import create_setup_code
from vestibule.audit.log import EventType
from vestibule.core import settings

#: Routes that answer 403 by design: they show what a refusal looks like.
SAMPLES = {"/api/v1/forbidden"}
#: More wrong codes than are free, so that the last ones have to wait.
GUESSES = 6


def requests_of(service: Service) -> Iterator[tuple[str, str]]:
    """Yield a method and a path for each route of the application."""
    for rule in service.app.url_map.iter_rules():
        for method in sorted((rule.methods or set()) - {"HEAD", "OPTIONS"}):
            yield method, path_of(rule)


def path_of(rule: Rule) -> str:
    """Return a path that matches `rule`; its ids name nothing."""
    return (
        str(rule.rule)
        .translate({ord("<"): "x", ord(">"): "x"})
        .replace(":", "-")
    )


def client_of(service: Service, role: str) -> FlaskClient:
    """Return a client of a new user: an earlier request may end sessions."""
    if role == "anonymous":
        return service.client()
    session_id = service.mechanism.create_session(stored_user(role).id)
    return service.client_with_session(session_id)


def events_of(lines: list[str]) -> list[str]:
    """Return the kinds of the events in lines of the security log."""
    return [json.loads(line)["event"] for line in lines]


@pytest.mark.slow
@pytest.mark.parametrize("profile", ["contract", "standard", "hardened"])
@pytest.mark.parametrize("role", ["anonymous", "member", "admin"])
def test_each_refusal_of_a_route_leaves_one_event(
    role: str,
    profile: str,
    build: Build,
    set_clock: SetClock,
    security_lines: list[str],
) -> None:
    """All routes are requested by each role, some time after the login."""
    service = build(
        "session_db_auth",
        SECURITY_PROFILE=profile,
        SESSION_NAME_HOST_PREFIX="off",
        WEB_PAGES="on",
    )
    refused = 0
    for method, path in requests_of(service):
        if path in SAMPLES:
            continue
        client = client_of(service, role)
        set_clock.advance(settings.REAUTH_WINDOW.read() + 1)
        security_lines.clear()
        answer = client.open(path, method=method)
        answer.close()
        if answer.status_code in (403, 429):
            refused += 1
            assert len(events_of(security_lines)) == 1, (method, path)
    # An anonymous client gets 401 or a redirect.
    assert (refused > 0) is (role != "anonymous")


@pytest.mark.parametrize(
    "headers",
    [
        {"Cookie": "_my_session_id=unknown"},
        {"Origin": "https://evil.example"},
    ],
    ids=["unknown session", "other site"],
)
def test_request_that_is_refused_before_its_view_leaves_one_event(
    headers: dict[str, str], build: Build, security_lines: list[str]
) -> None:
    """Also where no view runs at all."""
    service = build("session_db_auth")
    for method, path in requests_of(service):
        if path in SAMPLES:
            continue
        security_lines.clear()
        answer = service.client().open(path, method=method, headers=headers)
        answer.close()
        if answer.status_code == 403:
            assert len(events_of(security_lines)) == 1, (method, path)


@pytest.mark.parametrize(
    "header", ["Basic", "Basic !!!", "Basic YQ==", "Bearer x", "Basic "]
)
def test_unreadable_credentials_leave_one_event(
    header: str, build: Build, security_lines: list[str]
) -> None:
    """A guess that is not even a pair of email and password is a failure."""
    client = build("basic_auth").client()
    answer = client.get(ME, headers={"Authorization": header})
    assert answer.status_code == 403
    assert events_of(security_lines) == [EventType.LOGIN_FAILED]


def test_wrong_basic_password_leaves_one_event(
    build: Build, security_lines: list[str]
) -> None:
    """The check of the password logs it, and nothing else does."""
    client = build("basic_auth").client()
    header = basic(stored_user(), "wrong")
    assert client.get(ME, headers={"Authorization": header}).status_code == 403
    assert events_of(security_lines) == [EventType.LOGIN_FAILED]


def guess_reset_code(client: FlaskClient) -> int:
    """Send a wrong reset code; return the status."""
    form = {"email": "a@example.com", "code": "WRONG", "new_password": NEW}
    return client.post(RESET, data=form).status_code


def guess_setup_code(client: FlaskClient) -> int:
    """Send a wrong setup code; return the status."""
    form = {"email": "a@example.com", "code": "WRONG", "password": NEW}
    return client.post("/setup", data=form).status_code


@pytest.mark.parametrize("guess", [guess_reset_code, guess_setup_code])
def test_wrong_codes_and_waits_leave_one_event_each(
    guess: "object", build: Build, security_lines: list[str]
) -> None:
    """Wrong codes are logged as refused, and those that wait as throttled."""
    assert callable(guess)
    if guess is guess_setup_code:
        create_setup_code()
    service = build("session_db_auth", WEB_PAGES="on", THROTTLE="on")
    seen = []
    for _ in range(GUESSES):
        security_lines.clear()
        status = guess(service.client())
        (event,) = events_of(security_lines)
        seen.append((status == 429, event))
    assert set(seen) == {
        (False, EventType.CODE_REFUSED),
        (True, EventType.THROTTLED),
    }
