#!/usr/bin/env python3
"""Where a request comes from: what a new session notes of its opening.

Its law: this is a context variable, because what opens a session is given
a user id and nothing else. Unset, as in a script, it says nothing.
"""

from contextvars import ContextVar
from typing import NamedTuple

#: Characters of a user agent that are kept; honest ones have some hundred.
LONGEST_USER_AGENT = 512


class Origin(NamedTuple):
    """The client's address and program, and how it proved who it is."""

    ip: str | None = None
    user_agent: str | None = None
    method: str | None = None


NOWHERE = Origin()
_current: ContextVar[Origin] = ContextVar("origin", default=NOWHERE)


def current_origin() -> Origin:
    """Return the origin of the request that is being answered."""
    return _current.get()


def set_origin(origin: Origin) -> None:
    """Say where the request that is being answered comes from."""
    _current.set(origin)


def readable(user_agent: str | None) -> str | None:
    """Return a user agent as it is kept: short, on one line."""
    if user_agent is None:
        return None
    return "".join(
        character if character.isprintable() else " "
        for character in user_agent[:LONGEST_USER_AGENT]
    )
