#!/usr/bin/env python3
"""The facts of real sessions reach routes that demand them, in each mode."""

import json
from contextvars import copy_context
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import requests

from tests.app.protect.adapters import DEMANDING, DEMANDS, by_flask
from tests.app.protect.conftest import LiveServer
from tests.app.protect.test_assurance import (
    PAGE,
    STEP_UP,
    each_adapter,
    passed,
)
from tests.clocks import SetClock
from tests.serving import COOKIE
from vestibule.core.client_info import ClientInfo, set_client
from vestibule.identity.header import FACTS_HEADER, HEADER
from vestibule.protect.backends import SETTINGS
from vestibule.protect.verify_response import parse_facts
from vestibule.sessions.facts import (
    PasswordProof,
    Proof,
    TotpProof,
    VerifiedPasskeyProof,
    facts_of,
    proven,
)


class Session:
    """A session of Bob at a live server, begun with some proofs."""

    def __init__(self, live_server: LiveServer, *proofs: Proof) -> None:
        """Begin the session."""

        def begin() -> str | None:
            """Begin the session as a login with these proofs does."""
            if proofs:
                set_client(ClientInfo("192.0.2.1", method="password"))
            with proven(facts_of(proofs)):
                return live_server.auth.create_session(live_server.bob.id)

        self.cookie = f"{COOKIE}={copy_context().run(begin)}"
        self._verify = f"{live_server.url}/api/v1/auth_session/verify"

    def verified(self) -> dict[str, str]:
        """Return the headers of verify for this session."""
        sent = {"Cookie": self.cookie, "Host": "app.example"}
        found = requests.get(self._verify, timeout=60, headers=sent)
        assert found.status_code == 200
        return dict(found.headers)


def ways(live_server: LiveServer) -> dict[str, Any]:
    """Return the arguments of an adapter for each way to know a user."""
    return {
        "url": {"url": live_server.url},
        "token": {"url": live_server.url, "audience": "app.example"},
        "in process": {"url": SETTINGS},
    }


@pytest.mark.parametrize("way", ["url", "token", "in process"])
@each_adapter
def test_facts_of_sessions_are_known_in_each_mode(
    name: str, way: str, live_server: LiveServer, set_clock: SetClock
) -> None:
    """Each decides alike about sessions that began by other proofs."""
    with DEMANDING[name](**ways(live_server)[way]) as get:

        def opened(session: Session) -> set[str]:
            """Return the paths that a session may open now."""
            if way != "token":
                return passed(get, session.cookie)
            return passed(get, "", **{HEADER: session.verified()[HEADER]})

        now = set_clock.moment
        password = PasswordProof(now)
        one = Session(live_server, password)
        two = Session(live_server, password, TotpProof(now))
        key = Session(live_server, VerifiedPasskeyProof(now))
        none = Session(live_server)
        assert opened(one) == {"/fresh"}
        assert opened(two) == {"/second", "/fresh"}
        assert opened(key) == set(DEMANDS)
        assert opened(none) == set()
        set_clock.advance(301)
        assert opened(one) == opened(none) == set()
        assert opened(two) == {"/second"}
        assert opened(key) == {"/second", "/passkey"}


@pytest.fixture
def with_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the server have its pages; request this before the server."""
    monkeypatch.setenv("WEB_PAGES", "on")


@pytest.mark.parametrize("way", ["url", "in process"])
def test_step_up_page_renews_facts_and_leads_back(
    way: str, with_pages: None, live_server: LiveServer, set_clock: SetClock
) -> None:
    """The form of Vestibule's page asks for the password, once."""
    live_server.bob.password = "correct horse battery"
    live_server.bob.save_changes()
    session = Session(live_server, PasswordProof(set_clock.moment))
    set_clock.advance(301)
    with by_flask(**ways(live_server)[way]) as get:
        location = get("/fresh?a=1", session.cookie, **PAGE).headers[
            "location"
        ]
        sent = {"Cookie": session.cookie}
        shown = requests.get(
            live_server.url + location, headers=sent, timeout=60
        )
        assert 'name="password"' in shown.text
        given = {
            name: values[0]
            for name, values in parse_qs(urlsplit(location).query).items()
        }
        done = requests.post(
            live_server.url + STEP_UP,
            data=given | {"password": "correct horse battery"},
            headers=sent,
            allow_redirects=False,
            timeout=60,
        )
        assert done.headers["Location"] == "/fresh?a=1"
        renewed = f"{COOKIE}={done.cookies[COOKIE]}"
        assert get("/fresh?a=1", renewed, **PAGE).status == 200
        assert get("/fresh?a=1", session.cookie).status == 401
        set_clock.advance(301)
        assert get("/fresh?a=1", renewed).status == 401


def test_facts_of_another_session_do_not_count(
    live_server: LiveServer, set_clock: SetClock
) -> None:
    """Headers and a query of the client change nothing."""
    weak = Session(live_server, PasswordProof(set_clock.moment))
    strong = Session(live_server, VerifiedPasskeyProof(set_clock.moment))
    facts = strong.verified()[FACTS_HEADER]
    for way in ("url", "in process"):
        with by_flask(**ways(live_server)[way]) as get:
            assert get("/all", strong.cookie).status == 200
            for headers in (
                {FACTS_HEADER: facts},
                {"Remote-Assurance": "2"},
                {HEADER: strong.verified()[HEADER]},
            ):
                assert get("/all", weak.cookie, **headers).status == 401
            both = f"{weak.cookie}; {strong.cookie}"
            assert get("/all", both).status == 401


def test_verify_answers_alike_from_its_cache(
    live_server: LiveServer, set_clock: SetClock
) -> None:
    """The facts are those of the session, from the first answer on."""
    now = set_clock.moment
    first, second = (
        Session(live_server, PasswordProof(now), *more)
        for more in ((), (TotpProof(now),))
    )
    for _ in range(2):
        for session, level in ((first, 1), (second, 2)):
            told = parse_facts(json.loads(session.verified()[FACTS_HEADER]))
            assert told is not None
            assert (told.level, told.auth_time) == (
                level,
                int(now.timestamp()),
            )
            assert told.reauth_window == 300
