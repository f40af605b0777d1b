#!/usr/bin/env python3
"""Who may come to which page: what the documentation says is so."""

import re
from collections.abc import Callable
from typing import Any

import pytest

from tests.app.api.conftest import Build
from tests.app.api.service import PASSWORD, Service, stored_user
from tests.app.web.browser import Browser
from tests.serving import ROOT
from vestibule.sessions.session import EndReason
from vestibule.web.routes import PUBLIC_ENDPOINTS


def documented() -> dict[tuple[str, str], str]:
    """Return who may come to each page, as the page about them says."""
    rows = re.findall(
        r"^\| `(GET|POST) (/\S*)` \| ([^|]+) \|",
        (ROOT / "docs/web-pages.md").read_text(),
        re.MULTILINE,
    )
    found = {(method, path): who for method, path, who in rows}
    assert len(found) == len(rows)
    return found


def guarded() -> list[tuple[str, str]]:
    """Return the pages for who is signed in.

    Of the admin's desk one is enough: all of it has one guard more.
    """
    found = documented().items()
    return [page for page, who in found if who == "signed-in users"] + [
        next(page for page, who in found if who == "admins")
    ]


@pytest.fixture
def service(build: Build) -> Service:
    """Return a service with pages."""
    return build("session_db_auth", WEB_PAGES="on")


def test_docs_list_each_page_with_its_access(service: Service) -> None:
    """No page is listed that does not exist."""
    there = {
        (method, rule.rule): "all"
        if rule.endpoint in PUBLIC_ENDPOINTS
        else "admins"
        if rule.rule.startswith("/admin")
        else "signed-in users"
        for rule in service.app.url_map.iter_rules()
        for method in rule.methods or ()
        if rule.endpoint.startswith("pages.")
        and method not in ("HEAD", "OPTIONS")
    }
    assert documented() == there


@pytest.mark.parametrize(("method", "path"), guarded())
def test_anonymous_page_request_redirects_to_sign_in(
    service: Service, method: str, path: str
) -> None:
    """Without a cookie, with a made-up one, and after the session ended.

    A page is led back to, and what was posted is not done.
    """
    user = stored_user()
    former, stranger, liar = (Browser(service) for _ in range(3))
    former.post("/sign-in", {"email": user.email, "password": PASSWORD})
    service.mechanism.store.end_all(EndReason.REVOKED, user.id)
    liar.client.set_cookie("_my_session_id", "made up")
    for browser in (former, stranger, liar):
        answer = browser.client.open(
            path + "?a=b&c=%2F", method=method, headers=browser.headers
        )
        assert answer.status_code == 303
        assert answer.headers["Location"] == (
            "/sign-in"
            if method == "POST"
            else f"/sign-in?return_to={path.replace('/', '%2F')}"
            "%3Fa%3Db%26c%3D%252F"
        )
        told = browser.follow(answer).text
        assert ("You ended this session" in told) is (browser is former)


def test_refused_session_is_logged_with_reason(
    service: Service, logged: Callable[[], list[dict[str, Any]]]
) -> None:
    """The API logs the same event."""
    user, browser = stored_user(), Browser(service)
    browser.post("/sign-in", {"email": user.email, "password": PASSWORD})
    service.mechanism.store.end_all(EndReason.REVOKED, user.id)
    browser.get("/account/sessions")
    last = logged()[-1]
    assert (last["event"], last["reason"]) == ("session_refused", "revoked")


def test_sign_in_returns_to_requested_page(service: Service) -> None:
    """The address keeps its query."""
    user, browser = stored_user(), Browser(service)
    led = browser.get("/account/sessions?before=x%26y")
    form = browser.follow(led)
    assert 'value="/account/sessions?before=x%26y"' in form.text
    answer = browser.post(
        "/sign-in",
        {
            "email": user.email,
            "password": PASSWORD,
            "return_to": "/account/sessions?before=x%26y",
        },
    )
    assert answer.headers["Location"] == "/account/sessions?before=x%26y"


@pytest.mark.parametrize("path", [path for _, path in guarded()])
def test_program_gets_status_of_api(service: Service, path: str) -> None:
    """401 without a credential, 403 with a wrong one."""
    client = service.client()
    method = next(one for one, where in guarded() if where == path)
    assert client.open(path, method=method).status_code == 401
    client.set_cookie("_my_session_id", "made up")
    answer = client.open(path, method=method)
    assert answer.status_code == 403
    assert answer.get_json() == {"error": "Forbidden"}


@pytest.mark.parametrize(("method", "path"), guarded())
def test_program_with_revoked_session_gets_reason(
    service: Service, method: str, path: str
) -> None:
    """The response is a 403 with the header that the API sends."""
    user, browser = stored_user(), Browser(service)
    browser.post("/sign-in", {"email": user.email, "password": PASSWORD})
    service.mechanism.store.end_all(EndReason.REVOKED, user.id)
    answer = browser.client.open(path, method=method)
    assert answer.status_code == 403
    assert answer.headers["Session-Ended"] == "reason=revoked"


@pytest.mark.parametrize(("method", "path"), guarded())
def test_disabled_user_is_redirected_to_sign_in(
    service: Service, method: str, path: str
) -> None:
    """The sign-in page shows the reason."""
    user, browser = stored_user(), Browser(service)
    browser.post("/sign-in", {"email": user.email, "password": PASSWORD})
    user.disabled_at = user.created_at
    user.save()
    answer = browser.client.open(path, method=method, headers=browser.headers)
    assert answer.status_code == 303
    assert "Your account is disabled" in browser.follow(answer).text
