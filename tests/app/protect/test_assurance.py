#!/usr/bin/env python3
"""Routes that demand a level, a passkey or a recent proof of their user."""

import asyncio
import time
from collections.abc import Callable
from types import SimpleNamespace
from typing import Annotated, Any
from urllib.parse import parse_qs, urlsplit

import httpx2
import pytest
from fastapi import Depends, FastAPI, WebSocket
from flask import Flask
from starlette.testclient import TestClient, WebSocketDenialResponse
from starlette.websockets import WebSocketDisconnect

from tests.app.protect.adapters import (
    DEMANDING,
    DEMANDS,
    Seen,
    by_flask,
    messages,
)
from tests.app.protect.fake_server import GOOD, NAMING, answer, fake_server
from vestibule.identity.header import FACTS_HEADER
from vestibule.protect import asgi, fastapi, flask
from vestibule.protect.assurance import requirement
from vestibule.protect.testing import (
    COOKIE_NAME,
    FakeVestibule,
    fake_vestibule,
)
from vestibule.protect.verify_response import Facts, Principal, parse_facts

URL = "http://127.0.0.1:9"
PAGE = {"Sec-Fetch-Mode": "navigate"}
STEP_UP = "/account/factors/step-up"
CHALLENGES = {
    "/second": 'acr_values="urn:vestibule:level:2"',
    "/passkey": 'acr_values="phr"',
    "/fresh": 'max_age="300"',
    "/all": 'acr_values="phr", max_age="60"',
}
QUERIES = {
    "/second": {"level": ["2"]},
    "/passkey": {"phishing-resistant": ["on"]},
    "/fresh": {"fresh": ["300"]},
    "/all": {"level": ["2"], "phishing-resistant": ["on"], "fresh": ["60"]},
}
each_adapter = pytest.mark.parametrize("name", DEMANDING)


def cookie_of(fake: FakeVestibule, **facts: Any) -> str:
    """Return the cookie of a new session at a fake Vestibule."""
    jar = SimpleNamespace(cookies=httpx2.Cookies())
    fake.sign_in_as(jar, **facts)
    return f"{COOKIE_NAME}={jar.cookies[COOKIE_NAME]}"


def passed(get: Any, cookie: str, **headers: str) -> set[str]:
    """Return the paths that a session may open."""
    return {
        path for path in DEMANDS if get(path, cookie, **headers).status == 200
    }


@each_adapter
def test_session_passes_where_its_facts_suffice(name: str) -> None:
    """A level is no passkey, and neither is a recent proof."""
    old = int(time.time()) - 301
    with fake_vestibule() as fake, DEMANDING[name](URL) as get:
        for facts, expected in (
            ({}, {"/fresh"}),
            ({"auth_time": old}, set()),
            ({"level": 2}, {"/second", "/fresh"}),
            ({"level": 2, "auth_time": old}, {"/second"}),
            ({"phishing_resistant": True}, {"/passkey", "/fresh"}),
            ({"level": 2, "phishing_resistant": True}, set(DEMANDS)),
            ({"is_recent": False}, set()),
        ):
            assert passed(get, cookie_of(fake, **facts)) == expected, facts


@each_adapter
def test_other_requests_get_challenge_of_rfc_9470(name: str) -> None:
    """It names what is missing, as the gate's does."""
    with fake_vestibule() as fake, DEMANDING[name](URL) as get:
        cookie = cookie_of(fake, is_recent=False)
        for path, challenge in CHALLENGES.items():
            for headers in ({}, {"Accept": "*/*"}, {"Upgrade": "websocket"}):
                seen: Seen = get(path, cookie, **headers)
                assert seen.status == 401
                assert seen.headers["www-authenticate"] == (
                    'Bearer error="insufficient_user_authentication", '
                    + challenge
                )
                assert "location" not in seen.headers
                assert "insufficient user authentication" in str(seen.body)
        anonymous = get("/second")
        assert anonymous.status == 401
        challenge = anonymous.headers["www-authenticate"]
        assert challenge.lower().startswith("cookie realm=")


@each_adapter
def test_page_load_is_led_to_step_up_and_back(name: str) -> None:
    """A form loses its data, so it is not led back."""
    with fake_vestibule() as fake, DEMANDING[name](URL) as get:
        cookie = cookie_of(fake, is_recent=False)
        for path, query in QUERIES.items():
            for headers in (PAGE, {"Accept": "text/html,*/*;q=0.8"}):
                seen = get(f"{path}?a=%3C&b", cookie, **headers)
                assert seen.status == 302
                url = urlsplit(seen.headers["location"])
                assert (url.netloc, url.path) == ("", STEP_UP)
                back = {"return_to": [f"{path}?a=%3C&b"]}
                assert parse_qs(url.query) == query | back
                assert seen.headers["cache-control"] == "no-store"
                assert "Sec-Fetch-Mode" in seen.headers["vary"]
            seen = get(path, cookie, method="POST", **PAGE)
            assert seen.status == 303
            assert "return_to" not in seen.headers["location"]


