#!/usr/bin/env python3
"""Typed settings: the only place that reads the environment.

Its law: nothing is read at import and nothing is kept. A setting is read
when its `read` is called, so a changed environment counts at once.
"""

import os
import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from ipaddress import IPv4Network, IPv6Network, ip_network
from typing import Generic, TypeVar

from vestibule.errors import BadSetting

_ORIGIN = re.compile(r"https?://[A-Za-z0-9.-]+(:[0-9]{1,5})?")
_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")

T_co = TypeVar("T_co", covariant=True)


@dataclass(frozen=True)
class Setting(Generic[T_co]):
    """One environment variable: its name, default, parser and meaning."""

    name: str
    default: str | None
    parse: Callable[[str | None], T_co]
    meaning: str
    #: The default of the profile `hardened`, where it has another.
    hardened: str | None = None

    def read(self) -> T_co:
        """Return the typed value of now; raise `BadSetting` if it has none.
        """
        text = os.environ.get(self.name)
        if text is None:
            text = self.default
            if self.hardened is not None and is_hardened():
                text = self.hardened
        try:
            return self.parse(text)
        except ValueError as error:
            raise BadSetting(self.name, str(error)) from None


def for_child(**more: str) -> dict[str, str]:
    """Return the environment for a program to start, with `more` in it."""
    return {**os.environ, **more}


def _text(text: str | None) -> str:
    """Return the text itself; setting it to nothing is a mistake."""
    if not text:
        raise ValueError("must not be empty")
    return text


def is_hardened() -> bool:
    """Tell whether the profile is the one for OWASP ASVS level 2."""
    return SECURITY_PROFILE.read() == "hardened"


def _as_given(text: str | None) -> str | None:
    """Return the text, also an empty one, or `None` if it is unset."""
    return text


def _cookie_name(text: str | None) -> str | None:
    """Return the name if it is one (RFC 6265, 4.1.1); empty means unset.
    """
    if text and not _TOKEN.fullmatch(text):
        raise ValueError(f"must be the name of a cookie, not {text!r}")
    return text or None


def _whole(least: int, most: int) -> Callable[[str | None], int]:
    """Return a parser of whole numbers from `least` to `most`."""

    def parse(text: str | None) -> int:
        """Return the number that `text` spells in decimal digits."""
        digits = text if text and text.isascii() and text.isdigit() else ""
        if 0 < len(digits) <= 12 and least <= int(digits) <= most:
            return int(digits)
        raise ValueError(
            f"must be a whole number from {least} to {most}, not {text!r}"
        )

    return parse


def _seconds(text: str | None) -> int | None:
    """Return whole seconds, 0 if unset, `None` for no integer at all."""
    if text is None:
        return 0
    try:
        return int(text)
    except ValueError:
        return None


def _origins(text: str | None) -> tuple[str, ...]:
    """Return the origins of a list with commas; `*` stands alone."""
    listed = tuple(one.strip() for one in (text or "").split(",") if one)
    for origin in listed:
        if not (_ORIGIN.fullmatch(origin) or listed == ("*",)):
            raise ValueError(
                f"must be *, or origins as https://a.example, not {origin!r}"
            )
    return listed


def _list_of_words(text: str | None) -> tuple[str, ...]:
    """Return the words between the commas."""
    words = (word.strip() for word in (text or "").split(","))
    return tuple(word for word in words if word)


@lru_cache(maxsize=8)
def _networks(text: str | None) -> tuple[IPv4Network | IPv6Network, ...]:
    """Return the networks of a list with commas; an address is one too.

    Kept for each text, because requests ask for it.
    """
    return tuple(ip_network(word) for word in _list_of_words(text))


def _web_address(text: str | None) -> str | None:
    """Return the address if it is one of the web; empty means unset."""
    if text and not text.startswith(("https://", "http://")):
        raise ValueError(f"must begin with https:// or http://, not {text!r}")
    return text or None


def _switch(text: str | None) -> bool:
    """Return whether the text is `on`; it may also be `off`."""
    if text not in ("on", "off"):
        raise ValueError(f"must be on or off, not {text!r}")
    return text == "on"


def _one_of(*known: str) -> Callable[[str | None], str]:
    """Return a parser that takes the `known` words only."""

    def parse(text: str | None) -> str:
        """Return `text` if it is one of the known words."""
        if text not in known:
            raise ValueError(
                f"must be one of {', '.join(known)}, not {text!r}"
            )
        return text

    return parse


