#!/usr/bin/env python3
"""Who may do what to whom: each cell of the matrix, over a socket."""

from typing import Any

import pytest
import requests

from tests.conftest import Serve
from tests.e2e.server.accounts import (
    PASSWORD,
    Account,
    account,
    handle_of,
    open_session,
)
from tests.e2e.server.matrix import POLICIES, Cell, cells, required_cells
from tests.serving import COOKIE, Server
from vestibule.db.models.user import User
from vestibule.db.models.user_session import UserSession
from vestibule.http import verify

FORBIDDEN = (403, {"error": "Forbidden"})
NOT_FOUND = (404, {"error": "Not found"})

#: What a well-formed request has beside its path.
BODIES: dict[tuple[str, str], dict[str, Any]] = {
    ("PUT", "/api/v1/users/<user_id>"): {"json": {"first_name": "Bob"}},
    ("PUT", "/api/v1/users/<user_id>/role"): {"json": {"role": "member"}},
    ("PUT", "/api/v1/users/<user_id>/disabled"): {"json": {"disabled": True}},
    ("PUT", "/api/v1/users/me/password"): {
        "json": {
            "current_password": PASSWORD,
            "new_password": "violet umbrella",
        }
    },
    ("POST", "/api/v1/auth_session/refresh"): {"data": {"password": PASSWORD}},
    ("POST", "/api/v1/auth_session/reset"): {
        "data": {"email": "x", "code": "x", "new_password": "x"}
    },
}


def start(serve: Serve, policy: str = "open", **more: str) -> Server:
    """Start a server with this policy, and an admin who is left alone."""
    account("admin")
    return serve(
        **{
            "AUTH_TYPE": "session_db_auth",
            "SESSION_NAME": COOKIE,
            "AUTHZ_POLICY": policy,
            "THROTTLE": "off",
            **more,
        }
    )


def status_and_json(response: requests.Response) -> tuple[int, Any]:
    """Return status and body of an answer."""
    return response.status_code, response.json()


def status_of(server: Server, cell: Cell) -> int:
    """Send the request of a cell; return the status of the answer."""
    other = account()
    actor = other if cell.actor == "nobody" else account(cell.actor)
    target = actor if cell.target == "self" else other
    path = cell.path.replace("<user_id>", target.id)
    if "<handle>" in path:
        session_id = open_session(target.user)
        path = path.replace("<handle>", handle_of(session_id))
    body = BODIES.get((cell.method, cell.path), {})
    if cell.path == "/api/v1/auth_session/login":
        body = {"data": {"email": actor.email, "password": PASSWORD}}
    elif cell.path == "/api/v1/users/me/email":
        body = {"json": {"email": f"new-{actor.email}"}}
    elif (cell.method, cell.path) in (
        ("POST", "/api/v1/users"),
        ("POST", "/api/v1/admin/users"),
    ):
        body = {
            "json": {
                "email": f"by-{actor.email}",
                "password": "violet umbrella",
            }
        }
    cookie = None if cell.actor == "nobody" else actor.session_id
    return server.request(cell.method, path, cookie=cookie, **body).status_code


def test_the_matrix_is_whole() -> None:
    """Each route has its cells for both policies, and none stands twice."""
    told = [cell[:-1] for cell in cells()]
    assert set(told) ^ required_cells() == set()
    assert len(told) == len(set(told))


@pytest.mark.parametrize("policy", POLICIES)
def test_each_cell(serve: Serve, policy: str) -> None:
    """The server answers each request of the matrix as it says."""
    server = start(serve, policy)
    mine = [cell for cell in cells() if cell.policy == policy]
    assert mine
    seen = {cell: status_of(server, cell) for cell in mine}
    assert {c: s for c, s in seen.items() if s != c.status} == {}


@pytest.mark.parametrize("policy", POLICIES)
def test_the_disabled_pass_nowhere(serve: Serve, policy: str) -> None:
    """What needs a credential refuses theirs, also that of an admin."""
    server = start(serve, policy)
    disabled = account("admin")
    disabled.user.disabled_at = disabled.user.created_at
    disabled.user.save()
    other = account()
    guarded = {
        (cell.method, cell.path)
        for cell in cells()
        if cell.actor == "nobody" and cell.status == 401
    } - {("GET", "/api/v1/unauthorized")}
    for method, path in sorted(guarded):
        for target in (disabled, other):
            filled = path.replace("<user_id>", target.id).replace(
                "<handle>", handle_of(target.session_id)
            )
            response = server.request(
                method,
                filled,
                cookie=disabled.session_id,
                **BODIES.get((method, path), {}),
            )
            # To a proxy there is one answer that keeps people out.
            refused = 401 if path == verify.PATH else 403
            assert response.status_code == refused, (method, path)
    assert User.get(other.id) == other.user


