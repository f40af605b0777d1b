#!/usr/bin/env python3
"""Sessions of applications' hosts: their ends, their limits, the lists."""

from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

import pytest
from sqlalchemy import text

from tests.app.api.conftest import Build
from tests.app.api.service import PASSWORD, Service, stored_user
from tests.app.web.hosts import (
    APP,
    COOKIE,
    SIGN_IN_HOST,
    WIKI,
    Visitor,
    build_hosts,
    hosts,
    rows,
    signed_in_at,
)
from tests.clocks import SetClock
from vestibule.accounts import users
from vestibule.accounts.permissions import LOCAL
from vestibule.accounts.revocation import revoke_all, revoke_own
from vestibule.core.application_hosts import SESSION_PATH
from vestibule.db.engine import database
from vestibule.db.models.user_session import UserSession
from vestibule.sessions.database import DatabaseStore
from vestibule.sessions.session import EndReason

__all__ = ["hosts"]

PAGE = f"{APP}/page?number=1&name=a%20b"
OTHER = f"{WIKI}/"


def purged(hosts: Service, clock: SetClock) -> int:
    """Return the number of sessions that the sweeper deletes now."""
    return DatabaseStore().purge(hosts.mechanism.limits(), clock.now())


def delete_by_shell() -> None:
    """Delete all sessions as a program without this code would."""
    with database().transaction() as connection:
        connection.execute(text("DELETE FROM user_sessions"))


ENDINGS: dict[str, Callable[[Any, Any], Any]] = {
    "its user": lambda user, session: revoke_own(
        DatabaseStore(), user.id, session.id
    ),
    "all of the user": lambda user, session: DatabaseStore().end_all(
        EndReason.REVOKED, user.id
    ),
    "all of all users": lambda user, session: revoke_all(
        DatabaseStore(), None, LOCAL
    ),
    "a script": lambda user, session: session.remove(),
    "a database shell": lambda user, session: delete_by_shell(),
    "the end of the account": lambda user, session: user.remove(),
    "disabling": lambda user, session: users.disable(user, None, actor=LOCAL),
}


@pytest.mark.parametrize("by", ENDINGS)
def test_end_of_the_session_ends_its_applications(
    hosts: Service, by: str
) -> None:
    """It counts at the next request, though the answer was cached."""
    user = stored_user()
    visitor = signed_in_at(hosts, user, PAGE, OTHER)
    assert visitor.opens(PAGE) and visitor.opens(OTHER)
    (session,) = UserSession.search({"user_id": user.id})
    ENDINGS[by](user, session)
    assert not visitor.opens(PAGE) and not visitor.opens(OTHER)
    assert rows("host_sessions") == 0


def test_application_is_told_why_its_session_ended(hosts: Service) -> None:
    """A program that sends the dead cookie gets the reason."""
    user = stored_user()
    visitor = signed_in_at(hosts, user, PAGE)
    DatabaseStore().end_all(EndReason.REVOKED, user.id)
    answer = visitor.ask_gate(PAGE, **{"Sec-Fetch-Mode": "cors"})
    assert answer.status_code == 401
    assert answer.headers["Session-Ended"] == "reason=revoked"


def test_new_password_ends_the_applications_of_the_session_that_stays(
    hosts: Service,
) -> None:
    """They come back by themselves, with new ids."""
    visitor = signed_in_at(hosts, stored_user(), PAGE)
    before = visitor.cookie(APP)
    answer = visitor.post(
        "/account/password",
        {
            "current_password": "correct horse",
            "new_password": "violet umbrella",
            "repeated_password": "violet umbrella",
        },
        base_url=SIGN_IN_HOST,
    )
    assert answer.status_code == 303, answer.text
    assert not visitor.opens(PAGE)
    assert visitor.open_page(PAGE) == PAGE
    assert visitor.cookie(APP) not in (None, before)


def test_limits_are_those_of_the_session_that_was_signed_in(
    build: Build, set_clock: SetClock
) -> None:
    """Its age counts, however young the one of the application is."""
    hosts = build_hosts(build, SESSION_MAX_AGE="100")
    visitor = signed_in_at(hosts, stored_user())
    set_clock.advance(90)
    assert visitor.open_page(PAGE) == PAGE
    set_clock.advance(11)
    assert not visitor.opens(PAGE)


