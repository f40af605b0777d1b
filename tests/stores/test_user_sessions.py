#!/usr/bin/env python3
"""Stored sessions on every database: ids become digests, and stay so."""

from datetime import timedelta
from hashlib import sha256

from sqlalchemy import text

from tests.clocks import SetClock
from vestibule.db import session_queries
from vestibule.db.engine import database
from vestibule.db.identity_map import IdentityMap
from vestibule.db.models.user import User
from vestibule.db.models.user_session import UserSession
from vestibule.sessions.database import DatabaseStore
from vestibule.sessions.session import EndReason

SECRET = "6c1ec1c9-3c4e-4b3f-9a0b-1f1b1a1e1c1d"
DIGEST = sha256(SECRET.encode()).hexdigest()


def test_json_has_the_public_attributes() -> None:
    """`to_json` of a fresh one has its id, `repr` never has."""
    session = UserSession(user_id="abcde", session_id=SECRET)
    assert sorted(session.to_json()) == [
        "created_at",
        "id",
        "session_id",
        "updated_at",
        "user_id",
    ]
    assert session.to_json()["session_id"] == SECRET
    assert SECRET not in repr(session)


def test_database_has_only_the_digest(any_database: str) -> None:
    """Neither a fresh save nor later ones write the id itself."""
    session = UserSession(user_id="abcde", session_id=SECRET)
    for _ in range(3):
        session.save()
        stored = str(database().fetch_all(text("SELECT * FROM user_sessions")))
        assert SECRET not in stored
        assert DIGEST in stored
        assert session.session_id == SECRET


def test_loaded_session_has_the_digest(any_database: str) -> None:
    """It is in the attribute and in `to_json`, however it was loaded."""
    session = UserSession(user_id="abcde", session_id=SECRET)
    session.save()
    for loaded in (
        UserSession.get(session.id),
        UserSession.all()[0],
        UserSession.find(SECRET),
    ):
        assert loaded == session
        assert loaded is not None
        assert loaded.session_id == DIGEST
        assert loaded.to_json()["session_id"] == DIGEST


def test_saving_a_loaded_session_keeps_the_digest(
    any_database: str, set_clock: SetClock
) -> None:
    """Its id still finds it, after any number of saves."""
    UserSession(user_id="abcde", session_id=SECRET).save()
    loaded = UserSession.all()[0]
    for save in (loaded.save, loaded.save_changes, loaded.save):
        set_clock.advance(1)
        loaded.user_id = f"{loaded.user_id}f"
        save()
        found = UserSession.search({"session_id": SECRET})
        assert found == [loaded]
        assert found[0].user_id == loaded.user_id
    loaded.session_id = "another"
    loaded.save()
    assert UserSession.search({"session_id": SECRET}) == []
    assert UserSession.search({"session_id": "another"}) == [loaded]


def test_digest_finds_no_session(any_database: str) -> None:
    """A digest read from the database is no valid session id."""
    UserSession(user_id="abcde", session_id=SECRET).save()
    assert UserSession.search({"session_id": SECRET})
    assert UserSession.search({"session_id": DIGEST}) == []
    assert UserSession.find(DIGEST) is None
    assert DatabaseStore().end(DIGEST, EndReason.LOGGED_OUT) is False
    forged = UserSession(user_id="fghij", session_id=DIGEST)
    forged.save()
    assert UserSession.find(DIGEST) == forged
    assert UserSession.count() == 2


def test_sessions_without_an_id_can_be_searched(any_database: str) -> None:
    """A script's session may lack user and id; `None` finds it."""
    bare = UserSession()
    bare.save()
    UserSession(user_id="abcde", session_id=SECRET).save()
    assert UserSession.search({"session_id": None}) == [bare]
    assert UserSession.search({"user_id": None}) == [bare]
    loaded = UserSession.get(bare.id)
    assert loaded is not None
    assert loaded.session_id is None


def test_end_deletes_one_session_once(any_database: str) -> None:
    """Only the session with this id goes, and only once."""
    for secret in (SECRET, "other"):
        UserSession(user_id="abcde", session_id=secret).save()
    store = DatabaseStore()
    assert store.end(SECRET, EndReason.LOGGED_OUT) is True
    assert store.end(SECRET, EndReason.LOGGED_OUT) is False
    assert UserSession.find(SECRET) is None
    assert UserSession.find("other") is not None


def test_session_look_up_loads_its_user(any_database: str) -> None:
    """Within one read the user needs no query of its own."""
    user = User(email="bob@example.com")
    user.password = "secret"
    user.save()
    UserSession(user_id=user.id, session_id=SECRET).save()
    with IdentityMap():
        assert UserSession.find(SECRET) is not None
        first = User.get(user.id)
        assert User.get(user.id) is first
        assert UserSession.get(user.id) is None
    assert first is not None
    assert first.to_json() == user.to_json()
    assert first.is_valid_password("secret")
    assert User.get(user.id) is not first


def test_purge_deletes_sessions_created_before_the_moment(
    any_database: str, set_clock: SetClock
) -> None:
    """Those that began before it go, and none that began at it."""
    for age in (3, 2, 1, 0):
        session = UserSession(id=str(age), session_id=str(age))
        session.created_at = set_clock.moment - timedelta(microseconds=age)
        session.save()
    for gone in (3, 0):
        done = session_queries.delete_created_before(
            set_clock.moment, EndReason.EXPIRED
        )
        assert done == gone
    assert [session.id for session in UserSession.all()] == ["0"]
