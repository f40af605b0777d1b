#!/usr/bin/env python3
"""The decision: whether a request passes, as which user, or why not."""

from typing import Any

import pytest

from tests.fake_requests import FakeRequest, with_authorization, with_session
from tests.serving import COOKIE
from vestibule.db.models.user import User
from vestibule.http.access import EXCLUDED_PATHS, Decision, Outcome, decide
from vestibule.mechanisms.auth import Auth
from vestibule.mechanisms.session_auth import SessionAuth
from vestibule.sessions.session import EndReason


@pytest.fixture(autouse=True)
def cookie_name(monkeypatch: pytest.MonkeyPatch) -> None:
    """Set the usual name of the session cookie."""
    monkeypatch.setenv("SESSION_NAME", "_my_session_id")


def test_without_a_mechanism_every_request_passes() -> None:
    """The request is anonymous."""
    assert decide(None, FakeRequest()) == Decision(Outcome.OPEN, None)


@pytest.mark.parametrize("path", EXCLUDED_PATHS)
def test_excluded_paths_are_open(path: str) -> None:
    """With a slash at the end and without, with any credentials."""
    for spelled in (path, path.rstrip("/")):
        assert decide(Auth(), FakeRequest(spelled)).outcome is Outcome.OPEN
        assert (
            decide(Auth(), FakeRequest(spelled + "x")).outcome
            is Outcome.MISSING
        )


def test_missing_and_invalid_credentials_differ() -> None:
    """A header or a cookie is a credential, even an empty one."""
    auth = SessionAuth()
    assert decide(auth, FakeRequest()) == Decision(Outcome.MISSING)
    for visit in [
        with_authorization("Test"),
        with_authorization(""),
        with_session("unknown"),
        with_session(""),
    ]:
        assert decide(auth, visit) == Decision(Outcome.REFUSED)
        assert decide(Auth(), visit) == Decision(Outcome.REFUSED)


def test_authenticated_request_passes() -> None:
    """The decision has the user of the mechanism."""
    user = User()
    user.save()
    auth = SessionAuth()
    visit = with_session(auth.create_session(user.id))
    session_id = visit.cookies[COOKIE]
    assert decide(auth, visit) == Decision(
        Outcome.PASSED, user, session=auth.store.find(session_id)
    )
    user.remove()
    assert decide(auth, visit) == Decision(
        Outcome.REFUSED, reason=EndReason.USER_REMOVED
    )
    auth.destroy_session(visit)


def test_subclass_decides() -> None:
    """It decides which paths need a user, and which user it is."""

    class Own(Auth):
        """A mechanism that guards every path and accepts every request."""

        def require_auth(self, path: Any, excluded_paths: Any) -> bool:
            """Require a user on every path."""
            return True

        def session_cookie(self, request: Any = None) -> str | None:
            """Return a cookie for every request."""
            return "x"

        def current_user(self, request: Any = None) -> Any:
            """Return the same user for every request."""
            return "a user"

    visit = FakeRequest(EXCLUDED_PATHS[0])
    assert decide(Own(), visit) == Decision(Outcome.PASSED, "a user")
