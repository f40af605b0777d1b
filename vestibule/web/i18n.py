#!/usr/bin/env python3
"""The language of a page: which one, and how it says things.

Its law: every text for people is in the catalogue under `locale/`, by its
English wording, and is looked up there at each request.
"""

import gettext as catalogues
from datetime import UTC, datetime, timedelta
from functools import cache, lru_cache
from pathlib import Path

from babel import Locale, negotiate_locale
from babel.dates import format_datetime, format_timedelta

from vestibule.core import clock
from vestibule.http.request import current_request

FOLDER = Path(__file__).parent / "locale"
#: The source language first: it is spoken where no other is wished for.
LANGUAGES = ("en", "fr")


def language() -> str:
    """Return the language that the browser asks for, as far as it is here."""
    # Werkzeug's own choice for "fr-CH, en" would be English.
    wished = [
        tag.lower()
        for tag, quality in current_request().accept_languages
        if quality > 0
    ]
    return negotiate_locale(wished, LANGUAGES, sep="-") or LANGUAGES[0]


@cache
def catalogue(code: str) -> catalogues.NullTranslations:
    """Return the texts of a language; English ones stand for themselves."""
    if code == LANGUAGES[0]:
        return catalogues.NullTranslations()
    return catalogues.translation("messages", FOLDER, [code])


def gettext(message: str) -> str:
    """Return `message` in the language of the request."""
    return catalogue(language()).gettext(message)


def ngettext(one: str, many: str, number: int) -> str:
    """Return the wording for `number` in the language of the request."""
    return catalogue(language()).ngettext(one, many, number)


def N_(message: str) -> str:
    """Return `message` as it is, for the catalogue to collect.

    It is for texts in tables, which are looked up when they are shown.
    """
    return message


def time_ago(moment: datetime, code: str) -> str:
    """Return how long ago a moment was, in words: "3 minutes ago"."""
    # This moment, or another machine's clock: never "in 0 seconds".
    passed = min(moment - clock.now(), -timedelta.resolution)
    return format_timedelta(
        passed, add_direction=True, locale=Locale.parse(code)
    )


@lru_cache(maxsize=1024)
def exact_time(moment: datetime, code: str) -> str:
    """Return a moment in full, in UTC, as the language writes it."""
    # French would have "TU" for the zone, which few know.
    return "{} UTC".format(
        format_datetime(moment, "medium", UTC, Locale.parse(code))
    )
