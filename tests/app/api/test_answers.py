#!/usr/bin/env python3
"""The fixed responses of the users' and the service's routes, as text."""

import json
import uuid
from typing import Any

import pytest
from flask.testing import FlaskClient
from werkzeug.exceptions import MethodNotAllowed

from tests.app.api.conftest import Build
from tests.app.contract.transcript import (
    error,
    masked,
    reply,
    user_text,
)
from tests.serving import LOGIN, LOGOUT, ME, USERS
from vestibule.db.models.user import User

NOT_FOUND = (404, error("Not found"))
WRONG_FORMAT = (400, error("Wrong format"))
UNCREATED = "Can't create User: "
ODD_CHARACTER = "contains an invalid character"
GOOD = {"email": "new@hbtn.io", "password": "fake pwd"}


@pytest.fixture
def client(build: Build) -> FlaskClient:
    """Return a client of an application without `AUTH_TYPE`."""
    return build(None).client()


@pytest.fixture(params=["", "/"], ids=["plain", "slash"])
def slash(request: pytest.FixtureRequest) -> str:
    """Run the test without and with a slash at the end of each path."""
    ending: str = request.param
    return ending


def add(client: FlaskClient, **given: Any) -> dict[str, Any]:
    """Add a user with a unique email; return the response's JSON."""
    body = {**GOOD, "email": f"{uuid.uuid4()}@hbtn.io", **given}
    response = client.post(USERS, json=body)
    assert reply(response)[0] == 201
    made: dict[str, Any] = response.get_json()
    return made


