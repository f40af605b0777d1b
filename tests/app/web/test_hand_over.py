#!/usr/bin/env python3
"""One sign-in for applications of several hosts: the hand-over."""

import threading
from typing import Any
from urllib.parse import parse_qs, quote, urlsplit

import pytest
from sqlalchemy import text

from tests.app.api.conftest import Build
from tests.app.api.service import Service, stored_user
from tests.app.web.hosts import (
    APP,
    COOKIE,
    SIGN_IN_HOST,
    STATE,
    WIKI,
    Visitor,
    build_hosts,
    code_for,
    hosts,
    rows,
    signed_in_at,
)
from tests.clocks import SetClock
from vestibule.core.application_hosts import SESSION_PATH, SIGN_OUT_PATH
from vestibule.db.engine import database
from vestibule.db.models.user_session import UserSession
from vestibule.sessions.database import DatabaseStore
from vestibule.sessions.session import EndReason

__all__ = ["hosts"]

PAGE = f"{APP}/page?number=1&name=a%20b"
OTHER = f"{WIKI}/"


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
    DatabaseStore().purge(hosts.mechanism.limits(), set_clock.now())
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
        f"https://evil.example{SESSION_PATH}?return_to=/"
        f"&state={STATE_OF_OTHER}",
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
    other = Visitor(hosts)
    for location in (
        visitor.visit(page).headers.get("Location", ""),
        other.sign_in(user, page),
    ):
        assert "code=" not in location and "evil.example" not in location
        if location.startswith(APP):
            # The hand-over begins, with a state of the browser's own.
            assert location.startswith(f"{APP}{SESSION_PATH}?return_to=%2F")
            assert "state=" not in location
    assert rows("host_codes") == 0


@pytest.mark.parametrize("at", ["application", "sign-in host"])
def test_application_that_links_to_the_sign_in_page_gets_a_session(
    hosts: Service, at: str
) -> None:
    """An application without a gate leads to either host's own page."""
    user, visitor = stored_user(), Visitor(hosts)
    if at == "application":
        link = f"{APP}/sign-in?return_to={quote(PAGE, safe='')}"
        answer = visitor.visit(link)
        form = visitor.open_page(f"{APP}{answer.headers['Location']}")
    else:
        form = f"{SIGN_IN_HOST}/sign-in?return_to={quote(PAGE, safe='')}"
        assert visitor.visit(form).status_code == 200
    assert visitor.open_page(visitor.sign_in(user, form)) == PAGE
    assert visitor.opens(PAGE)
    # Signed in by now, the same link leads on without a question.
    assert visitor.open_page(form) in (PAGE, f"{APP}/")


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
