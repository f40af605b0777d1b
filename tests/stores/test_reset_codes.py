#!/usr/bin/env python3
"""Reset codes on every database: random, kept as digests, used once."""

import re
from collections.abc import Callable, Iterator
from datetime import timedelta
from hashlib import sha256

import pytest
from sqlalchemy import text

from tests.clocks import SetClock
from tests.threads import at_once
from vestibule.accounts.credentials import change_email, change_password
from vestibule.accounts.permissions import LOCAL
from vestibule.accounts.recovery import issue_code, set_forgotten_password
from vestibule.accounts.users import (
    Invitation,
    create_setup_code,
    disable,
    enable,
)
from vestibule.core import passwords
from vestibule.core.errors import InvalidValue, WrongCode
from vestibule.db.engine import database
from vestibule.db.models.user import User
from vestibule.db.models.user_session import UserSession

EMAIL = "bob@example.com"
NEW = "violet umbrella"


@pytest.fixture
def bob(any_database: str) -> Iterator[User]:
    """Store a user with a password and a session, on each database."""
    user = User(email=EMAIL)
    user.password = "correct horse"
    user.save()
    UserSession(user_id=user.id, session_id="s").save()
    yield user


def has_password(user: User, password: str) -> bool:
    """Return True if the stored user has this password."""
    found = User.get(user.id)
    return found is not None and found.is_valid_password(password)


def refused(code: str, email: str = EMAIL) -> None:
    """Check that this code sets no password."""
    with pytest.raises(WrongCode, match=r"^wrong or expired code$"):
        set_forgotten_password(email, code, NEW, actor=LOCAL)


def test_code_is_random_and_kept_as_a_digest(bob: User) -> None:
    """It has 140 bits that can be typed; the store does not have the text."""
    codes = [issue_code(bob).code for _ in range(50)]
    form = r"[0-9A-HJKMNP-TV-Z]{4}(-[0-9A-HJKMNP-TV-Z]{4}){6}"
    assert all(re.fullmatch(form, code) for code in codes)
    assert len({group for code in codes for group in code.split("-")}) > 345
    stored = database().fetch_all(text("SELECT * FROM reset_codes"))
    assert len(stored) == 1
    assert codes[-1] not in str(stored)
    assert codes[-1].replace("-", "") not in str(stored)


def test_reset_code_is_single_use(bob: User) -> None:
    """It sets the password once, and every session has ended."""
    code = issue_code(bob).code
    set_forgotten_password(EMAIL, code, NEW, actor=LOCAL)
    assert has_password(bob, NEW)
    assert UserSession.count() == 0
    refused(code)


@pytest.mark.slow
@pytest.mark.parametrize(
    "typed",
    [
        str.lower,
        lambda code: code.replace("-", ""),
        lambda code: f"  {code.replace('-', ' ')} ",
        lambda code: code.replace("0", "O").replace("1", "l"),
    ],
)
def test_spellings_of_a_code_are_accepted(
    bob: User, typed: Callable[[str], str]
) -> None:
    """Case, hyphens, spaces and lookalikes make no difference."""
    code = typed(issue_code(bob).code)
    set_forgotten_password(f" {EMAIL.upper()}", code, NEW, actor=LOCAL)
    assert has_password(bob, NEW)


def test_wrong_code_or_email_is_refused_alike(bob: User) -> None:
    """An unknown code, another user's code, an unknown email."""
    other = User(email="other@example.com")
    other.save()
    code, of_other = issue_code(bob).code, issue_code(other).code
    refused("")
    refused(code[:-1])
    refused(of_other)
    for email in ("unknown@example.com", "", "a\0b", "\ud800", bob.id):
        refused(code, email)
    assert has_password(bob, "correct horse")
    assert UserSession.count() == 1
    set_forgotten_password(EMAIL, code, NEW, actor=LOCAL)


