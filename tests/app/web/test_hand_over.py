#!/usr/bin/env python3
"""One sign-in for applications of several hosts: the hand-over."""

import threading
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qs, quote, urlsplit

import pytest
from sqlalchemy import text

from tests.app.api.conftest import Build
from tests.app.api.service import PASSWORD, Service, stored_user
from tests.app.web.hosts import (
    APP,
    COOKIE,
    SIGN_IN_HOST,
    STATE,
    WIKI,
    Visitor,
    build_hosts,
    code_for,
    signed_in_at,
)
from tests.clocks import SetClock
from vestibule.accounts import users
from vestibule.accounts.permissions import LOCAL
from vestibule.accounts.revocation import revoke_all
from vestibule.core.application_hosts import SESSION_PATH, SIGN_OUT_PATH
from vestibule.db.engine import database
from vestibule.db.models.user_session import UserSession
from vestibule.sessions.database import DatabaseStore
from vestibule.sessions.session import EndReason

PAGE = f"{APP}/page?number=1&name=a%20b"
OTHER = f"{WIKI}/"


@pytest.fixture
def hosts(build: Build) -> Service:
    """Return a service that signs in for two applications."""
    return build_hosts(build)


def rows(table: str) -> int:
    """Return the number of rows of a table."""
    found = database().fetch_all(text(f"SELECT count(*) FROM {table}"))
    return int(found[0][0])


def purged(hosts: Service, clock: SetClock) -> int:
    """Return the number of sessions that the sweeper deletes now."""
    return DatabaseStore().purge(hosts.mechanism.limits(), clock.now())


def test_one_sign_in_opens_pages_of_two_domains(hosts: Service) -> None:
    """The page is reached with its query; the second host asks nothing."""
    user, visitor = stored_user(), Visitor(hosts)
    form = visitor.open_page(PAGE)
    assert form.startswith(f"{SIGN_IN_HOST}/sign-in?return_to=")
    assert visitor.open_page(visitor.sign_in(user, form)) == PAGE
    assert visitor.open_page(OTHER) == OTHER
    assert visitor.ask_gate(OTHER).headers["Remote-User"] == user.id
    ids = {visitor.cookie(host) for host in (SIGN_IN_HOST, APP, WIKI)}
    assert len(ids) == 3 and None not in ids
    assert UserSession.count() == 1


def test_hand_over_is_two_redirects(hosts: Service) -> None:
    """The sign-in page leads to the application's host, and that on."""
    user, visitor = stored_user(), Visitor(hosts)
    form = visitor.open_page(PAGE)
    handed = visitor.sign_in(user, form)
    assert handed.startswith(f"{APP}{SESSION_PATH}?code=")
    answer = visitor.visit(handed)
    assert f"{APP}{answer.headers['Location']}" == PAGE
    assert answer.headers["Referrer-Policy"] == "no-referrer"
    assert answer.headers["Cache-Control"] == "no-store"
    (cookie,) = [
        each
        for each in answer.headers.getlist("Set-Cookie")
        if each.startswith(f"{COOKIE}=")
    ]
    assert "Domain" not in cookie and "Path=/" in cookie
    assert "Secure" in cookie and "HttpOnly" in cookie
    assert visitor.cookie(APP, STATE) is None


@pytest.mark.parametrize("page", [PAGE, OTHER])
def test_signing_out_at_an_application_ends_all_hosts(
    hosts: Service, page: str
) -> None:
    """The next request of each host is refused, and the cookie is gone."""
    visitor = signed_in_at(hosts, stored_user(), PAGE, OTHER)
    host = page[: page.index("/", 8)]
    answer = visitor.post(SIGN_OUT_PATH, base_url=host)
    assert answer.headers["Location"] == (
        f"{SIGN_IN_HOST}/signed-out?return_to={quote(host, safe='')}%2F"
    )
    assert visitor.cookie(host) is None
    assert not visitor.opens(PAGE) and not visitor.opens(OTHER)
    me = visitor.client.get("/api/v1/users/me", base_url=SIGN_IN_HOST)
    assert me.status_code == 403
    assert rows("host_sessions") == rows("user_sessions") == 0


