#!/usr/bin/env python3
"""FastAPI and Starlette: overrides, OpenAPI, `request.user`, websockets."""

import asyncio
import queue
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Annotated, Any

import pytest
from fastapi import Depends, FastAPI, Request, WebSocket, WebSocketDisconnect
from starlette.applications import Starlette
from starlette.authentication import requires
from starlette.middleware import Middleware
from starlette.responses import JSONResponse
from starlette.routing import Route, WebSocketRoute
from starlette.testclient import TestClient

from tests.app.protect.adapters import is_name, messages
from tests.app.protect.conftest import LiveServer
from vestibule.core.errors import InvalidValue
from vestibule.protect.backends import SETTINGS
from vestibule.protect.fastapi import Vestibule
from vestibule.protect.starlette import VestibuleMiddleware
from vestibule.protect.testing import FakeVestibule, fake_vestibule
from vestibule.protect.verify_response import Principal
from vestibule.protect.websockets import SESSION_ENDED, TRY_AGAIN_LATER

#: A port on which nothing listens.
URL = "http://127.0.0.1:9"
#: Seconds between two checks in these tests.
SOON = 0.01
#: Seconds that an application may take until it is told of an end. The
#: client is told first, and its end cancels the application.
MAX_TOLD_SECONDS = 10
BOB = Principal("1", "bob@example.com", "member", "Bob")
ADA = Principal("2", "ada@example.com", "admin", "Ada")


@pytest.fixture
def fake() -> Iterator[FakeVestibule]:
    """Use a fake Vestibule."""
    with fake_vestibule() as there:
        yield there


def application(vestibule: Vestibule, **more: Any) -> FastAPI:
    """Return an application with one route of each kind."""
    app = FastAPI(**more)
    app.state.ends = queue.SimpleQueue()
    member = Annotated[Principal, Depends(vestibule.current_user)]
    admin = Annotated[Principal, Depends(vestibule.role_required("admin"))]

    @app.get("/me")
    async def me(user: member) -> str:
        """Return the user's name."""
        return user.name

    @app.get("/admin")
    def show_admin(user: admin) -> str:
        """Return the admin's name."""
        return user.name

    @app.get("/open")
    async def show_open(request: Request) -> list[str]:
        """Return who the request's user is."""
        named = [*filter(is_name, request.headers)]
        return [request.user.display_name, *request.auth.scopes, *named]

    @app.websocket("/echo")
    async def echo(websocket: WebSocket, user: member) -> None:
        """Send back what the client sends."""
        await websocket.accept()
        try:
            while True:
                await websocket.send_text(await websocket.receive_text())
        except WebSocketDisconnect as error:
            app.state.ends.put(error.code)

    return app


def test_override_of_user_holds_for_roles() -> None:
    """A test of an application replaces one function."""
    vestibule = Vestibule(URL)
    app = application(vestibule)
    client = TestClient(app)
    overrides = app.dependency_overrides
    overrides[vestibule.current_user] = lambda: BOB
    assert client.get("/me").json() == "Bob"
    assert client.get("/admin").status_code == 403
    overrides[vestibule.current_user] = lambda: ADA
    assert client.get("/admin").json() == "Ada"
    overrides.clear()
    for path in ("/me", "/admin"):
        response = client.get(path)
        assert response.status_code == 401
        assert response.headers["www-authenticate"].startswith("Cookie ")


@pytest.mark.parametrize(
    ("how", "described"),
    [
        ({"cookie_name": "__Host-sid"}, ("cookie", "__Host-sid")),
        ({"audience": "app.example"}, ("header", "X-Vestibule-Identity")),
    ],
)
def test_description_has_security_scheme(
    how: dict[str, Any], described: tuple[str, str]
) -> None:
    """Each route that depends on a user requires it."""
    document = application(Vestibule(URL, **how)).openapi()
    (scheme,) = document["components"]["securitySchemes"].values()
    assert (scheme["type"], scheme["in"], scheme["name"]) == (
        "apiKey",
        *described,
    )
    for path in ("/me", "/admin"):
        operation = document["paths"][path]["get"]
        assert operation["security"] == [{"Vestibule": []}]
    assert "security" not in document["paths"]["/open"]["get"]


