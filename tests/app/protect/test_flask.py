#!/usr/bin/env python3
"""The Flask extension: redirects to sign in, templates and recent logins."""

from contextvars import copy_context
from typing import Any

import pytest
from flask import Flask, render_template_string
from flask.testing import FlaskClient

from tests.app.protect.conftest import LiveServer
from tests.app.protect.fake_server import (
    GOOD,
    NAMING,
    answer,
    drip,
    fake_server,
    reset,
)
from tests.clocks import SetClock
from vestibule.core.client_info import ClientInfo, set_client
from vestibule.core.errors import InvalidValue
from vestibule.protect import flask
from vestibule.protect.backends import SETTINGS

URL = "http://127.0.0.1:5000"
#: Headers of browsers that load a page, and of other requests.
PAGE_LOADS = [
    {"Sec-Fetch-Mode": "navigate"},
    {"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"},
    {"Sec-Fetch-Mode": "navigate", "Accept": "*/*"},
]
OTHERS = [
    {},
    {"Accept": "*/*"},
    {"Accept": "application/json"},
    {"Accept": "text/html", "Sec-Fetch-Mode": "cors"},
    {"Accept": "text/html", "Upgrade": "websocket"},
    {"Accept": "text/html," * 2000},
]
TEMPLATE = (
    "{% if current_user %}{{ current_user.name }}{{ sign_out_form() }}"
    "{% else %}{{ sign_in_url() }}{% endif %}"
)


def client_of(url: Any = URL, **more: Any) -> FlaskClient:
    """Return a client of an application with one view of each kind."""
    app = Flask("pages")
    app.testing = True
    flask.Vestibule(app, url, timeout=30.0, **more)

    def view(path: str = "") -> str:
        """Greet the user."""
        return f"Hello {flask.current_user.name}"

    app.add_url_rule(
        "/<path:path>",
        "me",
        flask.login_required(view),
        methods=["GET", "POST"],
    )
    app.add_url_rule("/admin", "admin", flask.role_required("admin")(view))
    app.add_url_rule("/fresh", "fresh", flask.fresh_login_required(view))
    app.add_url_rule("/page", "page", lambda: render_template_string(TEMPLATE))

    @app.errorhandler(503)
    def unavailable(_: Any) -> tuple[str, int]:
        """Render the layout that every page has."""
        return "503: " + render_template_string(TEMPLATE), 503

    return app.test_client(use_cookies=False)


@pytest.mark.parametrize("headers", PAGE_LOADS)
def test_page_load_without_user_leads_to_sign_in(
    headers: dict[str, str],
) -> None:
    """The way back has the path and the query string."""
    for path, back in (
        ("/inbox", "/inbox"),
        ("/a%20b/%C3%A9?q=1&r=%26", "/a%2520b/%25C3%25A9%3Fq%3D1%26r%3D%2526"),
        ("/admin", "/admin"),
        ("/fresh?a", "/fresh%3Fa"),
    ):
        response = client_of().get(path, headers=headers)
        assert response.status_code == 302
        assert response.location == f"/sign-in?return_to={back}"
        assert response.headers["Cache-Control"] == "no-store"


@pytest.mark.parametrize("headers", OTHERS)
def test_other_request_without_user_gets_401(headers: dict[str, str]) -> None:
    """A program could not follow the redirect."""
    response = client_of().get("/inbox", headers=headers)
    assert response.status_code == 401
    assert "Location" not in response.headers


def test_form_without_user_leads_to_sign_in_without_way_back() -> None:
    """Its data is gone, so the page it was sent to is not opened."""
    response = client_of().post("/inbox", headers=PAGE_LOADS[0])
    assert (response.status_code, response.location) == (303, "/sign-in")


@pytest.mark.parametrize(
    ("pages", "expected"),
    [
        ("/auth/", "/auth/sign-in?return_to=/inbox%3Fa%3Db"),
        (URL, f"{URL}/sign-in?return_to=http%3A//localhost/inbox%3Fa%3Db"),
        (
            "http://localhost/auth",
            "http://localhost/auth/sign-in?return_to=/inbox%3Fa%3Db",
        ),
        # A page without TLS is no safe way back from one with TLS.
        ("https://auth.example", "https://auth.example/sign-in"),
    ],
)
def test_pages_may_be_elsewhere(pages: str, expected: str) -> None:
    """On another host the way back is a whole URL."""
    response = client_of(pages=pages).get("/inbox?a=b", headers=PAGE_LOADS[0])
    assert response.location == expected


