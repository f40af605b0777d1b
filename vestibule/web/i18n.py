#!/usr/bin/env python3
"""The language of a request, its texts and dates, and its time zone.

The catalogue under `locale/` has every text of the pages, keyed by the
English text. `make texts` keeps it up to date.

The zone is UTC, or the one that the user chose and a cookie keeps. Lists,
filters, charts and exported files use it. The script offers the zone of the
browser; without it times are in UTC.
"""

import gettext as catalogues
import re
from datetime import UTC, datetime, timedelta, tzinfo
from functools import cache, lru_cache
from pathlib import Path
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from babel import Locale, negotiate_locale
from babel.dates import format_datetime, format_timedelta

from vestibule.core import clock
from vestibule.core.errors import InvalidValue
from vestibule.http.request import current_request

FOLDER = Path(__file__).parent / "locale"
#: The first one is the source language and the default.
LANGUAGES = ("en", "fr")
#: The names of the languages, each in itself.
LANGUAGE_NAMES = {"en": "English", "fr": "Français"}
#: The cookie with the language that the user chose.
LANGUAGE_COOKIE = "vestibule_language"
ZONE_COOKIE = "vestibule_zone"
_ZONE_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_+-]*(/[A-Za-z0-9_+-]+){0,2}")
_MAX_ZONE_LENGTH = 64


def language() -> str:
    """Return the language of the user's choice, or of `Accept-Language`."""
    chosen: str | None = current_request().cookies.get(LANGUAGE_COOKIE)
    if chosen in LANGUAGES:
        return chosen
    # Werkzeug's `best_match` would choose English for "fr-CH, en".
    preferred = [
        tag.lower()
        for tag, quality in current_request().accept_languages
        if quality > 0
    ]
    return negotiate_locale(preferred, LANGUAGES, sep="-") or LANGUAGES[0]


@cache
def catalogue(code: str) -> catalogues.NullTranslations:
    """Return the translations of a language; English needs none."""
    if code == LANGUAGES[0]:
        return catalogues.NullTranslations()
    return catalogues.translation("messages", FOLDER, [code])


def gettext(message: str) -> str:
    """Return `message` in the language of the request."""
    return catalogue(language()).gettext(message)


def ngettext(one: str, many: str, number: int) -> str:
    """Return the plural form for `number` in the request's language."""
    return catalogue(language()).ngettext(one, many, number)


def N_(message: str) -> str:
    """Mark `message` for the catalogue, and return it unchanged.

    Constants need this: their texts are translated for each request.
    """
    return message


def time_ago(moment: datetime, code: str) -> str:
    """Return a relative time such as "3 minutes ago"."""
    # The clock of another machine may be ahead: never "in 0 seconds".
    passed = min(moment - clock.now(), -timedelta.resolution)
    return format_timedelta(
        passed, add_direction=True, locale=Locale.parse(code)
    )


def time_until(moment: datetime, code: str) -> str:
    """Return a relative time such as "in 3 minutes"."""
    left = max(moment - clock.now(), timedelta.resolution)
    return format_timedelta(
        left, add_direction=True, locale=Locale.parse(code)
    )


def exact_time(moment: datetime, code: str) -> str:
    """Return a date and time in the zone of the pages, which it names."""
    return _exact_time(moment, code, zone_name())


@lru_cache(maxsize=1024)
def _exact_time(moment: datetime, code: str, name: str) -> str:
    """Return a date and time in a zone, as the language writes it."""
    # Babel writes "TU" in French, which few readers know.
    where = find_zone(name)
    text = format_datetime(moment, "medium", where, Locale.parse(code))
    return f"{text} {name}"


@lru_cache(maxsize=64)
def find_zone(name: str) -> tzinfo | None:
    """Return the time zone with this name of IANA; `None` if unknown."""
    if name == "UTC":
        return UTC
    if len(name) > _MAX_ZONE_LENGTH or not _ZONE_NAME.fullmatch(name):
        return None
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return None


def zone_name() -> str:
    """Return the name of the request's zone; "UTC" if none was chosen."""
    name = current_request().cookies.get(ZONE_COOKIE, "")
    return name if name and find_zone(name) else "UTC"


def zone() -> tzinfo:
    """Return the request's zone."""
    return find_zone(zone_name()) or UTC


def local_text(moment: datetime) -> str:
    """Return a date and time to the second in the request's zone."""
    return moment.astimezone(zone()).strftime("%Y-%m-%d %H:%M:%S")


def local_offset(moment: datetime) -> str:
    """Return a time of ISO 8601 with the offset of the request's zone."""
    return moment.astimezone(zone()).isoformat()


def to_utc(text: str, field: str) -> str:
    """Return a time of a form as ISO 8601 in UTC; "" for an empty one.

    Without an offset it is a time of the request's zone. Raise
    `InvalidValue`.
    """
    if not text.strip():
        return ""
    try:
        moment = datetime.fromisoformat(text.strip())
        if moment.tzinfo is None:
            moment = moment.replace(tzinfo=zone())
        return moment.astimezone(UTC).isoformat()
    except (ValueError, OverflowError):
        raise InvalidValue(
            field, "must be a date and time", code="invalid"
        ) from None
