#!/usr/bin/env python3
"""Each framework's adapter admits and refuses the right requests."""

import asyncio
from typing import Any

import pytest
import requests
from fastapi import Depends, FastAPI, WebSocket
from flask import Flask

from tests.app.protect.adapters import (
    ADAPTERS,
    Seen,
    by_fastapi,
    by_flask,
    messages,
)
from tests.app.protect.conftest import LiveServer
from tests.app.protect.fake_server import fake_server
from tests.serving import COOKIE
from vestibule.identity.header import HEADER
from vestibule.protect import asgi, fastapi, flask, wsgi
from vestibule.protect.backends import SETTINGS
from vestibule.protect.denials import UNAUTHORIZED
from vestibule.protect.request_headers import MAX_HEADER_LENGTH
from vestibule.protect.verify_response import PRINCIPAL, Principal

FORGED = {
    "Remote-User": "ada",
    "Remote-Groups": "admin",
    "X-Remote-User": "ada",
    "X-Vestibule-Identity": "ada",
    "Vestibule.Principal": "ada",
}
each_adapter = pytest.mark.parametrize("name", ADAPTERS)


@pytest.mark.parametrize("is_in_process", [True, False])
@each_adapter
def test_guard_admits_signed_in_users_only(
    name: str, is_in_process: bool, live_server: LiveServer
) -> None:
    """A session that ended is refused."""
    with ADAPTERS[name](SETTINGS if is_in_process else live_server.url) as get:
        for headers in ({}, FORGED):
            for cookie in (
                None,
                "",
                "theme=dark",
                f"{COOKIE}=unknown",
                f"{COOKIE}=1; {live_server.cookie}",
                "sid=\xfc",
            ):
                for path in ("/me", "/admin"):
                    seen = get(path, cookie, **headers)
                    assert seen.status == 401
                    challenge = seen.headers["www-authenticate"]
                    assert challenge.lower().startswith("cookie realm=")
        for _ in range(2):
            bob = {"name": "Bob", "named": []}
            assert get("/me", live_server.cookie).body == bob
            seen = get("/me", f"x=\xfc; {live_server.cookie}", **FORGED)
            assert (seen.status, seen.body) == (200, bob)
            assert (
                get("/admin", live_server.admin_cookie).body["name"] == "Ada"
            )
            assert get("/admin", live_server.cookie, **FORGED).status == 403
        live_server.end(live_server.cookie)
        assert get("/me", live_server.cookie).status == 401
        assert get("/me", live_server.admin_cookie).body["name"] == "Ada"


@each_adapter
def test_invalid_cookie_header_is_refused(
    name: str, live_server: LiveServer
) -> None:
    """The error names the header, whatever else is sent."""
    with ADAPTERS[name](SETTINGS) as get:
        for cookie, headers in (
            ("a" * (MAX_HEADER_LENGTH + 1), {}),
            ("a=\x01", {}),
            (live_server.cookie, {"Connection": "close, cookie"}),
        ):
            seen: Seen = get("/me", cookie, **headers)
            assert seen.status == 400
            assert "Cookie " in str(seen.body)


@each_adapter
def test_guard_returns_503_when_vestibule_fails(
    name: str, caplog: pytest.LogCaptureFixture
) -> None:
    """The log has the cause, and no credential."""
    with fake_server(b"") as there:
        url = there.url
    with ADAPTERS[name](url) as get:
        for path in ("/me", "/admin"):
            assert get(path, f"{COOKIE}=secret").status == 503
            assert get(path).status == 401
    assert "cannot determine the user" in caplog.text
    assert "secret" not in caplog.text


@each_adapter
def test_guard_behind_proxy_trusts_identity_header_only(
    name: str, live_server: LiveServer
) -> None:
    """Cookies do not count there."""
    tokens = [
        requests.get(
            f"{live_server.url}/api/v1/auth_session/verify",
            timeout=60,
            headers={"Cookie": cookie, "Host": "app.example"},
        ).headers[HEADER]
        for cookie in (live_server.cookie, live_server.admin_cookie)
    ]
    with ADAPTERS[name](live_server.url, audience="App.example") as get:
        bob, ada = ({HEADER: token} for token in tokens)
        assert get("/me", **bob).body["name"] == "bob@example.com"
        assert get("/admin", **bob).status == 403
        assert get("/admin", **ada).body["name"] == "ada@example.com"
        assert get("/me", live_server.cookie).status == 401
        assert get("/me", **{HEADER: ""}).status == 401
        assert get("/me", **{HEADER: tokens[0][:-4]}).status == 401
        twice = {HEADER: f"{tokens[0]},{tokens[1]}"}
        assert get("/me", **twice).status == 400