SECURITY_PROFILE: Setting[str] = Setting(
    "SECURITY_PROFILE",
    "contract",
    _one_of("contract", "hardened"),
    "`contract` answers as existing clients of this API expect; `hardened`"
    " sets the defaults below to what OWASP ASVS 5.0 level 2 asks for.",
)
API_HOST = Setting(
    "API_HOST", "0.0.0.0", _text, "Address the server listens on."
)
API_PORT = Setting(
    "API_PORT", "5000", _whole(1, 65535), "TCP port the server listens on."
)
AUTH_TYPE = Setting(
    "AUTH_TYPE",
    None,
    _as_given,
    "Mechanism: `auth`, `basic_auth`, `session_auth`, `session_exp_auth` or"
    " `session_db_auth`. Unset: no authentication, every route is open.",
)
SESSION_NAME = Setting(
    "SESSION_NAME",
    None,
    _cookie_name,
    "Name of the session cookie, read at each request. Unset: nobody can"
    " log in, a login that would succeed answers 500.",
)
SESSION_DURATION = Setting(
    "SESSION_DURATION",
    None,
    _seconds,
    "Seconds a session lives, under `session_exp_auth` and"
    " `session_db_auth`. Unset, 0, negative or not an integer: sessions"
    " never expire, and the start warns of it.",
)
SESSION_IDLE_TIMEOUT = Setting(
    "SESSION_IDLE_TIMEOUT",
    "0",
    _whole(0, 31_536_000),
    "Seconds without a request after which a session ends; 0: no limit.",
    hardened="1800",
)
SESSION_MAX_AGE = Setting(
    "SESSION_MAX_AGE",
    "0",
    _whole(0, 315_360_000),
    "Seconds after which a session ends under every mechanism, however"
    " much it is used; 0: no limit but `SESSION_DURATION`.",
    hardened="43200",
)
SESSION_TOUCH_INTERVAL = Setting(
    "SESSION_TOUCH_INTERVAL",
    "60",
    _whole(0, 86_400),
    "Seconds in which the use of a session is noted at most once; an idle"
    " timeout below ten times that counts instead. 0: only for it.",
)
MAX_SESSIONS_PER_USER = Setting(
    "MAX_SESSIONS_PER_USER",
    "0",
    _whole(0, 10_000),
    "Sessions that a user may have at once; the oldest ends. 0: any number.",
)
MEMORY_SESSIONS_MAX = Setting(
    "MEMORY_SESSIONS_MAX",
    "100000",
    _whole(1, 10_000_000),
    "Sessions that a mechanism keeps in memory; the oldest ends.",
)
SESSION_PURGE_INTERVAL = Setting(
    "SESSION_PURGE_INTERVAL",
    "60",
    _whole(1, 86_400),
    "Seconds between two sweeps that drop expired sessions.",
)
SESSION_TOKEN = Setting(
    "SESSION_TOKEN",
    "uuid4",
    _one_of("uuid4", "secret256"),
    "What a session id is: a random UUID (122 bits), or 256 random bits.",
    hardened="secret256",
)
SESSION_NAME_HOST_PREFIX = Setting(
    "SESSION_NAME_HOST_PREFIX",
    "off",
    _switch,
    "Whether `SESSION_NAME` must begin with `__Host-`, so that browsers"
    " take the cookie only over TLS and from this host; `on` or `off`.",
    hardened="on",
)
COOKIE_SECURE = Setting(
    "COOKIE_SECURE",
    "auto",
    _one_of("auto", "always"),
    "Whether the cookie is kept off unencrypted connections: `auto` where"
    " the login came by TLS, or `always`.",
    hardened="always",
)
CORS_ORIGINS = Setting(
    "CORS_ORIGINS",
    "*",
    _origins,
    "Origins whose pages may read answers, without credentials: `*`, or a"
    " list with commas, or nothing.",
    hardened="",
)
LOGIN_GENERIC_ERRORS = Setting(
    "LOGIN_GENERIC_ERRORS",
    "off",
    _switch,
    "Whether an unknown email is answered as a wrong password is; `on` or"
    " `off`.",
    hardened="on",
)
REAUTH_WINDOW = Setting(
    "REAUTH_WINDOW",
    "300",
    _whole(1, 86_400),
    "Seconds after a proof of the password in which it is not asked for"
    " again before what is sensitive.",
)
REAUTH_TO_DELETE = Setting(
    "REAUTH_TO_DELETE",
    "off",
    _switch,
    "Whether deleting an account needs a recent proof of the password;"
    " `on` or `off`.",
    hardened="on",
)
AUTHZ_POLICY = Setting(
    "AUTHZ_POLICY",
    "open",
    _one_of("open", "self"),
    "What users may do to each other's accounts: `open` lets everybody who"
    " may come in list, add, show, name and delete users; under `self` that"
    " is for admins, and members have their own account only.",
    hardened="self",
)
THROTTLE = Setting(
    "THROTTLE",
    "on",
    _switch,
    "Whether failures to authenticate make the next try wait; `on` or"
    " `off`.",
)
TRUSTED_PROXIES = Setting(
    "TRUSTED_PROXIES",
    "",
    _networks,
    "Addresses and networks (CIDR), with commas, of the proxies whose"
    " `X-Forwarded-For` and `X-Forwarded-Proto` are believed. Empty:"
    " nobody's.",
)
DATABASE_URL = Setting(
    "DATABASE_URL",
    "sqlite:///vestibule.db",
    _text,
    "Where users and sessions are kept: `sqlite:///FILE` or"
    " `postgresql+psycopg://USER:PASSWORD@HOST/NAME`.",
)
DATABASE_TIMEOUT = Setting(
    "DATABASE_TIMEOUT",
    "5000",
    _whole(1, 60_000),
    "Milliseconds to wait for a locked database before answering 503.",
)
WORKERS = Setting(
    "WORKERS",
    "1",
    _whole(1, 256),
    "Worker processes. Mechanisms that keep sessions in memory allow one.",
)
BLOCKING_THREADS = Setting(
    "BLOCKING_THREADS",
    "16",
    _whole(4, 1024),
    "Threads per worker. At most half of them hash passwords or wait to.",
)
PASSWORD_PROFILE = Setting(
    "PASSWORD_PROFILE",
    "owasp",
    _one_of("owasp", "rfc9106"),
    "Cost of a password hash: `owasp` (argon2id, 19 MiB, 2 passes) or"
    " `rfc9106` (argon2id, 64 MiB, 3 passes, 4 lanes).",
)
PASSWORD_MIN_LENGTH = Setting(
    "PASSWORD_MIN_LENGTH",
    "8",
    _whole(1, 64),
    "Fewest characters of a password given over HTTP. Scripts on the"
    " models are free.",
    hardened="15",
)
PASSWORD_BLOCKLIST = Setting(
    "PASSWORD_BLOCKLIST",
    "changes",
    _one_of("changes", "always"),
    "Whether common and context words are refused when a password is"
    " changed, or `always`: for new users too.",
    hardened="always",
)
PASSWORD_CONTEXT_WORDS = Setting(
    "PASSWORD_CONTEXT_WORDS",
    "",
    _list_of_words,
    "Words of your organization that nobody may use as a password, with"
    " commas between them.",
)
PASSWORD_BREACH_URL = Setting(
    "PASSWORD_BREACH_URL",
    None,
    _web_address,
    "Address of a range service that lists stolen passwords by the first"
    " five digits of their SHA-1. Unset: nobody is asked.",
)
LOG_LEVEL = Setting(
    "LOG_LEVEL",
    "info",
    _one_of("debug", "info", "warning", "error"),
    "Least severity that is logged to standard error.",
)

