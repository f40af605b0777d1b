#!/usr/bin/env python3
"""Failed attempts of one account, and how an admin lifts the wait.

Its law: what is lifted is the account's alone. Networks that have failed
on many accounts go on waiting.
"""

from datetime import datetime
from typing import NamedTuple

from models import attempts
from models.user import User, email_key
from vestibule import clock
from vestibule.observe.security import Event, log
from vestibule.throttle import failures, key_of, seconds_left


class Failures(NamedTuple):
    """What failed in the last hour, without a success in between."""

    number: int
    last_at: datetime | None
    #: Seconds for which networks that failed have to wait; 0: none.
    retry_after: int


def failures_of(user: User) -> Failures:
    """Return how often signing in as `user` failed of late."""
    now = clock.now()
    found = attempts.counter(_keys(user)[0])
    number = failures(found, now)
    return Failures(
        number,
        found.last_at if number else None,
        seconds_left(*found, now),
    )


def unlock(user: User, by: str | None = None) -> None:
    """Forget the failures of `user`, of codes too.

    `by` is who does it, for the log, which is told if there were any.
    """
    if attempts.forget(_keys(user)):
        log(Event.USER_UNLOCKED, user=user.id, by=by)


def _keys(user: User) -> list[str]:
    """Return the keys of the counters for logins and for codes."""
    account = email_key(user.email or user.id)
    return [key_of(account), key_of(f"reset {account}")]
