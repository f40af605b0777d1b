#!/usr/bin/env python3
"""Which passwords are allowed (OWASP ASVS 5.0, 6.2; NIST SP 800-63B).

A password is taken exactly as given, with any characters. It is refused
only for its length, because it is common or breached, or because it
contains nothing but words of the account or the service. Each refusal has
a message and a code of its own."""

import logging
import os
import socket
import threading
import urllib.request
from collections.abc import Iterable
from functools import cache
from hashlib import sha1
from http.client import HTTPException
from queue import Empty, SimpleQueue
from typing import Any

from vestibule.core import settings
from vestibule.core.errors import InvalidValue
from vestibule.core.passwords import MAX_PASSWORD_BYTES, is_too_long
from vestibule.core.threads import start_thread

_log = logging.getLogger(__name__)
#: Common words in a row that are still too few; a phrase of four words is
#: a good password.
MAX_WEAK_PIECES = 3
#: Fewest characters of a common word that counts as a piece.
MIN_PIECE_LENGTH = 3

#: Words of this service, which attackers try first (ASVS 5.0, 6.1.2).
CONTEXT_WORDS = ("vestibule",)
#: Seconds that a user waits for the breached-password service at most.
MAX_LOOK_UP_SECONDS = 0.9
#: Bytes of an answer that are read; an honest one has some 40 kB.
MAX_RESPONSE_BYTES = 1_000_000
#: Requests at once; a password beyond them is not looked up.
MAX_CONCURRENT_REQUESTS = 8
_slots = threading.BoundedSemaphore(MAX_CONCURRENT_REQUESTS)


def check_new_password(
    password: Any,
    email: Any = None,
    field: str = "password",
    changing: bool = True,
) -> None:
    """Raise `InvalidValue` unless `password` is allowed for `email`.

    `PASSWORD_BLOCKLIST` decides whether a new account may have a
    guessable password; `changing` to one is always refused.
    """
    check_length(password, field)
    if changing or settings.PASSWORD_BLOCKLIST.read() == "always":
        check_unguessable(password, context_of(email), field)


def check_length(password: Any, field: str = "password") -> None:
    """Raise `InvalidValue` unless `password` is text of a valid length.

    The least length is counted in code points (NIST SP 800-63B, 3.1.1.2),
    the longest in bytes.
    """
    if not isinstance(password, str):
        raise InvalidValue(field, "must be a string", code="invalid")
    least = settings.PASSWORD_MIN_LENGTH.read()
    if len(password) < least:
        raise InvalidValue(
            field,
            f"must have at least {least} characters",
            code="too_short",
            number=least,
        )
    if is_too_long(password):
        raise InvalidValue(
            field,
            f"must have at most {MAX_PASSWORD_BYTES} bytes",
            code="too_long",
        )


def check_unguessable(
    password: str, context: Iterable[str] = (), field: str = "password"
) -> None:
    """Raise `InvalidValue` if an attacker would try `password` early.

    `context` has the words of the account and the machine. Each of them
    is refused alone, repeated, or with digits and signs around it.
    """
    plain = password.casefold()
    if plain in _common():
        raise InvalidValue(
            field, "is one of the most common ones", code="common_password"
        )
    if _is_made_of_common_words(plain):
        raise InvalidValue(
            field, "is common words put together", code="common_words"
        )
    core = "".join(character for character in plain if character.isalpha())
    for word in _context_words(context):
        if core and not core.replace(word, ""):
            raise InvalidValue(
                field,
                "is a word of this account or service",
                code="account_word",
            )
    if is_breached(password):
        raise InvalidValue(
            field, "is in a list of stolen ones", code="breached_password"
        )


def context_of(email: Any) -> list[str]:
    """Return the words of the account with this `email` and of this host."""
    words = [socket.gethostname(), *socket.gethostname().split(".")]
    if isinstance(email, str):
        local, _, domain = email.partition("@")
        words += [email, local, domain, *local.replace("+", ".").split(".")]
    return words


