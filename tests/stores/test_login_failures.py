#!/usr/bin/env python3
"""The counters of failed attempts, over each kind of database."""

from collections.abc import Iterator

import pytest
from sqlalchemy import select

from tests.clocks import SetClock
from tests.threads import at_once
from vestibule.accounts import throttle as throttling
from vestibule.accounts.authentication import check_credentials, hash_queue
from vestibule.accounts.permissions import Actor
from vestibule.core.client_info import LOCAL_CLIENT, set_client
from vestibule.core.errors import DatabaseUnavailable, Throttled
from vestibule.db import engine
from vestibule.db.models.user import User
from vestibule.db.tables import FAILURES

pytestmark = pytest.mark.usefixtures("any_database")

EMAIL = "bob@hbtn.io"
PASSWORD = "H0lbertonSchool98!"
HOME, ELSEWHERE = "192.0.2.7", "198.51.100.1"
FREE, MANY = throttling.FREE_FAILURES, throttling.FREE_NETWORK_FAILURES


@pytest.fixture(autouse=True)
def fresh_throttle() -> Iterator[None]:
    """Begin with an empty throttle and without a client."""
    throttling.throttle.cache_clear()
    yield
    set_client(LOCAL_CLIENT)
    throttling.throttle.cache_clear()


@pytest.fixture
def checks(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Collect the passwords that were checked, and spare the hashes.

    What a hash costs is no part of these rules; that one is computed for
    each attempt is tested where passwords are.
    """
    checked: list[str] = []

    def verify(stored: str | None, password: str) -> bool:
        """Note the password; return True if it is the right one."""
        checked.append(password)
        return stored is not None and password == PASSWORD

    monkeypatch.setattr("vestibule.core.passwords.verify", verify)
    return checked


@pytest.fixture
def bob() -> User:
    """Return a stored user with a password."""
    return stored(EMAIL)


def stored(email: str) -> User:
    """Store a user with this email and the password of all users."""
    user = User(email=email)
    user.password = PASSWORD
    user.save()
    return user


def attempt(
    email: str = EMAIL, password: str = "wrong", ip: str | None = HOME
) -> User | None:
    """Check credentials that come from a client at `ip`."""
    return check_credentials(
        User.search({"email": email}),
        email,
        password,
        actor=Actor(address=ip, is_local=ip is None),
    )


def fail(times: int, email: str = EMAIL, ip: str = HOME) -> None:
    """Fail so many times, each as soon as it is allowed."""
    for _ in range(times):
        assert attempt(email, ip=ip) is None


def spray(times: int) -> None:
    """Fail once on each of so many unknown accounts."""
    for number in range(times):
        fail(1, email=f"unknown{number}@hbtn.io")


def waits(email: str = EMAIL, password: str = "wrong", ip: str = HOME) -> int:
    """Return the seconds that a refused attempt has to wait."""
    with pytest.raises(Throttled) as caught:
        attempt(email, password, ip)
    return caught.value.retry_after


def counts() -> list[int]:
    """Return the counts of all counters, sorted."""
    found = engine.database().fetch_all(select(FAILURES.c["count"]))
    return sorted(row[0] for row in found)


def test_wait_doubles_after_each_failure(
    bob: User, set_clock: SetClock, checks: list[str]
) -> None:
    """After the free failures each one doubles the wait and costs no hash."""
    fail(FREE + 1)
    for wait in (1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 900, 900):
        before = len(checks)
        assert waits() == waits(password=PASSWORD) == wait
        assert len(checks) == before
        set_clock.advance(wait - 0.5)
        assert waits() == 1
        set_clock.advance(0.5)
        fail(1)


def test_failures_are_reset_after_an_hour(
    bob: User, set_clock: SetClock, checks: list[str]
) -> None:
    """An hour after the last failure the count starts at zero."""
    fail(4)
    set_clock.advance(3_601)
    fail(4)
    assert counts() == [4, 4, 4]
    assert waits() == 1


def test_right_password_from_another_network_is_accepted(
    bob: User, set_clock: SetClock, checks: list[str]
) -> None:
    """An attacker cannot lock the owner out."""
    spray(MANY - FREE)
    fail(FREE + 1)
    assert attempt(password=PASSWORD, ip=ELSEWHERE) == bob
    # The owner's login resets failures, not those of the attacker's network.
    assert counts() == [1] * 2 * (MANY - FREE) + [FREE + 1, MANY + 1]
    assert waits() == 1


def test_each_network_has_one_try_after_failures_elsewhere(
    bob: User, set_clock: SetClock, checks: list[str]
) -> None:
    """The account's counter applies as soon as a network has failed."""
    for number in range(5):
        fail(1, ip=f"192.0.2.{number}")
    for number in range(5):
        assert waits(ip=f"192.0.2.{number}") > 0
    assert attempt(password=PASSWORD, ip=ELSEWHERE) == bob


def test_password_spraying_from_one_network_is_throttled(
    bob: User, set_clock: SetClock, checks: list[str]
) -> None:
    """Unknown accounts count like existing ones."""
    spray(MANY + 1)
    assert waits(email="another@hbtn.io") == 1
    assert waits(password=PASSWORD) == 1
    assert len(checks) == MANY + 1


def test_neighbour_behind_the_same_address_makes_others_wait(
    bob: User, set_clock: SetClock, checks: list[str]
) -> None:
    """By failures on an account or on many, for 15 minutes at most; another
    network does not wait. SECURITY.md says so.
    """
    fail(FREE + 1)
    assert waits(password=PASSWORD) == 1
    spray(MANY - FREE)
    other = stored("other@hbtn.io")
    assert waits(other.email or "", PASSWORD) > 0
    for _ in range(20):
        wait = waits(password=PASSWORD)
        assert wait <= 900
        set_clock.advance(wait)
        fail(1)
    throttling.reset_failures(bob)
    assert waits(password=PASSWORD) == 900
    assert attempt(password=PASSWORD, ip=ELSEWHERE) == bob
    set_clock.advance(900)
    assert attempt(password=PASSWORD) == bob


def test_spellings_of_an_email_share_one_counter(
    bob: User, set_clock: SetClock, checks: list[str]
) -> None:
    """Capitals and spaces give no further tries."""
    for email, ip in (
        (EMAIL, "192.0.2.1"),
        (EMAIL.upper(), "192.0.2.2"),
        (f" {EMAIL} ", "192.0.2.3"),
        (EMAIL.title(), "192.0.2.4"),
    ):
        fail(1, email=email, ip=ip)
    assert waits(ip="192.0.2.1") == 1


def test_addresses_of_one_ipv6_network_share_one_counter(
    bob: User, set_clock: SetClock, checks: list[str]
) -> None:
    """Another address of the same /64 gives no further tries."""
    for number in range(MANY + 1):
        fail(1, email=f"{number}@hbtn.io", ip=f"2001:db8::{number}")
    assert waits(ip="2001:db8::abcd:1") == 1
    fail(1, ip="2001:db8:0:1::1")


def test_success_removes_the_accounts_failures_from_the_network(
    bob: User, set_clock: SetClock, checks: list[str]
) -> None:
    """A success takes the failures of its account off the network."""
    for _ in range(MANY // FREE + 1):
        fail(FREE)
        assert attempt(password=PASSWORD) == bob
    assert not any(counts())


def test_login_to_own_account_resets_only_its_failures(
    bob: User, set_clock: SetClock, checks: list[str]
) -> None:
    """The attacker's own login gives back only what failed on that account."""
    stored("mallory@hbtn.io")
    spray(MANY - FREE)
    fail(FREE)
    for _ in range(3):
        assert attempt("mallory@hbtn.io", PASSWORD) is not None
    fail(1)
    assert waits() == waits("mallory@hbtn.io", PASSWORD) == 1
    set_clock.advance(1)
    assert attempt("mallory@hbtn.io", PASSWORD) is not None
    fail(1)
    assert waits() == 2


def test_success_does_not_reset_failures_of_another_network(
    bob: User, set_clock: SetClock, checks: list[str]
) -> None:
    """A success in one network does not reset the counter of another."""
    stored("mallory@hbtn.io")
    spray(MANY - 1)
    fail(1, email="mallory@hbtn.io")
    fail(FREE - 1, email="mallory@hbtn.io", ip=ELSEWHERE)
    assert attempt("mallory@hbtn.io", PASSWORD) is not None
    fail(2, email="another@hbtn.io")
    assert waits() == 1


def test_expired_failures_take_nothing_off_the_network(
    bob: User, set_clock: SetClock, checks: list[str]
) -> None:
    """An account's expired failures take nothing off the network."""
    stored("mallory@hbtn.io")
    fail(3, email="mallory@hbtn.io", ip=ELSEWHERE)
    set_clock.advance(3_601)
    spray(MANY)
    assert attempt("mallory@hbtn.io", PASSWORD) is not None
    fail(1, email="another@hbtn.io")
    assert waits() == 1


def test_success_after_the_wait_is_not_counted(
    bob: User, set_clock: SetClock, checks: list[str]
) -> None:
    """A user's success makes other users of the network wait no longer."""
    spray(MANY + 1)
    set_clock.advance(1)
    for _ in range(3):
        assert attempt(password=PASSWORD) == bob
    assert max(counts()) == MANY + 1


def test_script_without_a_network_is_not_throttled(
    bob: User, set_clock: SetClock, checks: list[str]
) -> None:
    """Without a network nothing is counted."""
    for _ in range(MANY + 2):
        assert attempt(ip=None) is None
    assert counts() == []


def test_throttle_can_be_switched_off(
    bob: User,
    set_clock: SetClock,
    checks: list[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Without throttling nothing is counted."""
    monkeypatch.setenv("THROTTLE", "off")
    fail(MANY + 2)
    assert counts() == []


@pytest.mark.parametrize("before", [0, FREE + 1])
def test_concurrent_attempts_on_one_account_are_throttled(
    bob: User,
    set_clock: SetClock,
    checks: list[str],
    monkeypatch: pytest.MonkeyPatch,
    before: int,
) -> None:
    """Of many at the same moment as many are checked as one by one.

    In the free part at most as many more as there are turns to hash.
    """
    monkeypatch.setenv("BLOCKING_THREADS", "64")
    hash_queue.cache_clear()
    fail(before)
    set_clock.advance(1)
    done = at_once(16, _outcome)
    turns = hash_queue()._turns._value
    most = 1 if before else FREE + turns
    assert 1 <= done.count("wrong") <= most
    assert done.count("wrong") + done.count("waits") == 16
    assert len(checks) == before + done.count("wrong")
    assert counts() == [before + done.count("wrong")] * 3
    hash_queue.cache_clear()


def test_concurrent_attempts_on_many_accounts_are_throttled(
    bob: User, set_clock: SetClock, checks: list[str]
) -> None:
    """A network that waited has one attempt, on any account."""
    spray(MANY + 1)
    set_clock.advance(1)
    done = at_once(8, lambda number: _outcome(number, f"{number}@hbtn.io"))
    assert sorted(done) == ["waits"] * 7 + ["wrong"]
    assert len(checks) == max(counts()) == MANY + 2


def _outcome(_: int, email: str = EMAIL) -> str:
    """Return the outcome of a wrong attempt."""
    try:
        return "right" if attempt(email) else "wrong"
    except Throttled:
        return "waits"


@pytest.mark.parametrize("others", [3, MANY])
def test_concurrent_successes_reset_failures_once(
    bob: User, set_clock: SetClock, checks: list[str], others: int
) -> None:
    """The same failures are taken off the network only once."""
    spray(others)
    fail(1)
    set_clock.advance(1)
    at_once(4, lambda _: _succeeds())
    assert max(counts()) == others


def _succeeds() -> bool:
    """Return True if the right password was accepted."""
    try:
        return attempt(password=PASSWORD) is not None
    except Throttled:
        return False


def test_expired_counters_are_purged(
    bob: User, set_clock: SetClock, checks: list[str]
) -> None:
    """Counters that no longer count are deleted; the rest stays."""
    fail(1, email="old@hbtn.io", ip=ELSEWHERE)
    set_clock.advance(3_000)
    fail(1)
    assert throttling.throttle().purge() == 0
    set_clock.advance(601)
    assert throttling.throttle().purge() == 3
    assert counts() == [1, 1, 1]


def test_login_is_refused_if_a_failure_cannot_be_counted(
    bob: User,
    set_clock: SetClock,
    checks: list[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """On a database that cannot be written to, guessing is impossible."""

    def broken(*_: object) -> None:
        """Fail like a full disk."""
        raise DatabaseUnavailable("the disk is full")

    with monkeypatch.context() as full:
        full.setattr("vestibule.db.login_failures.add_attempt", broken)
        for password in ("wrong", "wrong", PASSWORD, "wrong"):
            with pytest.raises(DatabaseUnavailable):
                attempt(password=password)
        assert checks == ["wrong"]
    assert attempt(password=PASSWORD) == bob
    assert not any(counts())
