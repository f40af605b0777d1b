#!/usr/bin/env python3
"""Throttle, a rate limit on failures: each one makes the next attempt wait.

Guessing gets slow, and an attacker cannot lock a user out (OWASP ASVS 5.0,
6.1.1 and 6.3.1). There are two counters, one for the client's network and
one for the account. The account's counter applies only to a network that
has failed itself, so an attacker's failures never keep out the user who
comes from another network and knows the password.

An admin can reset the failures of an account. Networks that failed on many
accounts keep waiting."""

import logging
import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import NamedTuple, TypeVar

from vestibule.accounts.permissions import LOCAL, Actor
from vestibule.audit.log import EventType, log
from vestibule.core import clock, settings
from vestibule.core.crypto import digest_of
from vestibule.core.errors import (
    DuplicateEmail,
    Throttled,
    VestibuleError,
    WrongCode,
)
from vestibule.core.request_headers import network_of
from vestibule.core.text import email_key
from vestibule.core.threads import Once
from vestibule.db import login_failures
from vestibule.db.login_failures import (
    CounterKeys,
    FailureCount,
    FailureCounts,
    Window,
)
from vestibule.db.models.user import User

T = TypeVar("T")

_log = logging.getLogger(__name__)

#: Raises `Throttled` if the counters forbid an attempt.
Allow = Callable[[FailureCounts], None]

#: Failures on an account without a wait: people mistype.
FREE_FAILURES = 3
#: Failures of a network without a wait, on any accounts: a whole office
#: may share one address.
FREE_NETWORK_FAILURES = 20
#: The longest wait, in seconds.
MAX_WAIT_SECONDS = 900
#: A counter starts again after this time without another failure.
FAILURE_MEMORY = timedelta(hours=1)
#: How far the clocks of two machines may differ. A failure further in the
#: future does not count: a clock was set back.
SKEW = timedelta(seconds=10)


def window_of(now: datetime) -> Window:
    """Return the window in which failures count at `now`."""
    return Window(now - FAILURE_MEMORY, now + SKEW)


def count_failures(counter: FailureCount, now: datetime) -> int:
    """Return the failures of `counter` that still count at `now`."""
    window, last_at = window_of(now), counter.last_at
    if last_at is None or not window.since <= last_at <= window.until:
        return 0
    return counter.number


def delay_after(count: int, free: int = FREE_FAILURES) -> int:
    """Return the seconds to wait after `count` failures.

    0 for the first `free` ones, then 1, 2, 4 and so on, up to
    `MAX_WAIT_SECONDS`.
    """
    if count <= free:
        return 0
    doublings = min(count - free - 1, MAX_WAIT_SECONDS.bit_length())
    return min(1 << doublings, MAX_WAIT_SECONDS)


def seconds_left(
    count: int,
    last_at: datetime | None,
    now: datetime,
    free: int = FREE_FAILURES,
) -> int:
    """Return the whole seconds that are left to wait; 0 means none."""
    number = count_failures(FailureCount(count, last_at), now)
    if last_at is None or not number:
        return 0
    passed = max(0.0, (now - last_at).total_seconds())
    return max(0, math.ceil(delay_after(number, free) - passed))


def wait_before(both: FailureCounts, now: datetime) -> int:
    """Return the seconds before an attempt may be made; 0 means now."""
    network = seconds_left(*both.network, now, FREE_NETWORK_FAILURES)
    if not count_failures(both.network, now):
        return network
    return max(network, seconds_left(*both.account, now))


def is_counted_first(both: FailureCounts, now: datetime) -> bool:
    """Return True if an attempt counts before its password is checked.

    Once there is a wait, only one attempt at a time is allowed: many at
    once would all see the same counter.
    """
    of_network = count_failures(both.network, now)
    return of_network > FREE_NETWORK_FAILURES or (
        of_network > 0 and count_failures(both.account, now) > FREE_FAILURES
    )


def key_of(account: str) -> str:
    """Return the key of an account's counter."""
    return digest_of(f"account:{account}")


class Attempt:
    """An attempt that is not counted: `THROTTLE=off`, or a script."""

    def check(self) -> None:
        """Raise `Throttled` if the client has to wait."""

    def begin(self) -> None:
        """Record that the password is about to be checked.

        Raise `Throttled` if the client has to wait.
        """

    def fail(self) -> None:
        """Record that the password was wrong, or the account unknown."""

    def succeed(self) -> None:
        """Record that the password was right."""


