#!/usr/bin/env python3
"""Where a request comes from: what a new session notes of its opening.

Its law: this is a context variable, because what opens a session is given
a user id and nothing else. Unset, as in a script, it says nothing.
"""

from contextvars import ContextVar
from typing import NamedTuple

#: Characters of a user agent that are kept; honest ones have some hundred.
MAX_USER_AGENT_LENGTH = 512


class ClientInfo(NamedTuple):
    """The client's address and program, and how it proved who it is."""

    ip: str | None = None
    user_agent: str | None = None
    method: str | None = None


UNKNOWN_CLIENT = ClientInfo()
_current: ContextVar[ClientInfo] = ContextVar("origin", default=UNKNOWN_CLIENT)


def current_client() -> ClientInfo:
    """Return the origin of the request that is being answered."""
    return _current.get()


def set_client(origin: ClientInfo) -> None:
    """Say where the request that is being answered comes from."""
    _current.set(origin)


def clean_user_agent(user_agent: str | None) -> str | None:
    """Return a user agent as it is kept: short, on one line."""
    if user_agent is None:
        return None
    return "".join(
        character if character.isprintable() else " "
        for character in user_agent[:MAX_USER_AGENT_LENGTH]
    )
