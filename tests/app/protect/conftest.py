#!/usr/bin/env python3
"""Fixtures: a Vestibule in this process on a port, with two users."""

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import pytest
from werkzeug.serving import make_server

from tests.app.protect.backend_kinds import BACKENDS
from tests.serving import COOKIE
from vestibule.api import app as app_module
from vestibule.db.engine import database
from vestibule.db.models.user import User
from vestibule.mechanisms import session_cache
from vestibule.mechanisms.session_db_auth import SessionDBAuth
from vestibule.sessions.session import EndReason


@dataclass
class LiveServer:
    """A Vestibule with a member and an admin, each with a session."""

    url: str
    auth: SessionDBAuth
    bob: User
    cookie: str
    ada: User
    admin_cookie: str

    def end(self, cookie: str) -> None:
        """End the session of a cookie, as its user would."""
        assert self.auth.store.end(cookie.partition("=")[2], EndReason.REVOKED)


@pytest.fixture(autouse=True)
def no_loop_runs() -> Iterator[None]:
    """Allow these tests to run event loops beside Playwright's.

    While a browser runs for other tests of this process, its loop
    counts as running in this thread.
    """
    before = asyncio.events._get_running_loop()
    asyncio.events._set_running_loop(None)
    yield
    asyncio.events._set_running_loop(before)


@contextmanager
def listening(application: Any) -> Iterator[str]:
    """Serve a WSGI application on a port; yield its address."""
    server = make_server("127.0.0.1", 0, application, threaded=True)
    thread = threading.Thread(target=server.serve_forever, args=[0.05])
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join(30)
        server.server_close()


@pytest.fixture
def live_server(monkeypatch: pytest.MonkeyPatch) -> Iterator[LiveServer]:
    """Run a Vestibule that signs identities, in this process."""
    for name, value in {
        "AUTH_TYPE": "session_db_auth",
        "SESSION_NAME": COOKIE,
        "IDENTITY_HEADER": "on",
        "IDENTITY_HOSTS": "localhost,127.0.0.1:*,app.example",
    }.items():
        monkeypatch.setenv(name, value)
    session_cache._known.clear()
    auth = SessionDBAuth()
    bob = User(email="bob@example.com", first_name="Bob")
    ada = User(email="ada@example.com", first_name="Ada")
    ada.role = "admin"
    cookies = []
    for user in (bob, ada):
        user.save()
        cookies.append(f"{COOKIE}={auth.create_session(user.id)}")
    monkeypatch.setattr(app_module, "auth", auth, raising=False)
    app = app_module.create_app(auth)

    def answering(environ: Any, start_response: Any) -> Any:
        """Answer, and close the database connection of the thread."""
        try:
            return app(environ, start_response)
        finally:
            database().close()

    with listening(answering) as url:
        yield LiveServer(url, auth, bob, cookies[0], ada, cookies[1])


@pytest.fixture(params=BACKENDS)
def open_backend(request: pytest.FixtureRequest) -> Any:
    """Return the opener of each kind of backend in turn."""
    return BACKENDS[request.param]
