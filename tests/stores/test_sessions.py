#!/usr/bin/env python3
"""What every session mechanism must do, on every store."""

import uuid
from typing import Any

import pytest

from tests.fake_requests import FakeRequest, with_authorization, with_session
from tests.stores.conftest import Make
from vestibule.db.models.user import User
from vestibule.db.models.user_session import UserSession

#: What may come in where an id is expected, and is none.
NO_IDS: list[Any] = [None, 89, 8.9, b"abc", ["abc"], {"a": 1}, (), True]
#: Text that was never issued as a session id.
UNKNOWN = ["", "doesntexist", str(uuid.uuid4()), "a\0b", "\ud800", "x" * 9999]


def test_session_is_found_by_its_id(mechanism: Make) -> None:
    """The id that was returned leads to the user, and is a random UUID."""
    auth = mechanism()
    session_id = auth.create_session("abcde")
    assert session_id is not None
    assert uuid.UUID(session_id).version == 4
    assert str(uuid.UUID(session_id)) == session_id
    assert auth.user_id_for_session_id(session_id) == "abcde"


def test_invalid_user_id_begins_no_session(mechanism: Make) -> None:
    """Anything but a string is refused with `None`, and nothing is kept."""
    auth = mechanism()
    for user_id in NO_IDS:
        assert auth.create_session(user_id) is None
    assert auth.create_session() is None
    assert auth.user_id_by_session_id == {}
    assert UserSession.count() == 0


def test_unknown_ids_find_no_session(mechanism: Make) -> None:
    """Neither does anything that is not text."""
    auth = mechanism()
    auth.create_session("abcde")
    for odd in [*NO_IDS, *UNKNOWN]:
        assert auth.user_id_for_session_id(odd) is None
    assert auth.user_id_for_session_id() is None


def test_any_text_is_accepted_as_user_id(mechanism: Make) -> None:
    """The mechanism does not check the id that it is given."""
    auth = mechanism()
    for user_id in ["", "89", "a b", "ü" * 200, "' OR 1=1"]:
        session_id = auth.create_session(user_id)
        assert auth.user_id_for_session_id(session_id) == user_id


def test_sessions_of_one_user_end_separately(mechanism: Make) -> None:
    """Each session has its own id and ends on its own."""
    auth = mechanism()
    users = ["abcde", "fghij", "abcde", "abcde"]
    ids = [auth.create_session(user_id) for user_id in users]
    assert len(set(ids)) == 4
    assert [auth.user_id_for_session_id(i) for i in ids] == users
    assert auth.destroy_session(with_session(ids[2]))
    assert [auth.user_id_for_session_id(i) for i in ids] == [
        "abcde",
        "fghij",
        None,
        "abcde",
    ]


def test_logout_ends_a_session_once(mechanism: Make) -> None:
    """The first logout returns True, the second False."""
    auth = mechanism()
    visit = with_session(auth.create_session("abcde"))
    assert auth.destroy_session(visit) is True
    assert auth.destroy_session(visit) is False
    assert auth.user_id_for_session_id(*visit.cookies.values()) is None


def test_logout_without_a_session_ends_nothing(mechanism: Make) -> None:
    """No request, no cookie, an unknown one or a mere header end nothing."""
    auth = mechanism()
    session_id = auth.create_session("abcde")
    for visit in [
        None,
        FakeRequest(),
        FakeRequest(cookies={"_my_session_id_fake": session_id}),
        with_authorization(f"Basic {session_id}"),
        *[with_session(unknown) for unknown in UNKNOWN],
    ]:
        assert auth.destroy_session(visit) is False
        assert auth.current_user(visit) is None
    assert auth.user_id_for_session_id(session_id) == "abcde"


