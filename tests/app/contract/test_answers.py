#!/usr/bin/env python3
"""Every answer about users and the service, on a server that is open."""

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
    said,
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
    """Add a user with an email of its own; return what was answered."""
    body = {
        "email": f"{uuid.uuid4()}@hbtn.io",
        "password": "fake pwd",
        **given,
    }
    response = server.request("POST", f"/api/v1/users{slash}", json=body)
    assert said(response)[0] == 201
    made: dict[str, Any] = response.json()
    return made


def test_service(opened: Server, slash: str) -> None:
    """The service's own routes answer with fixed texts."""
    for path, status, text in (
        ("status", 200, '{\n  "status": "OK"\n}\n'),
        ("unauthorized", 401, error("Unauthorized")),
        ("forbidden", 403, error("Forbidden")),
        ("unknown", 404, error("Not found")),
        ("users/unknown/more", 404, error("Not found")),
        ("statusx", 404, error("Not found")),
    ):
        response = opened.request("GET", f"/api/v1/{path}{slash}")
        assert said(response) == (status, text)
    assert said(opened.request("GET", "/")) == NOT_FOUND
    assert said(opened.request("GET", f"/status{slash}")) == NOT_FOUND


def test_stats(opened: Server, slash: str) -> None:
    """The number of users follows what is added and deleted."""
    path = f"/api/v1/stats{slash}"
    before = opened.request("GET", path).json()["users"]
    user = add(opened)
    assert said(opened.request("GET", path)) == (
        200,
        f'{{\n  "users": {before + 1}\n}}\n',
    )
    opened.request("DELETE", f"/api/v1/users/{user['id']}")
    assert opened.request("GET", path).json() == {"users": before}


def test_add_a_user(opened: Server, slash: str) -> None:
    """The answer is 201 and the user, with the names that were given."""
    for names, shown in (
        ({}, ("null", "null")),
        ({"first_name": "Bob"}, ('"Bob"', "null")),
        ({"last_name": "Dylan", "id": "x"}, ("null", '"Dylan"')),
        ({"first_name": "Zoë", "last_name": None}, ('"Zoë"', "null")),
    ):
        email = f"  {uuid.uuid4().hex}@HBTN.io "
        body = {"email": email, "password": "fake pwd", **names}
        response = opened.request("POST", f"/api/v1/users{slash}", json=body)
        status, text = said(response)
        assert status == 201
        assert masked(text) == user_text(email.strip(), *shown)
        assert response.content == text.encode()
        path = f"/api/v1/users/{response.json()['id']}{slash}"
        assert said(opened.request("GET", path)) == (200, text)


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
def test_no_user_is_added(
    opened: Server, slash: str, body: dict[str, Any], text: str
) -> None:
    """The answer is 400, and why; the users stay as they are."""
    before = opened.request("GET", "/api/v1/stats").json()
    response = opened.request("POST", f"/api/v1/users{slash}", json=body)
    assert said(response) == (400, error(text))
    assert opened.request("GET", "/api/v1/stats").json() == before


def test_an_email_is_taken_once(opened: Server) -> None:
    """The second user with one email is refused, however it is written."""
    email = add(opened, email=f"{uuid.uuid4().hex}@hbtn.io")["email"]
    for same in (email, email.upper(), f" {email}"):
        response = opened.request(
            "POST",
            "/api/v1/users",
            json={"email": same, "password": "other pwd"},
        )
        assert said(response) == (
            400,
            error("Can't create User: email is already registered"),
        )


@pytest.mark.parametrize(
    "body", ["", "{", "null", "[]", '"text"', "89", '{"a": 1, "a": 2}']
)
def test_no_json_object(opened: Server, slash: str, body: str) -> None:
    """A body that is no JSON object has the wrong format."""
    user_id = add(opened)["id"]
    for method, path in (("POST", "users"), ("PUT", f"users/{user_id}")):
        response = opened.request(
            method,
            f"/api/v1/{path}{slash}",
            data=body,
            headers={"Content-Type": "application/json"},
        )
        assert said(response) == WRONG_FORMAT


def test_no_json_at_all(opened: Server, slash: str) -> None:
    """A form, or nothing, has the wrong format too."""
    path = f"/api/v1/users{slash}"
    form = {"email": "new@hbtn.io", "password": "fake pwd"}
    assert said(opened.request("POST", path, data=form)) == WRONG_FORMAT
    assert said(opened.request("POST", path)) == WRONG_FORMAT