def test_sign_out_link_of_an_application_leads_to_the_form(
    hosts: Service,
) -> None:
    """A link ends nothing: the sign-in host asks, and knows the way back."""
    visitor = signed_in_at(hosts, stored_user(), PAGE)
    answer = visitor.visit(f"{APP}{SIGN_OUT_PATH}")
    assert answer.headers["Location"].startswith(f"{SIGN_IN_HOST}/sign-out?")
    assert visitor.opens(PAGE)


def test_other_site_cannot_sign_out(hosts: Service) -> None:
    """A form of another site is refused."""
    visitor = signed_in_at(hosts, stored_user(), PAGE)
    answer = visitor.post(
        SIGN_OUT_PATH,
        base_url=APP,
        headers={"Sec-Fetch-Site": "cross-site"},
    )
    assert answer.status_code == 403
    assert visitor.opens(PAGE)


def delete_by_shell() -> None:
    """Delete all sessions as a program without this code would."""
    with database().transaction() as connection:
        connection.execute(text("DELETE FROM user_sessions"))


ENDINGS: dict[str, Callable[[Any, Any], Any]] = {
    "its user": lambda user, session: DatabaseStore().end_handle(
        session.id, EndReason.REVOKED, user.id
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


def test_code_is_used_once(hosts: Service) -> None:
    """A replay in the same browser ends where the first use did."""
    visitor = signed_in_at(hosts, stored_user())
    url = code_for(visitor, PAGE)
    state = visitor.cookie(APP, STATE)
    assert visitor.visit(url).status_code == 303
    visitor.client.delete_cookie(COOKIE, domain="app.example.com")
    visitor.client.set_cookie(STATE, str(state), domain="app.example.com")
    assert visitor.visit(url).status_code == 400
    assert visitor.cookie(APP) is None
    assert rows("host_sessions") == 1


def test_late_code_is_refused(hosts: Service, set_clock: SetClock) -> None:
    """It lives 60 seconds; the sweeper deletes it."""
    visitor = signed_in_at(hosts, stored_user())
    late, in_time = code_for(visitor, PAGE), code_for(visitor, OTHER)
    set_clock.advance(59)
    assert visitor.visit(in_time).status_code == 303
    set_clock.advance(1)
    assert visitor.visit(late).status_code == 400
    assert visitor.cookie(APP) is None
    purged(hosts, set_clock)
    assert rows("host_codes") == 0


def test_code_is_for_one_host(hosts: Service) -> None:
    """On another host it gives nothing, and stays valid on its own."""
    visitor = signed_in_at(hosts, stored_user())
    url = code_for(visitor, PAGE)
    visitor.client.set_cookie(
        STATE, str(visitor.cookie(APP, STATE)), domain="wiki.example.org"
    )
    assert visitor.visit(url.replace(APP, WIKI)).status_code == 400
    assert visitor.cookie(WIKI) is None
    assert visitor.visit(url.replace(APP, SIGN_IN_HOST)).status_code == 404
    assert visitor.visit(url).status_code == 303


def test_code_is_for_one_browser(hosts: Service) -> None:
    """A link scanner, or a victim of another's code, gets no session.

    The code stays valid for the browser that it is for.
    """
    visitor = signed_in_at(hosts, stored_user())
    url = code_for(visitor, PAGE)
    scanner = Visitor(hosts)
    assert scanner.visit(url).status_code == 400
    victim = Visitor(hosts)
    victim.visit(f"{APP}{SESSION_PATH}?return_to=%2F")
    answer = victim.visit(url)
    assert answer.headers["Location"] == f"{SESSION_PATH}?return_to=%2F"
    for other in (scanner, victim):
        assert other.cookie(APP) is None
        assert other.client.head(url, base_url=APP).status_code == 405
    assert visitor.client.head(url, base_url=APP).status_code == 405
    assert visitor.visit(url).status_code == 303


@pytest.mark.parametrize(
    "back",
    [
        "https://evil.example/",
        "//evil.example/",
        "/\\evil.example",
        "javascript:alert(1)",
        f"{SESSION_PATH}?return_to=%2F",
        "/" + "a" * 3000,
        "/a\r\nSet-Cookie: a=b",
        "",
    ],
)
def test_forged_return_address_becomes_the_root(
    hosts: Service, back: str
) -> None:
    """Neither the beginning nor the sign-in host leads anywhere else."""
    visitor = signed_in_at(hosts, stored_user())
    begun = visitor.visit(f"{APP}{SESSION_PATH}?return_to={quote(back)}")
    handed = visitor.visit(begun.headers["Location"])
    answer = visitor.visit(handed.headers["Location"])
    assert answer.headers["Location"] == "/"
    # With a session, the same address leads on at once.
    again = visitor.visit(f"{APP}{SESSION_PATH}?return_to={quote(back)}")
    assert again.headers["Location"] in ("/", back)
    assert not urlsplit(again.headers["Location"]).netloc


STATE_OF_OTHER = "a" * 64


@pytest.mark.parametrize(
    "url",
    [
        f"https://evil.example{SESSION_PATH}?return_to=/&state={STATE_OF_OTHER}",
        f"{APP}:444{SESSION_PATH}?return_to=/&state={STATE_OF_OTHER}",
        f"http://app.example.com{SESSION_PATH}?return_to=/"
        f"&state={STATE_OF_OTHER}",
        f"{APP}{SESSION_PATH}/x?return_to=/&state={STATE_OF_OTHER}",
        f"{APP}{SESSION_PATH}?return_to=//evil.example&state={STATE_OF_OTHER}",
        f"{APP}{SESSION_PATH}?return_to=/&state=short",
        f"{APP}{SESSION_PATH}?return_to=/&state={STATE_OF_OTHER}&state=b",
        f"{APP}{SESSION_PATH}?return_to=/&state={STATE_OF_OTHER}&code=x",
        f"{APP}{SESSION_PATH}?state={STATE_OF_OTHER}",
    ],
)
def test_sign_in_host_gives_no_code_for_other_addresses(
    hosts: Service, url: str
) -> None:
    """Neither at the form nor to a user who is signed in."""
    user = stored_user()
    visitor = signed_in_at(hosts, user)
    page = f"{SIGN_IN_HOST}/sign-in?return_to={quote(url, safe='')}"
    assert visitor.visit(page).status_code == 200
    other = Visitor(hosts)
    assert "code=" not in other.sign_in(user, page).partition("?")[2][:5]
    assert rows("host_codes") == 0


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


def test_session_that_ends_during_a_hand_over(hosts: Service) -> None:
    """The code dies with it, and the user signs in again."""
    user = stored_user()
    visitor = signed_in_at(hosts, user)
    url = code_for(visitor, PAGE)
    DatabaseStore().end_all(EndReason.REVOKED, user.id)
    assert rows("host_codes") == 0
    assert visitor.visit(url).status_code == 400
    assert visitor.cookie(APP) is None
    assert visitor.open_page(PAGE).startswith(f"{SIGN_IN_HOST}/sign-in?")


def test_pages_that_open_at_once_all_get_a_session(hosts: Service) -> None:
    """A browser restores two tabs: the last state counts for both."""
    visitor = signed_in_at(hosts, stored_user())
    begin = f"{APP}{SESSION_PATH}?return_to="
    first = visitor.visit(f"{begin}%2Ffirst").headers["Location"]
    visitor.client.delete_cookie(STATE, domain="app.example.com")
    second = visitor.visit(f"{begin}%2Fsecond").headers["Location"]
    first = visitor.visit(first).headers["Location"]
    second = visitor.visit(second).headers["Location"]
    # The first one has the wrong state, and begins again.
    assert visitor.open_page(first) == f"{APP}/first"
    assert visitor.open_page(second) == f"{APP}/second"
    assert visitor.opens(PAGE)


def test_code_used_twice_at_once_gives_one_session(hosts: Service) -> None:
    """Of ten requests at the same moment one gets the cookie."""
    visitor = signed_in_at(hosts, stored_user())
    url, state = code_for(visitor, PAGE), str(visitor.cookie(APP, STATE))
    answers: list[Any] = []

    def redeem() -> None:
        """Use the code in a client of its own with the same cookie."""
        client = hosts.client()
        client.set_cookie(STATE, state, domain="app.example.com")
        path = url.removeprefix(APP)
        answers.append(client.get(path, base_url=APP))

    threads = [threading.Thread(target=redeem) for _ in range(10)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    cookies = [
        each
        for answer in answers
        for each in answer.headers.getlist("Set-Cookie")
        if each.startswith(f"{COOKIE}=host.")
    ]
    assert len(answers) == 10 and len(cookies) == 1
    assert rows("host_sessions") == 1


def test_browser_without_cookies_gets_a_page_and_no_loop(
    hosts: Service,
) -> None:
    """The page says what to allow, and links to the application."""
    visitor = signed_in_at(hosts, stored_user())
    url = code_for(visitor, PAGE)
    visitor.client.delete_cookie(STATE, domain="app.example.com")
    answer = visitor.visit(url)
    assert answer.status_code == 400
    assert "allow cookies" in answer.text and 'href="/"' in answer.text
    assert answer.headers["Referrer-Policy"] == "no-referrer"


def test_only_digests_are_stored_and_no_secret_is_logged(
    hosts: Service, security_lines: list[str], caplog: Any
) -> None:
    """Neither state nor code nor session id is in the database or a log."""
    caplog.set_level("DEBUG")
    visitor = signed_in_at(hosts, stored_user())
    url = code_for(visitor, PAGE)
    secrets = [
        parse_qs(urlsplit(url).query)["code"][0],
        str(visitor.cookie(APP, STATE)),
    ]
    stored = str(database().fetch_all(text("SELECT * FROM host_codes")))
    visitor.visit(url)
    visitor.visit(url)
    secrets.append(str(visitor.cookie(APP)))
    stored += str(database().fetch_all(text("SELECT * FROM host_sessions")))
    seen = stored + caplog.text + "".join(security_lines)
    for secret in secrets:
        assert len(secret) >= 43 and secret not in seen


def test_state_of_the_browser_is_kept_until_it_is_used(
    hosts: Service,
) -> None:
    """A second page load uses the same one; a malformed one is replaced."""
    visitor = Visitor(hosts)
    begin = f"{APP}{SESSION_PATH}?return_to=%2F"
    visitor.visit(begin)
    first = visitor.cookie(APP, STATE)
    visitor.visit(begin)
    assert visitor.cookie(APP, STATE) == first
    visitor.client.set_cookie(STATE, "short", domain="app.example.com")
    visitor.visit(begin)
    assert visitor.cookie(APP, STATE) not in ("short", first)


def test_codes_of_one_session_are_limited(hosts: Service) -> None:
    """A page that begins again and again cannot fill the database."""
    visitor = signed_in_at(hosts, stored_user())
    for _ in range(50):
        code_for(visitor, PAGE)
    begun = visitor.visit(f"{APP}{SESSION_PATH}?return_to=%2F")
    answer = visitor.visit(begun.headers["Location"])
    assert "code=" not in answer.headers["Location"]
    assert rows("host_codes") == 50


def test_gate_leads_programs_nowhere(hosts: Service) -> None:
    """A script of a page gets 401, as without applications' hosts."""
    answer = Visitor(hosts).ask_gate(PAGE, **{"Sec-Fetch-Mode": "cors"})
    assert answer.status_code == 401 and "Location" not in answer.headers


def test_without_hosts_there_is_no_hand_over(build: Build) -> None:
    """The default has no such addresses, and the gate leads as before."""
    service = build_hosts(
        build, APP_HOSTS="", ALLOWED_RETURN_HOSTS="app.example.com"
    )
    visitor = Visitor(service)
    assert visitor.visit(f"{APP}{SESSION_PATH}").status_code == 404
    assert visitor.visit(f"{APP}{SIGN_OUT_PATH}").status_code == 404
    location = visitor.ask_gate(PAGE).headers["Location"]
    assert location.startswith(f"{SIGN_IN_HOST}/sign-in?return_to=https%3A//")


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


def test_pages_of_vestibule_are_on_the_sign_in_host(hosts: Service) -> None:
    """A session that begins on an application's host would be its own."""
    user, visitor = stored_user(), Visitor(hosts)
    answer = visitor.visit(f"{APP}/account")
    assert answer.headers["Location"] == f"{SIGN_IN_HOST}/account"
    form = {"email": user.email, "password": PASSWORD}
    answer = visitor.post("/sign-in", form, base_url=APP)
    assert answer.status_code == 404 and visitor.cookie(APP) is None
