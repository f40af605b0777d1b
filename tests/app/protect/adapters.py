#!/usr/bin/env python3
"""The same small application behind each framework's adapter.

`/me` is for signed-in users and `/admin` for admins, and each path of
`DEMANDS` demands more of how the user signed in. All return the name and
the headers that identify a user.
"""

import asyncio
import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated, Any, NamedTuple

from fastapi import Depends, FastAPI, Request
from flask import Flask, request
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request as StarletteRequest
from starlette.responses import JSONResponse
from starlette.routing import Route
from werkzeug.test import Client

from vestibule.protect import asgi, fastapi, flask, starlette, wsgi
from vestibule.protect.verify_response import PRINCIPAL, Principal

#: Seconds; long enough for a busy machine.
PATIENT: dict[str, Any] = {"timeout": 30.0}
#: What the paths demand of how their user signed in.
DEMANDS: dict[str, dict[str, Any]] = {
    "/second": {"level": 2},
    "/passkey": {"phishing_resistant": True},
    "/fresh": {"fresh": 300},
    "/all": {"level": 2, "phishing_resistant": True, "fresh": 60},
}


class Seen(NamedTuple):
    """A response of the application."""

    status: int
    headers: dict[str, str]
    body: Any


def shown(principal: Principal, named: list[str]) -> dict[str, Any]:
    """Return what the applications report about a request."""
    return {"name": principal.name, "named": named}


def is_name(header: str) -> bool:
    """Return True if a header would identify a user."""
    return "remote" in header.lower() and "user" in header.lower()


@contextmanager
def by_flask(url: Any, **more: Any) -> Iterator[Any]:
    """Run the Flask extension."""
    app = Flask("guarded")
    extension = flask.Vestibule(app, url, **PATIENT, **more)

    def view() -> dict[str, Any]:
        """Report the user."""
        return shown(
            flask.current_user,
            [name for name, _ in request.headers if is_name(name)],
        )

    app.add_url_rule("/me", "me", flask.login_required(view))
    app.add_url_rule("/admin", "admin", flask.role_required("admin")(view))
    for path, demand in DEMANDS.items():
        demanding = flask.assurance_required(**demand)(view)
        app.add_url_rule(path, path, demanding, methods=["GET", "POST"])
    yield _wsgi_client(app)
    extension.close()


@contextmanager
def by_wsgi(url: Any, **more: Any) -> Iterator[Any]:
    """Run the WSGI middleware."""

    def app(environ: Any, start_response: Any) -> list[bytes]:
        """Report the user."""
        start_response("200 OK", [("Content-Type", "application/json")])
        named = [name for name in environ if is_name(name)]
        return [json.dumps(shown(environ[PRINCIPAL], named)).encode()]

    paths = {
        "/me": wsgi.Protection(app, url, **PATIENT, **more),
        "/admin": wsgi.Protection(
            app, url, roles=("admin",), **PATIENT, **more
        ),
        **{
            path: wsgi.Protection(app, url, **demand, **PATIENT, **more)
            for path, demand in DEMANDS.items()
        },
    }
    yield _wsgi_client(
        lambda environ, start: paths[environ["PATH_INFO"]](environ, start)
    )
    for guarded in paths.values():
        guarded.close()


@contextmanager
def by_asgi(url: Any, **more: Any) -> Iterator[Any]:
    """Run the ASGI middleware."""

    async def app(scope: Any, receive: Any, send: Any) -> None:
        """Report the user, or ignore a lifespan event."""
        if scope["type"] == "lifespan":
            return
        named = [
            name.decode()
            for name, _ in scope["headers"]
            if is_name(name.decode())
        ]
        body = json.dumps(shown(scope[PRINCIPAL], named)).encode()
        await send(
            {"type": "http.response.start", "status": 200, "headers": []}
        )
        await send({"type": "http.response.body", "body": body})

    paths = {
        "/me": asgi.Protection(app, url, **PATIENT, **more),
        "/admin": asgi.Protection(
            app, url, roles=("admin",), **PATIENT, **more
        ),
        **{
            path: asgi.Protection(app, url, **demand, **PATIENT, **more)
            for path, demand in DEMANDS.items()
        },
    }

    async def routed(scope: Any, receive: Any, send: Any) -> None:
        """Route a request by its path."""
        await paths[scope["path"]](scope, receive, send)

    with asyncio.Runner() as runner:
        yield _asgi_client(runner, routed)
        for guarded in paths.values():
            runner.run(guarded({"type": "lifespan"}, _nothing, _ignored))