def test_service_routes_have_fixed_responses(
    client: FlaskClient, slash: str
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
        response = client.get(f"/api/v1/{path}{slash}")
        assert reply(response) == (status, text)
    assert reply(client.get("/")) == NOT_FOUND
    assert reply(client.get(f"/status{slash}")) == NOT_FOUND


def test_stats_and_list_follow_users(client: FlaskClient, slash: str) -> None:
    """The number and the list follow additions and deletions."""
    stats, listed = f"/api/v1/stats{slash}", f"{USERS}{slash}"
    assert reply(client.get(stats)) == (200, '{\n  "users": 0\n}\n')
    assert reply(client.get(listed)) == (200, "[]\n")
    made = [add(client) for _ in range(2)]
    assert reply(client.get(stats)) == (200, '{\n  "users": 2\n}\n')
    text = json.dumps(made, indent=2, sort_keys=True, ensure_ascii=False)
    assert reply(client.get(listed)) == (200, text + "\n")
    client.delete(f"{USERS}/{made[0]['id']}")
    assert client.get(stats).get_json() == {"users": 1}


def test_added_user_is_returned(client: FlaskClient, slash: str) -> None:
    """The response is 201 and the user with the given names."""
    for names, shown in (
        ({}, ("null", "null")),
        ({"first_name": "Bob"}, ('"Bob"', "null")),
        ({"last_name": "Dylan", "id": "x"}, ("null", '"Dylan"')),
        ({"first_name": "Zoë", "last_name": None}, ('"Zoë"', "null")),
    ):
        email = f"  {uuid.uuid4().hex}@HBTN.io "
        body = {"email": email, "password": "fake pwd", **names}
        response = client.post(f"{USERS}{slash}", json=body)
        status, text = reply(response)
        assert status == 201
        assert masked(text) == user_text(email.strip(), *shown)
        assert response.data == text.encode()
        path = f"{USERS}/{response.get_json()['id']}{slash}"
        assert reply(client.get(path)) == (200, text)


@pytest.mark.parametrize(
    ("body", "text"),
    [
        ({}, "email missing"),
        ({"password": "fake pwd"}, "email missing"),
        ({"email": "", "password": "fake pwd"}, "email missing"),
        ({"email": None}, "email missing"),
        ({"email": "new@hbtn.io"}, "password missing"),
        ({"email": "new@hbtn.io", "password": ""}, "password missing"),
        ({"email": "new@hbtn.io", "password": None}, "password missing"),
        ({"email": 1}, "password missing"),
        ({"email": "no address"}, "password missing"),
        *(
            (GOOD | {"email": odd}, f"{UNCREATED}email must be a string")
            for odd in (89, True, ["a@b.org"], {"$ne": ""})
        ),
        *(
            (
                GOOD | {"email": odd},
                f"{UNCREATED}email is not an email address",
            )
            for odd in (
                "no address",
                "   ",
                # One octet more than allowed (RFC 5321, 4.5.3.1).
                f"abc@{'b.' * 120}example.com",
                "n" * 700_000 + "@a.io",
                "new\r\n@hbtn.io",
                "new@hbtn.io\x1b[2J",
                "new\0@hbtn.io",
                "n\ud800@hbtn.io",
            )
        ),
        *(
            (GOOD | {"password": odd}, f"{UNCREATED}password {why}")
            for odd, why in (
                ("1234567", "must have at least 8 characters"),
                (12345678, "must be a string"),
                (["long enough"], "must be a string"),
                ("\udfff" * 9, "is not valid Unicode"),
            )
        ),
        *(
            (GOOD | {name: odd}, f"{UNCREATED}{name} {why}")
            for name, odd, why in (
                ("first_name", 89, "must be a string"),
                ("last_name", ["x"], "must be a string"),
                ("first_name", "\0", ODD_CHARACTER),
                ("last_name", "\ud800", ODD_CHARACTER),
            )
        ),
    ],
)
def test_invalid_user_is_refused(
    client: FlaskClient, body: dict[str, Any], text: str
) -> None:
    """The response is 400 with the reason; no user is added."""
    response = client.post(USERS, json=body)
    assert reply(response) == (400, error(text))
    assert User.count() == 0


def test_email_is_unique(client: FlaskClient) -> None:
    """A second user with the same email is refused in every spelling."""
    email = add(client)["email"]
    for same in (email, email.upper(), f" {email}"):
        response = client.post(USERS, json=GOOD | {"email": same})
        assert reply(response) == (
            400,
            error(f"{UNCREATED}email is already registered"),
        )


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        *((text, "application/json") for text in (b"", b"{", b"null", b"[]")),
        (b'{"a": 1, "a": 2}', "application/json"),
        (b"[" * 100_000 + b"]" * 100_000, "application/json"),
        (b'{"first_name": "\xe9"}', "application/json; charset=latin-1"),
        (b'{"email": "new@hbtn.io", "password": "fake pwd"}', "text/plain"),
        (b"email=new%40hbtn.io", "application/x-www-form-urlencoded"),
        (b"", ""),
    ],
)
def test_body_that_is_no_json_object_has_wrong_format(
    client: FlaskClient, body: bytes, kind: str
) -> None:
    """The response is 400 with `Wrong format`, and nothing changes."""
    user = add(client)
    for method, path in (("POST", USERS), ("PUT", f"{USERS}/{user['id']}")):
        response = client.open(
            path, method=method, data=body, content_type=kind
        )
        assert reply(response) == WRONG_FORMAT
    assert client.get(USERS).get_json() == [user]


def test_put_sets_names_only(client: FlaskClient, slash: str) -> None:
    """The given names are set; all other keys are ignored."""
    user = add(client, first_name="Bob", role="admin", disabled_at=1)
    path = f"{USERS}/{user['id']}{slash}"
    other = {
        "email": "taken@hbtn.io",
        "id": "x",
        "password": "another pwd",
        "_password": "another pwd",
        "created_at": "2017-09-25 01:55:17",
        "updated_at": "x",
        "role": "admin",
        "disabled_at": 1,
        "disabled": True,
        "more": [1],
    }
    for names, shown in (
        ({}, ('"Bob"', "null")),
        ({"last_name": "Dylan"}, ('"Bob"', '"Dylan"')),
        ({"first_name": None, "last_name": "D"}, ("null", '"D"')),
        ({"first_name": "Zoë", **other}, ('"Zoë"', '"D"')),
    ):
        response = client.put(path, json=names)
        status, text = reply(response)
        assert status == 200
        assert masked(text) == masked(user_text(user["email"], *shown))
        assert response.get_json()["id"] == user["id"]
        assert response.get_json()["created_at"] == user["created_at"]
        assert reply(client.get(path)) == (200, text)
    stored = User.get(user["id"])
    assert stored is not None
    assert (stored.role, stored.disabled_at) == ("member", None)
    assert stored.is_valid_password("fake pwd")


