#!/usr/bin/env python3
"""Safety decisions: emails, digests, time zones, old hashes."""

from datetime import datetime, timedelta, timezone
from hashlib import sha256

import pytest

from models.user import User
from models.user_session import UserSession
from vestibule.accounts.authentication import check_credentials
from vestibule.accounts.permissions import LOCAL
from vestibule.core import passwords
from vestibule.core.errors import VestibuleError


def test_emails_are_compared_without_case(any_database: str) -> None:
    """Emails are compared trimmed and without case, and shown as given."""
    user = User(email="  Bob.Straße@HBTN.io ")
    user.save()
    assert user.to_json()["email"] == "Bob.Straße@HBTN.io"
    for same in ("Bob.Straße@HBTN.io", "bob.STRASSE@hbtn.IO\t"):
        assert User.search({"email": same}) == [user]
        with pytest.raises(VestibuleError, match="email is already regist"):
            User(email=same).save()
    assert User.search({"email": "bob@hbtn.io"}) == []
    assert User.count() == 1
    second = User(email="second@hbtn.io")
    second.save()
    second.email = "BOB.straße@hbtn.io"
    with pytest.raises(VestibuleError, match="email is already registered"):
        second.save()
    assert len(User.search({"email": "second@hbtn.io"})) == 1


def test_session_ids_are_stored_as_digests(any_database: str) -> None:
    """The id finds the session, its digest does not; saving adds no row."""
    secret = "5535d4d7-3d77-4d06-8281-495dc3acfe76"
    digest = sha256(secret.encode()).hexdigest()
    session = UserSession(user_id="abcde", session_id=secret)
    session.save()
    assert session.session_id == secret
    (found,) = UserSession.search({"session_id": secret})
    assert found.session_id == digest
    assert found.to_json()["session_id"] == digest
    assert UserSession.search({"session_id": digest}) == []
    found.save()
    session.save()
    assert UserSession.search({"session_id": secret}) == [session]
    assert UserSession.count() == 1


def test_loaded_times_are_in_utc(any_database: str) -> None:
    """A loaded time has the zone UTC and equals the stored one."""
    east = timezone(timedelta(hours=3))
    moment = datetime(2026, 3, 1, 1, 0, 0, 123_456, tzinfo=east)
    user = User(created_at=moment)
    user.save()
    found = User.get(user.id)
    assert found is not None
    assert found.created_at == moment
    assert found.created_at.utcoffset() == timedelta(0)
    assert found.updated_at.utcoffset() == timedelta(0)
    assert found.to_json()["created_at"] == "2026-02-28 22:00:00"


def test_old_sha256_hash_is_upgraded_at_login(any_database: str) -> None:
    """An old SHA-256 hash works once and becomes an argon2id hash."""
    user = User(email="bob@hbtn.io")
    old = sha256("pässword".encode()).hexdigest()
    user.set_hash(passwords.legacy_hash(old))
    user.save()
    assert check_credentials([user], "", "wrong", actor=LOCAL) is None
    assert User.all()[0].password == user.password
    assert check_credentials([user], "", "pässword", actor=LOCAL) is user
    (found,) = User.search({"email": "bob@hbtn.io"})
    assert found.password is not None
    assert found.password.startswith("$argon2id$")
    assert old not in found.password
    assert found.is_valid_password("pässword")
