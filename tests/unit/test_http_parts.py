#!/usr/bin/env python3
"""Parts of the HTTP layer: requests, responses, errors."""

import logging
from typing import Any

import pytest
from flask import Response, abort, request
from werkzeug.exceptions import MethodNotAllowed, TooManyRequests
from werkzeug.routing import Map, Rule
from werkzeug.test import EnvironBuilder

from vestibule.core.errors import (
    DatabaseUnavailable,
    InvalidValue,
    ServiceBusy,
)
from vestibule.http import responses
from vestibule.http.flask_app import MinimalFlask, MinimalResponse
from vestibule.http.middleware import ResponseHeaders, add_headers
from vestibule.http.request import VestibuleRequest
from vestibule.http.responses import json_response


@pytest.fixture
def app() -> MinimalFlask:
    """Return an application that fails in every way."""
    app = MinimalFlask("failing", static_folder=None)
    responses.install_error_handlers(app)
    failures: dict[str, Exception] = {
        "busy": ServiceBusy("the file x is locked", 7),
        "gone": DatabaseUnavailable("disk full at /secret"),
        "odd": InvalidValue("email", "is odd", code="invalid"),
        "defect": KeyError("detail"),
        "slow": TooManyRequests(retry_after=9),
    }

    @app.get("/<name>")
    def fail(name: str) -> Response:
        """Fail in the way that the path names, or respond."""
        if name in failures:
            raise failures[name]
        if name.isdigit():
            abort(int(name))
        return json_response({"b": request.url, "a": name})

    return app


def _request(body: bytes, kind: str = "application/json") -> Any:
    """Return a request with this body."""
    builder = EnvironBuilder(method="POST", data=body, content_type=kind)
    return VestibuleRequest(builder.get_environ())


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (b'{"a": 1}', {"a": 1}),
        (b"{}", {}),
        (b' {"a": {"b": [null, "\\ud800"]}} ', {"a": {"b": [None, "\ud800"]}}),
        (b"", None),
        (b"[]", None),
        (b"null", None),
        (b'"a"', None),
        (b"{", None),
        (b"{'a': 1}", None),
        (b'{"a": 1, "a": 1}', None),
        (b'{"a": {"b": 1, "b": 2}}', None),
        (b'{"a": 1} x', None),
        (b"\xff", None),
        (b"[" * 100_000, None),
        (b'{"a": ' + b"9" * 5000 + b"}", None),
    ],
)
def test_body_is_one_json_object_or_none(body: bytes, expected: Any) -> None:
    """Nothing is guessed or repaired; duplicate keys are refused."""
    assert _request(body).json_object() == expected


def test_body_needs_the_json_content_type() -> None:
    """The same bytes under another name are no object."""
    for kind, is_json in [
        ("application/json; charset=utf-8", True),
        ("application/vnd.x+json", True),
        ("text/plain", False),
        ("application/x-www-form-urlencoded", False),
    ]:
        body = _request(b"{}", kind).json_object()
        assert body == ({} if is_json else None)


def test_json_response_is_indented_and_sorted() -> None:
    """Two spaces, keys in order, a new line at the end."""
    made = json_response({"b": [1], "a": "\u00e9"}, 201)
    assert made.status_code == 201
    assert made.mimetype == "application/json"
    assert made.get_data(as_text=True) == (
        '{\n  "a": "\u00e9",\n  "b": [\n    1\n  ]\n}\n'
    )