def test_request_has_user(fake: FakeVestibule) -> None:
    """`request.user` and `request.auth` follow the session."""
    vestibule = Vestibule(URL)
    app = application(vestibule)
    vestibule.init_app(app)
    client = TestClient(app)
    forged = {"Remote-User": "ada", "X-Remote-User": "ada"}
    assert client.get("/open", headers=forged).json() == [""]
    fake.sign_in_as(client, first_name="Bob")
    assert client.get("/open", headers=forged).json() == [
        "Bob",
        "authenticated",
        "member",
    ]
    assert client.get("/me").json() == "Bob"
    fake.is_down = True
    assert client.get("/open").status_code == 503
    assert client.head("/open").text == ""


def test_own_lifespan_stays(fake: FakeVestibule) -> None:
    """It runs within that of Vestibule, and its state is kept."""
    told: list[str] = []

    @asynccontextmanager
    async def own(_: Any) -> AsyncIterator[dict[str, str]]:
        """Record the begin and the end."""
        told.append("begin")
        yield {"key": "value"}
        told.append("end")

    first, second = Vestibule(URL), Vestibule(URL)
    installed = application(first, lifespan=own)
    first.init_app(installed)
    composed = application(second, lifespan=second.lifespan_with(own))
    for vestibule, app in ((first, installed), (second, composed)):
        told.clear()

        async def close(told: list[str] = told) -> None:
            """Record that the connections are closed."""
            told.append("closed")

        backend: Any = vestibule._backend
        backend.close = close
        with TestClient(app) as client:
            assert client.app_state == {"key": "value"}
            assert told == ["begin"]
        assert told == ["begin", "end", "closed"]


@pytest.mark.parametrize("is_installed", [True, False])
@pytest.mark.parametrize(
    ("end", "code"),
    [
        (lambda fake, user: fake.end_sessions(user), SESSION_ENDED),
        (lambda fake, _: setattr(fake, "is_down", True), TRY_AGAIN_LATER),
    ],
)
def test_websocket_closes_when_session_ends(
    is_installed: bool, end: Any, code: int, fake: FakeVestibule
) -> None:
    """Other sessions go on, and the application is told."""
    vestibule = Vestibule(URL, check_interval=SOON)
    app = application(vestibule)
    if is_installed:
        vestibule.init_app(app)
    client = TestClient(app)
    user = fake.sign_in_as(client)
    with client.websocket_connect("/echo") as websocket:
        for _ in range(3):
            websocket.send_text("hello")
            assert websocket.receive_text() == "hello"
        fake.end_sessions(ADA)
        websocket.send_text("still here")
        assert websocket.receive_text() == "still here"
        end(fake, user)
        with pytest.raises(WebSocketDisconnect) as closed:
            websocket.receive_text()
        assert closed.value.code == code
        if is_installed:
            assert app.state.ends.get(timeout=MAX_TOLD_SECONDS) == code


@pytest.mark.parametrize("is_in_process", [True, False])
def test_websocket_closes_with_session_at_real_vestibule(
    is_in_process: bool, live_server: LiveServer
) -> None:
    """A revoked session is noticed over HTTP and in process."""
    vestibule = Vestibule(
        SETTINGS if is_in_process else live_server.url,
        timeout=30,
        check_interval=SOON,
    )
    app = application(vestibule)
    client = TestClient(app, headers={"Cookie": live_server.cookie})
    with client, client.websocket_connect("/echo") as websocket:
        websocket.send_text("hello")
        assert websocket.receive_text() == "hello"
        live_server.end(live_server.cookie)
        with pytest.raises(WebSocketDisconnect) as closed:
            websocket.receive_text()
        assert closed.value.code == SESSION_ENDED


