#!/usr/bin/env python3
"""`GET /users/me` before Flask and through it: the same bytes, or Flask's."""

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import pytest
from flask import Flask, Response
from flask.signals import request_started
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from tests.app.api.request_strategies import (
    AUTHORIZATIONS,
    COOKIES,
    SentRequest,
    session_cookie,
)
from tests.app.api.service import WITH_SESSIONS, build_service
from tests.app.api.test_filter_and_verify import Scenario
from tests.clocks import SetClock
from tests.serving import (
    COOKIE,
    ME,
)
from vestibule.api import app as app_module
from vestibule.http import user_response
from vestibule.http.user_response import ResponseCache
from vestibule.mechanisms import session_cache
from vestibule.mechanisms.session_auth import SessionAuth
from vestibule.mechanisms.session_db_auth import SessionDBAuth
from vestibule.metrics.counters import counters
from vestibule.sessions.sweeper import Sweeper

#: Headers that may change a response, as an environ names them.
HEADERS = st.fixed_dictionaries(
    {},
    optional={
        "HTTP_ACCEPT": st.sampled_from(["text/html", "*/*", "a/b;q=x", ""]),
        "HTTP_ORIGIN": st.sampled_from(
            ["https://a.example", "https://b.example", "null", ""]
        ),
        "HTTP_SEC_FETCH_SITE": st.sampled_from(["cross-site", "none"]),
        "HTTP_X_FORWARDED_PROTO": st.sampled_from(["https", "http", "x,y"]),
        "HTTP_X_FORWARDED_FOR": st.sampled_from(["192.0.2.1", "x", ""]),
        "HTTP_X_FORWARDED_HOST": st.sampled_from(["a.example", "x y"]),
        "HTTP_HOST": st.sampled_from(["a.example:8000", "", "x y"]),
        "wsgi.url_scheme": st.sampled_from(["https", "http"]),
        "SCRIPT_NAME": st.just("/below"),
    },
)


class Answer(NamedTuple):
    """All of a response that a client can see."""

    status: str
    headers: list[tuple[str, str]]
    body: bytes