@pytest.mark.parametrize(
    "pages",
    [
        "auth",
        "//evil.example",
        "ftp://a",
        "https://a/?b",
        "https://a@b/",
        "http://[::1",
        "http://a:99999",
        "/ä",
    ],
)
def test_bad_address_of_pages_is_refused(pages: str) -> None:
    """The error comes at start."""
    with pytest.raises(InvalidValue, match="pages must be"):
        flask.Vestibule(None, URL, pages=pages)


def test_without_pages_there_is_no_redirect() -> None:
    """Page loads get 401, and a link to no page cannot be made."""
    client = client_of(pages=None)
    response = client.get("/inbox", headers=PAGE_LOADS[0])
    assert response.status_code == 401
    with pytest.raises(LookupError, match="no pages"):
        client.get("/page")


def test_return_address_leads_to_no_other_host() -> None:
    """A path that browsers read as a host is left out."""
    client = client_of()
    for path in ("//evil.example/a", "/%5C/evil.example"):
        response = client.get(path, headers=PAGE_LOADS[0])
        location = response.location or ""
        assert "return_to=//" not in location
        assert "return_to=/%5C" not in location


def test_template_shows_user_and_forms(live_server: LiveServer) -> None:
    """Each template has the user, the link and the form."""
    client = client_of(live_server.url)
    sent = {"Cookie": live_server.cookie}
    assert (
        client.get("/page?a=%3C").text
        == "/sign-in?return_to=/page%3Fa%3D%253C"
    )
    shown = client.get("/page", headers=sent).text
    assert shown.startswith('Bob<form method="post" action="/sign-out">')
    # The service refuses a form of another origin, so it gets a link there.
    elsewhere = client_of(live_server.url, pages=URL)
    shown = elsewhere.get("/page", headers=sent).text
    assert f'<form method="get" action="{URL}/sign-out">' in shown
    assert 'name="return_to" value="http://localhost/"' in shown


def test_error_page_with_user_in_layout_is_shown() -> None:
    """It does not fail again, and Vestibule is asked once."""
    with fake_server(reset) as there:
        client = client_of(there.url)
        response = client.get("/inbox", headers={"Cookie": "a=1"})
        asked = len(there.requests)
    assert response.status_code == 503
    assert response.text == "503: /sign-in?return_to=/inbox"
    # A connection that the server closed is tried twice.
    assert asked == 2


@pytest.mark.parametrize("is_in_process", [True, False])
def test_fresh_login_is_required(
    is_in_process: bool, live_server: LiveServer, set_clock: SetClock
) -> None:
    """An older confirmation of the password leads to the sign-in page."""

    def begin() -> str | None:
        """Begin a session with a password."""
        set_client(ClientInfo("192.0.2.1", method="password"))
        return live_server.auth.create_session(live_server.bob.id)

    session_id = copy_context().run(begin)
    name = live_server.cookie.partition("=")[0]
    sent = {"Cookie": f"{name}={session_id}"}
    client = client_of(SETTINGS if is_in_process else live_server.url)
    assert client.get("/fresh", headers=sent).text == "Hello Bob"
    set_clock.advance(7200)
    assert client.get("/inbox", headers=sent).text == "Hello Bob"
    refused = client.get("/fresh", headers=sent)
    assert refused.status_code == 403
    assert "Re-authentication required" in refused.text
    page = client.get("/fresh?a=b", headers={**sent, **PAGE_LOADS[0]})
    assert page.status_code == 302
    assert page.location == "/sign-in?again=on&return_to=/fresh%3Fa%3Db"


def test_fresh_login_fails_closed_with_older_vestibule() -> None:
    """A response that does not say it is not taken for a recent login."""
    with fake_server(answer(GOOD, *NAMING)) as there:
        client = client_of(there.url)
        response = client.get("/fresh", headers={"Cookie": "a=1"})
    assert response.status_code == 503


def test_slow_vestibule_is_not_waited_for_twice() -> None:
    """The layout of the error page does not ask again."""
    with fake_server(drip) as there:
        app = Flask("slow")
        flask.Vestibule(app, there.url, timeout=0.2)
        app.add_url_rule("/", "me", flask.login_required(lambda: "no"))
        app.register_error_handler(
            503, lambda _: (render_template_string(TEMPLATE), 503)
        )
        response = app.test_client(use_cookies=False).get(
            "/", headers={"Cookie": "a=1"}
        )
        assert response.status_code == 503
        assert len(there.requests) == 1
