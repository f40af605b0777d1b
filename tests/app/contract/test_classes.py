#!/usr/bin/env python3
"""The classes that the contract names, as scripts extend them."""

from typing import Any

import pytest

from api.v1.auth.auth import Auth
from api.v1.auth.basic_auth import BasicAuth
from api.v1.auth.session_auth import SessionAuth
from api.v1.auth.session_db_auth import SessionDBAuth
from api.v1.auth.session_exp_auth import SessionExpAuth
from models.user import User
from tests.clocks import SetClock


@pytest.fixture(autouse=True)
def no_sessions(monkeypatch: pytest.MonkeyPatch) -> None:
    """Start without sessions in memory, and leave none behind."""
    monkeypatch.setattr(SessionAuth, "user_id_by_session_id", {})


def test_each_mechanism_extends_the_previous() -> None:
    """The base classes are those of the contract."""
    assert SessionDBAuth.__bases__ == (SessionExpAuth,)
    assert SessionExpAuth.__bases__ == (SessionAuth,)
    assert SessionAuth.__bases__ == (Auth,)
    assert BasicAuth.__bases__ == (Auth,)


def test_methods_are_defined_in_the_documented_class() -> None:
    """Each class defines the methods that the contract names for it."""
    assert {
        "user_id_by_session_id",
        "create_session",
        "current_user",
        "user_id_for_session_id",
        "destroy_session",
    } <= set(vars(SessionAuth))
    assert {"__init__", "create_session", "user_id_for_session_id"} <= set(
        vars(SessionExpAuth)
    )
    assert {
        "create_session",
        "user_id_for_session_id",
        "destroy_session",
    } <= set(vars(SessionDBAuth))


def test_create_session_goes_through_the_parent(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """`SessionExpAuth` dates the session that its parent created."""
    clock = SetClock().install(monkeypatch)
    monkeypatch.setattr(
        SessionAuth, "create_session", lambda self, user_id=None: user_id
    )
    auth = SessionExpAuth()
    assert auth.create_session("abcde") == "abcde"
    assert auth.user_id_by_session_id == {
        "abcde": {"user_id": "abcde", "created_at": clock.moment}
    }
    assert auth.create_session(None) is None


class Chained(BasicAuth):
    """A mechanism whose steps each append a letter to their input."""

    def authorization_header(self, request: Any = None) -> str:
        """Start the chain."""
        return f"{request}a"

    def extract_base64_authorization_header(self, header: Any) -> str:
        """Continue from the header."""
        return f"{header}b"

    def decode_base64_authorization_header(self, encoded: Any) -> str:
        """Continue from the encoded part."""
        return f"{encoded}c"

    def extract_user_credentials(self, decoded: Any) -> tuple[str, str]:
        """Continue from the decoded part."""
        return f"{decoded}d", f"{decoded}e"

    def user_object_from_credentials(self, email: Any, pwd: Any) -> User:
        """End the chain."""
        return User(email=f"{email} {pwd}")


def test_each_step_of_basic_auth_can_be_replaced() -> None:
    """`current_user` calls the five methods in their order."""
    user = Chained().current_user("r")
    assert user is not None
    assert user.email == "rabcd rabce"
