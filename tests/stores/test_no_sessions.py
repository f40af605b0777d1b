#!/usr/bin/env python3
"""Mechanisms without sessions: each question has an empty answer."""

from collections.abc import Callable
from typing import Any

import pytest

from tests.clocks import SetClock
from vestibule.core import clock
from vestibule.mechanisms.auth import Auth
from vestibule.mechanisms.basic_auth import BasicAuth
from vestibule.mechanisms.session_mechanism import (
    SessionMechanism,
    sessions_of,
)
from vestibule.sessions.lifetime import Limits
from vestibule.sessions.session import EndReason
from vestibule.sessions.store import SessionStore

_REASON = EndReason.REVOKED


@pytest.fixture(params=[None, Auth, BasicAuth])
def sessions(request: pytest.FixtureRequest) -> SessionMechanism:
    """Return the sessions of each mechanism that has none."""
    return sessions_of(request.param and request.param())


@pytest.mark.parametrize(
    ("ask", "empty"),
    [
        (lambda s: s.session_cookie(), None),
        (lambda s: s.create_session("user"), None),
        (lambda s: s.user_id_for_session_id("secret"), None),
        (lambda s: s.destroy_session(), False),
        (lambda s: s.why_refused(None), None),
        (lambda s: s.limits(), Limits()),
        (lambda s: s.purge_expired(), 0),
        (lambda s: (s.has_login, s.has_store), (False, False)),
    ],
)
def test_mechanism_without_sessions_has_none(
    sessions: SessionMechanism,
    ask: Callable[[SessionMechanism], Any],
    empty: object,
) -> None:
    """No session begins, is known, or ends."""
    assert ask(sessions) == empty


@pytest.mark.parametrize(
    ("ask", "empty"),
    [
        (lambda s: s.find("secret"), None),
        (lambda s: tuple(s.page(None, 25)), ((), None)),
        (lambda s: s.find_by_handle("handle"), None),
        (lambda s: s.count(), 0),
        (lambda s: s.touch("secret", clock.now()), None),
        (lambda s: s.rotate("secret", clock.now()), None),
        (lambda s: s.end("secret", _REASON), False),
        (lambda s: s.end_by_handle("handle", _REASON, "user"), False),
        (lambda s: s.end_all(_REASON), 0),
        (lambda s: s.reason("secret"), None),
        (lambda s: s.purge(Limits(), clock.now()), 0),
    ],
)
def test_store_without_sessions_is_empty(
    sessions: SessionMechanism,
    ask: Callable[[SessionStore], Any],
    empty: object,
) -> None:
    """The store finds, changes and ends nothing."""
    assert ask(sessions.store) == empty


def test_mechanism_without_sessions_reads_the_clock(
    sessions: SessionMechanism, set_clock: SetClock
) -> None:
    """Its present is the same as elsewhere."""
    assert sessions.now() == set_clock.moment
