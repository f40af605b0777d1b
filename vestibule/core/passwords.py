#!/usr/bin/env python3
"""How passwords are kept and checked: argon2id, and one older form.

Its law: `verify` computes exactly one argon2 hash whatever it is given,
so neither its answer's time nor its cost tells an unknown user from a
wrong password (OWASP ASVS 5.0, 6.3.8 and 11.4.2). Two exceptions: a hash
of another profile takes its own time, until a login renews it; and a
stored text that is no such hash, or that asks for absurd parameters, is
refused at once.

How long passwords take to be hashed, summed until somebody asks.

Its law: it holds two numbers, and whoever takes them leaves none.
"""

import hmac
import logging
import os
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from hashlib import sha256
from typing import Any, NamedTuple, TypeVar

from argon2 import PasswordHasher, Type, extract_parameters
from argon2.exceptions import Argon2Error, InvalidHashError

from vestibule.core import clock, settings
from vestibule.core.errors import InvalidValue

T = TypeVar("T")

_log = logging.getLogger(__name__)

#: Named cost profiles. Memory is in KiB, time in passes over it.
PROFILES = {
    # The minimum of the OWASP password storage cheat sheet.
    "owasp": PasswordHasher(
        time_cost=2, memory_cost=19_456, parallelism=1, type=Type.ID
    ),
    # RFC 9106, section 4, second recommended option.
    "rfc9106": PasswordHasher(
        time_cost=3, memory_cost=65_536, parallelism=4, type=Type.ID
    ),
}

#: The most that a stored hash may ask for; a row that somebody tampered
#: with must not take the machine's memory or a minute of its time.
MAX_MEMORY_KIB = 262_144
MAX_PASSES = 16
MAX_LANES = 16

_LEGACY_PREFIX = "$sha256$"


def usable_cores() -> int:
    """Return how many cores this process may run on."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _run_in_hash_thread(work: Callable[..., T], *given: Any) -> T:
    """Return what `work` makes of what is `given`, in a thread for hashes.

    As many threads as there are cores hash for all others. The C library
    keeps the 19 MiB of a hash for each thread that ever computed one: of
    the server's sixteen that was 330 MB, of these it is 80.
    """
    return _hash_threads(os.getpid()).submit(_timed, work, *given).result()


def _timed(work: Callable[..., T], *given: Any) -> T:
    """Return what `work` makes of what is `given`; note how long it took."""
    begun = clock.monotonic()
    try:
        return work(*given)
    finally:
        hash_timer.add(clock.monotonic() - begun)


@cache
def _hash_threads(pid: int) -> ThreadPoolExecutor:
    """Return the threads for hashes of the process `pid`.

    A fork leaves threads behind, so a child has its own.
    """
    return ThreadPoolExecutor(usable_cores(), "hashing")


def _hasher() -> PasswordHasher:
    """Return the hasher of the profile that is set now."""
    return PROFILES[settings.PASSWORD_PROFILE.read()]


def hash_password(password: str) -> str:
    """Return an argon2id hash of `password`, in the PHC string format.

    Raise `InvalidValue` if the text cannot be written as UTF-8.
    """
    try:
        return _run_in_hash_thread(_hasher().hash, password)
    except UnicodeEncodeError:
        raise InvalidValue(
            "password", "is not valid Unicode", code="invalid_character"
        ) from None


def legacy_hash(sha256_hex: str) -> str:
    """Return how an unsalted SHA-256 from an older store is kept here."""
    return _LEGACY_PREFIX + sha256_hex.lower()


def verify(stored: str | None, password: str) -> bool:
    """Tell whether `password` is the one that `stored` was made from.

    `stored` is `None` for a user that does not exist or has no password;
    then a hash is computed for nothing, and the answer is `False`.
    """
    # A lone surrogate is in no password of ours, and costs as much as one.
    secret = password.encode("utf-8", "surrogatepass")
    if stored is None:
        _matches(_dummy_hash(), secret)
        return False
    if stored.startswith(_LEGACY_PREFIX):
        _matches(_dummy_hash(), secret)
        given = legacy_hash(sha256(secret).hexdigest())
        return hmac.compare_digest(stored.encode(), given.encode())
    if not _has_safe_parameters(stored):
        _log.error(
            "a stored password hash is refused: not argon2, or"
            " its parameters are beyond the bounds"
        )
        return False
    return _matches(stored, secret)


def needs_rehash(stored: str) -> bool:
    """Tell whether `stored` was made otherwise than today's hashes are."""
    try:
        return _hasher().check_needs_rehash(stored)
    except InvalidHashError:
        return True


def _matches(stored: str, secret: bytes) -> bool:
    """Compute the argon2 hash and compare it in constant time."""
    try:
        return _run_in_hash_thread(_hasher().verify, stored, secret)
    except (Argon2Error, InvalidHashError, UnicodeEncodeError):
        return False


def _has_safe_parameters(stored: str) -> bool:
    """Tell whether `stored` asks for no more than the bounds above."""
    try:
        asked = extract_parameters(stored)
    except InvalidHashError:
        return False
    return (
        asked.memory_cost <= MAX_MEMORY_KIB
        and asked.time_cost <= MAX_PASSES
        and asked.parallelism <= MAX_LANES
    )


def _dummy_hash() -> str:
    """Return a hash of today's cost that no password leads to.

    It stands in for a user who has none. It is written down instead of
    computed, so that the first look-up of such a user costs no second
    hash.
    """
    cost = _hasher()
    return (
        f"$argon2id$v=19$m={cost.memory_cost},t={cost.time_cost}"
        f",p={cost.parallelism}${'A' * 22}${'A' * 43}"
    )


class HashTotals(NamedTuple):
    """How many hashes, and how many microseconds all of them took."""

    number: int
    microseconds: int


class HashTimer:
    """Both sums of this process."""

    def __init__(self) -> None:
        """Begin with nothing."""
        self._lock = threading.Lock()
        self._taken = HashTotals(0, 0)

    def add(self, seconds: float) -> None:
        """Count a hash that took so long."""
        with self._lock:
            number, before = self._taken
            self._taken = HashTotals(number + 1, before + round(seconds * 1e6))

    def take(self) -> HashTotals:
        """Return what was counted since this was asked last."""
        with self._lock:
            taken, self._taken = self._taken, HashTotals(0, 0)
            return taken


#: That of this process; a forked child goes on with its parent's, for less
#: than a minute.
hash_timer = HashTimer()