@pytest.mark.parametrize(
    ("names", "field"),
    [
        ({"first_name": 89}, "first_name"),
        ({"last_name": ["x"]}, "last_name"),
        ({"first_name": "new", "last_name": False}, "last_name"),
        ({"first_name": "\0"}, "first_name"),
        ({"last_name": "\udc00"}, "last_name"),
    ],
)
def test_name_that_is_no_string_is_refused(
    client: FlaskClient, names: dict[str, Any], field: str
) -> None:
    """The response names the field, and nothing changes."""
    user = add(client, first_name="Bob")
    path = f"{USERS}/{user['id']}"
    assert reply(client.put(path, json=names)) == (
        400,
        f'{{\n  "error": "Wrong format",\n  "field": "{field}"\n}}\n',
    )
    assert client.get(path).get_json() == user


def test_deleted_user_is_not_found(client: FlaskClient, slash: str) -> None:
    """The response is 200 and `{}`; afterwards the user is not found."""
    kept, gone = add(client), add(client)
    path = f"{USERS}/{gone['id']}{slash}"
    assert reply(client.delete(path)) == (200, "{}\n")
    for method in ("GET", "DELETE", "PUT"):
        response = client.open(path, method=method, json={})
        assert reply(response) == NOT_FOUND
    assert client.get(f"{USERS}/{kept['id']}").get_json() == kept


@pytest.mark.parametrize(
    "user_id",
    [
        "me",
        "%00",
        "a%00b",
        "%2e%2e",
        "a%2Fb",
        "a" * 10_000,
        "%ff%fe",
        "%ed%a0%80",
        "USER%00",
        "USER%20",
        "%20USER",
        "USER;x",
        "%27%20OR%201=1--",
        "*",
        "None",
    ],
)
def test_unknown_id_is_not_found(client: FlaskClient, user_id: str) -> None:
    """A malformed id is looked up unchanged and not found.

    Without authentication `me` names no user, whatever is sent.
    """
    user = add(client)
    path = f"{USERS}/{user_id.replace('USER', user['id'])}"
    for method in ("GET", "PUT", "DELETE"):
        response = client.open(
            path, method=method, json={"first_name": "new"}, auth=("a", "b")
        )
        assert reply(response) == NOT_FOUND
    assert client.get(USERS).get_json() == [user]


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/api/v1/status"),
        ("DELETE", "/api/v1/stats"),
        ("POST", "/api/v1/unauthorized"),
        ("PUT", "/api/v1/forbidden"),
        ("PUT", USERS),
        ("DELETE", USERS),
        ("POST", f"{USERS}/abcde"),
        ("PATCH", ME),
        ("GET", LOGIN),
        ("PUT", LOGIN),
        ("GET", LOGOUT),
        ("POST", LOGOUT),
    ],
)
def test_wrong_method_gets_405(
    client: FlaskClient, slash: str, method: str, path: str
) -> None:
    """The response is the framework's page, or JSON if accepted."""
    page = client.open(path + slash, method=method)
    assert page.headers["Access-Control-Allow-Origin"] == "*"
    assert page.headers["Content-Type"] == "text/html; charset=utf-8"
    assert (page.status_code, page.text) == (
        405,
        MethodNotAllowed().get_body(),
    )
    asked = client.open(
        path + slash, method=method, headers={"Accept": "application/json"}
    )
    assert reply(asked) == (405, error("Method Not Allowed"))
    assert asked.headers["Allow"] == page.headers["Allow"] != ""


def test_too_large_body_is_refused_as_json(client: FlaskClient) -> None:
    """The framework's error has our format, and nothing is stored."""
    padded = b'{"email": "a@b.io", "password": "fake pwd"}' + b" " * 1_100_000
    response = client.post(USERS, data=padded, content_type="application/json")
    assert reply(response) == (413, error("Request Entity Too Large"))
    assert User.count() == 0
