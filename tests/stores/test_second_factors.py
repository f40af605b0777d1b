#!/usr/bin/env python3
"""Second factors on both databases: enrolment, use, throttle, recovery."""

import re

import pytest
from sqlalchemy import text

from tests.clocks import SetClock
from tests.stores.totp_apps import code_of, enrolled, seed_of, wrong_code
from tests.threads import at_once
from vestibule.accounts.second_factors import (
    MAX_APPS,
    begin_app,
    check_second_factor,
    confirm_app,
    remove_factor,
    replace_recovery_codes,
)
from vestibule.core import clock
from vestibule.core.crypto import new_key
from vestibule.core.errors import (
    ConfigurationError,
    InvalidValue,
    RecordGone,
    Throttled,
    VestibuleError,
    WrongSecondFactor,
)
from vestibule.db import factors
from vestibule.db.engine import database
from vestibule.db.models.user import User
from vestibule.sessions.facts import TotpProof


@pytest.fixture
def user(
    any_database: str, set_clock: SetClock, monkeypatch: pytest.MonkeyPatch
) -> User:
    """Store a user, on each database, with a key for secrets."""
    monkeypatch.setenv("SECRETS_KEY", new_key())
    stored = User(email="bob@example.com")
    stored.save()
    return stored


def test_app_counts_after_its_first_right_code(user: User) -> None:
    """A pending app is no factor; a wrong code leaves it pending."""
    app = begin_app(user, "  my   phone ")
    assert not factors.has_any(user.id)
    with pytest.raises(WrongSecondFactor):
        confirm_app(user, app.factor.id, wrong_code(app))
    with pytest.raises(WrongSecondFactor):
        check_second_factor(user, code_of(app))
    codes = confirm_app(user, app.factor.id, code_of(app))
    assert len(codes) == 10
    assert factors.has_any(user.id)
    names = [one.name for one in factors.of_user(user.id)]
    assert names == ["my phone", ""] or names == ["", "my phone"]
    with pytest.raises(RecordGone):
        confirm_app(user, app.factor.id, code_of(app, 1))


def test_pending_app_lives_for_ten_minutes(
    user: User, set_clock: SetClock
) -> None:
    """After that no code confirms it, and a purge deletes it."""
    app = begin_app(user, "phone")
    set_clock.advance(600)
    with pytest.raises(RecordGone):
        confirm_app(user, app.factor.id, code_of(app))
    assert factors.purge(clock.now()) == 1
    assert factors.find(app.factor.id, user.id) is None


def test_new_pending_app_replaces_the_one_before(user: User) -> None:
    """A seed that was shown and not confirmed stops working."""
    first, second = begin_app(user, "a"), begin_app(user, "b")
    with pytest.raises(RecordGone):
        confirm_app(user, first.factor.id, code_of(first))
    confirm_app(user, second.factor.id, code_of(second))


def test_pending_app_of_another_user_cannot_be_confirmed(user: User) -> None:
    """Nor removed: the id of a factor gives no access to it."""
    other = User(email="eve@example.com")
    other.save()
    app, _ = enrolled(user)
    pending = begin_app(user, "second")
    with pytest.raises(RecordGone):
        confirm_app(other, pending.factor.id, code_of(pending))
    with pytest.raises(RecordGone):
        remove_factor(other, app.factor.id)
    assert len(factors.of_user(user.id)) == 2


def test_code_works_once(user: User, set_clock: SetClock) -> None:
    """Neither the code that confirmed, nor one of an earlier step."""
    app, _ = enrolled(user)
    fail_code = code_of(app)
    with pytest.raises(WrongSecondFactor):
        check_second_factor(user, fail_code)
    set_clock.advance(30)
    right = code_of(app)
    assert check_second_factor(user, right) == TotpProof(clock.now())
    for code in (right, code_of(app, -1)):
        with pytest.raises(WrongSecondFactor):
            check_second_factor(user, code)


def test_code_ahead_ends_the_codes_before_it(
    user: User, set_clock: SetClock
) -> None:
    """A phone with a fast clock cannot go back to the present step."""
    app, _ = enrolled(user)
    set_clock.advance(60)
    check_second_factor(user, code_of(app, 1))
    with pytest.raises(WrongSecondFactor):
        check_second_factor(user, code_of(app))


