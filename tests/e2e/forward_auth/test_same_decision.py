#!/usr/bin/env python3
"""The filter of the API and the gate decide alike, whatever is sent."""

import re
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from werkzeug.test import TestResponse

from tests.app.api.house import WITH_SESSIONS, House, basic, built, stored_user
from tests.clocks import SetClock
from tests.e2e.forward_auth.questions import (
    QUESTIONS,
    SESSIONS,
    Question,
    holding,
)
from tests.fake_requests import with_session
from tests.serving import COOKIE
from vestibule.api import app as app_module
from vestibule.mechanisms.basic_auth import BasicAuth
from vestibule.mechanisms.session_auth import SessionAuth
from vestibule.mechanisms.session_db_auth import SessionDBAuth
from vestibule.sessions.sweeper import Sweeper

VERIFY = "/api/v1/auth_session/verify"
ME = "/api/v1/users/me"


class Town:
    """An application with sessions and credentials of every kind."""

    def __init__(self, house: House, clock: SetClock) -> None:
        """Make users, and sessions where the mechanism has any."""
        self.house = house
        users = {name: stored_user() for name in SESSIONS}
        self.given = {"empty": "", "unknown": "unknown"} | {
            kind: basic(*known).removeprefix("Basic ")
            for kind, known in (
                ("right", (users["live"],)),
                ("out", (users["disabled"],)),
                ("wrong", (users["live"], "not the password")),
            )
        }
        mechanism = house.mechanism
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

    def ask(self, path: str, question: Question) -> TestResponse:
        """Send a question as it stands, with what there is of each kind."""
        given = {
            "HTTP_COOKIE": question.cookies,
            "HTTP_AUTHORIZATION": question.authorization,
        }
        return self.house.app.test_client(use_cookies=False).open(
            path + question.end,
            method=question.method,
            environ_overrides={
                name: re.sub("<([a-z]+)>", self._filled, header)
                for name, header in given.items()
                if header is not None
            },
        )

    def _filled(self, place: re.Match[str]) -> str:
        """Return what stands for a kind; unknown where there is none."""
        return self.given.get(place[1], "unknown")


@pytest.fixture(params=["auth", "basic_auth", *WITH_SESSIONS])
def town(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Town]:
    """Build one for each mechanism."""
    clock = SetClock().install(monkeypatch)
    for name, value in (
        ("SESSION_NAME", COOKIE),
        ("THROTTLE", "off"),
        ("SESSION_DURATION", "600"),
        ("LOGIN_URL", ""),
    ):
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(SessionAuth, "user_id_by_session_id", {})
    monkeypatch.setattr(Sweeper, "ensure_running", lambda self: None)
    house = built(app_module, request.param)
    monkeypatch.setitem(vars(app_module), "auth", house.mechanism)
    yield Town(house, clock)


@settings(
    deadline=None,
    max_examples=150,
    suppress_health_check=[
        HealthCheck.function_scoped_fixture,
        HealthCheck.too_slow,
    ],
)
@given(QUESTIONS, st.booleans())
@example(Question(f"{holding('live')}; {holding('live')}"), True)
@example(Question(f"{holding('live')}; {holding('unknown')}"), True)
@example(Question(f";; {holding('live')};;"), False)
@example(Question(f"\xe4=\xff; {holding('live')}"), False)
@example(Question(f'{COOKIE}="<live>"', "Bearer a.b.c"), True)
@example(Question(holding("live"), "Basic <right>", method="HEAD"), True)
def test_both_decide_alike(
    town: Town, question: Question, first: bool
) -> None:
    """The same principal or the same reason; 403 there is 401 here.

    Verify is asked twice, for it keeps what it answered.
    """
    order = (ME, VERIFY, VERIFY) if first else (VERIFY, VERIFY, ME)
    answers = [(path, town.ask(path, question)) for path in order]
    me = dict(answers)[ME]
    assert me.status_code in (200, 401, 403)
    for verify in (answer for path, answer in answers if path == VERIFY):
        assert verify.status_code == (200 if me.status_code == 200 else 401)
        assert verify.headers.get("Session-Ended") == (
            me.headers.get("Session-Ended")
        )
        if me.status_code == 200:
            assert verify.data == me.data
            assert (
                verify.headers["Content-Length"]
                == (me.headers["Content-Length"])
            )
            shown = town.ask(ME, question._replace(method="GET"))
            assert verify.headers["Remote-User"] == shown.get_json()["id"]
        else:
            assert "Remote-User" not in verify.headers


def test_the_town_has_all_kinds(town: Town) -> None:
    """Who should pass does, so that the comparison is one."""
    mechanism = town.house.mechanism
    sessions = isinstance(mechanism, SessionAuth)
    mine = holding("live")
    for cookies, opens in (
        (mine, True),
        (f"a=b;;{mine} ; \xe4=\xff", True),
        (f'{COOKIE}="<live>"', True),
        (f"{mine}; {mine}", True),
        (f"{mine}; {holding('unknown')}", False),
        (f"{mine}x", False),
        (mine.upper(), False),
        (f"{mine},a=b", False),
    ):
        for method in ("GET", "HEAD"):
            passed = town.ask(VERIFY, Question(cookies, method=method))
            assert (passed.status_code == 200) is (sessions and opens)
    known = town.ask(VERIFY, Question(None, "Basic <right>"))
    assert (known.status_code == 200) is (type(mechanism) is BasicAuth)
    if type(mechanism) is SessionDBAuth:
        reasons = {
            town.ask(VERIFY, Question(holding(name))).headers.get(
                "Session-Ended"
            )
            for name in ("expired", "ended", "removed")
        }
        assert len(reasons - {None}) >= 2
