#!/usr/bin/env python3
"""The results of checks, and what a check is."""

from collections.abc import Callable, Iterator
from enum import StrEnum
from typing import NamedTuple

from vestibule.mechanisms.auth import Auth


class Level(StrEnum):
    """How serious a result is."""

    GOOD = "good"
    WEAK = "weak"
    WRONG = "wrong"


class CheckResult(NamedTuple):
    """What a check found. `hint` says what to do about it."""

    id: str
    level: Level
    message: str
    hint: str = ""


#: A check gets the class that AUTH_TYPE names.
Check = Callable[[type[Auth] | None], Iterator[CheckResult]]