def test_under_self_nobody_learns_who_exists(serve: Serve) -> None:
    """To a member another's id and nobody's id look the same."""
    server = start(serve, "self")
    member, other = account(), account()
    for method, body in (
        ("GET", {}),
        ("PUT", {"json": {"first_name": "x"}}),
        ("PUT", {"data": "no json"}),
        ("DELETE", {}),
    ):
        answers = {
            # The server closes where a body had not come in yet: chance.
            (
                r.status_code,
                r.content,
                tuple(
                    sorted(
                        {name.lower() for name in r.headers} - {"connection"}
                    )
                ),
            )
            for user_id in (other.id, "nobody", "me2", "%00")
            for r in [
                server.request(
                    method,
                    f"/api/v1/users/{user_id}",
                    cookie=member.session_id,
                    **body,
                )
            ]
        }
        assert len(answers) == 1
        assert next(iter(answers))[0] == 403
    assert User.get(other.id) == other.user


@pytest.mark.parametrize("policy", POLICIES)
def test_without_authentication_nobody_is_an_admin(
    serve: Serve, policy: str
) -> None:
    """The admins' routes are closed; the others are open, or closed under
    `self`, where nobody's own account is asked for.
    """
    server = serve(AUTHZ_POLICY=policy)
    user = account("admin")
    for cell in cells():
        if cell[:1] + cell[3:] != (policy, "member", "self", 403):
            continue
        path = cell.path.replace("<user_id>", user.id)
        body = BODIES.get((cell.method, cell.path), {})
        answer = server.request(
            cell.method, path, cookie=user.session_id, **body
        )
        assert status_and_json(answer) == FORBIDDEN, cell
    shown = server.request("GET", f"/api/v1/users/{user.id}")
    assert shown.status_code == (200 if policy == "open" else 403)
    assert server.request("GET", "/api/v1/users/me").status_code == 404


def test_roles(serve: Serve) -> None:
    """An admin makes another, who may do so too; then neither may."""
    server = start(serve)
    one, two = account("admin"), account()

    def give(by: Account, to: Account, role: str) -> tuple[int, Any]:
        """Give a role and return what is said."""
        return status_and_json(
            server.request(
                "PUT",
                f"/api/v1/users/{to.id}/role",
                cookie=by.session_id,
                json={"role": role, "email": "x", "id": "x"},
            )
        )

    assert give(two, two, "admin") == FORBIDDEN
    status, shown = give(one, two, "admin")
    assert (status, shown["id"]) == (200, two.id)
    stored = User.get(two.id)
    assert stored is not None
    assert (shown, stored.role) == (stored.to_json(), "admin")
    assert give(two, one, "member")[0] == 200
    assert give(one, two, "member") == FORBIDDEN
    assert give(two, two, "member")[0] == 200
    assert give(two, two, "admin") == FORBIDDEN


def test_roles_come_by_no_other_way(serve: Serve) -> None:
    """Adding and naming users ignores what is not theirs to say."""
    server = start(serve)
    member = account()
    forged = {"role": "admin", "disabled_at": None, "disabled": False}
    added = server.request(
        "POST",
        "/api/v1/users",
        cookie=member.session_id,
        json={"email": "new@example.com", "password": PASSWORD, **forged},
    )
    named = server.request(
        "PUT",
        f"/api/v1/users/{member.id}",
        cookie=member.session_id,
        json={"first_name": "Bob", **forged},
    )
    assert (added.status_code, named.status_code) == (201, 200)
    for user_id in (added.json()["id"], member.id):
        stored = User.get(user_id)
        assert stored is not None
        assert stored.role == "member"


@pytest.mark.parametrize(
    ("route", "field", "values"),
    [
        ("role", "role", [None, "", "owner", "Admin", 1, ["admin"], True]),
        ("disabled", "disabled", [None, "", "true", 1, 0, [], {}]),
    ],
)
def test_bodies_that_cannot_be_meant(
    serve: Serve, route: str, field: str, values: list[Any]
) -> None:
    """A 400 with the field's name, or without one for what is no object."""
    server = start(serve)
    admin, user = account("admin"), account()
    path = f"/api/v1/users/{user.id}/{route}"
    bodies = [{field: value} for value in values] + [{}]
    for body in bodies:
        answer = server.request(
            "PUT", path, cookie=admin.session_id, json=body
        )
        assert status_and_json(answer) == (
            400,
            {"error": "Wrong format", "field": field},
        ), body
    for text in ("", "[]", "null", f'{{"{field}": true, "{field}": true}}'):
        answer = server.request(
            "PUT",
            path,
            cookie=admin.session_id,
            data=text,
            headers={"Content-Type": "application/json"},
        )
        assert status_and_json(answer) == (400, {"error": "Wrong format"}), (
            text
        )
    stored = User.get(user.id)
    assert stored is not None
    assert (stored.role, stored.disabled_at) == ("member", None)


def test_to_admins_an_unknown_id_is_not_found(serve: Serve) -> None:
    """A 404 on each route that names an account."""
    server = start(serve)
    admin = account("admin")
    for cell in cells():
        if "<user_id>" in cell.path and cell[:1] + cell[3:5] == (
            "self",
            "admin",
            "other",
        ):
            answer = server.request(
                cell.method,
                cell.path.replace("<user_id>", "nobody"),
                cookie=admin.session_id,
                **BODIES.get((cell.method, cell.path), {}),
            )
            assert status_and_json(answer) == NOT_FOUND, cell