@contextmanager
def by_fastapi(url: Any, **more: Any) -> Iterator[Any]:
    """Run the FastAPI dependencies."""
    vestibule = fastapi.Vestibule(url, **PATIENT, **more)
    app = FastAPI(lifespan=vestibule.lifespan)

    @app.get("/me")
    async def me(
        user: Annotated[Principal, Depends(vestibule.current_user)],
        once_more: Annotated[Principal, Depends(vestibule.optional_user)],
    ) -> Any:
        """Report the user."""
        assert user is once_more
        return shown(user, [])

    @app.get("/admin")
    async def admin(
        _: Request,
        user: Annotated[Principal, Depends(vestibule.role_required("admin"))],
    ) -> Any:
        """Report the user."""
        return shown(user, [])

    def add(path: str, demand: dict[str, Any]) -> None:
        """Add a route with a demand."""

        @app.api_route(path, methods=["GET", "POST"])
        async def demanding(
            user: Annotated[
                Principal, Depends(vestibule.assurance_required(**demand))
            ],
        ) -> Any:
            """Report the user."""
            return shown(user, [])

    for path, demand in DEMANDS.items():
        add(path, demand)
    with asyncio.Runner() as runner:
        yield _asgi_client(runner, app)
        runner.run(vestibule.close())


@contextmanager
def by_starlette(
    url: Any, pages: str | None = "", **more: Any
) -> Iterator[Any]:
    """Run Starlette's middleware, with an endpoint for each demand."""
    middleware = Middleware(
        starlette.VestibuleMiddleware, url, **PATIENT, **more
    )

    async def report(request: StarletteRequest) -> JSONResponse:
        """Report the user."""
        return JSONResponse(shown(request.user.principal, []))

    app = Starlette(
        routes=[
            Route(
                path,
                starlette.assurance_required(**demand, pages=pages)(report),
                methods=["GET", "POST"],
            )
            for path, demand in DEMANDS.items()
        ],
        middleware=[middleware],
    )
    with asyncio.Runner() as runner:
        yield _asgi_client(runner, app)
        runner.run(app({"type": "lifespan"}, _ended, _ignored))


ADAPTERS = {
    "flask": by_flask,
    "wsgi": by_wsgi,
    "asgi": by_asgi,
    "fastapi": by_fastapi,
}
#: Those that can demand more than a role.
DEMANDING = {**ADAPTERS, "starlette": by_starlette}


def _wsgi_client(app: Any) -> Any:
    """Return a function that sends requests to a WSGI application."""
    client = Client(app, use_cookies=False)

    def get(
        path: str,
        cookie: str | None = None,
        method: str = "GET",
        **headers: str,
    ) -> Seen:
        """Get a path with these headers."""
        if cookie is not None:
            headers["Cookie"] = cookie
        answer = client.open(path, method=method, headers=headers)
        return Seen(
            answer.status_code,
            {name.lower(): text for name, text in answer.headers},
            answer.get_json() if answer.is_json else answer.text,
        )

    return get


def _asgi_client(runner: asyncio.Runner, app: Any) -> Any:
    """Return a function that sends requests to an ASGI application."""

    def get(
        path: str,
        cookie: str | None = None,
        method: str = "GET",
        **headers: str,
    ) -> Seen:
        """Get a path with these headers."""
        if cookie is not None:
            headers["Cookie"] = cookie
        path, _, query = path.partition("?")
        asked = {"method": method, "query_string": query.encode()}
        sent = runner.run(messages(app, "http", path, headers, **asked))
        body = b"".join(one.get("body", b"") for one in sent[1:])
        return Seen(
            sent[0]["status"],
            {
                name.decode(): text.decode()
                for name, text in sent[0]["headers"]
            },
            json.loads(body or b"null"),
        )

    return get


async def messages(
    app: Any, kind: str, path: str, headers: dict[str, str], **more: Any
) -> list[Any]:
    """Return the messages that an ASGI application sends."""
    sent: list[Any] = []
    first = "http.request" if kind == "http" else f"{kind}.connect"
    waiting = [{"type": first}]
    scope = {
        "type": kind,
        "path": path,
        "raw_path": path.encode(),
        "method": "GET",
        "query_string": b"",
        "root_path": "",
        "scheme": "http",
        "http_version": "1.1",
        "client": None,
        "server": ("127.0.0.1", 80),
        "subprotocols": [],
        "headers": [
            (name.lower().encode(), value.encode("latin-1"))
            for name, value in headers.items()
        ],
        **more,
    }

    async def receive() -> Any:
        """Return the request, and then nothing: the client stays connected."""
        if not waiting:
            await asyncio.Event().wait()
        return waiting.pop()

    async def send(message: Any) -> None:
        """Record a message."""
        sent.append(message)

    await app(scope, receive, send)
    return sent


async def _nothing() -> Any:
    """Return no message."""


async def _ended() -> Any:
    """Return the message that ends a lifespan."""
    return {"type": "lifespan.shutdown"}


async def _ignored(_: Any) -> None:
    """Discard the message."""
