#!/usr/bin/env python3
"""Where a request comes from: what a new session notes of its opening.

This is a context variable, because what opens a session is given a user id
and nothing else. Unset, as in a script, it is `LOCAL_CLIENT`.
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
    #: Whether there is no client: a script or a command is running.
    is_local: bool = False


#: A client about whom nothing was found out. It is throttled.
UNKNOWN_CLIENT = ClientInfo()
#: Where no request is being answered.
LOCAL_CLIENT = ClientInfo(is_local=True)
_current: ContextVar[ClientInfo] = ContextVar("origin", default=LOCAL_CLIENT)


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
