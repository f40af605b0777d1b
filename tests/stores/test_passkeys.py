#!/usr/bin/env python3
"""The tables of passkeys, on each database."""

from dataclasses import replace
from datetime import timedelta

import pytest

from tests.clocks import SetClock
from tests.threads import at_once
from vestibule.checks.sign_in import orphaned_passkeys
from vestibule.core import clock
from vestibule.db import factors, passkeys
from vestibule.db.factors import PASSKEY, Factor
from vestibule.db.models.user import User
from vestibule.db.passkeys import Challenge, Passkey


@pytest.fixture
def user() -> User:
    """Store a user without a factor."""
    stored = User(email="bob@example.com")
    stored.save()
    return stored


def passkey(user: User, id: str = "one", **more: object) -> Passkey:
    """Return a passkey of the user, not stored."""
    made = Passkey(
        f"factor-{id}", user.id, id, "key", 5, False, False, "", "a.example"
    )
    return replace(made, **more)  # type: ignore[arg-type]


def stored(user: User, id: str = "one", limit: int = 20) -> bool:
    """Store a passkey of the user; return True if that was possible."""
    made, now = passkey(user, id), clock.now()
    factor = Factor(
        f"factor-{id}-{user.id}", user.id, PASSKEY, "x", None, now, now
    )
    made = replace(made, factor_id=factor.id)
    return passkeys.add(factor, made, limit, None)


def test_id_is_stored_once(user: User) -> None:
    """Nor does a refusal leave a factor without a passkey."""
    other = User(email="eve@example.com")
    other.save()
    assert stored(user)
    assert not stored(other)
    assert not factors.has_any(other.id)
    found = passkeys.find("one")
    assert found is not None
    assert found.user_id == user.id


def test_number_is_limited(user: User) -> None:
    """It is counted while the user is locked."""
    assert sum(at_once(4, lambda n: stored(user, str(n), 2))) == 2
    assert len(passkeys.of_user(user.id)) == 2


def test_handle_stays_the_same(user: User) -> None:
    """Requests at once get the same one; it goes with the user."""
    found = set(at_once(4, lambda _: passkeys.handle_of(user.id)))
    assert len(found) == 1
    assert len(found.pop()) == 43
    user.remove()
    other = User(email="eve@example.com")
    other.save()
    assert passkeys.handle_of(other.id) not in found


def test_removed_user_leaves_nothing(user: User) -> None:
    """Neither a passkey nor a challenge."""
    assert stored(user)
    passkeys.add_challenge(
        Challenge("digest", "register", user.id, "", clock.now())
    )
    user.remove()
    assert passkeys.find("one") is None
    assert not passkeys.use_challenge(
        "digest", "register", user.id, clock.now()
    )


def test_count_is_used_once(user: User) -> None:
    """Of four uses at once with the same count, one succeeds."""
    assert stored(user)
    found = passkeys.find("one")
    assert found is not None
    uses = at_once(4, lambda _: passkeys.use(found, 6, False, clock.now()))
    assert uses.count(True) == 1


def test_challenge_is_used_once(user: User) -> None:
    """And for nothing else, even if its first use is wrong."""
    now = clock.now()
    for digest, purpose in (("a", "x"), ("b", "y")):
        passkeys.add_challenge(Challenge(digest, purpose, user.id, "", now))
    uses = at_once(4, lambda _: passkeys.use_challenge("a", "x", user.id, now))
    assert uses.count(True) == 1
    assert not passkeys.use_challenge("b", "x", user.id, now)
    assert not passkeys.use_challenge("b", "y", user.id, now)


def test_challenge_of_another_time_is_refused(
    user: User, set_clock: SetClock
) -> None:
    """It is too old after five minutes; a clock may be set back."""
    now = clock.now()
    for number, offset in enumerate((300, -11)):
        digest = str(number)
        passkeys.add_challenge(Challenge(digest, "x", None, "net", now))
        moved = now + timedelta(seconds=offset)
        assert not passkeys.use_challenge(digest, "x", None, moved)
    passkeys.add_challenge(Challenge("old", "x", None, "net", now))
    set_clock.advance(300)
    assert passkeys.purge(clock.now()) == 1


def test_challenges_of_a_user_are_limited(
    user: User, monkeypatch: pytest.MonkeyPatch, set_clock: SetClock
) -> None:
    """One more ends the oldest, of this user alone."""
    monkeypatch.setattr(passkeys, "MAX_USER_CHALLENGES", 2)
    passkeys.add_challenge(Challenge("x", "p", "other", "", clock.now()))
    for number in range(3):
        set_clock.advance(1)
        passkeys.add_challenge(
            Challenge(str(number), "p", user.id, "", clock.now())
        )
    now = clock.now()
    assert not passkeys.use_challenge("0", "p", user.id, now)
    assert passkeys.use_challenge("1", "p", user.id, now)
    assert passkeys.use_challenge("x", "p", "other", now)


def test_change_of_the_rp_id_is_reported(
    user: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The check counts the passkeys that cannot sign in."""
    assert list(orphaned_passkeys(None)) == []
    assert stored(user)
    monkeypatch.setenv("PUBLIC_URL", "https://a.example")
    assert list(orphaned_passkeys(None)) == []
    monkeypatch.setenv("PUBLIC_URL", "https://b.example")
    (found,) = orphaned_passkeys(None)
    assert found.message.endswith("the RP ID is b.example: 1")