@pytest.mark.parametrize("auth_type", ["session_auth", "session_db_auth"])
def test_disabling(serve: Serve, auth_type: str) -> None:
    """Every session ends, no login succeeds, and enabling revives none."""
    server = start(serve, AUTH_TYPE=auth_type)
    admin, bob = account("admin"), account()
    root = server.login(admin.email, PASSWORD)
    sessions = [server.login(bob.email, PASSWORD) for _ in range(2)]
    path = f"/api/v1/users/{bob.id}/disabled"

    def login(password: str) -> requests.Response:
        """Try to log in as the user."""
        return server.request(
            "POST",
            "/api/v1/auth_session/login",
            data={"email": bob.email, "password": password},
        )

    for disabled in (True, False):
        done = server.request(
            "PUT", path, cookie=root, json={"disabled": disabled}
        )
        assert (done.status_code, done.json()["id"]) == (200, bob.id)
        for session_id in sessions:
            answer = server.request(
                "GET", "/api/v1/users/me", cookie=session_id
            )
            assert answer.status_code == 403
        right, wrong = login(PASSWORD), login("wrong")
        assert wrong.status_code == 401
        if disabled:
            assert (right.status_code, right.content) == (
                wrong.status_code,
                wrong.content,
            )
            assert "Set-Cookie" not in right.headers
        else:
            assert right.status_code == 200


def test_the_disabled_have_no_basic_credential(serve: Serve) -> None:
    """The right email and password open nothing while they are disabled."""
    server = start(serve, AUTH_TYPE="basic_auth")
    admin, bob = account("admin"), account()
    root, own = (admin.email, PASSWORD), (bob.email, PASSWORD)
    path = f"/api/v1/users/{bob.id}/disabled"
    for disabled, status in ((True, 403), (False, 200)):
        done = server.request(
            "PUT", path, auth=root, json={"disabled": disabled}
        )
        assert done.status_code == 200
        answer = server.request("GET", "/api/v1/users/me", auth=own)
        assert answer.status_code == status
    for method, route in (
        ("GET", f"/api/v1/users/{bob.id}/sessions"),
        ("DELETE", f"/api/v1/users/{bob.id}/sessions"),
        ("DELETE", "/api/v1/sessions"),
    ):
        answer = server.request(method, route, auth=root)
        assert status_and_json(answer) == NOT_FOUND


@pytest.mark.parametrize("auth_type", ["session_auth", "session_db_auth"])
def test_sessions_of_others(serve: Serve, auth_type: str) -> None:
    """Admins see the sessions of a user and end them; then everybody's."""
    server = start(serve, AUTH_TYPE=auth_type)
    admin, bob, eve = account("admin"), account(), account()
    UserSession.search()
    for session in UserSession.all():
        session.remove()
    root, other = (server.login(each.email, PASSWORD) for each in (admin, eve))
    sessions = [server.login(bob.email, PASSWORD) for _ in range(3)]
    path = f"/api/v1/users/{bob.id}/sessions"
    listed = server.request("GET", path, cookie=root)
    own = server.request(
        "GET", "/api/v1/auth_session/sessions", cookie=sessions[0]
    ).json()
    assert [each["id"] for each in listed.json()] == [
        each["id"] for each in own
    ]
    assert not any(each["current"] for each in listed.json())
    assert not any(secret in listed.text for secret in sessions)
    ended = server.request("DELETE", path, cookie=root)
    assert status_and_json(ended) == (200, {"ended": 3})
    assert status_and_json(server.request("DELETE", path, cookie=root)) == (
        200,
        {"ended": 0},
    )

    def is_dead(session_id: str) -> bool:
        """Tell whether a session opens nothing any more."""
        return (
            server.request(
                "GET", "/api/v1/users/me", cookie=session_id
            ).status_code
            == 403
        )

    assert all(map(is_dead, sessions))
    assert not is_dead(root)
    assert not is_dead(other)
    ended = server.request("DELETE", "/api/v1/sessions", cookie=root)
    assert status_and_json(ended) == (200, {"ended": 2})
    assert is_dead(root)
    assert is_dead(other)


@pytest.mark.parametrize("auth_type", ["session_auth", "session_db_auth"])
def test_a_deleted_user_has_no_session(serve: Serve, auth_type: str) -> None:
    """Its sessions open nothing, nor do they for a new user of its id."""
    server = start(serve, AUTH_TYPE=auth_type)
    admin, bob = account("admin"), account()
    root, own = (server.login(each.email, PASSWORD) for each in (admin, bob))
    path = f"/api/v1/users/{bob.id}"
    assert status_and_json(server.request("DELETE", path, cookie=root)) == (
        200,
        {},
    )
    User(id=bob.id, email=bob.email).save()
    answer = server.request("GET", "/api/v1/users/me", cookie=own)
    assert answer.status_code == 403