def test_optional_guard_passes_anonymous_requests(
    live_server: LiveServer,
) -> None:
    """A user without the role is passed on as `None` too."""
    found: list[Principal | None] = []

    def by_wsgi(environ: Any, start_response: Any) -> list[bytes]:
        """Record the user."""
        found.append(environ[PRINCIPAL])
        start_response("200 OK", [])
        return [b""]

    async def by_asgi(scope: Any, receive: Any, send: Any) -> None:
        """Record the user."""
        found.append(scope[PRINCIPAL])

    there = wsgi.Protection(by_wsgi, optional=True, roles=("admin",))
    for cookie in ("", live_server.admin_cookie, live_server.cookie):
        there({"HTTP_COOKIE": cookie}, lambda *_: None)
    here = asgi.Protection(by_asgi, optional=True, roles=("admin",))
    for cookie in (
        "",
        f"{COOKIE}=x",
        live_server.admin_cookie,
        live_server.cookie,
    ):
        asyncio.run(messages(here, "http", "/", {"Cookie": cookie}))
    assert [user and user.name for user in found] == [
        None,
        "Ada",
        None,
        None,
        "Ada",
    ]


@pytest.mark.parametrize(
    "extensions", [None, {}, {"websocket.http.response": {}}]
)
def test_websocket_without_user_is_refused_before_accept(
    live_server: LiveServer, extensions: Any
) -> None:
    """It gets a status, if the server supports that."""

    async def app(scope: Any, receive: Any, send: Any) -> None:
        """Accept the websocket and send the user's name."""
        await receive()
        await send({"type": "websocket.accept"})
        await send({"type": "websocket.send", "text": scope[PRINCIPAL].name})

    guarded = asgi.Protection(app)

    async def tried(cookie: str) -> list[Any]:
        """Return the messages that a client receives."""
        return await messages(
            guarded,
            "websocket",
            "/",
            {"Cookie": cookie},
            extensions=extensions,
        )

    with asyncio.Runner() as runner:
        refused = runner.run(tried(f"{COOKIE}=unknown"))
        opened = runner.run(tried(live_server.cookie))
    assert [one["type"] for one in opened] == [
        "websocket.accept",
        "websocket.send",
    ]
    assert opened[1]["text"] == "Bob"
    if extensions:
        assert refused[0]["type"] == "websocket.http.response.start"
        assert refused[0]["status"] == 401
    else:
        assert refused == [{"type": "websocket.close", "code": 1008}]


@pytest.mark.parametrize("extensions", [{}, {"websocket.http.response": {}}])
def test_fastapi_websocket_requires_user(
    live_server: LiveServer, extensions: Any
) -> None:
    """Its dependency refuses anonymous connections."""
    vestibule = fastapi.Vestibule()
    app = FastAPI()
    admin = Depends(vestibule.role_required("admin"))

    @app.websocket("/")
    async def hello(websocket: WebSocket, user: Principal = admin) -> None:
        """Accept the websocket and send the user's name."""
        await websocket.accept()
        await websocket.send_text(user.name)

    async def tried(cookie: str) -> list[Any]:
        """Return the messages that a client receives."""
        return await messages(
            app, "websocket", "/", {"Cookie": cookie}, extensions=extensions
        )

    with asyncio.Runner() as runner:
        for cookie, status in (
            (f"{COOKIE}=x", 401),
            (live_server.cookie, 403),
        ):
            refused = runner.run(tried(cookie))
            assert "websocket.accept" not in [one["type"] for one in refused]
            if extensions:
                assert refused[0]["status"] == status
        opened = runner.run(tried(live_server.admin_cookie))
        runner.run(vestibule.close())
    assert opened[1]["text"] == "Ada"


