#!/usr/bin/env python3
"""The first admin, on every database: made once, by a code, without users."""

import re
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import text

from tests.clocks import SetClock
from tests.threads import at_once
from vestibule.accounts import users
from vestibule.accounts.permissions import Actor
from vestibule.accounts.users import (
    SetupCode,
    create_first_admin,
    create_setup_code,
    has_setup_code,
    needs_first_admin,
    new_user,
)
from vestibule.core.client_info import (
    LOCAL_CLIENT,
    ClientInfo,
    current_client,
    set_client,
)
from vestibule.core.errors import InvalidValue, Throttled, WrongCode
from vestibule.db.engine import database
from vestibule.db.models.user import Role, User

EMAIL = "ada@example.com"
GOOD = "violet umbrella"

pytestmark = pytest.mark.usefixtures("any_database")


@pytest.fixture
def from_outside() -> Iterator[None]:
    """Let the codes of a test come from a network."""
    set_client(ClientInfo("192.0.2.7"))
    yield
    set_client(LOCAL_CLIENT)


def offered() -> SetupCode:
    """Return a new code; fail if there is none."""
    found = create_setup_code()
    assert found is not None
    return found


def refused(code: str) -> None:
    """Check that this code makes no admin."""
    with pytest.raises(WrongCode, match=r"^wrong or expired code$"):
        create_first_admin(code, EMAIL, GOOD, actor=Actor.at(current_client()))


def test_code_is_random_and_kept_as_a_digest() -> None:
    """It has 80 bits that can be typed; the store does not have the text."""
    codes = [offered().code for _ in range(20)]
    form = r"[0-9A-HJKMNP-TV-Z]{4}(-[0-9A-HJKMNP-TV-Z]{4}){3}"
    assert all(re.fullmatch(form, code) for code in codes)
    assert len({group for code in codes for group in code.split("-")}) > 75
    stored = str(database().fetch_all(text("SELECT * FROM setup_codes")))
    for code in codes:
        assert code not in stored
        assert code.replace("-", "") not in stored


def test_code_makes_one_admin() -> None:
    """The admin can log in; then no code works, and none is issued."""
    assert needs_first_admin()
    assert not has_setup_code()
    code, other = offered().code, offered().code
    assert has_setup_code()
    made = create_first_admin(
        f" {code.lower()} ",
        EMAIL,
        GOOD,
        "Ada",
        "L.",
        actor=Actor.at(current_client()),
    )
    stored = User.get(made.id)
    assert stored is not None
    assert stored.role == Role.ADMIN
    assert (stored.email, stored.display_name()) == (EMAIL, "Ada L.")
    assert stored.is_valid_password(GOOD)
    assert not needs_first_admin()
    assert not has_setup_code()
    assert create_setup_code() is None
    stored.remove()
    # Both codes were deleted, not only refused because of the user.
    for each in (code, other):
        refused(each)


def test_earlier_code_stays_valid_after_a_later_one() -> None:
    """The first of two that were printed works as well as the second."""
    first, _ = offered().code, offered().code
    create_first_admin(first, EMAIL, GOOD, actor=Actor.at(current_client()))
    assert User.count() == 1


@pytest.mark.parametrize("wrong", ["", "0", "\0", "\ud800", "é" * 10_000])
def test_wrong_code_is_refused_and_the_right_one_kept(wrong: str) -> None:
    """For any wrong text no user is made, and the code stays valid."""
    code = offered().code
    refused(wrong)
    refused(code + "0")
    assert User.count() == 0
    create_first_admin(code, EMAIL, GOOD, actor=Actor.at(current_client()))


def test_code_ends_when_a_user_exists() -> None:
    """It does not matter how that user was added."""
    code = offered().code
    User().save()
    refused(code)
    assert User.count() == 1


