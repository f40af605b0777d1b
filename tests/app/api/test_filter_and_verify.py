#!/usr/bin/env python3
"""The API's filter and verify make the same decision."""

import re
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from werkzeug.test import TestResponse

from tests.app.api.request_strategies import (
    RULES,
    SENT_REQUESTS,
    SESSIONS,
    SentRequest,
    session_cookie,
)
from tests.app.api.service import (
    WITH_SESSIONS,
    Service,
    basic,
    build_service,
    stored_user,
)
from tests.clocks import SetClock
from tests.fake_requests import with_session
from tests.serving import COOKIE, ME, VERIFY
from vestibule.api import app as app_module
from vestibule.mechanisms.basic_auth import BasicAuth
from vestibule.mechanisms.session_auth import SessionAuth
from vestibule.mechanisms.session_db_auth import SessionDBAuth
from vestibule.sessions.sweeper import Sweeper


class Scenario:
    """An application with sessions and credentials of every kind."""

    def __init__(self, service: Service, clock: SetClock) -> None:
        """Create users, and sessions if the mechanism has any."""
        self.service = service
        users = {name: stored_user() for name in SESSIONS}
        self.given = {"empty": "", "unknown": "unknown"} | {
            kind: basic(*known).removeprefix("Basic ")
            for kind, known in (
                ("right", (users["live"],)),
                ("out", (users["disabled"],)),
                ("wrong", (users["live"], "not the password")),
            )
        }
        mechanism = service.mechanism
        if isinstance(mechanism, SessionAuth):
            for name in ("expired", "live", "ended", "disabled", "removed"):
                made = mechanism.create_session(users[name].id)
                self.given[name] = str(made)
                if name == "expired":
                    clock.advance(3600)
            mechanism.destroy_session(with_session(self.given["ended"]))
        users["removed"].remove()
        users["disabled"].disabled_at = clock.now()
        users["disabled"].save()

    def send(
        self,
        path: str,
        sent: SentRequest,
        more: dict[str, str] | None = None,
    ) -> TestResponse:
        """Send a request with its placeholders filled in.

        `more` has further entries of the WSGI environ.
        """
        given = {
            "HTTP_COOKIE": sent.cookies,
            "HTTP_AUTHORIZATION": sent.authorization,
        }
        return self.service.app.test_client(use_cookies=False).open(
            path + sent.end,
            method=sent.method,
            environ_overrides={
                name: re.sub("<([a-z]+)>", self._filled, header)
                for name, header in given.items()
                if header is not None
            }
            | (more or {}),
        )

    def _filled(self, place: re.Match[str]) -> str:
        """Return the value of a placeholder; `unknown` if there is none."""
        return self.given.get(place[1], "unknown")


@pytest.fixture(params=["auth", "basic_auth", *WITH_SESSIONS])
def scenario(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Scenario]:
    """Build a scenario for each mechanism."""
    clock = SetClock().install(monkeypatch)
    for name, value in (
        ("SESSION_NAME", COOKIE),
        ("THROTTLE", "off"),
        ("SESSION_DURATION", "600"),
        ("LOGIN_URL", "none"),
    ):
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(SessionAuth, "user_id_by_session_id", {})
    monkeypatch.setattr(Sweeper, "ensure_running", lambda self: None)
    service = build_service(app_module, request.param)
    monkeypatch.setitem(vars(app_module), "auth", service.mechanism)
    yield Scenario(service, clock)


