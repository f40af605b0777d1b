#!/usr/bin/env python3
"""The installation of an adapter is an argument, and `url=None` is refused."""

import asyncio
import runpy
from collections.abc import Callable
from typing import Any

import flask
import pytest
from fastapi import Depends, FastAPI
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from tests.app.api.service import stored_user
from tests.app.protect.adapters import _asgi_client, _wsgi_client
from tests.app.protect.test_session_rules import cookie_of, start_service
from tests.serving import ROOT
from vestibule.core import setting_types
from vestibule.core.errors import ConfigurationError, InvalidValue
from vestibule.db.engine import close
from vestibule.protect import asgi, fastapi, starlette, wsgi
from vestibule.protect import flask as protect_flask
from vestibule.protect.verify_response import Principal

Make = Callable[..., Any]


@pytest.fixture(autouse=True)
def fresh_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let no test give settings to the next one."""
    monkeypatch.setattr(setting_types, "_given", {})


def flask_app(make: Make) -> Any:
    """Return a Flask application whose view shows the user's email."""
    app = flask.Flask("notes")
    make(protect_flask.Vestibule)(app)

    @app.get("/me")
    @protect_flask.login_required
    def me() -> str:
        """Return the email."""
        return protect_flask.current_user.email or ""

    return app


def wsgi_app(make: Make) -> Any:
    """Return a WSGI application that shows the user's email."""

    def inner(environ: Any, start_response: Any) -> list[bytes]:
        """Answer with the email."""
        start_response("200 OK", [("Content-Type", "text/plain")])
        return [environ["vestibule.principal"].email.encode()]

    return make(wsgi.Protection)(inner)


def asgi_app(make: Make) -> Any:
    """Return an ASGI application that shows the user's email."""

    async def inner(scope: Any, receive: Any, send: Any) -> None:
        """Answer with the email."""
        email = scope["vestibule.principal"].email
        await JSONResponse(email)(scope, receive, send)

    return make(asgi.Protection)(inner)


def starlette_app(make: Make) -> Any:
    """Return a Starlette application that shows the user's email."""

    async def me(request: Request) -> JSONResponse:
        """Answer with the email."""
        if not request.user.is_authenticated:
            return JSONResponse("", 401)
        return JSONResponse(request.user.email)

    app = Starlette(routes=[Route("/me", me)])
    return make(starlette.VestibuleMiddleware)(app)


def fastapi_app(make: Make) -> Any:
    """Return a FastAPI application that shows the user's email."""
    app = FastAPI()
    vestibule = make(fastapi.Vestibule)()

    @app.get("/me")
    async def me(user: Principal = Depends(vestibule.current_user)) -> str:
        """Return the email."""
        return user.email or ""

    return app


APPLICATIONS: dict[str, tuple[Make, Make]] = {
    "flask": (flask_app, _wsgi_client),
    "wsgi": (wsgi_app, _wsgi_client),
    "asgi": (asgi_app, _asgi_client),
    "starlette": (starlette_app, _asgi_client),
    "fastapi": (fastapi_app, _asgi_client),
}
each_framework = pytest.mark.parametrize("name", APPLICATIONS)


@each_framework
def test_in_process_takes_the_database_as_an_argument(
    name: str,
    on_sqlite: str,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Any,
) -> None:
    """The application's own `DATABASE_URL` is neither read nor made."""
    start_service()
    cookie = cookie_of(stored_user())
    close()
    own = tmp_path / "application.db"
    monkeypatch.setenv("DATABASE_URL", f"sqlite:///{own}")
    for variable in ("AUTH_TYPE", "SESSION_NAME"):
        monkeypatch.delenv(variable, raising=False)

    def make(adapter: Any) -> Make:
        """Return what makes the adapter."""

        def open_adapter(*application: Any) -> Any:
            """Return the adapter of this database."""
            return adapter.in_process(*application, database_url=on_sqlite)

        return open_adapter

    build, client = APPLICATIONS[name]
    with asyncio.Runner() as runner:
        app = build(make)
        get = client(app) if client is _wsgi_client else client(runner, app)
        assert get("/me", cookie).status == 200
        assert get("/me").status == 401
    assert not own.exists()


@each_framework
def test_address_that_was_not_found_is_refused(
    name: str, on_sqlite: str
) -> None:
    """`None` of a missing variable must not become the local database."""
    start_service()

    def make(adapter: Any) -> Make:
        """Return what makes the adapter without an address."""
        return lambda *application: adapter(*application, url=None)

    with pytest.raises(InvalidValue, match="call in_process"):
        APPLICATIONS[name][0](make)


@each_framework
def test_database_without_tables_ends_the_start(
    name: str, tmp_path: Any
) -> None:
    """The file is not made."""
    close()
    file = tmp_path / "nothing.db"

    def make(adapter: Any) -> Make:
        """Return what makes the adapter of a missing database."""
        return lambda *application: adapter.in_process(
            *application, database_url=f"sqlite:///{file}"
        )

    with pytest.raises(ConfigurationError, match="no tables of"):
        APPLICATIONS[name][0](make)
    assert not file.exists()


@pytest.mark.parametrize("url", ["", "http://127.0.0.1:9"])
def test_measured_application_decides_in_both_ways(
    url: str, on_sqlite: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The benchmark's application has a user in process, without a URL."""
    start_service()
    cookie = cookie_of(stored_user())
    monkeypatch.setenv("PEER_VESTIBULE", url)
    found = runpy.run_path(f"{ROOT}/bench/peers/apps/protected_app.py")
    with asyncio.Runner() as runner:
        seen = _asgi_client(runner, found["app"])("/whoami", cookie)
        runner.run(found["vestibule"].close())
    assert seen.status == (503 if url else 200)
