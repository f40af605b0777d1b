#!/usr/bin/env python3
"""The session cache: a cached session never outlives the stored one."""

import subprocess
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest

from tests.clocks import SetClock
from tests.fake_requests import FakeRequest, with_session
from tests.serving import COOKIE
from vestibule.core.crypto import digest_of
from vestibule.db import drivers, session_queries, session_touches
from vestibule.db.engine import close, database
from vestibule.db.events import LOGIN_KIND, Event, insert_events
from vestibule.db.models.user import User
from vestibule.db.models.user_session import UserSession
from vestibule.http.access import Outcome, decide
from vestibule.mechanisms import session_cache
from vestibule.mechanisms.session_auth import SessionAuth
from vestibule.mechanisms.session_db_auth import SessionDBAuth
from vestibule.sessions.session import EndReason


@dataclass
class Guest:
    """A user with a cached session."""

    auth: SessionDBAuth
    user: User
    session_id: str
    visit: FakeRequest

    def outcome(self) -> Outcome:
        """Return the decision about the next request."""
        return decide(self.auth, self.visit).outcome


@pytest.fixture(params=["WAL", "TRUNCATE"])
def guest(
    request: pytest.FixtureRequest,
    monkeypatch: pytest.MonkeyPatch,
    set_clock: SetClock,
) -> Guest:
    """Return a user with a cached session, in each journal mode."""
    monkeypatch.setattr(drivers, "journal_mode", lambda _: request.param)
    monkeypatch.setenv("SESSION_NAME", COOKIE)
    monkeypatch.setenv("SESSION_DURATION", "100")
    session_cache._known.clear()
    user = User(email="guest@example.com")
    user.save()
    auth = SessionDBAuth()
    session_id = auth.create_session(user.id)
    assert session_id is not None
    known = Guest(auth, user, session_id, with_session(session_id))
    assert known.outcome() is Outcome.PASSED
    return known


class CountingMechanism(SessionDBAuth):
    """A subclass that counts the calls of `current_user`."""

    times = 0

    def current_user(self, request: Any = None) -> Any:
        """Count the call, and return the user."""
        self.times += 1
        return super().current_user(request)