def test_next_code_replaces_the_one_before(bob: User) -> None:
    """Each user has one code, the last one."""
    before, code = issue_code(bob).code, issue_code(bob).code
    refused(before)
    set_forgotten_password(EMAIL, code, NEW, actor=LOCAL)


@pytest.mark.parametrize(("age", "works"), [(3599, True), (3600, False)])
def test_code_expires_after_an_hour(
    bob: User, set_clock: SetClock, age: int, works: bool
) -> None:
    """Not at its end and not after; `expires_at` says so."""
    code, expires_at = issue_code(bob)
    assert expires_at == set_clock.moment + timedelta(hours=1)
    set_clock.advance(age)
    if works:
        set_forgotten_password(EMAIL, code, NEW, actor=LOCAL)
    else:
        refused(code)
    assert has_password(bob, NEW) is works


def test_refused_password_leaves_the_code_valid(bob: User) -> None:
    """Only a client with the right code gets the reason."""
    code = issue_code(bob).code
    for bad in ("short", "password1234", "bob-bob-2024", None, "\ud800" * 9):
        with pytest.raises(InvalidValue):
            set_forgotten_password(EMAIL, code, bad, actor=LOCAL)
        with pytest.raises(WrongCode):
            set_forgotten_password(EMAIL, "wrong", bad, actor=LOCAL)
    set_forgotten_password(EMAIL, code, NEW, actor=LOCAL)


def test_password_change_invalidates_the_code(bob: User) -> None:
    """The owner or an operator may have changed it."""
    code = issue_code(bob).code
    change_password(bob, "correct horse", "violet umbrella", actor=LOCAL)
    refused(code)
    again = User.get(bob.id)
    assert again is not None
    code = issue_code(again).code
    again.password = "seven kites above"
    again.save_changes()
    refused(code)
    assert has_password(bob, "seven kites above")


def test_email_change_invalidates_the_code(bob: User) -> None:
    """It was sent to the old address, and does not work at the new one."""
    code = issue_code(bob).code
    loaded = User.get(bob.id)
    assert loaded is not None
    change_email(loaded, "robert@example.com")
    refused(code)
    refused(code, "robert@example.com")


def test_name_change_leaves_the_code_valid(bob: User) -> None:
    """As does a login that renews the hash of the same password."""
    bob.set_hash(passwords.legacy_hash(sha256(b"correct horse").hexdigest()))
    bob.save()
    code = issue_code(bob).code
    loaded = User.get(bob.id)
    assert loaded is not None
    loaded.first_name = "Bob"
    loaded.save_changes()
    loaded.rehash_if_outdated("correct horse")
    set_forgotten_password(EMAIL, code, "violet umbrella", actor=LOCAL)
    assert has_password(bob, "violet umbrella")


def test_disabled_user_cannot_use_the_code(bob: User) -> None:
    """The code works again when the user is enabled."""
    code = issue_code(bob).code
    disable(bob)
    refused(code)
    enable(bob)
    set_forgotten_password(EMAIL, code, NEW, actor=LOCAL)


def test_concurrent_use_of_a_code_succeeds_once(bob: User) -> None:
    """Four threads have it at the same moment."""
    code = issue_code(bob).code

    def use(number: int) -> bool:
        """Set a password of one's own; return True if it worked."""
        try:
            set_forgotten_password(EMAIL, code, f"{NEW} {number}", actor=LOCAL)
        except WrongCode:
            return False
        return True

    worked = at_once(4, use)
    assert worked.count(True) == 1
    assert has_password(bob, f"{NEW} {worked.index(True)}")


def test_codes_are_not_in_their_repr(any_database: str) -> None:
    """A traceback or a log line must not show them."""
    setup = create_setup_code()
    assert setup is not None
    user = User(email="bob@example.com")
    user.save()
    reset = issue_code(user)
    shown = f"{setup!r} {reset!r} {Invitation(user, reset)!r} {[setup]}"
    assert setup.code not in shown and reset.code not in shown
    assert str(reset.expires_at) in shown
