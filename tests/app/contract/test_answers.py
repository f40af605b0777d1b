#!/usr/bin/env python3
"""Every response about users and the service, without authentication."""

import json
import uuid
from typing import Any

import pytest
from werkzeug.exceptions import MethodNotAllowed

from tests.app.contract.transcript import (
    check_headers,
    curl,
    error,
    masked,
    reply,
    user_text,
)
from tests.conftest import Serve
from tests.serving import Server

NOT_FOUND = (404, error("Not found"))
WRONG_FORMAT = (400, error("Wrong format"))


@pytest.fixture(scope="module")
def opened(serve_shared: Serve, stored_in: dict[str, str]) -> Server:
    """Run a server without `AUTH_TYPE`, on each kind of database."""
    return serve_shared(**stored_in)


@pytest.fixture(params=["", "/"], ids=["plain", "slash"])
def slash(request: pytest.FixtureRequest) -> str:
    """Run the test without and with a slash at the end of each path."""
    ending: str = request.param
    return ending


def add(server: Server, slash: str = "", **given: Any) -> dict[str, Any]:
    """Add a user with a unique email; return the response's JSON."""
    body = {
        "email": f"{uuid.uuid4()}@hbtn.io",
        "password": "fake pwd",
        **given,
    }
    response = server.request("POST", f"/api/v1/users{slash}", json=body)
    assert reply(response)[0] == 201
    made: dict[str, Any] = response.json()
    return made


def test_service_routes_have_fixed_responses(
    opened: Server, slash: str
) -> None:
    """The routes about the service itself respond with fixed texts."""
    for path, status, text in (
        ("status", 200, '{\n  "status": "OK"\n}\n'),
        ("unauthorized", 401, error("Unauthorized")),
        ("forbidden", 403, error("Forbidden")),
        ("unknown", 404, error("Not found")),
        ("users/unknown/more", 404, error("Not found")),
        ("statusx", 404, error("Not found")),
    ):
        response = opened.request("GET", f"/api/v1/{path}{slash}")
        assert reply(response) == (status, text)
    assert reply(opened.request("GET", "/")) == NOT_FOUND
    assert reply(opened.request("GET", f"/status{slash}")) == NOT_FOUND


def test_stats_counts_users(opened: Server, slash: str) -> None:
    """The number of users follows additions and deletions."""
    path = f"/api/v1/stats{slash}"
    before = opened.request("GET", path).json()["users"]
    user = add(opened)
    assert reply(opened.request("GET", path)) == (
        200,
        f'{{\n  "users": {before + 1}\n}}\n',
    )
    opened.request("DELETE", f"/api/v1/users/{user['id']}")
    assert opened.request("GET", path).json() == {"users": before}


def test_added_user_is_returned(opened: Server, slash: str) -> None:
    """The response is 201 and the user with the given names."""
    for names, shown in (
        ({}, ("null", "null")),
        ({"first_name": "Bob"}, ('"Bob"', "null")),
        ({"last_name": "Dylan", "id": "x"}, ("null", '"Dylan"')),
        ({"first_name": "Zoë", "last_name": None}, ('"Zoë"', "null")),
    ):
        email = f"  {uuid.uuid4().hex}@HBTN.io "
        body = {"email": email, "password": "fake pwd", **names}
        response = opened.request("POST", f"/api/v1/users{slash}", json=body)
        status, text = reply(response)
        assert status == 201
        assert masked(text) == user_text(email.strip(), *shown)
        assert response.content == text.encode()
        path = f"/api/v1/users/{response.json()['id']}{slash}"
        assert reply(opened.request("GET", path)) == (200, text)


@pytest.mark.parametrize(
    ("body", "text"),
    [
        ({}, "email missing"),
        ({"password": "fake pwd"}, "email missing"),
        ({"email": "", "password": "fake pwd"}, "email missing"),
        ({"email": None}, "email missing"),
        ({"email": "new@hbtn.io"}, "password missing"),
        ({"email": "new@hbtn.io", "password": ""}, "password missing"),
        ({"email": "no address"}, "password missing"),
        (
            {"email": "no address", "password": "fake pwd"},
            "Can't create User: email is not an email address",
        ),
        (
            {"email": 89, "password": "fake pwd"},
            "Can't create User: email must be a string",
        ),
        (
            {"email": "new@hbtn.io", "password": "short"},
            "Can't create User: password must have at least 8 characters",
        ),
        (
            {"email": "new@hbtn.io", "password": 12345678},
            "Can't create User: password must be a string",
        ),
        (
            {
                "email": "new@hbtn.io",
                "password": "fake pwd",
                "first_name": 89,
            },
            "Can't create User: first_name must be a string",
        ),
        (
            {
                "email": "new@hbtn.io",
                "password": "fake pwd",
                "last_name": ["x"],
            },
            "Can't create User: last_name must be a string",
        ),
    ],
)
def test_invalid_user_is_refused(
    opened: Server, slash: str, body: dict[str, Any], text: str
) -> None:
    """The response is 400 with the reason; no user is added."""
    before = opened.request("GET", "/api/v1/stats").json()
    response = opened.request("POST", f"/api/v1/users{slash}", json=body)
    assert reply(response) == (400, error(text))
    assert opened.request("GET", "/api/v1/stats").json() == before