def test_use_of_an_application_is_use_of_the_session(
    build: Build, set_clock: SetClock
) -> None:
    """The sign-in host stays signed in, and so does the other one."""
    hosts = build_hosts(build, SESSION_IDLE_TIMEOUT="100")
    visitor = signed_in_at(hosts, stored_user(), PAGE, OTHER)
    for _ in range(5):
        set_clock.advance(60)
        assert visitor.opens(PAGE)
    assert visitor.opens(OTHER)
    assert (
        DatabaseStore().purge(hosts.mechanism.limits(), set_clock.now()) == 0
    )
    set_clock.advance(101)
    assert not visitor.opens(PAGE) and not visitor.opens(OTHER)
    assert (
        DatabaseStore().purge(hosts.mechanism.limits(), set_clock.now()) == 1
    )


def test_limit_of_sessions_counts_no_applications(build: Build) -> None:
    """Two browsers with two applications each are two sessions."""
    hosts, user = build_hosts(build, MAX_SESSIONS_PER_USER="2"), stored_user()
    browsers = [signed_in_at(hosts, user, PAGE, OTHER) for _ in range(2)]
    assert all(each.opens(PAGE) and each.opens(OTHER) for each in browsers)
    signed_in_at(hosts, user, PAGE)
    assert not browsers[0].opens(PAGE) and browsers[1].opens(PAGE)


def test_sessions_page_shows_one_session_with_its_applications(
    hosts: Service,
) -> None:
    """Both lists name the hosts; the other browser has none."""
    user = stored_user()
    visitor = signed_in_at(hosts, user, PAGE, OTHER)
    signed_in_at(hosts, user)
    page = visitor.visit(f"{SIGN_IN_HOST}/account/sessions").text
    assert page.count("Applications:") == 1
    assert "app.example.com</bdi>, <bdi>wiki.example.org" in page
    listed = visitor.client.get(
        "/api/v1/auth_session/sessions", base_url=SIGN_IN_HOST
    ).get_json()
    assert [(one["current"], one["applications"]) for one in listed] == [
        (False, []),
        (True, ["app.example.com", "wiki.example.org"]),
    ]


def test_admins_list_shows_applications(hosts: Service) -> None:
    """An admin sees where a user's session is used."""
    admin = stored_user("admin")
    visitor = signed_in_at(hosts, admin, PAGE)
    (one,) = visitor.client.get(
        "/api/v1/sessions", base_url=SIGN_IN_HOST
    ).get_json()["sessions"]
    assert one["applications"] == ["app.example.com"]


def test_host_that_is_not_listed_gets_no_session(build: Build) -> None:
    """It is 404 there, and a session of a host that was removed ends."""
    hosts = build_hosts(build)
    user = stored_user()
    visitor = signed_in_at(hosts, user, PAGE, OTHER)
    assert visitor.visit(f"https://x.example{SESSION_PATH}").status_code == 404
    assert visitor.visit(f"{SIGN_IN_HOST}{SESSION_PATH}").status_code == 404
    build_hosts(build, APP_HOSTS="wiki.example.org")
    assert not visitor.opens(PAGE) and visitor.opens(OTHER)
    assert visitor.visit(f"{APP}{SESSION_PATH}").status_code == 404


def test_session_of_one_host_is_refused_on_another(hosts: Service) -> None:
    """An application that keeps its cookie gains no other application."""
    visitor = signed_in_at(hosts, stored_user(), PAGE)
    stolen, thief = str(visitor.cookie(APP)), Visitor(hosts)
    for host in ("wiki.example.org", "auth.example.com", "other.example"):
        thief.client.set_cookie(COOKIE, stolen, domain=host)
        assert not thief.opens(f"https://{host}/")
    # The answer for the right host is cached by the same cookie header.
    thief.client.set_cookie(COOKIE, stolen, domain="app.example.com")
    assert thief.opens(PAGE)
    assert not thief.opens(OTHER)
    forged = {"X-Forwarded-Host": "app.example.com, wiki.example.org"}
    assert thief.ask_gate(PAGE, **forged).status_code == 302


