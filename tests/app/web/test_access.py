#!/usr/bin/env python3
"""Access to each page is as documented."""

import re
from collections.abc import Callable
from typing import Any

from tests.app.api.service import (
    PASSWORD,
    Service,
    session_id_of,
    stored_user,
)
from tests.app.web.browser import Browser
from tests.serving import COOKIE, ROOT
from vestibule.sessions.session import EndReason
from vestibule.web.routes import PUBLIC_ENDPOINTS


def documented() -> dict[tuple[str, str], str]:
    """Return the documented access of each page."""
    rows = re.findall(
        r"^\| `(GET|POST) (/\S*)` \| ([^|]+) \|",
        (ROOT / "docs/web-pages.md").read_text(),
        re.MULTILINE,
    )
    found = {(method, path): who for method, path, who in rows}
    assert len(found) == len(rows)
    return found


def guarded() -> list[tuple[str, str]]:
    """Return the pages that require a signed-in user.

    One admin page is enough, because all share one guard.
    """
    found = documented().items()
    return [page for page, who in found if who == "signed-in users"] + [
        next(page for page, who in found if who == "admins")
    ]


def ended_session(service: Service) -> str:
    """Return the id of a session that its user has ended."""
    user, browser = stored_user(), Browser(service)
    browser.post("/sign-in", {"email": user.email, "password": PASSWORD})
    session_id = session_id_of(browser.client)
    service.mechanism.store.end_all(EndReason.REVOKED, user.id)
    return session_id


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


def test_anonymous_page_request_redirects_to_sign_in(
    service: Service,
) -> None:
    """Without a cookie, with a made-up one, and after the session ended.

    A page is led back to, and what was posted is not done.
    """
    ended = ended_session(service)
    for method, path in guarded():
        for cookie in (None, "made up", ended):
            browser = Browser(service)
            if cookie is not None:
                browser.client.set_cookie(COOKIE, cookie)
            answer = browser.client.open(
                path + "?a=b&c=%2F", method=method, headers=browser.headers
            )
            assert answer.status_code == 303, path
            back = path.replace("/", "%2F") + "%3Fa%3Db%26c%3D%252F"
            location = answer.headers["Location"]
            assert location.startswith(f"/sign-in?return_to={back}")
            says_so = "You ended this session" in browser.follow(answer).text
            assert says_so is (cookie == ended), path


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


def test_program_gets_status_of_api(service: Service) -> None:
    """It gets 401 without a credential, and 403 with a wrong one."""
    for method, path in guarded():
        client = service.client()
        assert client.open(path, method=method).status_code == 401, path
        client.set_cookie(COOKIE, "made up")
        answer = client.open(path, method=method)
        assert answer.status_code == 403, path
        assert answer.get_json() == {"error": "Forbidden"}, path


def test_program_with_revoked_session_gets_reason(service: Service) -> None:
    """The response is a 403 with the header that the API sends."""
    ended = ended_session(service)
    for method, path in guarded():
        client = service.client_with_session(ended)
        answer = client.open(path, method=method)
        assert answer.status_code == 403, path
        assert answer.headers["Session-Ended"] == "reason=revoked", path


def test_disabled_user_is_redirected_to_sign_in(service: Service) -> None:
    """The sign-in page shows the reason."""
    user, browser = stored_user(), Browser(service)
    browser.post("/sign-in", {"email": user.email, "password": PASSWORD})
    session_id = session_id_of(browser.client)
    user.disabled_at = user.created_at
    user.save()
    for method, path in guarded():
        browser.client.set_cookie(COOKIE, session_id)
        answer = browser.client.open(
            path, method=method, headers=browser.headers
        )
        assert answer.status_code == 303, path
        text = browser.follow(answer).text
        assert "Your account is disabled" in text, path
