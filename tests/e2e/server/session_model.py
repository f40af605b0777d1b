#!/usr/bin/env python3
"""Sessions as everybody should see them: the reference for the servers.

Its law: it is some dictionaries and comparisons, uses nothing of the
product, and says what each answer has to be.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

#: Seconds: the settings of the servers that are compared with the model.
DURATION, MAX_AGE, IDLE, TOUCH = 100, 110, 60, 5
#: A use is noted when the last noted one is so old.
_TOUCH_DUE = timedelta(seconds=min(TOUCH, IDLE / 10))
_SKEW = timedelta(seconds=10)
_DAY = timedelta(days=1)


@dataclass
class Person:
    """A user: what it takes to log in as one."""

    id: str
    email: str
    password: str


@dataclass
class Modelled:
    """A session that nobody ended so far; it may be dead of itself."""

    owner: Person
    handle: str
    began: datetime
    seen: datetime


class SessionModel:
    """Which sessions there are, and why others are no more."""

    def __init__(self, auth_type: str, now: datetime) -> None:
        """Begin without sessions, at a moment."""
        self.now = now
        self.stored = auth_type == "session_db_auth"
        self.dated = auth_type != "session_auth"
        # In memory only the dated sessions are dropped, by a new one.
        self.purges = auth_type == "session_exp_auth"
        self.purge_due: datetime | None = None
        self.lifetime = timedelta(seconds=DURATION if self.dated else MAX_AGE)
        self.idle = timedelta(seconds=IDLE)
        self.kept: dict[str, Modelled] = {}
        #: Why and when, by secret; without a reason where none is known.
        self.ended: dict[str, tuple[str | None, datetime]] = {}

    def why_dead(self, session: Modelled) -> str | None:
        """Return what the limits make of a session."""
        age = self.now - session.began
        if age < -_SKEW:
            return "clock_changed"
        if age > self.lifetime:
            return "expired"
        return "idle_timeout" if self.now - session.seen > self.idle else None

    def end_of(self, session: Modelled) -> datetime:
        """Return the last moment of a session that nobody uses."""
        return min(session.began + self.lifetime, session.seen + self.idle)

    def would_idle(self, session: Modelled) -> bool:
        """Tell whether lack of use would end it earlier than its age."""
        return session.seen + self.idle < session.began + self.lifetime

    def is_live(self, secret: str) -> bool:
        """Tell whether the session opens the door."""
        kept = self.kept.get(secret)
        return kept is not None and self.why_dead(kept) is None

    def refusal(self, secret: str) -> str | None:
        """Return the reason that who has a dead secret is to be told."""
        if secret in self.kept:
            return self.why_dead(self.kept[secret])
        why, moment = self.ended[secret]
        return why if self.now - moment <= _DAY else None

    def use(self, secret: str) -> Modelled | None:
        """Return the session if it is live, with its use noted if due."""
        if not self.is_live(secret):
            return None
        session = self.kept[secret]
        if self.now - session.seen >= _TOUCH_DUE:
            session.seen = self.now
        return session

    def of(self, owner: Person) -> list[str]:
        """Return the secrets of a user's sessions that nobody ended."""
        return [s for s, one in self.kept.items() if one.owner is owner]

    def begin(self, secret: str, owner: Person, handle: str) -> None:
        """Begin a session, and drop the dead ones where that is due."""
        self.kept[secret] = Modelled(owner, handle, self.now, self.now)
        due = self.purge_due
        if self.purges and (due is None or self.now >= due):
            self.purge_due = self.now + _DAY
            self.purge()

    def end(self, secret: str, reason: str | None) -> None:
        """End a session."""
        del self.kept[secret]
        self.ended[secret] = reason, self.now

    def end_others(self, secret: str, reason: str) -> int:
        """End all sessions of an owner but one; count them."""
        others = self.of(self.kept[secret].owner)
        others.remove(secret)
        for each in others:
            self.end(each, reason)
        return len(others)

    def rotate(self, secret: str, new: str) -> None:
        """Give a session, which was used, another secret."""
        session = self.kept[secret]
        self.end(secret, "rotated")
        session.seen = self.now
        self.kept[new] = session

    def remove(self, owner: Person) -> None:
        """End all sessions of a user who is deleted."""
        for secret in self.of(owner):
            self.end(secret, "user_removed")

    def purge(self) -> None:
        """Drop what is dead; its owner is told why for a day from now."""
        for secret, session in list(self.kept.items()):
            why = self.why_dead(session)
            # The database keeps what a clock that goes right will revive.
            if why and not (self.stored and why == "clock_changed"):
                self.end(secret, why)
        if self.stored:
            for secret, (_, moment) in self.ended.items():
                if self.now - moment > _DAY:
                    self.ended[secret] = None, moment

    def restart(self) -> None:
        """Lose what was in memory."""
        if not self.stored:
            self.purge_due = None
            for secret in list(self.kept):
                self.end(secret, None)
            for secret, (_, moment) in self.ended.items():
                self.ended[secret] = None, moment
