#!/usr/bin/env python3
"""Translation: the language of a request, its texts and its dates.

The catalogue under `locale/` has every text of the pages, keyed by the
English text. `make texts` keeps it up to date.
"""

import gettext as catalogues
from datetime import datetime, timedelta
from functools import cache, lru_cache
from pathlib import Path

from babel import Locale, negotiate_locale
from babel.dates import format_datetime, format_timedelta

from vestibule.core import clock
from vestibule.http.request import current_request
from vestibule.web.zone import find_zone, zone_name

FOLDER = Path(__file__).parent / "locale"
#: The first one is the source language and the default.
LANGUAGES = ("en", "fr")
#: The names of the languages, each in itself.
LANGUAGE_NAMES = {"en": "English", "fr": "Français"}
#: The cookie with the language that the user chose.
LANGUAGE_COOKIE = "vestibule_language"


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
