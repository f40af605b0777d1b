#!/usr/bin/env python3
"""Which passwords an account may have (OWASP ASVS 5.0, 6.2; NIST SP 800-63B).

Its law: a password is taken exactly as given, of any characters; only its
length, how common it is, and whose it is can speak against it. Each
refusal says which.
"""

import socket
from collections.abc import Iterable
from functools import cache
from typing import Any

from vestibule.accounts.breached_passwords import is_breached
from vestibule.core import settings
from vestibule.core.errors import InvalidValue

#: Most pieces that a password may be put together from and still count as
#: common words in a row; a phrase of four words is a good password.
MAX_CONTEXT_PIECES = 3
#: Fewest characters of a common word that counts as a piece.
MIN_PIECE_LENGTH = 3

#: Words of this service, which everybody tries (ASVS 5.0, 6.1.2).
CONTEXT_WORDS = ("vestibule",)


def check_new_password(
    password: Any,
    email: Any = None,
    field: str = "password",
    changing: bool = True,
) -> None:
    """Raise `InvalidValue` unless the account of `email` may have this.

    Whether a new account may have a guessable one, `PASSWORD_BLOCKLIST`
    says; `changing` to one is refused always.
    """
    check_length(password, field)
    if changing or settings.PASSWORD_BLOCKLIST.read() == "always":
        check_unguessable(password, context_of(email), field)


def check_length(password: Any, field: str = "password") -> None:
    """Raise `InvalidValue` unless `password` is text and long enough.

    Length counts in code points (NIST SP 800-63B, 3.1.1.2).
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


def check_unguessable(
    password: str, context: Iterable[str] = (), field: str = "password"
) -> None:
    """Raise `InvalidValue` if `password` is among the first to be tried.

    `context` has the words that belong to the account and the service:
    each alone, with digits and signs around it, or repeated, is refused.
    """
    plain = password.casefold()
    if plain in _common():
        raise InvalidValue(
            field, "is one of the most common ones", code="common_password"
        )
    if _is_joined(plain):
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
    """Return the words that belong to the account with this `email`, and
    to the machine that the service runs on.
    """
    words = [socket.gethostname(), *socket.gethostname().split(".")]
    if isinstance(email, str):
        local, _, domain = email.partition("@")
        words += [email, local, domain, *local.replace("+", ".").split(".")]
    return words


def _context_words(context: Iterable[str]) -> set[str]:
    """Return the letters of each word, of those long enough to matter."""
    configured = settings.PASSWORD_CONTEXT_WORDS.read()
    words = set()
    for word in (*CONTEXT_WORDS, *configured, *context):
        letters = "".join(c for c in word.casefold() if c.isalpha())
        if len(letters) >= MIN_PIECE_LENGTH:
            words.add(letters)
    return words


def _is_joined(plain: str) -> bool:
    """Tell whether up to three common words, or one repeated, make it up.

    Lists of common passwords have few long ones; these are how people
    make a long one of a short one.
    """
    # Blanks are characters like others and no word (ASVS 5.0, 6.2.5).
    if plain.isspace():
        return False
    # A prefix that is longer is no word; to look would take a password of
    # a megabyte, whose prefixes are hashed each, the best part of an hour.
    for length in range(1, min(len(plain) // 2, _longest()) + 1):
        is_word = length < MIN_PIECE_LENGTH or plain[:length] in _common()
        times = len(plain) // length + 1
        if is_word and plain == (plain[:length] * times)[: len(plain)]:
            return True
    return _pieces(plain, MAX_CONTEXT_PIECES)


def _pieces(rest: str, most: int) -> bool:
    """Tell whether `rest` is made of at most `most` common words."""
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
    """Return thirty thousand common passwords, the shortest ones left out.

    They are loaded when the first password is set: that takes a moment.
    """
    from zxcvbn.frequency_lists import FREQUENCY_LISTS

    return frozenset(
        word
        for word in FREQUENCY_LISTS["passwords"]
        if len(word) >= MIN_PIECE_LENGTH
    )