def test_email_is_unique(opened: Server) -> None:
    """A second user with the same email is refused in every spelling."""
    email = add(opened, email=f"{uuid.uuid4().hex}@hbtn.io")["email"]
    for same in (email, email.upper(), f" {email}"):
        response = opened.request(
            "POST",
            "/api/v1/users",
            json={"email": same, "password": "other pwd"},
        )
        assert reply(response) == (
            400,
            error("Can't create User: email is already registered"),
        )


@pytest.mark.parametrize(
    "body", ["", "{", "null", "[]", '"text"', "89", '{"a": 1, "a": 2}']
)
def test_body_that_is_no_json_object_has_wrong_format(
    opened: Server, slash: str, body: str
) -> None:
    """The response is 400 with `Wrong format`."""
    user_id = add(opened)["id"]
    for method, path in (("POST", "users"), ("PUT", f"users/{user_id}")):
        response = opened.request(
            method,
            f"/api/v1/{path}{slash}",
            data=body,
            headers={"Content-Type": "application/json"},
        )
        assert reply(response) == WRONG_FORMAT


def test_body_without_json_has_wrong_format(
    opened: Server, slash: str
) -> None:
    """A form or an empty body has the wrong format too."""
    path = f"/api/v1/users{slash}"
    form = {"email": "new@hbtn.io", "password": "fake pwd"}
    assert reply(opened.request("POST", path, data=form)) == WRONG_FORMAT
    assert reply(opened.request("POST", path)) == WRONG_FORMAT


def test_list_has_all_users(opened: Server, slash: str) -> None:
    """Each user is in the list as in its own response."""
    made = [add(opened, slash) for _ in range(2)]
    response = opened.request("GET", f"/api/v1/users{slash}")
    status, text = reply(response)
    assert status == 200
    listed = response.json()
    assert [user for user in listed if user in made] == made
    assert (
        len(listed) == opened.request("GET", "/api/v1/stats").json()["users"]
    )
    assert (
        text
        == json.dumps(listed, indent=2, sort_keys=True, ensure_ascii=False)
        + "\n"
    )


def test_put_sets_names_only(opened: Server, slash: str) -> None:
    """The given names are set; all other keys are ignored."""
    user = add(opened, first_name="Bob")
    path = f"/api/v1/users/{user['id']}{slash}"
    other = {
        "email": "taken@hbtn.io",
        "id": "x",
        "password": "another pwd",
        "created_at": "2017-09-25 01:55:17",
        "updated_at": "x",
        "more": [1],
    }
    for names, shown in (
        ({}, ('"Bob"', "null")),
        ({"last_name": "Dylan"}, ('"Bob"', '"Dylan"')),
        ({"first_name": None, "last_name": "D"}, ("null", '"D"')),
        ({"first_name": "Zoë", **other}, ('"Zoë"', '"D"')),
    ):
        response = opened.request("PUT", path, json=names)
        status, text = reply(response)
        assert status == 200
        assert masked(text) == masked(user_text(user["email"], *shown))
        assert response.json()["id"] == user["id"]
        assert response.json()["created_at"] == user["created_at"]
        assert reply(opened.request("GET", path)) == (200, text)


@pytest.mark.parametrize(
    ("names", "field"),
    [
        ({"first_name": 89}, "first_name"),
        ({"last_name": ["x"]}, "last_name"),
        ({"first_name": "new", "last_name": False}, "last_name"),
    ],
)
def test_name_that_is_no_string_is_refused(
    opened: Server, slash: str, names: dict[str, Any], field: str
) -> None:
    """The response names the field, and nothing changes."""
    user = add(opened, first_name="Bob")
    path = f"/api/v1/users/{user['id']}{slash}"
    assert reply(opened.request("PUT", path, json=names)) == (
        400,
        f'{{\n  "error": "Wrong format",\n  "field": "{field}"\n}}\n',
    )
    assert opened.request("GET", path).json() == user