def test_refusal_of_head_request_has_no_body() -> None:
    """The headers are those of a GET."""

    def never(*_: Any) -> Any:
        """Fail, because it must not be called."""
        raise AssertionError

    there = wsgi.Protection(never, "http://127.0.0.1:5000")
    here = asgi.Protection(never, "http://127.0.0.1:5000")
    begun: list[Any] = []
    for method, body in (("HEAD", b""), ("GET", UNAUTHORIZED.body)):
        environ = {"REQUEST_METHOD": method}
        answered = there(environ, lambda *given: begun.append(given))
        assert b"".join(answered) == body
        sent = asyncio.run(messages(here, "http", "/", {}, method=method))
        assert sent[0]["status"] == 401
        assert sent[1]["body"] == body
    assert begun[0] == begun[1]


def test_unknown_asgi_scope_is_refused() -> None:
    """It cannot identify a user."""

    async def app(scope: Any, receive: Any, send: Any) -> None:
        """Fail, because it must not be called."""
        raise AssertionError

    guarded = asgi.Protection(app, "http://127.0.0.1:5000")
    with pytest.raises(ValueError, match="tunnel"):
        asyncio.run(messages(guarded, "tunnel", "/", {}))


@pytest.mark.parametrize("roles", [(), ("",), (None,), (len,), ("admin", 1)])
def test_guard_with_invalid_role_is_refused(roles: Any) -> None:
    """Such a guard would check something else."""
    with pytest.raises(TypeError):
        flask.role_required(*roles)
    vestibule = fastapi.Vestibule("http://127.0.0.1:5000")
    with pytest.raises(TypeError):
        vestibule.role_required(*roles)
    protections: list[Any] = [wsgi.Protection, asgi.Protection]
    for protection in protections if roles else ():
        with pytest.raises(TypeError):
            protection(print, "http://127.0.0.1:5000", roles=roles)


def test_role_that_no_user_has_is_refused() -> None:
    """A typing error is found when the guard is made, by every adapter."""
    url = "http://127.0.0.1:5000"
    app: Any = None
    guards: list[Any] = [
        lambda role: flask.role_required("member", role),
        lambda role: fastapi.Vestibule(url).role_required(role),
        lambda role: wsgi.Protection(app, url, roles=(role,)),
        lambda role: asgi.Protection(app, url, roles=(role,)),
    ]
    for guard in guards:
        for role in ("Admin", "editor", "admin "):
            with pytest.raises(ValueError, match="no user can have the role"):
                guard(role)


def test_guard_admits_any_of_several_roles(live_server: LiveServer) -> None:
    """One role of the list is enough."""
    app = Flask("several")
    flask.Vestibule().init_app(app)

    @app.get("/")
    @flask.role_required("member")
    def view() -> str:
        """Greet a permitted user."""
        return f"Hello {flask.current_user.name}"

    @app.get("/either")
    @flask.role_required("admin", "member")
    def either() -> str:
        """Greet a user of either role."""
        return flask.current_user.name

    @app.get("/open")
    def anybody() -> str:
        """Greet any client."""
        return flask.current_user.name if flask.current_user else "anonymous"

    client = app.test_client(use_cookies=False)
    for cookie, status, greeting in (
        (live_server.cookie, 200, "Bob"),
        (live_server.admin_cookie, 403, "Ada"),
        ("", 401, "anonymous"),
    ):
        headers = {"Cookie": cookie}
        assert client.get("/", headers=headers).status_code == status
        assert client.get("/open", headers=headers).text == greeting
        expected = 200 if cookie else 401
        assert client.get("/either", headers=headers).status_code == expected


def test_flask_guard_without_extension_explains_error() -> None:
    """The message says that the extension is not installed."""
    with (
        Flask("forgotten").test_request_context(),
        pytest.raises(LookupError, match="not installed"),
    ):
        bool(flask.current_user)


def test_fastapi_shutdown_closes_connections(live_server: LiveServer) -> None:
    """No connection is left when the application ends."""
    vestibule = fastapi.Vestibule(live_server.url, timeout=30)

    async def live() -> None:
        """Start the application, send a request and shut down."""
        async with vestibule.lifespan(None):
            await vestibule._backend.principal(live_server.cookie)
            source: Any = vestibule._backend
            session = source._client._session
            assert not session.closed
        assert session.closed
        await vestibule.close()

    asyncio.run(live())


def test_user_is_verified_once_per_request(live_server: LiveServer) -> None:
    """Further reads use the first result."""
    with fake_server(b"HTTP/1.1 401 No\r\nContent-Length: 0\r\n\r\n") as there:
        for by in (by_flask, by_fastapi):
            there.requests.clear()
            with by(there.url) as get:
                assert get("/me", "a=1").status == 401
            assert len(there.requests) == 1