class Asked:
    """An application, and whether the shortcut answered."""

    def __init__(
        self, scenario: Scenario, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Watch the cache of its responses."""
        self.scenario = scenario
        self.hits = 0
        self.is_on = True
        find = ResponseCache.find

        def watched(cache: ResponseCache, environ: dict[str, Any]) -> Any:
            """Find nothing while the shortcut is switched off."""
            found = find(cache, environ) if self.is_on else None
            self.hits += found is not None
            return found

        monkeypatch.setattr(ResponseCache, "find", watched)

    def answer(
        self, sent: SentRequest, more: dict[str, str], is_on: bool = True
    ) -> Answer:
        """Ask for the current user, by the shortcut or without it."""
        self.is_on = is_on
        shown = self.scenario.send(ME, sent, more)
        return Answer(shown.status, list(shown.headers), shown.data)


@pytest.fixture(
    params=[
        ("auth", "contract"),
        ("basic_auth", "hardened"),
        *((name, "contract") for name in WITH_SESSIONS),
        ("session_db_auth", "hardened"),
    ],
    ids="-".join,
)
def asked(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Asked]:
    """Build an application for each mechanism, under both profiles."""
    auth_type, profile = request.param
    clock = SetClock().install(monkeypatch)
    for name, value in (
        ("SECURITY_PROFILE", profile),
        ("SESSION_NAME", COOKIE),
        ("THROTTLE", "off"),
        ("SESSION_DURATION", "600"),
        (
            "CORS_ORIGINS",
            "https://a.example" if profile != "contract" else "*",
        ),
        ("TRUSTED_PROXIES", "127.0.0.1" if profile != "contract" else ""),
    ):
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(SessionAuth, "user_id_by_session_id", {})
    monkeypatch.setattr(Sweeper, "ensure_running", lambda self: None)
    session_cache._known.clear()
    service = build_service(app_module, auth_type)
    monkeypatch.setitem(vars(app_module), "auth", service.mechanism)
    yield Asked(Scenario(service, clock), monkeypatch)


@settings(
    deadline=None,
    max_examples=100,
    suppress_health_check=[
        HealthCheck.function_scoped_fixture,
        HealthCheck.too_slow,
    ],
)
@given(
    st.builds(
        SentRequest,
        COOKIES | st.just(session_cookie("live")),
        st.none() | AUTHORIZATIONS,
        st.sampled_from(["", "/", "?a=b", "/?a=b", "//", "/x"]),
        st.sampled_from(["GET", "GET", "HEAD", "POST", "PUT", "OPTIONS"]),
    ),
    HEADERS,
)
@example(SentRequest(session_cookie("live")), {})
@example(SentRequest(session_cookie("live"), end="/"), {"HTTP_ORIGIN": "null"})
@example(
    SentRequest(session_cookie("live")), {"HTTP_ORIGIN": "https://a.example"}
)
@example(
    SentRequest(session_cookie("live")), {"HTTP_X_FORWARDED_PROTO": "https"}
)
@example(SentRequest(session_cookie("live"), method="HEAD"), {})
@example(SentRequest(session_cookie("live"), "Basic <right>"), {})
def test_shortcut_and_flask_answer_alike(
    asked: Asked, sent: SentRequest, more: dict[str, str]
) -> None:
    """Status, body, headers and their order: asked twice, and by Flask."""
    slow = asked.answer(sent, more, is_on=False)
    for _ in range(2):
        assert asked.answer(sent, more) == slow


def _hits(asked: Asked) -> int:
    """Return how often the shortcut answers three requests."""
    before = asked.hits
    for _ in range(3):
        asked.answer(SentRequest(session_cookie("live")), {})
    return asked.hits - before


def test_shortcut_answers_stored_sessions(asked: Asked) -> None:
    """Only sessions in the database are cached, from the second request."""
    is_stored = type(asked.scenario.service.mechanism) is SessionDBAuth
    assert _hits(asked) == (2 if is_stored else 0)
    more = asked.answer(SentRequest(session_cookie("ended")), {})
    assert more.status.startswith("403" if is_stored else more.status[:3])


@pytest.fixture
def stored(
    monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> Asked:
    """Return an application whose shortcut answers."""
    clock = SetClock().install(monkeypatch)
    for name, value in (("SESSION_NAME", COOKIE), ("THROTTLE", "off")):
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(Sweeper, "ensure_running", lambda self: None)
    session_cache._known.clear()
    service = build_service(app_module, "session_db_auth")
    monkeypatch.setitem(vars(app_module), "auth", service.mechanism)
    asked = Asked(Scenario(service, clock), monkeypatch)
    assert _hits(asked) == 2
    return asked


def _view(app: Flask) -> None:
    """Replace the view."""
    app.view_functions["app_views.show_me"] = lambda: Response("own", 202)


def _before(app: Flask) -> None:
    """Add a filter of the application."""
    app.before_request_funcs[None].append(lambda: Response("own", 202))


def _before_of_the_blueprint(app: Flask) -> None:
    """Add a filter of the API's blueprint."""
    app.before_request_funcs["app_views"].append(lambda: Response("own", 202))


def _after(app: Flask) -> None:
    """Change each response."""

    def accept(response: Response) -> Response:
        """Give it another status."""
        response.status_code = 202
        return response

    app.after_request_funcs[None].append(accept)


def _finalize(app: Flask) -> None:
    """Replace a method of Flask on the application."""
    app.full_dispatch_request = (  # type: ignore[method-assign]
        lambda: Response("own", 202)
    )


@pytest.mark.parametrize(
    "change", [_view, _before, _before_of_the_blueprint, _after, _finalize]
)
def test_replacement_in_the_application_bypasses_shortcut(
    stored: Asked, change: Callable[[Flask], None]
) -> None:
    """The next request is answered by Flask, with the replacement."""
    change(stored.scenario.service.app)
    answer = stored.answer(SentRequest(session_cookie("live")), {})
    assert answer.status.startswith("202")


def test_signal_receiver_bypasses_shortcut(stored: Asked) -> None:
    """A receiver of `request_started` hears of each request."""
    heard = []

    def hear(sender: Flask, **_: Any) -> None:
        """Note one."""
        heard.append(sender)

    with request_started.connected_to(hear):
        stored.answer(SentRequest(session_cookie("live")), {})
    assert heard == [stored.scenario.service.app]


@pytest.mark.parametrize(
    "method",
    [
        "current_user",
        "session_cookie",
        "user_id_for_session_id",
        "require_auth",
    ],
)
@pytest.mark.parametrize("place", ["object", "class"])
def test_replaced_mechanism_method_bypasses_shortcut(
    stored: Asked, monkeypatch: pytest.MonkeyPatch, place: str, method: str
) -> None:
    """With it the request identifies no user."""
    auth = stored.scenario.service.mechanism
    target = auth if place == "object" else type(auth)
    monkeypatch.setattr(target, method, lambda *_: None)
    answer = stored.answer(SentRequest(session_cookie("live")), {})
    assert not answer.status.startswith("200")


def test_replaced_mechanism_bypasses_shortcut(
    stored: Asked, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without a mechanism the response is 404."""
    monkeypatch.setitem(vars(app_module), "auth", None)
    answer = stored.answer(SentRequest(session_cookie("live")), {})
    assert answer.status.startswith("404")


def test_shortcut_and_flask_are_counted_alike(
    stored: Asked, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The metrics have the same route and status for both."""
    seen = []

    def note(method: str, route: str, status: str, _: float) -> None:
        """Keep what is counted."""
        seen.append((method, route, status))

    monkeypatch.setattr(counters(), "count_response", note, raising=False)
    for is_on in (False, True):
        for end in ("", "/"):
            stored.answer(
                SentRequest(session_cookie("live"), end=end), {}, is_on
            )
    assert stored.hits >= 2
    assert seen == [("GET", user_response.ME, "200")] * 4
