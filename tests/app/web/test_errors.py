#!/usr/bin/env python3
"""Errors are pages for browsers and JSON for programs and `/api/`."""

import json
from typing import Any

import pytest

from tests.app.api.conftest import Build
from tests.app.api.service import PASSWORD, Service, stored_user
from tests.app.web.browser import HEADERS, Browser, Page
from vestibule.core.errors import DatabaseUnavailable, ServiceBusy
from vestibule.db.models.user import User
from vestibule.web.templating import POLICY

API = [
    "/api/v1/users",
    "/api/v1/nothing",
    "/api/v1/auth_session/login",
    "/api/v1/unauthorized",
    "/api/v1/forbidden",
    "/api/",
    "/api/v2/x",
]


@pytest.fixture
def service(build: Build) -> Service:
    """Return a service with pages and one user."""
    stored_user()
    return build("session_db_auth", WEB_PAGES="on")


def without_request(answer: Any) -> tuple[int, bytes, list[Any]]:
    """Return status, headers and body of a response."""
    return answer.status_code, answer.data, sorted(answer.headers)


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "DELETE", "HEAD"])
def test_api_responses_are_the_same_with_pages(
    build: Build, service: Service, method: str
) -> None:
    """Every byte agrees, for browsers too."""
    plain = build("session_db_auth", WEB_PAGES="off")
    for path in API:
        for headers in ({}, HEADERS):
            given = [
                without_request(
                    one.client().open(path, method=method, headers=headers)
                )
                for one in (service, plain)
            ]
            assert given[0] == given[1], path


@pytest.mark.parametrize(
    "accept",
    [
        None,
        "*/*",
        "application/json",
        "application/json, text/html",
        "text/css,*/*;q=0.1",
    ],
)
def test_program_gets_json_error(service: Service, accept: str | None) -> None:
    """Curl accepts anything; scripts ask for JSON."""
    headers = {} if accept is None else {"Accept": accept}
    client = service.client()
    for path, status, text in (
        ("/nothing", 401, "Unauthorized"),
        ("/account", 401, "Unauthorized"),
        ("/vestibule/assets/nothing.css", 404, "Not found"),
    ):
        answer = client.get(path, headers=headers)
        assert answer.status_code == status
        assert answer.get_json() == {"error": text}
    crossed = client.post(
        "/sign-in", headers=headers | {"Sec-Fetch-Site": "cross-site"}
    )
    assert crossed.get_json() == {"error": "Forbidden"}


@pytest.mark.parametrize(
    ("path", "status", "heading"),
    [
        ("/nothing", 404, "Page not found"),
        ("/account/%2e%2e/x", 404, "Page not found"),
        ("/sign-in/x", 404, "Page not found"),
        ("/a//b", 404, "Page not found"),
        ("/%00", 404, "Page not found"),
        ("/‮<b>", 404, "Page not found"),
    ],
)
def test_browser_gets_error_page(
    service: Service, path: str, status: int, heading: str
) -> None:
    """It explains the error in one language and has a link."""
    answer = Browser(service).get(path)
    assert answer.status_code == status
    assert answer.mimetype == "text/html"
    page = Page(answer)
    assert heading in page.text
    assert ("a", {"class": "button", "href": "/sign-in"}) in page.elements
    assert answer.headers.getlist("Content-Security-Policy") == [POLICY]


@pytest.mark.parametrize("known", [True, False])
def test_error_page_links_by_sign_in_state(
    service: Service, known: bool
) -> None:
    """It links to the account, or to sign in."""
    browser = Browser(service)
    if known:
        user = stored_user()
        browser.post("/sign-in", {"email": user.email, "password": PASSWORD})
    text = Page(browser.get("/nothing")).text
    assert ("Go to your account" in text) is known
    assert ("Go to the sign-in page" in text) is not known


