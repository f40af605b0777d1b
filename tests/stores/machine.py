#!/usr/bin/env python3
"""A model of sessions, and a machine that compares a mechanism with it.

The model is a dictionary and some comparisons. It takes nothing from the
product but the handles of sessions, which are random.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import hypothesis.strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    consumes,
    initialize,
    invariant,
    multiple,
    rule,
)

from tests.clocks import SetClock
from tests.fake_requests import with_session
from tests.stored_sessions import sessions_in
from vestibule.db.models.user import User
from vestibule.db.models.user_session import UserSession
from vestibule.mechanisms.session_auth import SessionAuth
from vestibule.sessions.memory import MemoryStore
from vestibule.sessions.session import EndReason

#: Seconds that sessions live, under the limits of the test.
DURATION, IDLE, TOUCH = 100, 40, 5
_STEPS = st.sampled_from([1, TOUCH, IDLE // 2, IDLE, DURATION - 1, 86_000])
_ZERO_OR_ONE = st.integers(0, 1)


@dataclass
class ModelSession:
    """A session as the model describes it."""

    user: User
    handle: str
    began: datetime
    seen: datetime


class SessionMachine(RuleBasedStateMachine):
    """Two mechanism objects on one store, like two processes."""

    secrets: Bundle[str] = Bundle("secrets")

    def __init__(
        self, make: Callable[[], SessionAuth], clock: SetClock
    ) -> None:
        """Begin without users and sessions, at the clock's moment."""
        super().__init__()
        self.make = make
        self.clock = clock
        self.live: dict[str, ModelSession] = {}
        self.ended: dict[str, tuple[EndReason, datetime]] = {}
        self.gone: set[str] = set()

    @initialize()
    def begin(self) -> None:
        """Delete what an earlier run left, and store two users."""
        self.pair = [self.make(), self.make()]
        self.stored = not isinstance(self.pair[0].store, MemoryStore)
        self.pair[0].store.end_all(EndReason.REVOKED)
        for user in User.all():
            user.remove()
        self.users = [User(), User()]
        for user in self.users:
            user.save()

    def why_dead(self, session: ModelSession) -> EndReason | None:
        """Return why the limits end a session, or None."""
        age = (self.clock.moment - session.began).total_seconds()
        quiet = (self.clock.moment - session.seen).total_seconds()
        if age > DURATION:
            return EndReason.EXPIRED
        return EndReason.IDLE_TIMEOUT if quiet > IDLE else None

    def is_live(self, secret: str) -> bool:
        """Return True if the session should be valid now."""
        session = self.live.get(secret)
        return session is not None and self.why_dead(session) is None

    def use(self, secret: str) -> str | None:
        """Return the user of the session, and note the use when it is due."""
        if not self.is_live(secret):
            return None
        session = self.live[secret]
        due = timedelta(seconds=min(TOUCH, IDLE / 10))
        if self.clock.moment - session.seen >= due:
            session.seen = self.clock.moment
        return session.user.id

    def end(self, secret: str, reason: EndReason) -> None:
        """End a session of the model."""
        del self.live[secret]
        self.ended[secret] = reason, self.clock.moment

    @rule(target=secrets, user=_ZERO_OR_ONE, side=_ZERO_OR_ONE)
    def login(self, user: int, side: int) -> str:
        """Begin a session."""
        owner, now = self.users[user], self.clock.moment
        secret = self.pair[side].create_session(owner.id)
        assert secret is not None
        found = self.pair[1 - side].store.find(secret)
        assert found is not None
        self.live[secret] = ModelSession(owner, found.id, now, now)
        return secret

    @rule(secret=secrets, side=_ZERO_OR_ONE)
    def request(self, secret: str, side: int) -> None:
        """Use a session; the other side sees the same."""
        auth = self.pair[side]
        owner = self.use(secret)
        assert auth.user_id_for_session_id(secret) == owner
        found = auth.current_user(with_session(secret))
        known = None if owner in self.gone else owner
        assert (found.id if found else None) == known

    @rule(seconds=_STEPS)
    def wait(self, seconds: int) -> None:
        """Let time pass."""
        self.clock.advance(seconds)

    @rule(side=_ZERO_OR_ONE)
    def purge(self, side: int) -> None:
        """Purge the expired sessions; their reasons stay as before."""
        self.pair[side].purge_expired()
        for secret in list(self.live):
            why = self.why_dead(self.live[secret])
            if why is not None:
                self.live.pop(secret)

    @rule(secret=secrets, side=_ZERO_OR_ONE)
    def logout(self, secret: str, side: int) -> None:
        """End a session by its cookie."""
        was_live = self.use(secret) is not None
        done = self.pair[side].destroy_session(with_session(secret))
        assert done is was_live
        if was_live:
            self.end(secret, EndReason.LOGGED_OUT)

    @rule(secret=secrets, asking=_ZERO_OR_ONE, side=_ZERO_OR_ONE)
    def revoke(self, secret: str, asking: int, side: int) -> None:
        """End a session by its handle, of the same or of another user."""
        session = self.live.get(secret)
        if session is None or self.why_dead(session):
            return
        asker = self.users[asking]
        done = self.pair[side].store.end_by_handle(
            session.handle, EndReason.REVOKED, asker.id
        )
        assert done is (asker.id == session.user.id)
        if done:
            self.end(secret, EndReason.REVOKED)

    @rule(secret=secrets, side=_ZERO_OR_ONE)
    def end_others(self, secret: str, side: int) -> None:
        """End all sessions of a user but this one."""
        if self.is_live(secret):
            self._end_others(secret, side, EndReason.REVOKED)

    @rule(target=secrets, secret=consumes(secrets), side=_ZERO_OR_ONE)
    def change_password(self, secret: str, side: int) -> Any:
        """End the others and give this one a new secret."""
        if not self.is_live(secret):
            return secret
        self._end_others(secret, side, EndReason.PASSWORD_CHANGED)
        now = self.clock.moment
        new = self.pair[side].store.rotate(secret, now)
        assert new is not None
        session = self.live[secret]
        self.end(secret, EndReason.ROTATED)
        session.seen = now
        self.live[new] = session
        return multiple(secret, new)

    @rule(user=_ZERO_OR_ONE)
    def delete_user(self, user: int) -> None:
        """Remove a user, and store another one."""
        gone = self.users[user]
        gone.remove()
        self.gone.add(gone.id)
        if self.stored:
            for secret in self._of(gone):
                self.end(secret, EndReason.USER_REMOVED)
        self.users[user] = User()
        self.users[user].save()

    @rule(side=_ZERO_OR_ONE)
    def restart(self, side: int) -> None:
        """Replace one mechanism object by a new one."""
        self.pair[side] = self.make()

    @invariant()
    def lists_have_live_sessions(self) -> None:
        """Each user's list has the live sessions, and no ended one."""
        for user in getattr(self, "users", []):
            own = self._of(user)
            known = {self.live[each].handle for each in own}
            live = {self.live[s].handle for s in own if self.is_live(s)}
            for auth in self.pair:
                listed = {each.id for each in sessions_in(auth.store, user.id)}
                assert live <= listed <= known

    @invariant()
    def ended_stays_ended(self) -> None:
        """Check that an ended session's secret gives the reason for a day."""
        for secret, (reason, moment) in self.ended.items():
            recent = self.clock.moment - moment <= timedelta(days=1)
            for auth in self.pair:
                assert auth.user_id_for_session_id(secret) is None
                told = auth.why_refused(with_session(secret))
                assert told == (reason if recent else None)

    def teardown(self) -> None:
        """Check that the database has no more sessions than the model."""
        if getattr(self, "stored", False):
            self.purge(0)
            assert UserSession.count() == len(self.live)

    def _of(self, user: User) -> list[str]:
        """Return the secrets of a user's sessions that did not end."""
        return [s for s, each in self.live.items() if each.user is user]

    def _end_others(self, secret: str, side: int, reason: EndReason) -> None:
        """End all sessions of the owner but this one, in model and store."""
        kept = self.live[secret]
        others = [each for each in self._of(kept.user) if each != secret]
        live = sum(self.is_live(each) for each in others)
        done = self.pair[side].store.end_all(reason, kept.user.id, kept.handle)
        # A new session may have purged expired ones, so skip those.
        assert live <= done <= len(others)
        for each in others:
            dead = not self.is_live(each)
            self.end(each, reason)
            if dead:
                del self.ended[each]
