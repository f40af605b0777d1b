#!/usr/bin/env python3
"""Throttling: each failure to authenticate makes the next try wait longer.

Its law: guessing gets slow, and nobody can be shut out by somebody else
(OWASP ASVS 5.0, 6.1.1 and 6.3.1). So there are two counters, one for the
client's network and one for the account, and the account's counts only
against a network that has failed itself: an attacker's failures never
keep the owner out who comes from elsewhere and knows the password.

Failed attempts of one account, and how an admin lifts the wait.

Its law: what is lifted is the account's alone. Networks that have failed
on many accounts go on waiting.
"""

import logging
import math
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import NamedTuple

from vestibule.accounts.permissions import LOCAL, Actor
from vestibule.audit.log import EventType, log
from vestibule.core import clock, settings
from vestibule.core.digest import digest_of
from vestibule.core.errors import Throttled, VestibuleError
from vestibule.core.network import network_of
from vestibule.core.threads import Once
from vestibule.db import login_failures
from vestibule.db.login_failures import (
    CounterKeys,
    FailureCount,
    FailureCounts,
    Window,
)
from vestibule.db.models.user import User, email_key

_log = logging.getLogger(__name__)

#: Raises what keeps an attempt from being made.
Allow = Callable[[FailureCounts], None]

#: Failures on an account that cost nothing: people mistype.
FREE_FAILURES = 3
#: Failures of a network that cost nothing, on whatever accounts: an
#: office may be behind one address, and all its people mistype.
FREE_NETWORK_FAILURES = 20
#: The longest wait, in seconds.
MAX_WAIT_SECONDS = 900
#: After so long without another failure a counter begins anew.
FAILURE_MEMORY = timedelta(hours=1)
#: How far the clocks of two machines may be apart. A failure later than
#: that is not of this time: a clock was set back.
SKEW = timedelta(seconds=10)


def window_of(now: datetime) -> Window:
    """Return the time from which failures count at `now`."""
    return Window(now - FAILURE_MEMORY, now + SKEW)


def count_failures(counter: FailureCount, now: datetime) -> int:
    """Return how many of the counted failures count at `now`."""
    era, last_at = window_of(now), counter.last_at
    if last_at is None or not era.since <= last_at <= era.until:
        return 0
    return counter.number


def delay_after(count: int, free: int = FREE_FAILURES) -> int:
    """Return the seconds to wait after so many failures.

    Nothing after the `free` ones, then 1, 2, 4 and so on, up to a bound.
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
    """Return the whole seconds to wait still; 0 if there are none."""
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
    """Tell whether an attempt counts before its password is checked.

    Where waiting has begun, one attempt at a time is let through: many
    at once would all see the same counter.
    """
    of_network = count_failures(both.network, now)
    return of_network > FREE_NETWORK_FAILURES or (
        of_network > 0 and count_failures(both.account, now) > FREE_FAILURES
    )


def key_of(account: str) -> str:
    """Return the key of an account's counter."""
    return digest_of(f"account:{account}")


class Attempt:
    """An attempt that is not counted: off, or not from a network."""

    def check(self) -> None:
        """Raise `Throttled` if the client has to wait."""

    def begin(self) -> None:
        """Note that the password is about to be checked.

        Raise `Throttled` if the client has to wait by now.
        """

    def fail(self) -> None:
        """Note that the password was wrong, or the account unknown."""

    def succeed(self) -> None:
        """Note that the password was right."""


class CountedAttempt(Attempt):
    """An attempt that counts on its account and on its network.

    Its `begin` and `fail` belong into the same turn of the hash queue:
    so no more attempts than there are turns see the same free counter.
    """

    def __init__(
        self, throttle: "Throttle", account: str, network: str
    ) -> None:
        """Prepare an attempt on `account` from `network`."""
        self._throttle = throttle
        self._keys = CounterKeys(
            key_of(account),
            # No network has a colon and a blank: no two pairs are alike.
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
        """Look again, after the time in the queue; count it if need be."""
        self.check()
        now = clock.now()
        if self._throttle.is_blind or is_counted_first(self._seen, now):
            self._throttle.count(self._keys, now, self._allow)
            self._claimed = now, self._seen.network.last_at

    def fail(self) -> None:
        """Leave the attempt counted; an error keeps the answer back."""
        if self._claimed is None:
            self._throttle.count(self._keys, clock.now())

    def succeed(self) -> None:
        """Forget the account's failures, here and on the network.

        On the network only as many as the account has had from there:
        someone who mistypes his password leaves no trace in the counter of
        his whole office, and an attacker who logs in to an account of his
        own gets back what he failed on that one from this network, never
        what he failed on others or elsewhere.
        """
        if self._claimed is None and not self._seen.account.number:
            return
        try:
            login_failures.reset(
                self._keys, window_of(clock.now()), self._claimed
            )
        except VestibuleError as error:
            # The password is right; counting on is the safe side.
            _log.warning("failures were not forgiven: %s", error)

    def _allow(self, both: FailureCounts) -> None:
        """Raise `Throttled` if these counters demand a wait."""
        wait = wait_before(both, clock.now())
        if wait:
            raise Throttled(wait)


class Throttle:
    """The throttle of this process; what it counts is in the database."""

    def __init__(self) -> None:
        """Begin in the belief that failures can be counted."""
        #: Whether the last failure could not be counted: then attempts
        #: are counted first, so that a full disk is no way to guess on.
        self.is_blind = False

    def attempt(self, account: str, actor: Actor) -> Attempt:
        """Return an attempt on `account` by `actor`."""
        if actor.is_local or not settings.THROTTLE.read():
            return Attempt()
        return CountedAttempt(self, account, network_of(actor.address or ""))

    def count(
        self, keys: CounterKeys, now: datetime, allow: Allow | None = None
    ) -> None:
        """Count an attempt, and know from then on whether that works."""
        try:
            login_failures.add_attempt(keys, now, window_of(now), allow)
        except Throttled:
            raise
        except VestibuleError:
            self.is_blind = True
            raise
        self.is_blind = False

    def purge(self) -> int:
        """Drop the counters that do not count any more; count them."""
        return login_failures.purge(window_of(clock.now()))


@Once
def throttle() -> Throttle:
    """Return the throttle of this process."""
    return Throttle()


class Failures(NamedTuple):
    """What failed in the last hour, without a success in between."""

    number: int
    last_at: datetime | None
    #: Seconds for which networks that failed have to wait; 0: none.
    retry_after: int


def failures_for_user(user: User) -> Failures:
    """Return how often signing in as `user` failed of late."""
    now = clock.now()
    found = login_failures.read_count(_keys(user)[0])
    number = count_failures(found, now)
    return Failures(
        number,
        found.last_at if number else None,
        seconds_left(*found, now),
    )


def reset_failures(user: User, *, actor: Actor = LOCAL) -> None:
    """Forget the failures of `user`, of codes too.

    `by` is who does it, for the log, which is told if there were any.
    """
    if login_failures.delete_counts(_keys(user)):
        log(EventType.USER_UNLOCKED, user=user.id, by=actor.id)


def _keys(user: User) -> list[str]:
    """Return the keys of the counters for logins and for codes."""
    account = email_key(user.email or user.id)
    return [key_of(account), key_of(f"reset {account}")]