def test_hardened_profile_refuses_the_next_step(
    user: User, set_clock: SetClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only the present code and the one before count there."""
    app, _ = enrolled(user)
    set_clock.advance(90)
    monkeypatch.setenv("SECURITY_PROFILE", "hardened")
    with pytest.raises(WrongSecondFactor):
        check_second_factor(user, code_of(app, 1))
    check_second_factor(user, code_of(app, -1))


def test_clock_set_back_accepts_no_used_code(
    user: User, set_clock: SetClock
) -> None:
    """The steps of the past were used, or end with the one that was."""
    app, _ = enrolled(user)
    set_clock.advance(-300)
    for offset in (-1, 0, 1):
        with pytest.raises(WrongSecondFactor):
            check_second_factor(user, code_of(app, offset))


def test_right_code_sent_at_once_works_once(
    user: User, set_clock: SetClock
) -> None:
    """Of eight threads with the same right code, one succeeds."""
    app, _ = enrolled(user)
    set_clock.advance(30)
    code = code_of(app)

    def attempt(_: int) -> bool:
        """Give the code; return True if it is accepted."""
        try:
            check_second_factor(user, code)
        except (WrongSecondFactor, Throttled):
            return False
        return True

    assert at_once(8, attempt).count(True) == 1


def test_user_has_at_most_five_apps(user: User) -> None:
    """One more is refused, before it is shown."""
    for number in range(MAX_APPS):
        enrolled(user, f"app {number}")
    with pytest.raises(InvalidValue, match="at most 5 apps"):
        begin_app(user, "sixth")
    assert len(factors.of_user(user.id)) == MAX_APPS + 1


def test_each_app_has_codes_of_its_own(
    user: User, set_clock: SetClock
) -> None:
    """A right code of one app does not count as a failure of another."""
    first, _ = enrolled(user, "first")
    second, codes = enrolled(user, "second")
    assert codes == []
    for app in (first, second):
        set_clock.advance(30)
        check_second_factor(user, code_of(app))
    assert {one.failures for one in factors.of_user(user.id)} == {0}


def test_seed_is_stored_encrypted_and_in_no_repr(user: User) -> None:
    """Neither a dump nor a `repr` has it."""
    app, _ = enrolled(user)
    found = database().fetch_all(text("SELECT * FROM factors"))
    shown = f"{found} {app!r} {factors.of_user(user.id)!r}"
    for secret in (app.key, app.key.replace(" ", ""), seed_of(app).hex()):
        assert secret not in shown
    assert re.search(r"'k1\.[0-9a-f]{12}\.", shown)


def test_seed_copied_to_another_user_is_refused(
    user: User, set_clock: SetClock
) -> None:
    """A program that writes to the database cannot move a known seed."""
    app, _ = enrolled(user)
    other = User(email="eve@example.com")
    other.save()
    own, _ = enrolled(other)
    with database().transaction() as connection:
        connection.execute(
            text(
                "UPDATE factors SET secret = (SELECT secret FROM factors"
                " WHERE id = :own) WHERE id = :id"
            ),
            {"own": own.factor.id, "id": app.factor.id},
        )
    set_clock.advance(30)
    with pytest.raises(VestibuleError, match="belongs to another row"):
        check_second_factor(user, code_of(own))


def test_without_a_key_there_is_no_app(
    user: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No seed is ever stored in clear."""
    monkeypatch.delenv("SECRETS_KEY")
    with pytest.raises(ConfigurationError, match="SECRETS_KEY"):
        begin_app(user, "phone")


@pytest.mark.parametrize("name", ["", " ", "x" * 65, "a\x00b", "a\x1bb", 7])
def test_invalid_name_is_refused(user: User, name: object) -> None:
    """A name has 1 to 64 printable characters."""
    with pytest.raises(InvalidValue, match="name"):
        begin_app(user, name)


def test_recovery_codes_are_random_and_kept_as_digests(user: User) -> None:
    """Ten codes of 24 characters, in groups of four; none is stored."""
    _, codes = enrolled(user)
    form = r"[0-9A-HJKMNP-TV-Z]{4}(-[0-9A-HJKMNP-TV-Z]{4}){5}"
    assert len(set(codes)) == 10
    assert all(re.fullmatch(form, code) for code in codes)
    stored = str(database().fetch_all(text("SELECT * FROM recovery_codes")))
    assert not any(code in stored for code in codes)
    assert factors.count_recovery_codes(user.id) == 10


def test_recovery_code_works_once_however_it_is_typed(user: User) -> None:
    """Case, blanks and look-alikes do not matter; of 8 at once one wins."""
    _, codes = enrolled(user)
    typed = codes[0].lower().replace("-", " ").replace("0", "o")
    check_second_factor(user, recovery_code=typed)
    with pytest.raises(WrongSecondFactor):
        check_second_factor(user, recovery_code=codes[0])

    def attempt(_: int) -> bool:
        """Give the second code; return True if it is accepted."""
        try:
            check_second_factor(user, recovery_code=codes[1])
        except (WrongSecondFactor, Throttled):
            return False
        return True

    assert at_once(8, attempt).count(True) == 1
    assert factors.count_recovery_codes(user.id) == 8


def test_recovery_code_of_another_user_is_refused(user: User) -> None:
    """And it stays that user's."""
    other = User(email="eve@example.com")
    other.save()
    _, codes = enrolled(other)
    enrolled(user)
    with pytest.raises(WrongSecondFactor):
        check_second_factor(user, recovery_code=codes[0])
    check_second_factor(other, recovery_code=codes[0])


def test_new_set_ends_the_one_before(user: User) -> None:
    """The old codes stop working, and the new ones work."""
    _, old = enrolled(user)
    new = replace_recovery_codes(user)
    with pytest.raises(WrongSecondFactor):
        check_second_factor(user, recovery_code=old[0])
    check_second_factor(user, recovery_code=new[0])


def test_recovery_codes_need_a_factor_and_go_with_the_last(
    user: User,
) -> None:
    """They replace a factor, so there are none without one."""
    with pytest.raises(RecordGone):
        replace_recovery_codes(user)
    first, codes = enrolled(user, "first")
    second, _ = enrolled(user, "second")
    remove_factor(user, first.factor.id)
    assert factors.count_recovery_codes(user.id) == 10
    remove_factor(user, second.factor.id)
    assert factors.count_recovery_codes(user.id) == 0
    assert not factors.has_any(user.id)
    with pytest.raises(WrongSecondFactor):
        check_second_factor(user, recovery_code=codes[0])
    with pytest.raises(RecordGone):
        remove_factor(user, first.factor.id)


def test_removed_user_leaves_no_factor(user: User) -> None:
    """Neither factors nor recovery codes stay."""
    enrolled(user)
    user.remove()
    for table in ("factors", "recovery_codes"):
        found = database().fetch_all(text(f"SELECT * FROM {table}"))
        assert found == []


def test_waiting_logins_end_with_the_first_factor(user: User) -> None:
    """They began when the password was enough."""
    from vestibule.db import pending_logins
    from vestibule.db.pending_logins import PendingLogin

    pending_logins.add("a", PendingLogin(user.id, "x", clock.now()))
    enrolled(user)
    assert pending_logins.find("a", clock.now()) is None
