#!/usr/bin/env python3
"""Everybody's live sessions, by user, network and device.

Its law: a page looks at no more than `LOOKED` sessions, dead ones and
those of other devices included, however many there are.
"""

from datetime import datetime
from typing import NamedTuple

from vestibule.desk.filters import SessionsSought
from vestibule.sessions.device import device_of
from vestibule.sessions.lifetime import Limits, why_dead
from vestibule.sessions.record import Session
from vestibule.sessions.store import SessionStore

#: Sessions that are looked at for one page at most.
LOOKED = 1_000


class Judge(NamedTuple):
    """Where sessions are, and what makes one dead at which moment."""

    store: SessionStore
    limits: Limits
    now: datetime


class LivePage(NamedTuple):
    """Some live sessions, and the place after which there may be more."""

    sessions: list[Session]
    next: str | None


def live_page(
    judge: Judge, sought: SessionsSought, most: int, place: str | None
) -> LivePage:
    """Return about so many of the live sessions that are sought."""
    found: list[Session] = []
    device = (sought.device or "").casefold()
    for _ in range(max(1, LOOKED // most)):
        some, place = judge.store.page(
            sought.user_id, most, place, sought.network
        )
        for each in some:
            if why_dead(each, judge.limits, judge.now) is None and (
                device in device_of(each.user_agent).casefold()
            ):
                found.append(each)
        if place is None or len(found) >= most:
            break
    return LivePage(found, place)