def test_without_a_cookie_name_no_session_is_found(
    mechanism: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While `SESSION_NAME` is unset no cookie is the session's."""
    auth = mechanism()
    visit = with_session(auth.create_session("abcde"))
    with monkeypatch.context() as unset:
        unset.delenv("SESSION_NAME")
        assert auth.destroy_session(visit) is False
    assert auth.destroy_session(visit) is True


def test_cookie_identifies_the_user(mechanism: Make) -> None:
    """`current_user` is the stored user whose session the cookie names."""
    auth = mechanism()
    user = User(email="bob@example.com", first_name="Bob")
    user.save()
    visit = with_session(auth.create_session(user.id))
    found = auth.current_user(visit)
    assert found == user
    assert found is not None
    assert found.to_json() == user.to_json()


def test_session_of_a_removed_user_is_invalid(mechanism: Make) -> None:
    """`current_user` is `None` for sessions of a user who was removed."""
    auth = mechanism()
    gone, stays = User(), User()
    gone.save()
    stays.save()
    visits = [with_session(auth.create_session(u.id)) for u in (gone, stays)]
    gone.remove()
    assert [auth.current_user(visit) for visit in visits] == [None, stays]


def test_session_of_an_unknown_user_id_has_no_user(mechanism: Make) -> None:
    """A session of a user id that no user has is kept, and is invalid."""
    auth = mechanism()
    visit = with_session(auth.create_session("abcde"))
    assert auth.current_user(visit) is None
    assert auth.destroy_session(visit) is True


def test_basic_header_is_ignored(mechanism: Make) -> None:
    """A session mechanism does not look at other credentials."""
    auth = mechanism()
    User(email="bob@example.com").save()
    assert auth.current_user(with_authorization("Basic Ym9iOg==")) is None


def test_overridden_cookie_reader_is_used(mechanism: Make) -> None:
    """Everything about a request's session calls `self.session_cookie`."""
    base = type(mechanism())

    class FromPath(base):  # type: ignore[misc, valid-type]
        """A mechanism that finds the session id in the path."""

        def session_cookie(self, request: Any = None) -> str | None:
            """Return what follows the last slash."""
            return str(request.path).rpartition("/")[2]

    auth = FromPath()
    user = User()
    user.save()
    visit = FakeRequest(path=f"/x/{auth.create_session(user.id)}")
    assert auth.current_user(visit) == user
    assert auth.destroy_session(visit) is True
    assert auth.current_user(visit) is None


def test_overridden_look_up_is_used(mechanism: Make) -> None:
    """`current_user` and logout call `self.user_id_for_session_id`."""
    base = type(mechanism())
    user = User()
    user.save()

    class Fixed(base):  # type: ignore[misc, valid-type]
        """A mechanism that knows one session by heart."""

        def user_id_for_session_id(
            self, session_id: str | None = None
        ) -> str | None:
            """Return the user of the session `open`, and no other."""
            return user.id if session_id == "open" else None

    auth = Fixed()
    assert auth.current_user(with_session("open")) == user
    visit = with_session(auth.create_session(user.id))
    assert auth.current_user(visit) is None
    assert auth.destroy_session(visit) is False
    assert auth.destroy_session(with_session("open")) is False


def test_overridden_create_and_destroy_are_used(mechanism: Make) -> None:
    """A subclass may add to `create_session` and `destroy_session`."""
    base = type(mechanism())
    seen: list[str] = []

    class Noting(base):  # type: ignore[misc, valid-type]
        """A mechanism that notes what it is asked to do."""

        def create_session(self, user_id: str | None = None) -> str | None:
            """Note the user, and begin the session."""
            seen.append(f"begin {user_id}")
            session_id: str | None = super().create_session(user_id)
            return session_id

        def destroy_session(self, request: Any = None) -> bool:
            """Note the end, and bring it about."""
            seen.append("end")
            return bool(super().destroy_session(request))

    auth = Noting()
    visit = with_session(auth.create_session("abcde"))
    assert auth.user_id_for_session_id(*visit.cookies.values()) == "abcde"
    assert auth.destroy_session(visit) is True
    assert seen == ["begin abcde", "end"]
