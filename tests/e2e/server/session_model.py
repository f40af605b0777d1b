#!/usr/bin/env python3
"""The reference model of sessions, which the servers are compared with.

It consists of dictionaries and comparisons, imports no product code, and says
what each response must be.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

#: Seconds: the settings of the servers that are compared with the model.
DURATION, MAX_AGE, IDLE, TOUCH = 100, 110, 60, 5
#: A use is stored if the last stored one is at least so old.
_TOUCH_DUE = timedelta(seconds=min(TOUCH, IDLE / 10))
_SKEW = timedelta(seconds=10)
_DAY = timedelta(days=1)


@dataclass
class Person:
    """A user with the credentials for a login."""

    id: str
    email: str
    password: str


@dataclass
class ModelSession:
    """A session that was not ended explicitly; it may have expired."""

    owner: Person
    handle: str
    began: datetime
    seen: datetime


class SessionModel:
    """The sessions that exist, and the reasons why others ended."""

    def __init__(self, auth_type: str, now: datetime) -> None:
        """Begin without sessions, at a moment."""
        self.now = now
        self.stored = auth_type == "session_db_auth"
        self.dated = auth_type != "session_auth"
        # In memory only `session_exp_auth` purges, when a session is created.
        self.purges = auth_type == "session_exp_auth"
        self.purge_due: datetime | None = None
        self.lifetime = timedelta(seconds=DURATION if self.dated else MAX_AGE)
        self.idle = timedelta(seconds=IDLE)
        self.kept: dict[str, ModelSession] = {}
        #: Reason and time by secret; the reason is `None` if it is unknown.
        self.ended: dict[str, tuple[str | None, datetime]] = {}

    def expiry_reason(self, session: ModelSession) -> str | None:
        """Return the reason why a session has expired, or `None`."""
        age = self.now - session.began
        if age < -_SKEW:
            return "clock_changed"
        if age > self.lifetime:
            return "expired"
        return "idle_timeout" if self.now - session.seen > self.idle else None

    def expires_at(self, session: ModelSession) -> datetime:
        """Return the last moment of a session that is not used again."""
        return min(session.began + self.lifetime, session.seen + self.idle)

    def idle_ends_first(self, session: ModelSession) -> bool:
        """Return True if the idle timeout ends it before its maximum age."""
        return session.seen + self.idle < session.began + self.lifetime

    def is_live(self, secret: str) -> bool:
        """Return True if the session authenticates a request."""
        kept = self.kept.get(secret)
        return kept is not None and self.expiry_reason(kept) is None

    def refusal(self, secret: str) -> str | None:
        """Return the reason that the server must give for a dead session."""
        if secret in self.kept:
            return self.expiry_reason(self.kept[secret])
        why, moment = self.ended[secret]
        return why if self.now - moment <= _DAY else None

    def use(self, secret: str) -> ModelSession | None:
        """Return the session if it is live, and record its use if due."""
        if not self.is_live(secret):
            return None
        session = self.kept[secret]
        if self.now - session.seen >= _TOUCH_DUE:
            session.seen = self.now
        return session

    def secrets_of(self, owner: Person) -> list[str]:
        """Return the secrets of a user's sessions, expired ones included."""
        return [s for s, one in self.kept.items() if one.owner is owner]

    def begin(self, secret: str, owner: Person, handle: str) -> None:
        """Add a session, and purge expired ones if that is due."""
        self.kept[secret] = ModelSession(owner, handle, self.now, self.now)
        due = self.purge_due
        if self.purges and (due is None or self.now >= due):
            self.purge_due = self.now + _DAY
            self.purge()

    def end(self, secret: str, reason: str | None) -> None:
        """End a session."""
        del self.kept[secret]
        self.ended[secret] = reason, self.now

    def end_others(self, secret: str, reason: str) -> int:
        """End all other sessions of the owner; return their number."""
        others = self.secrets_of(self.kept[secret].owner)
        others.remove(secret)
        for each in others:
            self.end(each, reason)
        return len(others)

    def rotate(self, secret: str, new: str) -> None:
        """Replace the secret of a session that was just used."""
        session = self.kept[secret]
        self.end(secret, "rotated")
        session.seen = self.now
        self.kept[new] = session

    def remove(self, owner: Person) -> None:
        """End all sessions of a deleted user."""
        for secret in self.secrets_of(owner):
            self.end(secret, "user_removed")

    def purge(self) -> None:
        """Drop expired sessions; the reason stays known for a day."""
        for secret, session in list(self.kept.items()):
            why = self.expiry_reason(session)
            # The database keeps sessions that a corrected clock revives.
            if why and not (self.stored and why == "clock_changed"):
                self.end(secret, why)
        if self.stored:
            for secret, (_, moment) in self.ended.items():
                if self.now - moment > _DAY:
                    self.ended[secret] = None, moment

    def restart(self) -> None:
        """Forget the state that a server keeps in memory."""
        if not self.stored:
            self.purge_due = None
            for secret in list(self.kept):
                self.end(secret, None)
            for secret, (_, moment) in self.ended.items():
                self.ended[secret] = None, moment
