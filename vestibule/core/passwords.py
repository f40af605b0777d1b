#!/usr/bin/env python3
"""Hash and verify passwords: argon2id, and one legacy format.

`verify` computes exactly one argon2 hash for any arguments, so that neither
its duration nor its cost distinguishes an unknown user from a wrong
password (OWASP ASVS 5.0, 6.3.8 and 11.4.2). There are two exceptions: a
hash of another profile takes its own time, until a login replaces it; and
a stored text that is no argon2 hash, or has excessive parameters, is
rejected at once.
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
from vestibule.core.errors import InvalidValue, ServiceBusy

T = TypeVar("T")

_log = logging.getLogger(__name__)

#: The cost profiles. Memory is in KiB, time in passes over it.
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

#: Bounds of the parameters of a stored hash: a manipulated row must not
#: use up the machine's memory, or a minute of its time.
MAX_MEMORY_KIB = 262_144
MAX_PASSES = 16
MAX_LANES = 16
#: Seconds that a request waits for its hash, the queue before it included.
MAX_WAIT_SECONDS = 60

#: Bytes of a password in UTF-8, over HTTP; a phrase of fifty words has 300.
MAX_PASSWORD_BYTES = 4096

_LEGACY_PREFIX = "$sha256$"


def usable_cores() -> int:
    """Return the number of cores that this process may run on."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _run_in_hash_thread(work: Callable[..., T], *arguments: Any) -> T:
    """Run `work` in a hash thread and return its result.

    Raise `ServiceBusy` if there is no result after `MAX_WAIT_SECONDS`.

    There are as many hash threads as cores. The C library keeps the 19 MiB
    of a hash for each thread that ever computed one: 330 MB for the 16
    threads of the server, but 80 MB for the hash threads.
    """
    hashing = _hash_threads(os.getpid()).submit(_timed, work, *arguments)
    try:
        return hashing.result(timeout=MAX_WAIT_SECONDS)
    except TimeoutError:
        hashing.cancel()
        raise ServiceBusy("hashing a password takes too long") from None


def _timed(work: Callable[..., T], *arguments: Any) -> T:
    """Run `work`, return its result, and record how long it took."""
    started = clock.monotonic()
    try:
        return work(*arguments)
    finally:
        hash_timer.add(clock.monotonic() - started)


@cache
def _hash_threads(pid: int) -> ThreadPoolExecutor:
    """Return the hash threads of the process `pid`.

    Threads do not survive a fork, so a child process has its own.
    """
    return ThreadPoolExecutor(usable_cores(), "hashing")


def _hasher() -> PasswordHasher:
    """Return the hasher of the current `PASSWORD_PROFILE`."""
    return PROFILES[settings.PASSWORD_PROFILE.read()]


def is_too_long(password: str) -> bool:
    """Return True if a password is longer than `MAX_PASSWORD_BYTES`."""
    return (
        len(password) > MAX_PASSWORD_BYTES
        or len(password.encode("utf-8", "surrogatepass")) > MAX_PASSWORD_BYTES
    )


def hash_password(password: str) -> str:
    """Return an argon2id hash of `password`, in the PHC string format.

    Raise `InvalidValue` if the text cannot be encoded in UTF-8.
    """
    try:
        return _run_in_hash_thread(_hasher().hash, password)
    except UnicodeEncodeError:
        raise InvalidValue(
            "password", "is not valid Unicode", code="invalid_character"
        ) from None


def legacy_hash(sha256_hex: str) -> str:
    """Return the stored form of an unsalted SHA-256 of an older store."""
    return _LEGACY_PREFIX + sha256_hex.lower()


def verify(stored: str | None, password: str) -> bool:
    """Return True if `stored` is a hash of `password`.

    `stored` is `None` for a user who does not exist or has no password;
    then a dummy hash is computed, and the result is False.
    """
    # No stored password has a lone surrogate; checking one costs the same.
    secret = password.encode("utf-8", "surrogatepass")
    if stored is None:
        _matches(_dummy_hash(), secret)
        return False
    if stored.startswith(_LEGACY_PREFIX):
        _matches(_dummy_hash(), secret)
        candidate = legacy_hash(sha256(secret).hexdigest())
        return hmac.compare_digest(stored.encode(), candidate.encode())
    if not _has_safe_parameters(stored):
        _log.error(
            "a stored password hash is rejected: it is not argon2, or"
            " its parameters are too high"
        )
        return False
    return _matches(stored, secret)


def needs_rehash(stored: str) -> bool:
    """Return True if `stored` was made by another profile than today's."""
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
    """Return True if the parameters of `stored` are within the bounds."""
    try:
        parameters = extract_parameters(stored)
    except InvalidHashError:
        return False
    return (
        parameters.memory_cost <= MAX_MEMORY_KIB
        and parameters.time_cost <= MAX_PASSES
        and parameters.parallelism <= MAX_LANES
    )


def _dummy_hash() -> str:
    """Return a hash of the current profile that no password matches.

    It is used for a user without a hash. It is a constant, because
    computing one would make the first check of such a user cost two hashes.
    """
    hasher = _hasher()
    return (
        f"$argon2id$v=19$m={hasher.memory_cost},t={hasher.time_cost}"
        f",p={hasher.parallelism}${'A' * 22}${'A' * 43}"
    )


class HashTotals(NamedTuple):
    """The number of hashes, and the microseconds that they took in total."""

    number: int
    microseconds: int


class HashTimer:
    """Counts the hashes of this process, and their total duration."""

    def __init__(self) -> None:
        """Start at zero."""
        self._lock = threading.Lock()
        self._totals = HashTotals(0, 0)

    def add(self, seconds: float) -> None:
        """Add a hash that took so many seconds."""
        with self._lock:
            number, before = self._totals
            self._totals = HashTotals(
                number + 1, before + round(seconds * 1e6)
            )

    def take(self) -> HashTotals:
        """Return the totals since the last call, and start at zero again."""
        with self._lock:
            totals, self._totals = self._totals, HashTotals(0, 0)
            return totals


#: The timer of this process. A forked child starts with the totals of its
#: parent, which are less than a minute's.
hash_timer = HashTimer()