def _context_words(context: Iterable[str]) -> set[str]:
    """Return the letters of each word that has at least 3 of them."""
    configured = settings.PASSWORD_CONTEXT_WORDS.read()
    words = set()
    for word in (*CONTEXT_WORDS, *configured, *context):
        letters = "".join(c for c in word.casefold() if c.isalpha())
        if len(letters) >= MIN_PIECE_LENGTH:
            words.add(letters)
    return words


def _is_made_of_common_words(plain: str) -> bool:
    """Return True for one common word repeated, or up to three in a row.

    Lists of common passwords have few long ones; this is how people make
    a long password of a short one.
    """
    # Spaces are characters like others, not common words (ASVS 5.0, 6.2.5).
    if plain.isspace():
        return False
    # A longer prefix is not in the list. Hashing every prefix of a
    # password of a megabyte would take most of an hour.
    for length in range(1, min(len(plain) // 2, _longest()) + 1):
        is_word = length < MIN_PIECE_LENGTH or plain[:length] in _common()
        times = len(plain) // length + 1
        if is_word and plain == (plain[:length] * times)[: len(plain)]:
            return True
    return _pieces(plain, MAX_WEAK_PIECES)


def _pieces(rest: str, most: int) -> bool:
    """Return True if `rest` is made of at most `most` common words."""
    if len(rest) > most * _longest():
        return False
    if rest in _common():
        return True
    if most <= 1:
        return False
    return any(
        rest[:cut] in _common() and _pieces(rest[cut:], most - 1)
        for cut in range(MIN_PIECE_LENGTH, len(rest) - MIN_PIECE_LENGTH + 1)
    )


@cache
def _longest() -> int:
    """Return how many characters the longest common password has."""
    return max(map(len, _common()))


@cache
def _common() -> frozenset[str]:
    """Return thirty thousand common passwords of 3 or more characters.

    They are loaded when the first password is set, which takes a moment.
    """
    from zxcvbn.frequency_lists import FREQUENCY_LISTS

    return frozenset(
        word
        for word in FREQUENCY_LISTS["passwords"]
        if len(word) >= MIN_PIECE_LENGTH
    )


def is_breached(password: str) -> bool:
    """Return True if the service at `PASSWORD_BREACH_URL` lists `password`.

    Return False if no service is set, or it does not answer in a second.
    """
    address = settings.PASSWORD_BREACH_URL.read()
    if address is None or not _slots.acquire(blocking=False):
        return False
    # These services expect SHA-1; it protects nothing here.
    digest = (
        sha1(password.encode("utf-8", "surrogatepass"), usedforsecurity=False)
        .hexdigest()
        .upper()
    )
    answers: SimpleQueue[bool] = SimpleQueue()
    if start_thread("breaches", _look_up, address, digest, answers) is None:
        _slots.release()
        return False
    try:
        # A socket's timeout applies to each read, not to all of them.
        return answers.get(timeout=MAX_LOOK_UP_SECONDS)
    except Empty:
        _log.warning("the breached-password service did not answer in time")
        return False


def _look_up(address: str, digest: str, answers: SimpleQueue[bool]) -> None:
    """Put True into `answers` if the service lists `digest`, else False."""
    try:
        with urllib.request.urlopen(
            f"{address.rstrip('/')}/{digest[:5]}", timeout=MAX_LOOK_UP_SECONDS
        ) as response:
            listed = response.read(MAX_RESPONSE_BYTES).decode(
                "ascii", "replace"
            )
        suffixes = {
            line.partition(":")[0].strip().upper()
            for line in listed.splitlines()
            # Padding that some services add has a count of 0.
            if line.partition(":")[2].strip() != "0"
        }
        answers.put(digest[5:] in suffixes)
    except (OSError, ValueError, HTTPException) as error:
        _log.warning("the breached-password service failed: %s", error)
        answers.put(False)
    finally:
        _slots.release()


def _reset_slots_after_fork() -> None:
    """Free all slots in a forked child: the parent's threads hold them."""
    global _slots
    _slots = threading.BoundedSemaphore(MAX_CONCURRENT_REQUESTS)


os.register_at_fork(after_in_child=_reset_slots_after_fork)
