#!/usr/bin/env python3
"""Errors: pages for browsers, JSON for the rest, nothing new for `/api/`."""

import json
from typing import Any

import pytest

from tests.app.api.conftest import Build
from tests.app.api.house import PASSWORD, House, stored_user
from tests.app.web.visitor import HEADERS, Page, Visitor
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
def house(build: Build) -> House:
    """Return a house with pages, and somebody in it."""
    stored_user()
    return build("session_db_auth", WEB_PAGES="on")


def without_request(answer: Any) -> tuple[int, bytes, list[Any]]:
    """Return what an answer has."""
    return answer.status_code, answer.data, sorted(answer.headers)


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "DELETE", "HEAD"])
def test_the_api_answers_as_without_pages(
    build: Build, house: House, method: str
) -> None:
    """Browsers that ask for it too, byte by byte."""
    plain = build("session_db_auth", WEB_PAGES="off")
    for path in API:
        for headers in ({}, HEADERS):
            given = [
                without_request(
                    one.client().open(path, method=method, headers=headers)
                )
                for one in (house, plain)
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
def test_programs_get_json(house: House, accept: str | None) -> None:
    """Curl does not say what it wants; scripts say JSON."""
    headers = {} if accept is None else {"Accept": accept}
    client = house.client()
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
        ("/sign-out", 405, "That did not work"),
        ("/account/%2e%2e/x", 404, "Page not found"),
        ("/sign-in/x", 404, "Page not found"),
        ("/a//b", 404, "Page not found"),
        ("/%00", 404, "Page not found"),
        ("/‮<b>", 404, "Page not found"),
    ],
)
def test_a_browser_gets_a_page(
    house: House, path: str, status: int, heading: str
) -> None:
    """It says what happened and leads on, in one language."""
    answer = Visitor(house).get(path)
    assert answer.status_code == status
    assert answer.mimetype == "text/html"
    page = Page(answer)
    assert heading in page.text
    assert ("a", {"class": "button", "href": "/"}) in page.elements
    assert answer.headers.getlist("Content-Security-Policy") == [POLICY]


@pytest.mark.parametrize("known", [True, False])
def test_an_error_page_knows_who_reads_it(house: House, known: bool) -> None:
    """It leads to the account, or to sign in."""
    visitor = Visitor(house)
    if known:
        user = stored_user()
        visitor.post("/sign-in", {"email": user.email, "password": PASSWORD})
    text = Page(visitor.get("/nothing")).text
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
def test_a_failure_is_no_secret_and_tells_none(
    house: House,
    monkeypatch: pytest.MonkeyPatch,
    failure: Exception,
    status: int,
    heading: str,
) -> None:
    """The page says that it failed, the log why."""

    def fail(*_: Any) -> None:
        """Fail as it was told to."""
        raise failure

    monkeypatch.setattr(User, "search", fail)
    answer = Visitor(house).post("/sign-in", {"email": "x", "password": "x"})
    assert answer.status_code == status
    page = Page(answer)
    assert heading in page.text
    assert "detail" not in answer.text
    assert "/secret" not in answer.text
    if isinstance(failure, ServiceBusy):
        assert answer.headers["Retry-After"] == "7"
        assert "You can try again in 7 seconds." in page.text


def test_a_page_is_for_no_other_site(house: House) -> None:
    """It is not kept, framed or read elsewhere, and tells where it is only
    to itself: else browsers would hide the origin of its own forms.
    """
    for path in ("/sign-in", "/nothing", "/"):
        headers = Visitor(house).get(path).headers
        assert headers.getlist("Cache-Control") == ["no-store"]
        assert headers.getlist("Referrer-Policy") == ["same-origin"]
        assert headers.getlist("X-Content-Type-Options") == ["nosniff"]
        assert headers.getlist("Content-Security-Policy") == [POLICY]
        assert "Access-Control-Allow-Origin" not in headers
    assert "unsafe" not in POLICY
    assert POLICY.startswith("default-src 'none';")
    secure = Visitor(house).get("/sign-in", base_url="https://a.example")
    assert "Strict-Transport-Security" in secure.headers


@pytest.mark.parametrize("mechanism", [None, "auth", "basic_auth"])
def test_without_sessions_there_are_no_pages(
    build: Build, mechanism: str | None
) -> None:
    """It is as if they were off."""
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


def test_head_has_no_body(house: House) -> None:
    """A page tells its length."""
    answer = house.client().head("/sign-in", headers=HEADERS)
    assert (answer.status_code, answer.data) == (200, b"")
    assert int(answer.headers["Content-Length"]) > 500


@pytest.mark.parametrize("path", ["/sign-in", "/reset", "/signed-out"])
def test_a_slash_at_the_end_makes_no_difference(
    house: House, path: str
) -> None:
    """People type addresses."""
    visitor = Visitor(house)
    assert visitor.get(path + "/").status_code == 200
    assert visitor.get(path + "/").data == visitor.get(path).data


def test_absurd_wishes_say_nothing(house: House) -> None:
    """They are not read: to read them takes longer than the answer."""
    for name, begin in (
        ("Accept", "text/html,"),
        ("Accept-Language", "fr,"),
    ):
        short, long = f"{begin}{'a/b,' * 10}", f"{begin}{'a/b,' * 1000}"
        seen = []
        for wish in (short, long):
            answer = house.client().get(
                "/sign-in",
                headers={
                    "Accept": "text/html",
                    name: wish,
                },
            )
            assert answer.status_code == 200
            seen.append("Mot de passe" in answer.text)
        assert seen == [name == "Accept-Language", False]
    lost = house.client().get(
        "/nowhere",
        headers={
            "Accept": f"text/html,{'a/b,' * 1000}",
        },
    )
    assert lost.mimetype == "application/json"


def test_no_page_reads_a_long_form(house: House) -> None:
    """Not where it is sent to be read either: to GET a page."""
    answer = house.client().get(
        "/sign-in", data={"return_to": "/" + "a" * 100_000}
    )
    assert answer.status_code == 413
