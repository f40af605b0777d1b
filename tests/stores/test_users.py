#!/usr/bin/env python3
"""Users on every database: emails, passwords, names, removal."""

import threading
from hashlib import sha256
from typing import Any

import pytest
from sqlalchemy import text

from tests.threads import at_once
from vestibule.accounts.authentication import is_still_valid
from vestibule.core import passwords
from vestibule.core.errors import DuplicateEmail, InvalidValue
from vestibule.db.engine import database
from vestibule.db.models.user import User
from vestibule.db.models.user_session import UserSession


def test_json_has_exactly_the_public_attributes() -> None:
    """`to_json` has these keys, texts or `None`, and no secret."""
    user = User(email="bob@example.com", first_name="Bob", nickname="b")
    user.password = "secret"
    assert user.to_json() == {
        "created_at": user.created_at.strftime("%Y-%m-%d %H:%M:%S"),
        "email": "bob@example.com",
        "first_name": "Bob",
        "id": user.id,
        "last_name": None,
        "updated_at": user.updated_at.strftime("%Y-%m-%d %H:%M:%S"),
    }
    assert repr(user) == f"<User {user.id}>"


def test_many_users_can_have_no_email(any_database: str) -> None:
    """A missing email is not taken by the first user without one."""
    for _ in range(5):
        User().save()
    User(email="a").save()
    assert User.count() == 6
    assert len(User.search({"email": None})) == 5


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("bob@example.com", "bob@example.com"),
        ("bob@example.com", " BOB@Example.COM\t"),
        ("  bob", "bob\n"),
        ("stra\u00dfe@x", "STRASSE@x"),
        ("\u03a3\u03a3@x", "\u03c3\u03c2@X"),
    ],
)
def test_email_belongs_to_one_user(
    any_database: str, first: str, second: str
) -> None:
    """Spaces around an email and capitals make no difference."""
    user = User(email=first)
    user.save()
    with pytest.raises(DuplicateEmail, match="email is already registered"):
        User(email=second).save()
    assert User.count() == 1
    assert User.search({"email": second}) == [user]
    loaded = User.get(user.id)
    assert loaded is not None
    assert loaded.email == user.email == first.strip()


def test_spaces_inside_and_accents_make_another_email(
    any_database: str,
) -> None:
    """Blanks inside and accents make another address."""
    for email in ["a b", "ab", "a  b", "\u00e1b", "a@b", "%", "_"]:
        User(email=email).save()
        assert len(User.search({"email": email})) == 1
    assert User.count() == 7
    # The same character in two parts is the same address.
    assert len(User.search({"email": "a\u0301b"})) == 1


def test_changed_email_is_free_again(any_database: str) -> None:
    """A user may take an address that another user gave up."""
    one, two = User(email="one"), User(email="two")
    one.save()
    two.save()
    for save in (two.save, two.save_changes):
        two.email = "ONE "
        with pytest.raises(DuplicateEmail):
            save()
    assert len(User.search({"email": "two"})) == 1
    one.email = None
    one.save()
    two.save()
    assert User.search({"email": "one"}) == [two]
    two.remove()
    User(email="one").save()


def test_empty_email_is_refused(any_database: str) -> None:
    """Text without a character in it is neither an email nor none."""
    for empty in ["", " ", "\t\n "]:
        with pytest.raises(InvalidValue, match="email must not be empty"):
            User(email=empty).save()
        assert User.search({"email": empty}) == []
    assert User.count() == 0


def test_concurrent_saves_give_the_email_to_one_user(
    any_database: str,
) -> None:
    """However many save the same address at once, exactly one has it."""

    def register(number: int) -> bool:
        """Try to get the address; return True if it was free."""
        try:
            User(email=" bob@X" if number % 2 else "BOB@x").save()
        except DuplicateEmail:
            return False
        return True

    won = at_once(20, register)
    assert won.count(True) == 1
    assert User.count() == 1


def test_password_is_kept_as_a_hash(any_database: str) -> None:
    """The clear text is stored nowhere, and only the right one is valid."""
    user = User()
    user.password = "H0lbertonSchool98!"
    user.save()
    loaded = User.get(user.id)
    assert loaded is not None
    assert loaded.password == user.password
    assert str(loaded.password).startswith("$argon2id$")
    assert loaded.is_valid_password("H0lbertonSchool98!")
    assert not loaded.is_valid_password("h0lbertonSchool98!")
    stored = database().fetch_all(text("SELECT * FROM users"))
    assert "H0lberton" not in str(stored)


@pytest.mark.parametrize("wrong", [None, 5, b"secret", ["secret"], object()])
def test_password_that_is_no_string_is_invalid(wrong: Any) -> None:
    """It is never valid, and setting it leaves no password."""
    user = User()
    user.set_hash(passwords.legacy_hash("0" * 64))
    assert user.is_valid_password(wrong) is False
    user.password = wrong
    assert user.password is None
    assert user.is_valid_password(wrong) is False


def test_user_without_a_password_cannot_log_in() -> None:
    """No text is the password of a user who has none."""
    user = User()
    assert user.password is None
    assert user.is_valid_password("") is False
    assert user.is_valid_password("None") is False


