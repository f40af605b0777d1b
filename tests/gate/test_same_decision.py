#!/usr/bin/env python3
"""The filter of the API and the gate decide alike, whatever is sent."""

from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from werkzeug.test import TestResponse

from api.v1 import app as app_module
from api.v1.auth.basic_auth import BasicAuth
from api.v1.auth.session_auth import SessionAuth
from api.v1.auth.session_db_auth import SessionDBAuth
from tests.clocks import SetClock
from tests.serving import COOKIE
from tests.views.house import (
    WITH_SESSIONS,
    House,
    basic,
    built,
    stored_user,
)
from tests.visits import with_session
from vestibule.sessions.sweeper import Sweeper

VERIFY = "/api/v1/auth_session/verify"
ME = "/api/v1/users/me"
CREDENTIALS = ("none", "empty", "unknown", "live", "ended", "expired",
               "disabled", "removed")
AUTHORIZATIONS = ("none", "", "Basic", "Basic !", "Bearer a.b.c", "right",
                  "wrong", "disabled", "\x80")
#: What a header can carry as it is: printed ASCII, the blank among it.
PRINTABLE = st.text(
    st.characters(min_codepoint=0x20, max_codepoint=0x7E), max_size=40
)


class Town:
    """An application with sessions and credentials of every kind."""

    def __init__(self, house: House, clock: SetClock) -> None:
        """Make users, and sessions where the mechanism has any."""
        self.house = house
        users = {name: stored_user() for name in CREDENTIALS}
        self.authorizations = {
            "right": basic(users["live"]),
            "wrong": basic(users["live"], "not the password"),
            "disabled": basic(users["disabled"]),
        }
        self.sessions = {"empty": "", "unknown": "unknown"}
        mechanism = house.mechanism
        if isinstance(mechanism, SessionAuth):
            for name in ("expired", "live", "ended", "disabled", "removed"):
                made = mechanism.create_session(users[name].id)
                self.sessions[name] = str(made)
                if name == "expired":
                    clock.advance(3600)
            mechanism.destroy_session(with_session(self.sessions["ended"]))
        users["removed"].remove()
        users["disabled"].disabled_at = clock.now()
        users["disabled"].save()

    def ask(
        self, path: str, session: str, authorization: str
    ) -> TestResponse:
        """Send one request, with what is named and there is."""
        client = self.house.app.test_client(use_cookies=False)
        headers = {}
        if session != "none" and (
            session in self.sessions or session not in CREDENTIALS
        ):
            value = self.sessions.get(session, session)
            headers["Cookie"] = f"{COOKIE}={value}"
        if authorization != "none":
            headers["Authorization"] = self.authorizations.get(
                authorization, authorization
            )
        return client.get(path, headers=headers)


@pytest.fixture(params=["auth", "basic_auth", *WITH_SESSIONS])
def town(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Town]:
    """Build one for each mechanism."""
    clock = SetClock().install(monkeypatch)
    for name, value in (("SESSION_NAME", COOKIE), ("THROTTLE", "off"),
                        ("SESSION_DURATION", "600"), ("LOGIN_URL", "")):
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(SessionAuth, "user_id_by_session_id", {})
    monkeypatch.setattr(Sweeper, "ensure_running", lambda self: None)
    house = built(app_module, request.param)
    monkeypatch.setitem(vars(app_module), "auth", house.mechanism)
    yield Town(house, clock)


@settings(
    deadline=None, max_examples=60,
    suppress_health_check=[
        HealthCheck.function_scoped_fixture, HealthCheck.too_slow,
    ],
)
@given(
    st.sampled_from(CREDENTIALS) | PRINTABLE,
    st.sampled_from(AUTHORIZATIONS) | PRINTABLE
    | PRINTABLE.map("Basic {}".format),
    st.sampled_from(["", "/", "?a=b", "/?redirect=off"]),
    st.booleans(),
)
def test_both_decide_alike(
    town: Town, session: str, authorization: str, end: str, first: bool
) -> None:
    """The same principal or the same reason; 403 there is 401 here."""
    answers = {
        path: town.ask(path + end, session, authorization)
        for path in ((ME, VERIFY) if first else (VERIFY, ME))
    }
    me, verify = answers[ME], answers[VERIFY]
    assert me.status_code in (200, 401, 403)
    assert verify.status_code == (200 if me.status_code == 200 else 401)
    assert verify.headers.get("Session-Ended") == (
        me.headers.get("Session-Ended")
    )
    if me.status_code == 200:
        assert verify.data == me.data
        assert verify.headers["Remote-User"] == me.get_json()["id"]
    else:
        assert "Remote-User" not in verify.headers


def test_the_town_has_all_kinds(town: Town) -> None:
    """Who should pass does, so that the comparison is one."""
    mechanism = town.house.mechanism
    sessions = isinstance(mechanism, SessionAuth)
    assert (town.ask(VERIFY, "live", "none").status_code == 200) is sessions
    known = town.ask(VERIFY, "none", "right").status_code == 200
    assert known is (type(mechanism) is BasicAuth)
    if type(mechanism) is SessionDBAuth:
        reasons = {
            town.ask(VERIFY, name, "none").headers.get("Session-Ended")
            for name in ("expired", "ended", "removed")
        }
        assert len(reasons - {None}) >= 2
