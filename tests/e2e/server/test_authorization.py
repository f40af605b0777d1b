#!/usr/bin/env python3
"""Authorization: each cell of the documented matrix, over a socket."""

from typing import Any

import pytest

from tests.conftest import Serve
from tests.e2e.server.accounts import (
    PASSWORD,
    Account,
    account,
    handle_of,
    open_session,
)
from tests.e2e.server.conftest import (
    NOT_FOUND,
    start_with_admin,
    status_and_json,
)
from tests.e2e.server.matrix import POLICIES, Cell, cells, required_cells
from tests.serving import Server
from vestibule.db.models.user import User
from vestibule.http import verify

FORBIDDEN = (403, {"error": "Forbidden"})

#: The body of a well-formed request, by method and path.
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


def status_of(server: Server, cell: Cell) -> int:
    """Send the request of a cell; return the status."""
    other = account()
    actor = other if cell.actor == "anonymous" else account(cell.actor)
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
    cookie = None if cell.actor == "anonymous" else actor.session_id
    return server.request(cell.method, path, cookie=cookie, **body).status_code


def test_matrix_has_each_route_once() -> None:
    """Each route has its cells for both policies, without duplicates."""
    told = [cell[:-1] for cell in cells()]
    assert set(told) ^ required_cells() == set()
    assert len(told) == len(set(told))


@pytest.mark.parametrize("policy", POLICIES)
def test_server_follows_matrix(serve: Serve, policy: str) -> None:
    """The server gives each request of the matrix the documented status."""
    server = start_with_admin(serve, policy)
    mine = [cell for cell in cells() if cell.policy == policy]
    assert mine
    seen = {cell: status_of(server, cell) for cell in mine}
    assert {c: s for c, s in seen.items() if s != c.status} == {}


@pytest.mark.parametrize("policy", POLICIES)
def test_disabled_user_is_refused_everywhere(
    serve: Serve, policy: str
) -> None:
    """Routes that need a credential refuse a disabled user, also an admin."""
    server = start_with_admin(serve, policy)
    disabled = account("admin")
    disabled.user.disabled_at = disabled.user.created_at
    disabled.user.save()
    other = account()
    guarded = {
        (cell.method, cell.path)
        for cell in cells()
        if cell.actor == "anonymous" and cell.status == 401
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
            # A proxy only understands 401 as a refusal.
            refused = 401 if path == verify.PATH else 403
            assert response.status_code == refused, (method, path)
    assert User.get(other.id) == other.user


def test_self_policy_hides_which_users_exist(serve: Serve) -> None:
    """A member gets the same response for another user and an unknown id."""
    server = start_with_admin(serve, "self")
    member, other = account(), account()
    for method, body in (
        ("GET", {}),
        ("PUT", {"json": {"first_name": "x"}}),
        ("PUT", {"data": "no json"}),
        ("DELETE", {}),
    ):
        answers = {
            # `Connection` depends on whether the body had arrived.
            (
                r.status_code,
                r.content,
                tuple(
                    sorted(
                        {name.lower() for name in r.headers} - {"connection"}
                    )
                ),
            )
            for user_id in (other.id, "anonymous", "me2", "%00")
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
def test_server_without_authentication_has_no_admins(
    serve: Serve, policy: str
) -> None:
    """Admin routes are closed; under `self` the users' routes are too."""
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


def test_admin_gives_and_takes_roles(serve: Serve) -> None:
    """An admin promotes a member, who can then demote the admin."""
    server = start_with_admin(serve)
    one, two = account("admin"), account()

    def give(by: Account, to: Account, role: str) -> tuple[int, Any]:
        """Set a role and return status and body."""
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


def test_role_in_other_requests_is_ignored(serve: Serve) -> None:
    """Adding or naming a user does not change role or status."""
    server = start_with_admin(serve)
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
def test_invalid_body_gets_wrong_format(
    serve: Serve, route: str, field: str, values: list[Any]
) -> None:
    """The 400 names the field, unless the body is no JSON object."""
    server = start_with_admin(serve)
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


def test_admin_gets_404_for_unknown_id(serve: Serve) -> None:
    """Each route that names an account responds with 404."""
    server = start_with_admin(serve)
    admin = account("admin")
    for cell in cells():
        if "<user_id>" in cell.path and cell[:1] + cell[3:5] == (
            "self",
            "admin",
            "other",
        ):
            answer = server.request(
                cell.method,
                cell.path.replace("<user_id>", "anonymous"),
                cookie=admin.session_id,
                **BODIES.get((cell.method, cell.path), {}),
            )
            assert status_and_json(answer) == NOT_FOUND, cell
