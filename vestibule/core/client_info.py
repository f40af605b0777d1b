#!/usr/bin/env python3
"""The client of the current request, as a new session records it.

It is a context variable, because `create_session` gets a user id and
nothing else. Outside a request, as in a script, it is `LOCAL_CLIENT`.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, NamedTuple

#: Characters of a user agent that are stored; browsers send about 100.
MAX_USER_AGENT_LENGTH = 512


class ClientInfo(NamedTuple):
    """The client's address, its user agent and how it authenticated."""

    ip: str | None = None
    user_agent: str | None = None
    method: str | None = None
    #: Whether there is no client: a script or a command is running.
    is_local: bool = False


#: A client about whom nothing was found out. It is throttled.
UNKNOWN_CLIENT = ClientInfo()
#: Where no request is being answered.
LOCAL_CLIENT = ClientInfo(is_local=True)
_current: ContextVar[ClientInfo] = ContextVar(
    "client_info", default=LOCAL_CLIENT
)


def current_client() -> ClientInfo:
    """Return the client of the current request."""
    return _current.get()


def set_client(client: ClientInfo) -> None:
    """Set the client of the current request."""
    _current.set(client)


@contextmanager
def client_of(request: Any) -> Iterator[bool]:
    """Set the client from `request`, unless it is a request of the service.

    An application may use a mechanism without the service. There a login
    must not count as one of a script, which is not throttled, or of the
    request before it in this thread. Yield True if the client was set here.
    """
    address = getattr(request, "remote_addr", None)
    if hasattr(request, "client_address") or not isinstance(address, str):
        yield False
        return
    token = _current.set(ClientInfo(address))
    try:
        yield True
    finally:
        _current.reset(token)


def clean_user_agent(user_agent: str | None) -> str | None:
    """Return a user agent as it is stored: truncated, on one line."""
    if user_agent is None:
        return None
    return "".join(
        character if character.isprintable() else " "
        for character in user_agent[:MAX_USER_AGENT_LENGTH]
    )
