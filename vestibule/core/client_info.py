#!/usr/bin/env python3
"""The client of the current request, as a new session records it.

It is a context variable, because `create_session` gets a user id and
nothing else. Outside a request, as in a script, it is `UNKNOWN_CLIENT`.
"""

from contextvars import ContextVar
from typing import NamedTuple

#: Characters of a user agent that are stored; browsers send about 100.
MAX_USER_AGENT_LENGTH = 512


class ClientInfo(NamedTuple):
    """The client's address, its user agent and how it authenticated."""

    ip: str | None = None
    user_agent: str | None = None
    method: str | None = None


UNKNOWN_CLIENT = ClientInfo()
_current: ContextVar[ClientInfo] = ContextVar(
    "client_info", default=UNKNOWN_CLIENT
)


def current_client() -> ClientInfo:
    """Return the client of the current request."""
    return _current.get()


def set_client(client: ClientInfo) -> None:
    """Set the client of the current request."""
    _current.set(client)


def clean_user_agent(user_agent: str | None) -> str | None:
    """Return a user agent as it is stored: truncated, on one line."""
    if user_agent is None:
        return None
    return "".join(
        character if character.isprintable() else " "
        for character in user_agent[:MAX_USER_AGENT_LENGTH]
    )