@pytest.mark.parametrize("base_url", [APP, SIGN_IN_HOST, "http://127.0.0.1"])
def test_session_of_an_application_gives_no_account(
    hosts: Service, base_url: str
) -> None:
    """It identifies the user, and neither lists nor changes anything."""
    user = stored_user("admin")
    visitor = signed_in_at(hosts, user, PAGE)
    thief = hosts.client()
    thief.set_cookie(COOKIE, str(visitor.cookie(APP)), domain="x.test")
    host = urlsplit(base_url).netloc
    thief.set_cookie(COOKIE, str(visitor.cookie(APP)), domain=host)
    me = thief.get("/api/v1/users/me", base_url=base_url)
    assert me.get_json()["id"] == user.id
    for method, path in (
        ("GET", "/api/v1/users"),
        ("GET", f"/api/v1/users/{user.id}"),
        ("PUT", f"/api/v1/users/{user.id}"),
        ("POST", "/api/v1/users"),
        ("GET", "/api/v1/auth_session/sessions"),
        ("DELETE", "/api/v1/auth_session/sessions"),
        ("DELETE", "/api/v1/auth_session/logout"),
        ("GET", "/api/v1/admin/users"),
        ("GET", "/account"),
        ("POST", "/account/password"),
        ("GET", "/admin/users"),
    ):
        answer = thief.open(path, method=method, json={}, base_url=base_url)
        assert answer.status_code in (403, 404, 303), (method, path)
        if answer.status_code == 303:
            assert answer.headers["Location"].startswith(SIGN_IN_HOST)
        elif path.startswith("/api/"):
            assert answer.status_code == 403
    assert visitor.opens(PAGE)


def test_pages_of_vestibule_are_on_the_sign_in_host(hosts: Service) -> None:
    """A session that begins on an application's host would be its own."""
    user, visitor = stored_user(), Visitor(hosts)
    answer = visitor.visit(f"{APP}/account")
    assert answer.headers["Location"] == f"{SIGN_IN_HOST}/account"
    form = {"email": user.email, "password": PASSWORD}
    answer = visitor.post("/sign-in", form, base_url=APP)
    assert answer.status_code == 404 and visitor.cookie(APP) is None
    evil = visitor.visit(f"{APP}/sign-in?return_to=//evil.example/")
    assert evil.headers["Location"] == f"{SESSION_PATH}?return_to=%2F"


def test_sign_out_form_of_an_application_ends_all(hosts: Service) -> None:
    """Its usual path works too, and not for a form of another site."""
    visitor = signed_in_at(hosts, stored_user(), PAGE, OTHER)
    cross = {"Sec-Fetch-Site": "cross-site"}
    answer = visitor.post("/sign-out", base_url=APP, headers=cross)
    assert answer.status_code == 403 and visitor.opens(PAGE)
    answer = visitor.visit(f"{APP}/sign-out")
    assert answer.headers["Location"].startswith(f"{SIGN_IN_HOST}/sign-out?")
    answer = visitor.post("/sign-out", base_url=APP)
    assert answer.headers["Location"].startswith(f"{SIGN_IN_HOST}/signed-out")
    assert not visitor.opens(PAGE) and not visitor.opens(OTHER)


def test_application_that_overwrites_the_cookie_is_handed_over_again(
    hosts: Service,
) -> None:
    """Its cookie of the same name is no session, and no loop begins.

    The name begins with `__Host-`, so a browser has one such cookie for a
    host: the application can only replace it.
    """
    user = stored_user()
    visitor = signed_in_at(hosts, user, PAGE, OTHER)
    first = str(visitor.cookie(APP))
    for own in ("of-the-application", "host.forged", "", first[:-1], "é"):
        visitor.client.set_cookie(COOKIE, own, domain="app.example.com")
        assert not visitor.opens(PAGE)
        assert visitor.opens(OTHER)
        assert visitor.open_page(PAGE) == PAGE
        assert visitor.cookie(APP) not in (own, first)
        assert visitor.ask_gate(PAGE).headers["Remote-User"] == user.id
    assert rows("user_sessions") == 1


def test_two_cookies_of_the_name_are_no_session(hosts: Service) -> None:
    """Whichever comes first: the proxy could pass another one on."""
    visitor = signed_in_at(hosts, stored_user(), PAGE)
    ours = f"{COOKIE}={visitor.cookie(APP)}"
    other = hosts.client()
    for cookies in (f"{ours}; {COOKIE}=own", f"{COOKIE}=own; {ours}"):
        answer = other.get(
            "/api/v1/auth_session/verify",
            base_url=APP,
            headers={"Cookie": cookies, "X-Forwarded-Host": "app.example.com"},
        )
        assert answer.status_code == 401, cookies
    assert visitor.opens(PAGE)