@pytest.mark.parametrize(
    ("failure", "status", "heading"),
    [
        (ServiceBusy("full", 7), 503, "Service unavailable"),
        (
            DatabaseUnavailable("disk full at /secret"),
            503,
            "Service unavailable",
        ),
        (KeyError("detail"), 500, "Something went wrong"),
    ],
)
def test_error_page_hides_cause(
    service: Service,
    monkeypatch: pytest.MonkeyPatch,
    failure: Exception,
    status: int,
    heading: str,
) -> None:
    """The page says that it failed, and the log says why."""

    def fail(*_: Any) -> None:
        """Raise the given error."""
        raise failure

    monkeypatch.setattr(User, "search", fail)
    answer = Browser(service).post("/sign-in", {"email": "x", "password": "x"})
    assert answer.status_code == status
    page = Page(answer)
    assert heading in page.text
    assert "detail" not in answer.text
    assert "/secret" not in answer.text
    if isinstance(failure, ServiceBusy):
        assert answer.headers["Retry-After"] == "7"
        assert "You can try again in 7 seconds." in page.text


def test_page_headers_isolate_it_from_other_sites(service: Service) -> None:
    """It is not cached, framed or read by other sites.

    The referrer stays within the site: with `no-referrer` browsers would
    hide the origin of its own forms.
    """
    for path in ("/sign-in", "/nothing", "/"):
        headers = Browser(service).get(path).headers
        assert headers.getlist("Cache-Control") == ["no-store"]
        assert headers.getlist("Referrer-Policy") == ["same-origin"]
        assert headers.getlist("X-Content-Type-Options") == ["nosniff"]
        assert headers.getlist("Content-Security-Policy") == [POLICY]
        assert "Access-Control-Allow-Origin" not in headers
    assert "unsafe" not in POLICY
    assert POLICY.startswith("default-src 'none';")
    secure = Browser(service).get("/sign-in", base_url="https://a.example")
    assert "Strict-Transport-Security" in secure.headers


@pytest.mark.parametrize("mechanism", [None, "auth", "basic_auth"])
def test_pages_without_sessions_are_off(
    build: Build, mechanism: str | None
) -> None:
    """The responses are those without pages."""
    on, off = (
        build(mechanism, WEB_PAGES=text).client() for text in ("on", "off")
    )
    for path in ("/", "/sign-in", "/nothing"):
        answers = [
            without_request(one.get(path, headers=HEADERS))
            for one in (on, off)
        ]
        assert answers[0] == answers[1]
        assert "error" in json.loads(answers[0][1])


def test_head_response_has_length_and_no_body(service: Service) -> None:
    """The length is that of the page."""
    answer = service.client().head("/sign-in", headers=HEADERS)
    assert (answer.status_code, answer.data) == (200, b"")
    assert int(answer.headers["Content-Length"]) > 500


@pytest.mark.parametrize("path", ["/sign-in", "/reset", "/signed-out"])
def test_trailing_slash_leads_to_same_page(
    service: Service, path: str
) -> None:
    """Users type addresses."""
    browser = Browser(service)
    assert browser.get(path + "/").status_code == 200
    assert browser.get(path + "/").data == browser.get(path).data


def test_oversized_accept_header_is_ignored(service: Service) -> None:
    """Parsing it would take longer than the response."""
    for name, begin in (
        ("Accept", "text/html,"),
        ("Accept-Language", "fr,"),
    ):
        short, long = f"{begin}{'a/b,' * 10}", f"{begin}{'a/b,' * 1000}"
        seen = []
        for wish in (short, long):
            answer = service.client().get(
                "/sign-in",
                headers={
                    "Accept": "text/html",
                    name: wish,
                },
            )
            assert answer.status_code == 200
            seen.append("Mot de passe" in answer.text)
        assert seen == [name == "Accept-Language", False]
    lost = service.client().get(
        "/nowhere",
        headers={
            "Accept": f"text/html,{'a/b,' * 1000}",
        },
    )
    assert lost.mimetype == "application/json"


def test_page_refuses_oversized_form(service: Service) -> None:
    """It holds for a body sent with GET too."""
    answer = service.client().get(
        "/sign-in", data={"return_to": "/" + "a" * 100_000}
    )
    assert answer.status_code == 413