@each_adapter
def test_step_up_page_may_be_elsewhere(name: str) -> None:
    """Then the way back is a whole URL; without pages there is none."""
    with fake_vestibule() as fake:
        cookie = cookie_of(fake)
        host = {"Host": "app.example:8000"}
        with DEMANDING[name](URL, pages="http://auth.example/in") as get:
            seen = get("/second", cookie, **PAGE, **host)
            assert seen.headers["location"] == (
                f"http://auth.example/in{STEP_UP}?level=2"
                "&return_to=http%3A//app.example%3A8000/second"
            )
            for odd in ("evil.example/a", "a b", "evil.example@b"):
                location = get(
                    "/second", cookie, **PAGE, Host=odd
                ).headers.get("location", "")
                assert "return_to" not in location
        with DEMANDING[name](URL, pages=None) as get:
            assert get("/second", cookie, **PAGE, **host).status == 401


@each_adapter
@pytest.mark.parametrize(
    "sent",
    [
        b"X: y",
        b"Remote-Assurance: 2",
        FACTS_HEADER.encode() + b": {}",
        FACTS_HEADER.encode() + b': {"auth_time": 4000000000}',
    ],
)
def test_older_vestibule_fails_closed(
    name: str, sent: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    """Routes without a demand work on; the log says why others do not."""
    with (
        fake_server(answer(GOOD, *NAMING, sent)) as there,
        DEMANDING[name](there.url) as get,
    ):
        for path in DEMANDS:
            for headers in ({}, PAGE):
                assert get(path, "a=1", **headers).status == 503
        if name != "starlette":
            assert get("/me", "a=1").status == 200
    assert "older than this package" in caplog.text


def facts_sent(text: str) -> bytes:
    """Return the answer of a Vestibule with this header."""
    return answer(GOOD, *NAMING, f"{FACTS_HEADER}: {text}".encode())


@pytest.mark.parametrize(
    "text",
    [
        "",
        "2",
        "[]",
        "null",
        '{"acr": 2}',
        '{"acr": null}',
        '{"acr": "urn:vestibule:level:"}',
        '{"acr": "urn:vestibule:level:2\\n"}',
        '{"acr": "phr"}',
        '{"acr": "urn:vestibule:level:2", "auth_time": "1"}',
        '{"acr": "urn:vestibule:level:2", "auth_time": true}',
        '{"acr": "urn:vestibule:level:2", "auth_time": -1}',
        '{"acr": "urn:vestibule:level:2", "auth_time": 1e400}',
        '{"acr": "urn:vestibule:level:2", "auth_time": NaN}',
        '{"acr": "urn:vestibule:level:2", "auth_time": 9999999999999}',
        '{"acr": "urn:vestibule:level:2", "amr": "otp"}',
        '{"acr": "urn:vestibule:level:2", "amr": [1]}',
        '{"acr": "urn:vestibule:level:2", "phishing_resistant": "true"}',
        '{"acr": "urn:vestibule:level:2", "phishing_resistant": 1}',
        '{"acr": "urn:vestibule:level:2", "reauth_window": 1.5}',
        '{"acr": "urn:vestibule:level:2"}\r\nX-Vestibule-Facts: {}',
        "[" * 10_000,
    ],
)
def test_invalid_facts_make_user_unknown(text: str) -> None:
    """The application answers 503: no Vestibule sends that."""
    with fake_server(facts_sent(text)) as there, by_flask(there.url) as get:
        assert get("/second", "a=1").status == 503
        assert get("/me", "a=1").status == 503


def test_unknown_facts_are_read_as_none() -> None:
    """Claims that a later Vestibule adds are ignored."""
    told = {"acr": "urn:vestibule:level:1", "other": {}}
    assert parse_facts(told) == Facts(1)
    assert parse_facts({"amr": 1}) == Facts()


def test_clock_of_vestibule_may_be_little_ahead() -> None:
    """A proof of the near future is recent, one of the far future is not."""
    now = int(time.time())
    with fake_vestibule() as fake, by_flask(URL) as get:
        for lead, status in ((3, 200), (60, 401), (100_000_000, 401)):
            cookie = cookie_of(fake, auth_time=now + lead)
            assert get("/fresh", cookie).status == status


@pytest.mark.parametrize(
    ("demand", "error"),
    [
        ({}, ValueError),
        ({"level": 1}, ValueError),
        ({"level": 0}, ValueError),
        ({"level": 3}, ValueError),
        ({"level": "2"}, TypeError),
        ({"level": True}, TypeError),
        ({"level": 2.0}, TypeError),
        ({"phishing_resistant": 1}, TypeError),
        ({"phishing_resistant": "no"}, TypeError),
        ({"fresh": 0}, ValueError),
        ({"fresh": -1}, ValueError),
        ({"fresh": 31_536_001}, ValueError),
        ({"fresh": 300.0}, TypeError),
        ({"fresh": "300"}, TypeError),
        ({"fresh": True}, TypeError),
        ({"freshness": 300}, TypeError),
    ],
)
def test_demand_without_meaning_is_refused(
    demand: dict[str, Any], error: type[Exception]
) -> None:
    """The error comes when the view is defined, not at a request."""
    with pytest.raises(error):
        flask.assurance_required(**demand)
    bare: Any = flask.assurance_required
    with pytest.raises(TypeError):
        bare(lambda: "a view")
    if "freshness" not in demand and demand not in ({}, {"level": 1}):
        with pytest.raises(error):
            requirement(**demand)


def test_demand_and_role_are_both_required() -> None:
    """The decorators of Flask stand above each other."""
    app = Flask("both")
    flask.Vestibule(app, URL)
    both = flask.role_required("admin")(
        flask.assurance_required(level=2)(lambda: "done")
    )
    app.add_url_rule("/", "both", both)
    with fake_vestibule() as fake:
        client = app.test_client(use_cookies=False)
        for role, level, status in (
            ("member", 2, 403),
            ("admin", 1, 401),
            ("admin", 2, 200),
        ):
            cookie = cookie_of(fake, role=role, level=level)
            sent = {"Cookie": cookie}
            assert client.get("/", headers=sent).status_code == status


def test_error_handler_of_flask_sees_missing_proof() -> None:
    """It gets the 401 with its challenge."""
    app = Flask("handled")
    flask.Vestibule(app, URL)
    view = flask.assurance_required(level=2)(lambda: "done")
    app.add_url_rule("/", "view", view)

    @app.errorhandler(401)
    def handled(error: Any) -> Any:
        """Answer in the form of the application."""
        return {"why": error.description}, 401, error.get_headers()

    with fake_vestibule() as fake:
        sent = {"Cookie": cookie_of(fake)}
        response = app.test_client(use_cookies=False).get("/", headers=sent)
    assert response.status_code == 401
    assert "insufficient" in response.headers["WWW-Authenticate"]


@pytest.mark.parametrize(
    "extensions", [None, {}, {"websocket.http.response": {}}]
)
def test_websocket_is_judged_before_it_opens(extensions: Any) -> None:
    """It gets the challenge if the server supports that, never a redirect."""

    async def app(scope: Any, receive: Any, send: Any) -> None:
        """Accept the websocket."""
        await receive()
        await send({"type": "websocket.accept"})

    with fake_vestibule() as fake, asyncio.Runner() as runner:
        guarded = asgi.Protection(app, URL, level=2)

        def opened(**facts: Any) -> list[Any]:
            """Return the messages that a client receives."""
            headers = PAGE | {"Cookie": cookie_of(fake, **facts)}
            more = {"extensions": extensions}
            return runner.run(
                messages(guarded, "websocket", "/", headers, **more)
            )

        assert opened(level=2)[0]["type"] == "websocket.accept"
        refused = opened()[0]
    if not extensions:
        assert refused == {"type": "websocket.close", "code": 1008}
        return
    headers = dict(refused["headers"])
    assert refused["status"] == 401
    assert b"insufficient_user" in headers[b"www-authenticate"]
    assert b"location" not in headers


def test_websocket_of_fastapi_is_judged_before_it_opens() -> None:
    """The dependency refuses it as it refuses requests."""
    vestibule = fastapi.Vestibule(URL)
    app = FastAPI()

    @app.websocket("/")
    async def talk(
        websocket: WebSocket,
        user: Annotated[
            Principal, Depends(vestibule.assurance_required(level=2))
        ],
    ) -> None:
        """Greet the user."""
        await websocket.accept()
        await websocket.send_text(user.name)

    with fake_vestibule() as fake, TestClient(app) as client:
        fake.sign_in_as(client, level=2)
        with client.websocket_connect("/", headers=PAGE) as websocket:
            assert websocket.receive_text() == "user@example.com"
        fake.sign_in_as(client)
        with (
            pytest.raises((WebSocketDisconnect, WebSocketDenialResponse)),
            client.websocket_connect("/", headers=PAGE),
        ):
            pass


def test_override_of_user_counts_for_demands() -> None:
    """A test of an application gives the facts that it needs."""
    vestibule = fastapi.Vestibule(URL)
    app = FastAPI()
    careful = vestibule.assurance_required(level=2)

    @app.get("/")
    async def view(user: Annotated[Principal, Depends(careful)]) -> int:
        """Return the level."""
        return user.level

    def user_of(level: int) -> Callable[[], Principal]:
        """Return an override that gives a user of this level."""
        return lambda: Principal("1", level=level)

    client = TestClient(app)
    for level, status in ((0, 503), (1, 401), (2, 200)):
        app.dependency_overrides[vestibule.current_user] = user_of(level)
        assert client.get("/").status_code == status
