#!/usr/bin/env python3
"""Readable names for user agents, such as "Firefox on Linux".

They help the owner of a session to recognize it, and nothing depends on
them. A user agent that no rule matches is "an unknown program".
"""

import re
from typing import NamedTuple

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


class Device(NamedTuple):
    """A program and its system, as far as they are known."""

    program: str | None
    system: str | None


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
