#!/usr/bin/env python3
"""The function log_in, also in another Flask application."""

from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask, jsonify, request
from flask.testing import FlaskClient

from tests.app.api.conftest import Build
from tests.app.api.service import (
    PASSWORD,
    session_id_of,
    stored_user,
)
from tests.clocks import SetClock
from tests.serving import (
    LOGOUT,
    ME,
)
from tests.statements import recorded
from vestibule.accounts.throttle import FREE_FAILURES
from vestibule.core.errors import Throttled
from vestibule.db.engine import Database
from vestibule.db.models.user import User
from vestibule.db.models.user_session import UserSession
from vestibule.http.login import log_in


def _selects(
    monkeypatch: pytest.MonkeyPatch, work: Callable[[], object]
) -> list[str]:
    """Return the SELECT statements on `user_sessions` that `work` runs."""
    seen: list[str] = []
    fetch_one = Database.fetch_one

    def counted(self: Database, statement: Any, parameters: Any) -> Any:
        """Record a query that uses the driver directly."""
        seen.append(str(statement))
        return fetch_one(self, statement, parameters)

    monkeypatch.setattr(Database, "fetch_one", counted)
    with recorded() as statements:
        work()
    seen += [statement.text for statement in statements]
    return [
        text
        for text in seen
        if text.startswith("SELECT") and "user_sessions" in text
    ]


@pytest.mark.parametrize("is_cached", [False, True])
def test_logout_runs_one_session_query(
    build: Build, monkeypatch: pytest.MonkeyPatch, is_cached: bool
) -> None:
    """Authentication, end and log line share one SELECT."""
    service = build("session_db_auth")
    client = service.client_for(stored_user())
    if is_cached:
        assert client.get(ME).status_code == 200
    answers = []
    selects = _selects(
        monkeypatch, lambda: answers.append(client.delete(LOGOUT))
    )
    assert answers[0].status_code == 200
    # An event written meanwhile would invalidate the cached session.
    assert len(selects) in ((0, 1) if is_cached else (1,)), selects
    assert UserSession.all() == []


@pytest.fixture
def foreign_client(
    build: Build, monkeypatch: pytest.MonkeyPatch
) -> FlaskClient:
    """Return a client of a plain Flask application that uses `log_in`."""
    auth = build("session_db_auth", THROTTLE="on").mechanism
    app = Flask("foreign")

    @app.post("/login")
    def login() -> Any:
        """Log in with `log_in`."""
        email, password = request.form["email"], request.form["password"]
        found = User.search({"email": email})
        result = log_in(auth, request, found, email, password)
        if result is None:
            return "wrong", 401
        assert result.session_id not in repr(result)
        response = jsonify(result.user.to_json())
        result.set_cookie(response, request)
        return response

    @app.errorhandler(Throttled)
    def wait(_: Throttled) -> Any:
        """Return a 429 response."""
        return "wait", 429

    return app.test_client()


def test_log_in_works_in_another_flask_application(
    foreign_client: FlaskClient,
) -> None:
    """It ends the previous session, records the address, sets the cookie."""
    user = stored_user()
    form = {"email": user.email, "password": PASSWORD}
    ids = []
    for _ in range(2):
        assert foreign_client.post("/login", data=form).status_code == 200
        ids.append(session_id_of(foreign_client))
    (session,) = UserSession.all()
    assert UserSession.find(ids[0]) is None
    found = UserSession.find(ids[1])
    assert found is not None
    assert (found.id, found.ip, found.method) == (
        session.id,
        "127.0.0.1",
        "password",
    )


def test_log_in_refuses_cross_site_request(
    foreign_client: FlaskClient,
) -> None:
    """A form on another site starts no session, in any application."""
    form = {"email": stored_user().email, "password": PASSWORD}
    answer = foreign_client.post(
        "/login", data=form, headers={"Sec-Fetch-Site": "cross-site"}
    )
    assert answer.status_code == 403
    assert UserSession.all() == []


def test_log_in_throttles_by_address(
    set_clock: SetClock, foreign_client: FlaskClient
) -> None:
    """Failures count even if the application passes no address."""
    form = {"email": stored_user().email, "password": "wrong"}
    statuses = [
        foreign_client.post("/login", data=form).status_code
        for _ in range(FREE_FAILURES + 2)
    ]
    assert statuses == [*([401] * (FREE_FAILURES + 1)), 429]
