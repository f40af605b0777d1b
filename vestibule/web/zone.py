#!/usr/bin/env python3
"""The time zone of the pages: UTC, or the zone that the user chose.

A cookie keeps the choice. Lists, filters, charts and exported files use it.
The script offers the zone of the browser; without it times are in UTC.
"""

import re
from datetime import UTC, datetime, tzinfo
from functools import lru_cache
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from vestibule.core.errors import InvalidValue
from vestibule.http.request import current_request

COOKIE = "vestibule_zone"
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_+-]*(/[A-Za-z0-9_+-]+){0,2}")
_MAX_NAME_LENGTH = 64


@lru_cache(maxsize=64)
def find_zone(name: str) -> tzinfo | None:
    """Return the time zone with this name of IANA; `None` if unknown."""
    if name == "UTC":
        return UTC
    if len(name) > _MAX_NAME_LENGTH or not _NAME.fullmatch(name):
        return None
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return None


def zone_name() -> str:
    """Return the name of the request's zone; "UTC" if none was chosen."""
    name = current_request().cookies.get(COOKIE, "")
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