def test_deleted_user_is_not_found(opened: Server, slash: str) -> None:
    """The response is 200 and `{}`; afterwards the user is not found."""
    kept, gone = add(opened), add(opened)
    path = f"/api/v1/users/{gone['id']}{slash}"
    assert reply(opened.request("DELETE", path)) == (200, "{}\n")
    for method in ("GET", "DELETE"):
        assert reply(opened.request(method, path)) == NOT_FOUND
    assert reply(opened.request("PUT", path, json={})) == NOT_FOUND
    assert opened.request("GET", f"/api/v1/users/{kept['id']}").json() == kept


def test_me_is_not_found_without_authentication(
    opened: Server, slash: str
) -> None:
    """`me` is not found with any credentials; for other methods it is an
    ordinary id.
    """
    path = f"/api/v1/users/me{slash}"
    assert reply(opened.request("GET", path)) == NOT_FOUND
    assert reply(opened.request("GET", path, cookie="abcde")) == NOT_FOUND
    assert reply(opened.request("GET", path, auth=("a", "b"))) == NOT_FOUND
    assert reply(opened.request("PUT", path, json={})) == NOT_FOUND
    assert reply(opened.request("PUT", path)) == NOT_FOUND
    assert reply(opened.request("DELETE", path)) == NOT_FOUND


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "status"),
        ("DELETE", "stats"),
        ("POST", "unauthorized"),
        ("PUT", "forbidden"),
        ("PUT", "users"),
        ("DELETE", "users"),
        ("POST", "users/abcde"),
        ("POST", "users/me"),
        ("PATCH", "users/me"),
        ("GET", "auth_session/login"),
        ("PUT", "auth_session/login"),
        ("GET", "auth_session/logout"),
        ("POST", "auth_session/logout"),
    ],
)
def test_wrong_method_gets_405(
    opened: Server, slash: str, method: str, path: str
) -> None:
    """The response is the framework's page, or JSON if accepted."""
    url = f"{opened.url}/api/v1/{path}{slash}"
    page = curl(url, "-X", method)
    check_headers(
        page.values("Access-Control-Allow-Origin"),
        page.values("Access-Control-Allow-Credentials"),
    )
    assert page.values("Content-Type") == ["text/html; charset=utf-8"]
    assert page.values("Allow") != []
    assert (page.status, page.body) == (405, MethodNotAllowed().get_body())
    assert "<title>405 Method Not Allowed</title>" in page.body
    asked = opened.request(
        method,
        f"/api/v1/{path}{slash}",
        headers={"Accept": "application/json"},
    )
    assert reply(asked) == (405, error("Method Not Allowed"))
    assert asked.headers["Allow"] == page.values("Allow")[0]


def test_framework_errors_are_json(opened: Server) -> None:
    """Errors that the framework raises are JSON with CORS headers."""
    too_large = opened.request(
        "POST",
        "/api/v1/users",
        data=b"[" * 1_100_000,
        headers={"Content-Type": "application/json"},
    )
    assert reply(too_large) == (
        413,
        error("Request Entity Too Large"),
    )
    assert reply(opened.request("GET", "/api/v1/users/a%00b")) == NOT_FOUND
    headers = opened.request("OPTIONS", "/api/v1/users").headers
    assert headers["Access-Control-Allow-Origin"] == "*"
    headers = opened.request("HEAD", "/api/v1/users").headers
    assert headers["Access-Control-Allow-Origin"] == "*"


def test_empty_database_lists_no_users(serve: Serve) -> None:
    """The list is empty until a script adds the first user."""
    server = serve()
    assert reply(server.request("GET", "/api/v1/users")) == (
        200,
        "[]\n",
    )
    assert reply(server.request("GET", "/api/v1/stats")) == (
        200,
        '{\n  "users": 0\n}\n',
    )
    server.run("from models.user import User; User().save()")
    _, text = reply(server.request("GET", "/api/v1/users"))
    empty = user_text("").replace('""', "null").replace("\n", "\n  ")
    assert masked(text) == f"[\n  {empty.rstrip()}\n]\n"
    server.run("from models.user import User; User.all()[0].remove()")
    assert reply(server.request("GET", "/api/v1/users")) == (
        200,
        "[]\n",
    )