@pytest.mark.parametrize(
    ("path", "status", "text"),
    [
        ("/401", 401, "Unauthorized"),
        ("/403", 403, "Forbidden"),
        ("/404", 404, "Not found"),
        ("/a/b", 404, "Not found"),
        ("/418", 418, "I'm a teapot"),
        ("/busy", 503, "Service Unavailable"),
        ("/gone", 503, "Service Unavailable"),
        ("/odd", 400, "email is odd"),
        ("/defect", 500, "Internal Server Error"),
        ("/slow", 429, "Too Many Requests"),
    ],
)
def test_errors_are_json(
    app: MinimalFlask,
    path: str,
    status: int,
    text: str,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """The client gets a text that is meant for it; the log has the rest."""
    with caplog.at_level(logging.ERROR):
        response = app.test_client().get(path)
    assert response.status_code == status
    assert response.get_json() == {"error": text}
    assert bool(caplog.records) is (status >= 500)


def test_retry_after_is_sent(app: MinimalFlask) -> None:
    """Our own errors and those of the framework have it."""
    client = app.test_client()
    assert client.get("/busy").headers["Retry-After"] == "7"
    assert client.get("/slow").headers["Retry-After"] == "9"


def test_wrong_method_lists_the_allowed_ones(app: MinimalFlask) -> None:
    """As a page, or as JSON for clients that ask for it."""
    client = app.test_client()
    for accepted, is_page in [
        (None, True),
        ("*/*", True),
        ("text/html", True),
        ("application/json", False),
    ]:
        headers = {} if accepted is None else {"Accept": accepted}
        response = client.post("/x", headers=headers)
        assert response.status_code == 405
        assert "GET" in response.headers["Allow"]
        assert ("<title>405 Method" in response.text) is is_page
        if not is_page:
            assert response.get_json() == {"error": MethodNotAllowed().name}


def test_minimal_responses_have_all_headers(app: MinimalFlask) -> None:
    """GET and HEAD have the same headers; HEAD has no body."""
    client = app.test_client()
    got, headed = client.get("/x"), client.head("/x")
    assert got.get_json() == {"a": "x", "b": "http://localhost/x"}
    assert headed.headers == got.headers
    assert headed.data == b""
    assert int(got.headers["Content-Length"]) == len(got.data)


def test_response_callbacks_run_on_close() -> None:
    """A response with such callbacks is closed as usual."""
    done: list[int] = []
    response = MinimalResponse("x")
    response.call_on_close(lambda: done.append(1))
    environ = EnvironBuilder().get_environ()
    body, status, _ = response.get_wsgi_response(environ)
    assert status == "200 OK"
    assert b"".join(body) == b"x"
    body.close()  # type: ignore[attr-defined]
    assert done == [1]


def test_flask_sessions_are_off(app: MinimalFlask) -> None:
    """Writing to one fails, and Flask sets no cookie."""
    from flask import session

    app.secret_key = "x"
    with app.test_request_context("/"):
        assert not session
        with pytest.raises(RuntimeError):
            session["a"] = 1
    assert "Set-Cookie" not in app.test_client().get("/x").headers


def test_url_for_works_outside_of_requests(app: MinimalFlask) -> None:
    """Without a request there is no adapter for its path."""
    assert app.create_url_adapter(None) is None


def test_headers_are_on_every_response() -> None:
    """Our headers come after those of the application."""
    seen: list[Any] = []

    def plain(environ: Any, start_response: Any) -> list[bytes]:
        """Return a response with one header."""
        start_response("200 OK", [("A", "b")])
        return [b"x"]

    body = add_headers(plain, ResponseHeaders(lambda environ: False))(
        {}, lambda *given: seen.append(given)
    )
    assert body == [b"x"]
    status, headers, failed = seen[0]
    assert (status, failed) == ("200 OK", None)
    assert headers[0] == ("A", "b")
    assert dict(headers)["Access-Control-Allow-Origin"] == "*"
    assert dict(headers)["Cache-Control"] == "no-store"
    assert "Access-Control-Allow-Credentials" not in dict(headers)


def test_address_of_a_route_is_that_of_werkzeug(app: MinimalFlask) -> None:
    """It is made at the first use, with converted and with more values."""
    app.add_url_rule("/people/<int:number>/<name>", "person", lambda: "")
    plain = Map([Rule("/people/<int:number>/<name>", endpoint="person")])
    for more in ({}, {"page": "2"}):
        values = {"number": 7, "name": "a b", **more}
        for _ in range(2):
            built = app.url_map.bind("h").build("person", values)
            assert built == plain.bind("h").build("person", values)
