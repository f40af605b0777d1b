#!/usr/bin/env python3
"""Authorization: each cell of the documented matrix."""

import base64
from typing import Any

import pytest
from werkzeug.test import TestResponse

from tests.app.api.conftest import Build
from tests.app.api.matrix import POLICIES, Cell, cells, required_cells
from tests.app.api.service import FORBIDDEN, NOT_FOUND, Service
from tests.e2e.server.accounts import (
    PASSWORD,
    Account,
    account,
    handle_of,
    open_session,
)
from tests.serving import LOGIN, ME, USERS
from vestibule.accounts import totp
from vestibule.accounts.second_factors import begin_app
from vestibule.core import clock
from vestibule.core.crypto import new_key
from vestibule.db import browsers
from vestibule.db.models.user import User
from vestibule.http import verify

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
    ("POST", "/api/v1/auth_session/second-factor"): {"data": {"code": "x"}},
    ("POST", "/api/v1/auth_session/factor-reset"): {
        "data": {"email": "x", "password": "x", "code": "x"}
    },
    ("POST", "/api/v1/auth_session/factors"): {"json": {"name": "phone"}},
    ("POST", "/api/v1/auth_session/factors/proof"): {"json": {"code": "x"}},
    ("POST", "/api/v1/auth_session/reset"): {
        "data": {"email": "x", "code": "x", "new_password": "x"}
    },
}
#: Routes for anonymous clients whose own answer is a 401.
OPEN_WITH_401 = {
    ("GET", "/api/v1/unauthorized"),
    ("POST", "/api/v1/auth_session/second-factor"),
    ("POST", "/api/v1/auth_session/factor-reset"),
}


def send(
    service: Service,
    actor: Account | None,
    method: str,
    path: str,
    target: Account | None = None,
) -> TestResponse:
    """Send a well-formed request about the target, or an unknown user."""
    body = BODIES.get((method, path), {})
    if target is None:
        path = path.replace("<user_id>", "unknown")
    else:
        path = path.replace("<user_id>", target.id)
        path = path.replace("<handle>", handle_of(target.session_id))
    if target is not None and "<browser_id>" in path:
        browser = browsers.new_browser(clock.now(), None, None)
        browsers.trust(target.id, browser.id, "binding", browser)
        path = path.replace("<browser_id>", browser.id)
    if target is not None and "<factor_id>" in path:
        app = begin_app(target.user, "phone")
        seed = base64.b32decode(app.key.replace(" ", ""))
        code = totp.hotp(seed, totp.step_at(clock.now()))
        body = {"json": {"code": code, "name": "tablet"}}
        path = path.replace("<factor_id>", app.factor.id)
    client = (
        service.client()
        if actor is None
        else service.client_with_session(actor.session_id)
    )
    return client.open(path, method=method, **body)


def status_of(service: Service, cell: Cell) -> int:
    """Send the request of a cell; return the status."""
    other = account()
    actor = other if cell.actor == "anonymous" else account(cell.actor)
    target = actor if cell.target == "self" else other
    if "<handle>" in cell.path:
        target = target._replace(session_id=open_session(target.user))
    email = {"email": f"new-{actor.email}"}
    BODIES[("POST", LOGIN)] = {
        "data": {"email": actor.email, "password": PASSWORD}
    }
    BODIES[("PUT", f"{ME}/email")] = {"json": email}
    for path in (USERS, "/api/v1/admin/users"):
        BODIES[("POST", path)] = {
            "json": {**email, "password": "violet umbrella"}
        }
    sender = None if cell.actor == "anonymous" else actor
    return send(service, sender, cell.method, cell.path, target).status_code


@pytest.fixture(params=POLICIES)
def policy(request: pytest.FixtureRequest) -> str:
    """Run the test with each policy, and an admin that it does not use."""
    account("admin")
    return str(request.param)


def test_matrix_has_each_route_once() -> None:
    """Each route has its cells for both policies, without duplicates."""
    told = [cell[:-1] for cell in cells()]
    assert set(told) ^ required_cells() == set()
    assert len(told) == len(set(told))


@pytest.mark.slow
def test_application_follows_matrix(
    build: Build, policy: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each request of the matrix gets the documented status."""
    monkeypatch.setenv("SECRETS_KEY", new_key())
    service = build("session_db_auth", AUTHZ_POLICY=policy)
    mine = [cell for cell in cells() if cell.policy == policy]
    assert mine
    seen = {cell: status_of(service, cell) for cell in mine}
    assert {c: s for c, s in seen.items() if s != c.status} == {}


def test_disabled_user_is_refused_everywhere(
    build: Build, policy: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Routes that need a credential refuse a disabled user, also an admin."""
    monkeypatch.setenv("SECRETS_KEY", new_key())
    service = build("session_db_auth", AUTHZ_POLICY=policy)
    disabled, other = account("admin"), account()
    disabled.user.disabled_at = disabled.user.created_at
    disabled.user.save()
    guarded = {
        (cell.method, cell.path)
        for cell in cells()
        if cell.actor == "anonymous" and cell.status == 401
    } - OPEN_WITH_401
    for method, path in sorted(guarded):
        for target in (disabled, other):
            answer = send(service, disabled, method, path, target)
            # A proxy only understands 401 as a refusal.
            refused = 401 if path == verify.PATH else 403
            assert answer.status_code == refused, (method, path)
    assert User.get(other.id) == other.user


def test_self_policy_hides_which_users_exist(build: Build) -> None:
    """A member gets the same response for another user and an unknown id."""
    service = build("session_db_auth", AUTHZ_POLICY="self")
    member, other = account(), account()
    client = service.client_with_session(member.session_id)
    request: dict[str, Any]
    for method, request in (
        ("GET", {}),
        ("PUT", {"json": {"first_name": "x"}}),
        ("PUT", {"data": "no json"}),
        ("DELETE", {}),
    ):
        answers = {
            (r.status_code, r.data, tuple(sorted(r.headers.keys())))
            for user_id in (other.id, "anonymous", "me2", "%00")
            for r in [
                client.open(f"{USERS}/{user_id}", method=method, **request)
            ]
        }
        assert len(answers) == 1
        assert next(iter(answers))[0] == 403
    assert User.get(other.id) == other.user


def test_application_without_authentication_has_no_admins(
    build: Build, policy: str
) -> None:
    """Admin routes are closed; under `self` the users' routes are too."""
    service = build(None, AUTHZ_POLICY=policy)
    user = account("admin")
    for cell in cells():
        if cell[:1] + cell[3:] == (policy, "member", "self", 403):
            answer = send(service, user, cell.method, cell.path, user)
            assert answer.status_code == 403, cell
            assert answer.get_json() == FORBIDDEN
    shown = service.client().get(f"{USERS}/{user.id}")
    assert shown.status_code == (200 if policy == "open" else 403)
    assert service.client().get(ME).status_code == 404


def test_only_admins_learn_that_an_id_is_unknown(build: Build) -> None:
    """Each route that names an account gives an admin 404, a member 403."""
    service = build("session_db_auth", AUTHZ_POLICY="self")
    statuses = {account("admin"): 404, account(): 403}
    for actor, status in statuses.items():
        for cell in cells():
            if "<user_id>" in cell.path and cell[:1] + cell[3:5] == (
                "self",
                "admin",
                "other",
            ):
                answer = send(service, actor, cell.method, cell.path)
                assert answer.status_code == status, cell
                assert answer.get_json() == (
                    NOT_FOUND if status == 404 else FORBIDDEN
                )