class CountedAttempt(Attempt):
    """An attempt that counts for its account and for its network.

    `begin` and `fail` must be called within one turn of the hash queue, so
    that no more attempts than turns see the same counter.
    """

    def __init__(
        self, throttle: "Throttle", account: str, network: str
    ) -> None:
        """Prepare an attempt on `account` from `network`."""
        self._throttle = throttle
        self._keys = CounterKeys(
            key_of(account),
            # No network contains ": ", so two pairs never have the same text.
            digest_of(f"pair:{network}: {account}"),
            digest_of(f"network:{network}"),
        )
        self._seen = FailureCounts(FailureCount(), FailureCount())
        self._claimed: tuple[datetime, datetime | None] | None = None

    def check(self) -> None:
        """Raise `Throttled` if one of the counters demands a wait."""
        self._seen = login_failures.read_counts(self._keys)
        self._allow(self._seen)

    def begin(self) -> None:
        """Check again after the wait in the queue; count it if required."""
        self.check()
        now = clock.now()
        if self._throttle.is_blind or is_counted_first(self._seen, now):
            self._throttle.count(self._keys, now, self._allow)
            self._claimed = now, self._seen.network.last_at

    def fail(self) -> None:
        """Count the failure; an error here prevents the response."""
        if self._claimed is None:
            self._throttle.count(self._keys, clock.now())

    def succeed(self) -> None:
        """Reset the failures of the account.

        The network's counter is reduced by the account's failures from
        that network only. So a user who mistypes leaves no trace in the
        counter of a shared office, and an attacker who logs in to their
        own account recovers only the failures on that account from this
        network, never those on other accounts.
        """
        if self._claimed is None and not self._seen.account.number:
            return
        try:
            login_failures.reset(
                self._keys, window_of(clock.now()), self._claimed
            )
        except VestibuleError as error:
            # The password is right, and a count that stays is no risk.
            _log.warning("the failures were not reset: %s", error)

    def _allow(self, both: FailureCounts) -> None:
        """Raise `Throttled` if these counters demand a wait."""
        wait = wait_before(both, clock.now())
        if wait:
            raise Throttled(wait)


class Throttle:
    """The throttle of this process; its counters are in the database."""

    def __init__(self) -> None:
        """Start with the assumption that failures can be counted."""
        #: Whether the last failure could not be counted. Then attempts
        #: are counted first, so that a full disk does not allow guessing.
        self.is_blind = False

    def attempt(self, account: str, actor: Actor) -> Attempt:
        """Return an attempt on `account` by `actor`."""
        if actor.is_local or not settings.THROTTLE.read():
            return Attempt()
        return CountedAttempt(self, account, network_of(actor.address or ""))

    def count(
        self, keys: CounterKeys, now: datetime, allow: Allow | None = None
    ) -> None:
        """Count an attempt, and keep in `is_blind` whether that worked."""
        try:
            login_failures.add_attempt(keys, now, window_of(now), allow)
        except Throttled:
            raise
        except VestibuleError:
            self.is_blind = True
            raise
        self.is_blind = False

    def purge(self) -> int:
        """Delete the counters that are too old; return their number."""
        return login_failures.purge(window_of(clock.now()))


@Once
def throttle() -> Throttle:
    """Return the throttle of this process."""
    return Throttle()


def guess_code(
    refusal: type[WrongCode],
    account: str,
    actor: Actor,
    check: Callable[[], T | None],
) -> T:
    """Return what `check` returns for a guess of a code by `actor`.

    Raise `refusal`, counted as a failure, if `check` returns `None`; raise
    `Throttled`, without a call of `check`, after too many failures.
    """
    attempt = throttle().attempt(account, actor)
    try:
        attempt.begin()
    except Throttled as error:
        log(
            EventType.THROTTLED,
            reason=_code_kind(refusal),
            retry_after=error.retry_after,
        )
        raise
    found = check()
    if found is None:
        attempt.fail()
        raise log_refusal(refusal())
    attempt.succeed()
    return found


def _code_kind(refusal: type[WrongCode]) -> str:
    """Return the kind of a code as the log names it, such as `reset_code`."""
    return refusal.code.removeprefix("wrong_")


def log_refusal(error: WrongCode) -> WrongCode:
    """Log that a code is refused; return the error."""
    log(EventType.CODE_REFUSED, reason=_code_kind(type(error)))
    return error


@contextmanager
def limit_email_probes(
    email: str, actor: Actor, every: bool = False
) -> Iterator[None]:
    """Throttle and log the answers that reveal whether an email is taken.

    The caller stores `email` within the context. An email that is taken
    counts as a failure of the network, and of the user or, if the client
    is anonymous, of the email. With `every` an email that is free counts
    too: a user who changes the own email may try any number of them. Raise
    `Throttled` after too many.
    """
    account = actor.id or email_key(email)
    attempt = throttle().attempt(f"email {account}", actor)
    try:
        attempt.begin()
    except Throttled as error:
        log(EventType.THROTTLED, user=actor.id, retry_after=error.retry_after)
        raise
    try:
        yield
    except DuplicateEmail:
        attempt.fail()
        if not actor.is_local:
            log(EventType.EMAIL_REFUSED, user=actor.id, reason="taken")
        raise
    if every:
        attempt.fail()
    else:
        attempt.succeed()


class Failures(NamedTuple):
    """The failures of the last hour since the last success."""

    number: int
    last_at: datetime | None
    #: Seconds that a network which failed has to wait; 0 means none.
    retry_after: int


def failures_for_user(user: User) -> Failures:
    """Return the failed sign-ins of `user` in the last hour."""
    now = clock.now()
    found = login_failures.read_count(_keys(user)[0])
    number = count_failures(found, now)
    return Failures(
        number,
        found.last_at if number else None,
        seconds_left(*found, now),
    )


def reset_failures(user: User, *, actor: Actor = LOCAL) -> None:
    """Reset the failures of `user`, including those of reset codes.

    Log it if there were any.
    """
    if login_failures.delete_counts(_keys(user)):
        log(EventType.USER_UNLOCKED, user=user.id, by=actor.id)


def _keys(user: User) -> list[str]:
    """Return the keys of the counters for logins and for codes."""
    account = email_key(user.email or user.id)
    return [
        key_of(account),
        key_of(f"reset {account}"),
        key_of(f"factor reset {user.id}"),
    ]
