#!/usr/bin/env python3
"""Who may come to which page: what the documentation says is so."""

import re
from collections.abc import Callable
from typing import Any

import pytest

from tests.app.api.conftest import Build
from tests.app.api.house import PASSWORD, House, stored_user
from tests.app.web.visitor import Visitor
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
def house(build: Build) -> House:
    """Return a house with pages."""
    return build("session_db_auth", WEB_PAGES="on")


def test_every_page_is_documented(house: House) -> None:
    """With who may come, and no page that is not there."""
    there = {
        (method, rule.rule): "all"
        if rule.endpoint in PUBLIC_ENDPOINTS
        else "admins"
        if rule.rule.startswith("/admin")
        else "signed-in users"
        for rule in house.app.url_map.iter_rules()
        for method in rule.methods or ()
        if rule.endpoint.startswith("pages.")
        and method not in ("HEAD", "OPTIONS")
    }
    assert documented() == there


@pytest.mark.parametrize(("method", "path"), guarded())
def test_strangers_are_led_to_sign_in(
    house: House, method: str, path: str
) -> None:
    """Without a cookie, with a made-up one, and after the session ended.

    A page is led back to, and what was posted is not done.
    """
    user = stored_user()
    former, stranger, liar = (Visitor(house) for _ in range(3))
    former.post("/sign-in", {"email": user.email, "password": PASSWORD})
    house.mechanism.store.end_all(EndReason.REVOKED, user.id)
    liar.client.set_cookie("_my_session_id", "made up")
    for visitor in (former, stranger, liar):
        answer = visitor.client.open(
            path + "?a=b&c=%2F", method=method, headers=visitor.headers
        )
        assert answer.status_code == 303
        assert answer.headers["Location"] == (
            "/sign-in"
            if method == "POST"
            else f"/sign-in?return_to={path.replace('/', '%2F')}"
            "%3Fa%3Db%26c%3D%252F"
        )
        told = visitor.follow(answer).text
        assert ("You ended this session" in told) is (visitor is former)


def test_a_session_that_is_refused_is_in_the_log(
    house: House, logged: Callable[[], list[dict[str, Any]]]
) -> None:
    """With the reason, as where the API refuses one."""
    user, visitor = stored_user(), Visitor(house)
    visitor.post("/sign-in", {"email": user.email, "password": PASSWORD})
    house.mechanism.store.end_all(EndReason.REVOKED, user.id)
    visitor.get("/account/sessions")
    last = logged()[-1]
    assert (last["event"], last["reason"]) == ("session_refused", "revoked")


def test_a_stranger_is_led_back_to_the_page(house: House) -> None:
    """To the very address, with what it asks for."""
    user, visitor = stored_user(), Visitor(house)
    led = visitor.get("/account/sessions?before=x%26y")
    form = visitor.follow(led)
    assert 'value="/account/sessions?before=x%26y"' in form.text
    answer = visitor.post(
        "/sign-in",
        {
            "email": user.email,
            "password": PASSWORD,
            "return_to": "/account/sessions?before=x%26y",
        },
    )
    assert answer.headers["Location"] == "/account/sessions?before=x%26y"


@pytest.mark.parametrize("path", [path for _, path in guarded()])
def test_programs_are_told_as_by_the_api(house: House, path: str) -> None:
    """Who has no credential gets 401, who has a bad one 403."""
    client = house.client()
    method = next(one for one, where in guarded() if where == path)
    assert client.open(path, method=method).status_code == 401
    client.set_cookie("_my_session_id", "made up")
    answer = client.open(path, method=method)
    assert answer.status_code == 403
    assert answer.get_json() == {"error": "Forbidden"}


@pytest.mark.parametrize(("method", "path"), guarded())
def test_programs_are_told_that_a_session_was_revoked(
    house: House, method: str, path: str
) -> None:
    """By the header that the API has for it, with 403."""
    user, visitor = stored_user(), Visitor(house)
    visitor.post("/sign-in", {"email": user.email, "password": PASSWORD})
    house.mechanism.store.end_all(EndReason.REVOKED, user.id)
    answer = visitor.client.open(path, method=method)
    assert answer.status_code == 403
    assert answer.headers["Session-Ended"] == "reason=revoked"


@pytest.mark.parametrize(("method", "path"), guarded())
def test_who_is_disabled_is_a_stranger(
    house: House, method: str, path: str
) -> None:
    """Their session opens no page, and they are told why."""
    user, visitor = stored_user(), Visitor(house)
    visitor.post("/sign-in", {"email": user.email, "password": PASSWORD})
    user.disabled_at = user.created_at
    user.save()
    answer = visitor.client.open(path, method=method, headers=visitor.headers)
    assert answer.status_code == 303
    assert "Your account is disabled" in visitor.follow(answer).text
