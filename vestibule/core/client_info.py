#!/usr/bin/env python3
"""The client of the current request, as a new session records it.

It is a context variable, because `create_session` gets a user id and
nothing else. Outside a request, as in a script, it is `LOCAL_CLIENT`.

User agents have readable names, such as "Firefox on Linux", by which the
owner of a session recognizes it. Nothing depends on these names.
"""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import lru_cache
from typing import Any, NamedTuple

#: Characters of a user agent that are stored; browsers send about 100.
MAX_USER_AGENT_LENGTH = 512
# The order matters: most browsers also name the ones below them.
_PROGRAMS = (
    (r"Edg(?:e|A|iOS)?/", "Edge"),
    (r"OPR/|Opera", "Opera"),
    (r"SamsungBrowser/", "Samsung Internet"),
    (r"Vivaldi/", "Vivaldi"),
    (r"Firefox/|FxiOS/", "Firefox"),
    (r"Chromium/", "Chromium"),
    (r"Chrome/|CriOS/", "Chrome"),
    (r"Safari/", "Safari"),
    (r"MSIE |Trident/", "Internet Explorer"),
    (r"curl/", "curl"),
    (r"[Ww]get/", "Wget"),
    (r"python-requests/|python-httpx/|aiohttp/|Python-urllib/", "Python"),
    (r"PostmanRuntime/", "Postman"),
    (r"okhttp/", "an Android app"),
    (r"Go-http-client/", "Go"),
)
_SYSTEMS = (
    (r"Windows", "Windows"),
    (r"iPhone", "iPhone"),
    (r"iPad", "iPad"),
    (r"Android", "Android"),
    (r"CrOS", "ChromeOS"),
    (r"Mac OS X|Macintosh", "macOS"),
    (r"Linux|X11", "Linux"),
)


class ClientInfo(NamedTuple):
    """The client's address, its user agent and how it authenticated."""

    ip: str | None = None
    user_agent: str | None = None
    method: str | None = None
    #: Whether there is no client: a script or a command is running.
    is_local: bool = False


#: A client whose address is unknown. It is throttled.
UNKNOWN_CLIENT = ClientInfo()
#: The current client while no request is being answered.
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

    An application may use a mechanism without the service. A login there
    must not count as one by a script, which is not throttled, nor as one by
    the client of the thread's previous request. Yield True if the client
    was set here.
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


#: Headers whose device is kept; a list of sessions has few different ones.
MAX_CACHED_DEVICES = 256


class Device(NamedTuple):
    """A program and its system, as far as they are known."""

    program: str | None
    system: str | None


@lru_cache(MAX_CACHED_DEVICES)
def parse_user_agent(user_agent: str | None) -> Device:
    """Return the program and the system that a user agent names."""
    text = user_agent or ""
    return Device(_first(_PROGRAMS, text), _first(_SYSTEMS, text))


def device_name(user_agent: str | None) -> str:
    """Return the program, and its system if that is known."""
    program, system = parse_user_agent(user_agent)
    program = program or "an unknown program"
    return f"{program} on {system}" if system else program


def _first(rules: tuple[tuple[str, str], ...], text: str) -> str | None:
    """Return the name of the first rule that matches `text`."""
    for pattern, name in rules:
        if re.search(pattern, text):
            return name
    return None