#: Every setting, in the order in which the documentation lists them.
ALL: tuple[Setting[object], ...] = (
    SECURITY_PROFILE,
    API_HOST,
    API_PORT,
    AUTH_TYPE,
    SESSION_NAME,
    SESSION_DURATION,
    SESSION_IDLE_TIMEOUT,
    SESSION_MAX_AGE,
    SESSION_TOUCH_INTERVAL,
    MAX_SESSIONS_PER_USER,
    MEMORY_SESSIONS_MAX,
    SESSION_PURGE_INTERVAL,
    SESSION_TOKEN,
    SESSION_NAME_HOST_PREFIX,
    COOKIE_SECURE,
    CORS_ORIGINS,
    LOGIN_GENERIC_ERRORS,
    REAUTH_WINDOW,
    REAUTH_TO_DELETE,
    AUTHZ_POLICY,
    THROTTLE,
    TRUSTED_PROXIES,
    DATABASE_URL,
    DATABASE_TIMEOUT,
    WORKERS,
    BLOCKING_THREADS,
    PASSWORD_PROFILE,
    PASSWORD_MIN_LENGTH,
    PASSWORD_BLOCKLIST,
    PASSWORD_CONTEXT_WORDS,
    PASSWORD_BREACH_URL,
    LOG_LEVEL,
)