@settings(
    deadline=None,
    max_examples=150,
    suppress_health_check=[
        HealthCheck.function_scoped_fixture,
        HealthCheck.too_slow,
    ],
)
@given(SENT_REQUESTS, st.booleans())
@example(
    SentRequest(f"{session_cookie('live')}; {session_cookie('live')}"), True
)
@example(
    SentRequest(f"{session_cookie('live')}; {session_cookie('unknown')}"), True
)
@example(SentRequest(f";; {session_cookie('live')};;"), False)
@example(SentRequest(f"\xe4=\xff; {session_cookie('live')}"), False)
@example(SentRequest(f'{COOKIE}="<live>"', "Bearer a.b.c"), True)
@example(
    SentRequest(session_cookie("live"), "Basic <right>", method="HEAD"), True
)
def test_filter_and_verify_decide_alike(
    scenario: Scenario, sent: SentRequest, first: bool
) -> None:
    """Both find the same user or the same reason; 403 becomes 401.

    A header that decides and cannot be read is a 400 in both.

    Verify is requested twice because it caches its response.
    """
    order = (ME, VERIFY, VERIFY) if first else (VERIFY, VERIFY, ME)
    answers = [(path, scenario.send(path, sent)) for path in order]
    me = dict(answers)[ME]
    assert me.status_code in (200, 400, 401, 403)
    refused = {403: 401}.get(me.status_code, me.status_code)
    for verify in (answer for path, answer in answers if path == VERIFY):
        assert verify.status_code == refused
        assert verify.headers.get("Session-Ended") == (
            me.headers.get("Session-Ended")
        )
        if me.status_code == 200:
            assert verify.data == me.data
            assert (
                verify.headers["Content-Length"]
                == (me.headers["Content-Length"])
            )
            shown = scenario.send(ME, sent._replace(method="GET"))
            assert verify.headers["Remote-User"] == shown.get_json()["id"]
        else:
            assert "Remote-User" not in verify.headers


@settings(
    deadline=None,
    max_examples=150,
    suppress_health_check=[
        HealthCheck.function_scoped_fixture,
        HealthCheck.too_slow,
    ],
)
@given(SENT_REQUESTS, st.lists(st.sampled_from([*RULES]), max_size=4))
@example(SentRequest(session_cookie("live")), [*RULES])
@example(SentRequest(session_cookie("live")), [*reversed(RULES)])
@example(SentRequest(None, "Basic <right>"), [*RULES])
def test_rule_of_verify_only_narrows(
    scenario: Scenario, sent: SentRequest, rules: list[str]
) -> None:
    """A rule refuses some of the users that verify names without one, in
    any order of requests with the same cookies.
    """
    bare = sent._replace(end="")
    plain = scenario.send(VERIFY, bare)
    for rule in rules:
        answer = scenario.send(f"{VERIFY}?{rule}", bare)
        expected = RULES[rule]
        if expected != 400 and plain.status_code != 200:
            expected = plain.status_code
        elif plain.status_code == 400:
            expected = 400
        assert answer.status_code == expected, rule
        if expected == 200:
            assert answer.data == plain.data
            assert (
                answer.headers["Remote-User"] == plain.headers["Remote-User"]
            )
        else:
            assert not any("Remote" in name for name in dict(answer.headers))


def test_scenario_has_valid_and_invalid_kinds(scenario: Scenario) -> None:
    """Valid cookies and credentials pass, so the comparison can fail."""
    mechanism = scenario.service.mechanism
    sessions = isinstance(mechanism, SessionAuth)
    mine = session_cookie("live")
    for cookies, opens in (
        (mine, True),
        (f"a=b;;{mine} ; \xe4=\xff", True),
        (f'{COOKIE}="<live>"', True),
        (f"{mine}; {mine}", True),
        (f"{mine}; {session_cookie('unknown')}", False),
        (f"{mine}x", False),
        (mine.upper(), False),
        (f"{mine},a=b", False),
    ):
        for method in ("GET", "HEAD"):
            passed = scenario.send(VERIFY, SentRequest(cookies, method=method))
            assert (passed.status_code == 200) is (sessions and opens)
    known = scenario.send(VERIFY, SentRequest(None, "Basic <right>"))
    assert (known.status_code == 200) is (type(mechanism) is BasicAuth)
    if type(mechanism) is SessionDBAuth:
        reasons = {
            scenario.send(
                VERIFY, SentRequest(session_cookie(name))
            ).headers.get("Session-Ended")
            for name in ("expired", "ended", "removed")
        }
        assert len(reasons - {None}) >= 2