def _count_look_ups(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return a list that grows with each look-up of a session."""
    seen: list[str] = []
    find = UserSession.find

    def counted(session_id: str) -> UserSession | None:
        """Note the look-up, and do it."""
        seen.append(session_id)
        return find(session_id)

    monkeypatch.setattr(UserSession, "find", counted)
    return seen


def test_cached_session_needs_no_look_up(
    guest: Guest, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While nothing is written the same session is found without a query."""
    seen = _count_look_ups(monkeypatch)
    for _ in range(3):
        assert decide(guest.auth, guest.visit).principal == guest.user
    assert seen == []
    other = decide(guest.auth, with_session("another"))
    assert other.outcome is Outcome.REFUSED
    assert "another" in seen


def _by_this_thread(guest: Guest) -> None:
    """End the session by a logout in this thread."""
    assert guest.auth.destroy_session(guest.visit)


def _by_another_thread(guest: Guest) -> None:
    """End the session by a logout in another thread."""
    thread = threading.Thread(target=_by_this_thread, args=[guest])
    thread.start()
    thread.join()


def _by_a_process(guest: Guest) -> None:
    """End the session by a logout in another process."""
    ended = subprocess.run(
        [
            sys.executable,
            "-c",
            "from vestibule.db import session_queries; import sys;"
            "print(session_queries.delete_by_digest(sys.argv[1], 'revoked'))",
            digest_of(guest.session_id),
        ],
        check=True,
        capture_output=True,
        text=True,
    )
    assert ended.stdout == "True\n"


def _by_a_shell(guest: Guest) -> None:
    """Delete the row, as an operator does in a database shell."""
    in_a_shell("DELETE FROM user_sessions")


def in_a_shell(statement: str) -> None:
    """Execute a statement in another SQLite process."""
    changed = subprocess.run(
        [
            sys.executable,
            "-c",
            "import sqlite3, sys; shell = sqlite3.connect(sys.argv[1]);"
            "print(shell.execute(sys.argv[2]).rowcount); shell.commit()",
            str(database().url.database),
            statement,
        ],
        check=True,
        capture_output=True,
        text=True,
    )
    assert changed.stdout == "1\n"


def _by_removal(guest: Guest) -> None:
    """Remove the user."""
    guest.user.remove()


def _by_disabling(guest: Guest) -> None:
    """Disable the user."""
    guest.user.disabled_at = guest.user.created_at
    guest.user.save()


@pytest.mark.slow
@pytest.mark.parametrize(
    "end",
    [
        _by_this_thread,
        _by_another_thread,
        _by_a_process,
        _by_a_shell,
        _by_removal,
        _by_disabling,
    ],
)
def test_ended_session_is_refused_at_the_next_request(
    guest: Guest, end: Callable[[Guest], None]
) -> None:
    """Every way of ending it counts, in this process or another."""
    end(guest)
    assert guest.outcome() is Outcome.REFUSED


def test_ended_session_is_refused_in_every_thread(guest: Guest) -> None:
    """Also in one that has not read the database since."""
    ready, ended = threading.Event(), threading.Event()
    outcomes = []

    def ask_twice() -> None:
        """Make a request before the end and one after it."""
        outcomes.append(guest.outcome())
        ready.set()
        ended.wait(10)
        outcomes.append(guest.outcome())

    asking = threading.Thread(target=ask_twice)
    asking.start()
    assert ready.wait(10)
    _by_this_thread(guest)
    ended.set()
    asking.join()
    assert outcomes == [Outcome.PASSED, Outcome.REFUSED]


def test_cached_session_is_not_valid_past_its_limit(
    guest: Guest, set_clock: SetClock
) -> None:
    """What was cached before a limit does not count after it."""
    set_clock.advance(100)
    assert guest.outcome() is Outcome.PASSED
    set_clock.advance(1e-6)
    assert guest.outcome() is Outcome.REFUSED


def test_clock_set_back_makes_the_cache_look_again(
    guest: Guest, set_clock: SetClock
) -> None:
    """A cached session from the future is looked up again."""
    set_clock.advance(-3600)
    assert guest.outcome() is Outcome.REFUSED


def test_changed_limit_makes_the_cache_look_again(guest: Guest) -> None:
    """A duration that a script sets counts at once."""
    guest.auth.session_duration = 1
    assert guest.outcome() is Outcome.PASSED
    known = session_cache._known.get(guest.session_id)
    assert known is not None
    assert known.limits is guest.auth.limits()


def test_use_of_a_cached_session_is_noted(
    guest: Guest, set_clock: SetClock
) -> None:
    """A cached session does not look idle."""
    set_clock.advance(61)
    assert guest.outcome() is Outcome.PASSED
    (session,) = UserSession.all()
    assert session.last_seen_at == set_clock.moment


def test_unsaved_change_of_a_user_stays_in_its_request(guest: Guest) -> None:
    """What a view does to its user is not seen by the next request."""
    for _ in range(2):
        principal = decide(guest.auth, guest.visit).principal
        assert principal.first_name is None
        principal.first_name = "Changed"


def test_saved_change_is_seen_by_the_next_request(guest: Guest) -> None:
    """The next request has the user as it is stored now."""
    guest.user.first_name = "Ada"
    guest.user.save()
    assert decide(guest.auth, guest.visit).principal.first_name == "Ada"


def test_sessions_in_use_stay_in_the_cache(
    guest: Guest, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Beyond the maximum the ones go that were not used lately."""
    monkeypatch.setenv("SESSION_CACHE_MAX", "6")
    session_cache._known.clear()
    assert guest.outcome() is Outcome.PASSED
    others = []
    for _ in range(20):
        others.append(str(guest.auth.create_session(guest.user.id)))
        decide(guest.auth, with_session(others[-1]))
        decide(guest.auth, guest.visit)
        assert len(session_cache._known) <= 6
    seen = _count_look_ups(monkeypatch)
    for session_id in (guest.session_id, others[-1], others[-2], others[0]):
        decide(guest.auth, with_session(session_id))
    assert seen == [others[0]]


def _by_a_use(guest: Guest) -> None:
    """Record the use of another session of the user."""
    session_id = guest.auth.create_session(guest.user.id)
    guest.auth.store.touch(str(session_id), guest.auth.now())
    session_touches.PENDING_TOUCHES.write()


def _by_an_event(guest: Guest) -> None:
    """Store the event of a login, which also sets the last login."""
    at = guest.auth.now()
    insert_events([Event(at, LOGIN_KIND, guest.user.id)])
    user = User.get(guest.user.id)
    assert user is not None
    assert user.signed_in_at == at


def _by_a_login(guest: Guest) -> None:
    """Begin a session of a new user."""
    user = User()
    user.save()
    assert guest.auth.create_session(user.id)


@pytest.mark.slow
@pytest.mark.parametrize("write", [_by_a_use, _by_an_event, _by_a_login])
def test_write_that_ends_nothing_keeps_the_cache(
    guest: Guest,
    monkeypatch: pytest.MonkeyPatch,
    write: Callable[[Guest], None],
) -> None:
    """Uses, events and logins are frequent, and refuse no session."""
    seen = _count_look_ups(monkeypatch)
    for _ in range(3):
        write(guest)
        assert guest.outcome() is Outcome.PASSED
    assert seen == []


def test_use_by_another_process_keeps_the_cache(
    guest: Guest, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each worker writes uses, and all of them keep their caches."""
    seen = _count_look_ups(monkeypatch)
    in_a_shell("UPDATE user_sessions SET last_seen_at = created_at")
    assert guest.outcome() is Outcome.PASSED
    assert seen == []


def test_subclass_is_not_cached(guest: Guest) -> None:
    """The cache cannot know what a subclass looks at."""
    own = CountingMechanism()
    for _ in range(3):
        assert decide(own, guest.visit).principal == guest.user
    assert own.times == 3


@pytest.mark.parametrize("place", ["instance", "class"])
@pytest.mark.parametrize(
    "method",
    [
        "current_user",
        "user_id_for_session_id",
        "session_cookie",
    ],
)
def test_replaced_method_is_called(
    guest: Guest, monkeypatch: pytest.MonkeyPatch, place: str, method: str
) -> None:
    """A method replaced on the object or on the class is called."""
    target = guest.auth if place == "instance" else SessionDBAuth
    monkeypatch.setattr(target, method, lambda *_: None)
    assert guest.outcome() is not Outcome.PASSED


def test_cache_is_empty_for_another_database(
    guest: Guest, monkeypatch: pytest.MonkeyPatch, tmp_path: Any
) -> None:
    """A session of one file is not valid for the next."""
    monkeypatch.setenv("DATABASE_URL", f"sqlite:///{tmp_path}/other.db")
    close()
    assert guest.outcome() is Outcome.REFUSED


@pytest.mark.usefixtures("on_postgresql")
def test_postgresql_sessions_are_not_cached(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """PostgreSQL has no commit number: each request looks its session up."""
    monkeypatch.setenv("SESSION_NAME", COOKIE)
    session_cache._known.clear()
    assert database().change_token() is None
    user = User()
    user.save()
    auth = SessionDBAuth()
    visit = with_session(auth.create_session(user.id))
    assert decide(auth, visit).principal == user
    assert len(session_cache._known) == 0
    session_queries.delete_for_user(EndReason.REVOKED, user.id)
    assert decide(auth, visit).outcome is Outcome.REFUSED


def test_each_commit_changes_the_number(guest: Guest) -> None:
    """Reading leaves it as it is, and writing never does."""
    seen = [database().change_token()]
    UserSession.all()
    assert database().change_token() == seen[0]
    for name in ("Ada", "Bob", "Ada", "Bob"):
        guest.user.first_name = name
        guest.user.save()
        seen.append(database().change_token())
    in_a_shell("UPDATE users SET first_name = 'Ada'")
    seen.append(database().change_token())
    assert len(set(seen)) == len(seen)


def test_memory_sessions_are_not_cached(
    guest: Guest, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A mechanism in memory has nothing to look up."""
    auth = SessionAuth()
    visit = with_session(auth.create_session(guest.user.id))
    session_cache._known.clear()
    assert decide(auth, visit).principal == guest.user
    assert len(session_cache._known) == 0