def test_websocket_closes_when_role_changes(fake: FakeVestibule) -> None:
    """Its route may have required the old one."""
    vestibule = Vestibule(URL, check_interval=SOON)
    client = TestClient(application(vestibule))
    user = fake.sign_in_as(client, role="admin")
    with client.websocket_connect("/echo") as websocket:
        for session_id in fake._sessions:
            fake._sessions[session_id] = Principal(user.id, role="member")
        with pytest.raises(WebSocketDisconnect):
            websocket.receive_text()


def test_check_ends_with_websocket(fake: FakeVestibule) -> None:
    """A client that leaves is not asked about any more."""
    vestibule = Vestibule(URL, check_interval=SOON)
    app = application(vestibule)
    client = TestClient(app)
    fake.sign_in_as(client)
    cookie = "; ".join(f"{k}={v}" for k, v in client.cookies.items())

    async def left() -> int:
        """Let a client leave at once; return the number of tasks left."""
        sent = asyncio.create_task(
            messages(app, "websocket", "/echo", {"Cookie": cookie})
        )
        await asyncio.sleep(5 * SOON)
        before = len(asyncio.all_tasks())
        sent.cancel()
        await asyncio.wait({sent})
        await asyncio.sleep(SOON)
        assert before > len(asyncio.all_tasks())
        return len(asyncio.all_tasks())

    assert asyncio.run(left()) == 1


@pytest.mark.parametrize("seconds", [0, -1, 30.1, float("nan"), float("inf")])
def test_interval_of_checks_is_bounded(seconds: float) -> None:
    """A session that ended is noticed within 30 seconds."""
    with pytest.raises(InvalidValue, match="at most 30 seconds"):
        Vestibule(URL, check_interval=seconds)


@requires("authenticated")
async def authenticated(request: Request) -> JSONResponse:
    """Return the user, to signed-in users only."""
    user = request.user
    return JSONResponse([user.identity, user.email, user.is_authenticated])


@requires("admin")
async def admin_only(request: Request) -> JSONResponse:
    """Return the role, to admins only."""
    return JSONResponse(request.user.role)


async def ticking(websocket: WebSocket) -> None:
    """Send without ever receiving."""
    await websocket.accept()
    try:
        while True:
            await websocket.send_text(websocket.user.display_name)
            await asyncio.sleep(SOON)
    except WebSocketDisconnect as error:
        websocket.app.state.ends.put(error.code)


def test_starlette_application_has_user(fake: FakeVestibule) -> None:
    """Starlette's own decorators decide, also for websockets."""
    app = Starlette(
        routes=[
            Route("/me", authenticated),
            Route("/admin", admin_only),
            WebSocketRoute("/ticks", ticking),
        ],
        middleware=[
            Middleware(VestibuleMiddleware, url=URL, check_interval=SOON)
        ],
    )
    app.state.ends = queue.SimpleQueue()
    with TestClient(app) as client:
        assert client.get("/me").status_code == 403
        user = fake.sign_in_as(client, "bob@example.com", first_name="Bob")
        assert client.get("/me").json() == [user.id, "bob@example.com", True]
        assert client.get("/admin").status_code == 403
        with client.websocket_connect("/ticks") as websocket:
            assert websocket.receive_text() == "Bob"
            fake.end_sessions()
            with pytest.raises(WebSocketDisconnect) as closed:
                while True:
                    websocket.receive_text()
            assert closed.value.code == SESSION_ENDED
            assert app.state.ends.get(timeout=MAX_TOLD_SECONDS)
        fake.sign_in_as(client, role="admin")
        assert client.get("/admin").json() == "admin"
        fake.is_down = True
        with (
            pytest.raises(WebSocketDisconnect),
            client.websocket_connect("/ticks"),
        ):
            pass