def test_empty_string_is_a_password_on_the_model() -> None:
    """The models let scripts set it; it differs from no password."""
    user = User()
    user.password = ""
    assert user.is_valid_password("") is True
    assert user.is_valid_password(" ") is False


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        ({}, ""),
        ({"email": "a@b"}, "a@b"),
        ({"email": "a@b", "first_name": "", "last_name": ""}, "a@b"),
        ({"email": "a@b", "first_name": "Bob"}, "Bob"),
        ({"email": "a@b", "last_name": "Dylan"}, "Dylan"),
        ({"first_name": "Bob", "last_name": "Dylan"}, "Bob Dylan"),
        ({"email": "a@b", "first_name": "", "last_name": "D"}, "D"),
    ],
)
def test_display_name_is_names_email_or_nothing(
    given: dict[str, str], shown: str
) -> None:
    """The names, or the one there is, or the email, or nothing."""
    assert User(**given).display_name() == shown


def test_removal_deletes_the_users_sessions(any_database: str) -> None:
    """They go with the user, and those of others stay."""
    gone, stays = User(), User()
    for user in (gone, stays):
        user.save()
        for number in range(3):
            UserSession(
                user_id=user.id, session_id=f"{user.id}{number}"
            ).save()
    UserSession(user_id="abcde", session_id="x").save()
    gone.remove()
    assert User.all() == [stays]
    assert UserSession.search({"user_id": gone.id}) == []
    assert len(UserSession.search({"user_id": stays.id})) == 3
    assert UserSession.count() == 4


def test_user_and_sessions_are_deleted_in_one_transaction(
    any_database: str,
) -> None:
    """If the sessions cannot be deleted, the user is still there."""
    user = User(email="a")
    user.save()
    UserSession(user_id=user.id, session_id="x").save()
    with database().transaction() as connection:
        connection.execute(
            text("ALTER TABLE user_sessions RENAME TO elsewhere")
        )
    with pytest.raises(Exception, match="user_sessions"):
        user.remove()
    assert User.all() == [user]


def test_rehash_keeps_the_password(any_database: str) -> None:
    """A hash of another kind is replaced in the row and in the object."""
    user = User()
    user.set_hash(
        passwords.legacy_hash(
            "2bb80d537b1da3e38bd30361aa855686bde0eacd7162fef6a25fe97bf527a25b"
        )
    )
    user.save()
    assert user.is_valid_password("secret")
    user.rehash_if_outdated("secret")
    loaded = User.get(user.id)
    assert loaded is not None
    assert loaded.password == user.password
    assert str(user.password).startswith("$argon2id$")
    assert loaded.is_valid_password("secret")
    assert loaded.updated_at >= user.created_at
    before = user.password
    user.rehash_if_outdated("secret")
    assert user.password == before


def test_rehash_does_not_undo_a_new_password(
    any_database: str,
) -> None:
    """A password that was changed in the same moment stays changed."""
    user = User()
    user.set_hash(passwords.legacy_hash("0" * 64))
    user.save()
    other = User.get(user.id)
    assert other is not None
    other.password = "changed"
    other.save()
    user.rehash_if_outdated("secret")
    loaded = User.get(user.id)
    assert loaded is not None
    assert loaded.is_valid_password("changed")


def test_concurrent_logins_that_rehash_both_succeed(any_database: str) -> None:
    """The second one has the hash that the first one stored."""
    first = User()
    first.set_hash(passwords.legacy_hash(sha256(b"secret").hexdigest()))
    first.save()
    second = User.get(first.id)
    assert second is not None
    first.rehash_if_outdated("secret")
    second.rehash_if_outdated("secret")
    assert is_still_valid(first)
    assert is_still_valid(second)


def test_login_with_a_just_replaced_password_fails(any_database: str) -> None:
    """Renewing the hash of a password just replaced begins no session."""
    user = User()
    user.set_hash(passwords.legacy_hash(sha256(b"secret").hexdigest()))
    user.save()
    other = User.get(user.id)
    assert other is not None
    other.password = "changed"
    other.save()
    user.rehash_if_outdated("secret")
    assert not is_still_valid(user)


def test_rehash_counts_as_loaded(any_database: str) -> None:
    """What `rehash_if_outdated` wrote counts as loaded, not as changed."""
    user = User()
    user.set_hash(passwords.legacy_hash("0" * 64))
    user.save()
    user.rehash_if_outdated("secret")
    other = User.get(user.id)
    assert other is not None
    other.password = "changed"
    other.save()
    user.first_name = "Bob"
    user.save_changes()
    loaded = User.get(user.id)
    assert loaded is not None
    assert loaded.first_name == "Bob"
    assert loaded.is_valid_password("changed")


def test_rehash_works_without_a_loaded_hash(
    any_database: str,
) -> None:
    """An object that stands for a stored user renews the stored hash."""
    stored = User()
    stored.set_hash(passwords.legacy_hash("0" * 64))
    stored.save()
    user = User(id=stored.id)
    user.set_hash(str(stored.password))
    user.rehash_if_outdated("secret")
    loaded = User.get(user.id)
    assert loaded is not None
    assert loaded.is_valid_password("secret")


@pytest.mark.slow
def test_rehash_of_a_user_without_a_password_does_nothing() -> None:
    """Nothing is computed and nothing is stored for such a user."""
    user = User()
    user.rehash_if_outdated("secret")
    assert user.password is None


def test_concurrent_saves_of_one_user_lose_nothing(any_database: str) -> None:
    """Saves of one user from many threads all succeed, none is lost."""
    user = User()
    user.save()
    names = threading.local()

    def rename(number: int) -> str:
        """Save the user with a name of this thread's own."""
        names.mine = User.get(user.id)
        names.mine.first_name = f"n{number}"
        names.mine.save()
        return f"n{number}"

    written = at_once(8, rename)
    loaded = User.get(user.id)
    assert loaded is not None
    assert loaded.first_name in written
    assert User.count() == 1
