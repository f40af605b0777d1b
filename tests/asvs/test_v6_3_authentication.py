#!/usr/bin/env python3
"""ASVS 6.3: brute force is slowed, and there is no way past the login."""

from urllib.parse import unquote

import pytest
from sqlalchemy import update

from tests.app.api.matrix import cells
from tests.asvs.conftest import HARDENED, Start
from tests.asvs.page import numbers
from tests.asvs.service import GOOD, Service, refused
from tests.e2e.server.accounts import PASSWORD, account
from tests.serving import ME
from vestibule.core import passwords
from vestibule.db.engine import database
from vestibule.db.models.user import User
from vestibule.db.tables import FAILURES


def raise_counters() -> None:
    """Make failed clients wait for minutes, longer than a test runs."""
    with database().transaction() as connection:
        connection.execute(update(FAILURES).values({"count": 32}))


def test_v6_3_1_brute_force(throttled: Service, start: Start) -> None:
    """Few of 50 passwords for an account are checked."""
    user = account()
    statuses = [
        throttled.post_login(user.email, f"guess {number}").status_code
        for number in range(50)
    ]
    assert set(statuses) == {401, 429}
    assert statuses.count(401) < 10
    raise_counters()
    for name in ("X-Forwarded-For", "X-Real-IP", "Forwarded"):
        refused(
            throttled.post_login(user.email, PASSWORD, **{name: "192.0.2.7"})
        )
    again = start(**HARDENED, THROTTLE="on")
    refused(again.post_login(user.email, PASSWORD))


def test_v6_3_1_credential_stuffing(throttled: Service) -> None:
    """Few of 200 accounts are checked with one password."""
    statuses = [
        throttled.post_login(f"u{number}@example.com", "12345678").status_code
        for number in range(200)
    ]
    assert set(statuses) == {401, 429}
    free = numbers("throttling")["network-failures"]
    assert statuses[:free] == [401] * free
    assert statuses[free] == 429
    assert statuses.count(401) < free + 8


def test_v6_3_1_basic_shares_the_counters(
    throttled: Service, start: Start
) -> None:
    """A wait after failed logins also applies to Basic credentials."""
    user = account()
    for _ in range(4):
        assert throttled.post_login(user.email, "wrong").status_code == 401
    raise_counters()
    basic = start("basic_auth", **HARDENED, THROTTLE="on")
    refused(basic.request("GET", ME, auth=(user.email, PASSWORD)))


def test_v6_3_2_no_default_accounts(hardened: Service) -> None:
    """A fresh database has no user, and the usual names do not exist."""
    assert User.count() == 0
    for name in ("admin", "root", "sa", "test", "admin@localhost"):
        for password in (name, "admin", "password", "changeme"):
            assert hardened.post_login(name, password).status_code == 401


@pytest.mark.parametrize(
    "path",
    [
        "/api/v1/status_admin",
        "/api/v1/statusx",
        "/api/v1/status/x",
        "/api/v1/auth_session/loginX",
        "/api/v1/auth_session/login/x",
        "/api/v1/auth_session/reset/x",
        "//api/v1/users",
        "/api/v1//users",
        "/api/v1/status/../users",
        "/api/v1/status/%2e%2e/users",
        "/api/v1/users;x",
        "/api/v1/users%00",
        "/api/v1/users/%2e",
        "/API/V1/users",
        "/api/v1/users?/api/v1/status",
        "/admin",
        "/console",
        "/debug",
        "/",
    ],
)
@pytest.mark.parametrize("method", ["GET", "HEAD", "POST"])
def test_v6_3_4_no_undocumented_way_in(
    hardened: Service, method: str, path: str
) -> None:
    """A path that resembles an open one is not open."""
    raw = {"PATH_INFO": unquote(path.partition("?")[0])}
    for headers in (
        {},
        {
            "X-Original-URL": "/api/v1/status",
            "X-Rewrite-URL": "/api/v1/status",
            "X-HTTP-Method-Override": "OPTIONS",
        },
    ):
        answer = hardened.request(
            method, "/", headers=headers, environ_overrides=raw
        )
        assert answer.status_code in (401, 404), path
        assert "email" not in answer.text


def test_v6_3_4_every_guarded_route_is_guarded(hardened: Service) -> None:
    """No route that needs a credential responds to HEAD without one."""
    guarded = {
        cell.path
        for cell in cells()
        if (cell.actor, cell.status) == ("anonymous", 401)
    }
    for path in guarded:
        for suffix in ("", "/"):
            answer = hardened.request("HEAD", path + suffix)
            assert answer.status_code in (401, 405), path


def test_v6_3_5_failures_are_logged_for_their_account(
    hardened: Service,
) -> None:
    """The log has failed logins with the user's id."""
    user = account()
    for _ in range(5):
        hardened.post_login(user.email, "wrong")
    hardened.post_login(user.email, PASSWORD)
    events = hardened.events_of(user.id)
    assert events == ["login_failed"] * 5 + ["login"]


def test_v6_3_7_changes_are_logged(hardened: Service) -> None:
    """The log has changes of email and password."""
    user = account()
    token = hardened.login(user.email, PASSWORD)
    answer = hardened.request(
        "PUT", f"{ME}/email", token, json={"email": f"x{user.email}"}
    )
    assert answer.status_code == 200
    answer = hardened.request(
        "PUT",
        f"{ME}/password",
        token,
        json={
            "current_password": PASSWORD,
            "new_password": GOOD,
        },
    )
    assert answer.status_code == 200
    events = hardened.events_of(user.id)
    assert events[-2:] == ["email_changed", "password_changed"]


def test_v6_3_8_no_enumeration(
    hardened: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Unknown and known users get equal responses and cost one hash each."""
    user = account()
    answers = [
        hardened.post_login(email, "wrong")
        for email in (user.email, "unknown@example.com")
    ]
    known, unknown = (
        (
            a.status_code,
            a.data,
            {k: v for k, v in a.headers.items() if k.lower() != "date"},
        )
        for a in answers
    )
    assert known == unknown
    counted: list[str] = []
    hasher = passwords.PROFILES["owasp"]

    class Counting:
        """Counts the calls of the real hasher."""

        def __getattr__(self, name: str) -> object:
            """Return an attribute of the hasher."""
            return getattr(hasher, name)

        def verify(self, stored: str, secret: bytes) -> bool:
            """Count one hash and compute it."""
            counted.append(stored)
            return hasher.verify(stored, secret)

    monkeypatch.setitem(passwords.PROFILES, "owasp", Counting())
    assert not passwords.verify(None, "wrong")
    assert len(counted) == 1
    stored = User.get(user.id)
    assert stored is not None
    assert not stored.is_valid_password("wrong")
    assert len(counted) == 2