def test_list_of_users(opened: Server, slash: str) -> None:
    """All users stand in the list, each as it is shown alone."""
    made = [add(opened, slash) for _ in range(2)]
    response = opened.request("GET", f"/api/v1/users{slash}")
    status, text = said(response)
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


def test_name_a_user(opened: Server, slash: str) -> None:
    """The names that are given are set, all other keys ignored."""
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
        status, text = said(response)
        assert status == 200
        assert masked(text) == masked(user_text(user["email"], *shown))
        assert response.json()["id"] == user["id"]
        assert response.json()["created_at"] == user["created_at"]
        assert said(opened.request("GET", path)) == (200, text)


@pytest.mark.parametrize(
    ("names", "field"),
    [
        ({"first_name": 89}, "first_name"),
        ({"last_name": ["x"]}, "last_name"),
        ({"first_name": "new", "last_name": False}, "last_name"),
    ],
)
def test_a_name_is_text(
    opened: Server, slash: str, names: dict[str, Any], field: str
) -> None:
    """A name that is no string changes nothing, and the field is told."""
    user = add(opened, first_name="Bob")
    path = f"/api/v1/users/{user['id']}{slash}"
    assert said(opened.request("PUT", path, json=names)) == (
        400,
        f'{{\n  "error": "Wrong format",\n  "field": "{field}"\n}}\n',
    )
    assert opened.request("GET", path).json() == user


def test_delete_a_user(opened: Server, slash: str) -> None:
    """The answer is 200 and nothing; then the user is not there any more."""
    kept, gone = add(opened), add(opened)
    path = f"/api/v1/users/{gone['id']}{slash}"
    assert said(opened.request("DELETE", path)) == (200, "{}\n")
    for method in ("GET", "DELETE"):
        assert said(opened.request(method, path)) == NOT_FOUND
    assert said(opened.request("PUT", path, json={})) == NOT_FOUND
    assert opened.request("GET", f"/api/v1/users/{kept['id']}").json() == kept


def test_nobody_is_me(opened: Server, slash: str) -> None:
    """Without authentication nobody is `me`, whatever is sent along; and
    for other methods `me` is an id like any.
    """
    path = f"/api/v1/users/me{slash}"
    assert said(opened.request("GET", path)) == NOT_FOUND
    assert said(opened.request("GET", path, cookie="abcde")) == NOT_FOUND
    assert said(opened.request("GET", path, auth=("a", "b"))) == NOT_FOUND
    assert said(opened.request("PUT", path, json={})) == NOT_FOUND
    assert said(opened.request("PUT", path)) == NOT_FOUND
    assert said(opened.request("DELETE", path)) == NOT_FOUND


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
def test_wrong_method(
    opened: Server, slash: str, method: str, path: str
) -> None:
    """The framework's page, or JSON for who asks for it."""
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
    assert said(asked) == (405, error("Method Not Allowed"))
    assert asked.headers["Allow"] == page.values("Allow")[0]


def test_other_failures(opened: Server) -> None:
    """What the framework refuses by itself is told in JSON as well."""
    too_large = opened.request(
        "POST",
        "/api/v1/users",
        data=b"[" * 1_100_000,
        headers={"Content-Type": "application/json"},
    )
    assert said(too_large) == (413, error("Request Entity Too Large"))
    assert said(opened.request("GET", "/api/v1/users/a%00b")) == NOT_FOUND
    headers = opened.request("OPTIONS", "/api/v1/users").headers
    assert headers["Access-Control-Allow-Origin"] == "*"
    headers = opened.request("HEAD", "/api/v1/users").headers
    assert headers["Access-Control-Allow-Origin"] == "*"


def test_an_empty_house(serve: Serve) -> None:
    """Without users there is an empty list; a script adds the first."""
    server = serve()
    assert said(server.request("GET", "/api/v1/users")) == (200, "[]\n")
    assert said(server.request("GET", "/api/v1/stats")) == (
        200,
        '{\n  "users": 0\n}\n',
    )
    server.run("from models.user import User; User().save()")
    _, text = said(server.request("GET", "/api/v1/users"))
    empty = user_text("").replace('""', "null").replace("\n", "\n  ")
    assert masked(text) == f"[\n  {empty.rstrip()}\n]\n"
    server.run("from models.user import User; User.all()[0].remove()")
    assert said(server.request("GET", "/api/v1/users")) == (200, "[]\n")