@pytest.mark.parametrize(("age", "works"), [(1799, True), (1800, False)])
def test_code_expires_after_half_an_hour(
    set_clock: SetClock, age: int, works: bool
) -> None:
    """Not at its end and not after; `expires_at` says so."""
    code, expires_at = offered()
    assert expires_at == set_clock.moment + timedelta(minutes=30)
    set_clock.advance(age)
    assert has_setup_code() is works
    if works:
        create_first_admin(code, EMAIL, GOOD, actor=Actor.at(current_client()))
    else:
        refused(code)
    assert User.count() == works


def test_code_that_expires_during_hashing_is_refused(
    set_clock: SetClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The code is checked before the hash and again after it."""
    code = offered().code

    def slow_user(*given: Any, **more: Any) -> User:
        """Return the user, after half an hour."""
        set_clock.advance(1800)
        return new_user(*given, **more)

    monkeypatch.setattr(users, "new_user", slow_user)
    refused(code)
    assert User.count() == 0


def test_user_added_during_hashing_prevents_the_admin(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """There is no second first admin, however the user was added."""
    code = offered().code

    def late_user(*given: Any, **more: Any) -> User:
        """Return the user, after another user was added."""
        User(email="bob@example.com").save()
        return new_user(*given, **more)

    monkeypatch.setattr(users, "new_user", late_user)
    refused(code)
    assert [user.email for user in User.all()] == ["bob@example.com"]


def test_expired_codes_are_deleted_with_the_next(set_clock: SetClock) -> None:
    """A server that is started again and again does not pile them up."""
    for _ in range(3):
        offered()
        set_clock.advance(1800)
    offered()
    rows = database().fetch_all(text("SELECT count(*) FROM setup_codes"))
    assert rows[0][0] == 1


@pytest.mark.parametrize(
    ("field", "given"),
    [
        ("email", ("bob", GOOD)),
        ("password", (EMAIL, "short")),
        ("password", (EMAIL, "password1234")),
        ("password", (EMAIL, "\ud800" * 9)),
        ("first_name", (EMAIL, GOOD, "a\0b")),
    ],
)
def test_invalid_field_leaves_the_code_valid(
    field: str, given: tuple[str, ...]
) -> None:
    """The error names the field only to a client with the right code."""
    code = offered().code
    with pytest.raises(InvalidValue) as caught:
        create_first_admin(code, *given, actor=Actor.at(current_client()))
    assert caught.value.field == field
    with pytest.raises(WrongCode):
        create_first_admin("wrong", *given, actor=Actor.at(current_client()))
    create_first_admin(code, EMAIL, GOOD, actor=Actor.at(current_client()))


@pytest.mark.usefixtures("from_outside")
def test_wrong_codes_are_throttled(set_clock: SetClock) -> None:
    """Each wrong one after the third waits longer; the right one too."""
    code = offered().code
    for _ in range(4):
        refused("wrong")
    with pytest.raises(Throttled) as caught:
        create_first_admin(code, EMAIL, GOOD, actor=Actor.at(current_client()))
    assert caught.value.retry_after == 1
    set_clock.advance(1)
    refused("wrong")
    set_clock.advance(1)
    with pytest.raises(Throttled):
        create_first_admin(code, EMAIL, GOOD, actor=Actor.at(current_client()))
    assert User.count() == 0
    set_clock.advance(1)
    create_first_admin(code, EMAIL, GOOD, actor=Actor.at(current_client()))


@pytest.mark.parametrize("codes", [1, 4])
def test_concurrent_use_makes_one_admin(codes: int) -> None:
    """Four threads use one code, or each their own, at the same moment."""
    offers = [offered().code for _ in range(codes)]

    def use(number: int) -> bool:
        """Make an admin of one's own; return True if it worked."""
        try:
            create_first_admin(
                offers[number % codes],
                f"a{number}@example.com",
                GOOD,
                actor=Actor.at(current_client()),
            )
        except WrongCode:
            return False
        return True

    assert at_once(4, use).count(True) == 1
    (admin,) = User.all()
    assert admin.role == Role.ADMIN
