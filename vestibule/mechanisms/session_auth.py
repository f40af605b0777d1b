#!/usr/bin/env python3
"""Sessions in the memory of one process."""

import logging
from datetime import datetime
from functools import cached_property
from typing import Any, ClassVar, Dict, Optional

from vestibule.accounts.permissions import is_disabled
from vestibule.core import clock, settings
from vestibule.core.errors import VestibuleError
from vestibule.db.identity_map import IdentityMap
from vestibule.db.models.user import User
from vestibule.mechanisms.auth import Auth
from vestibule.sessions.lifetime import (
    Limits,
    expiry_reason,
    is_touch_due,
    seconds,
)
from vestibule.sessions.memory import Memory, MemoryStore
from vestibule.sessions.session import EndReason, Session, new_session_id
from vestibule.sessions.store import SessionStore

_log = logging.getLogger(__name__)


class SessionAuth(Auth):
    """Authenticates users by a session id in a cookie."""

    #: Attributes of `SessionMechanism`.
    has_login = True
    has_store = True

    #: The sessions of this process: user ids by session id.
    user_id_by_session_id: Dict[str, Any] = {}

    #: The other data of these sessions.
    _memory: ClassVar[Memory] = Memory()

    @property
    def store(self) -> SessionStore:
        """Return where this mechanism keeps its sessions."""
        return MemoryStore(self.user_id_by_session_id, self._memory)

    def create_session(self, user_id: Optional[str] = None) -> Optional[str]:
        """Begin a session of `user_id` and return its id.

        Return `None`, and begin no session, unless it is a string.
        """
        if not isinstance(user_id, str):
            return None
        session_id = new_session_id()
        self._keep(session_id, user_id)
        return session_id

    def user_id_for_session_id(
        self, session_id: Optional[str] = None
    ) -> Optional[str]:
        """Return the id of the user whose session this is, or `None`."""
        if not isinstance(session_id, str):
            return None
        if self.user_id_by_session_id.get(session_id) is None:
            return None
        return self.owner_of(session_id, self.store.find(session_id))

    def current_user(self, request: Any = None) -> Optional[User]:
        """Return the user of the session that the cookie names, or `None`."""
        session_id = self.session_cookie(request)
        with IdentityMap():
            user_id = self.user_id_for_session_id(session_id)
            return User.get(user_id)

    def destroy_session(self, request: Any = None) -> bool:
        """End the session of the cookie; return True if there was one."""
        session_id = self.session_cookie(request)
        if session_id is None:
            return False
        if self.user_id_for_session_id(session_id) is None:
            return False
        # Of two logouts at the same time, the later one deletes nothing.
        return self.store.end(session_id, EndReason.LOGGED_OUT)

    def owner_of(
        self, session_id: str, session: Session | None
    ) -> Optional[str]:
        """Return the user id of a live session, and record its use."""
        if session is None:
            return None
        now, limits = self.now(), self.limits()
        if expiry_reason(session, limits, now) is not None:
            return None
        if is_touch_due(session, limits, now):
            try:
                self.store.touch(session_id, now)
            except VestibuleError as error:
                # A full disk must not refuse requests that only read.
                _log.warning(
                    "the last use of a session was not stored: %s", error
                )
        # Access control looks at the session next.
        IdentityMap.put(Session, session_id, session)
        return session.user_id

    def why_refused(self, request: Any) -> Optional[EndReason]:
        """Return why the session of the cookie is no longer live.

        Return `None` if there never was one. Only a client that has the
        secret session id is told the reason.
        """
        session_id = self.session_cookie(request)
        if session_id is None:
            return None
        session = self.store.find(session_id)
        if session is None:
            return self.store.reason(session_id)
        why = expiry_reason(session, self.limits(), self.now())
        if why is None and is_disabled(User.get(session.user_id)):
            return EndReason.USER_DISABLED
        return why or EndReason.USER_REMOVED

    def limits(self) -> Limits:
        """Return how long sessions may live under this mechanism."""
        return self._limits

    def now(self) -> datetime:
        """Return the time from which the age of sessions is computed."""
        return clock.now()

    def purge_expired(self) -> int:
        """Delete expired sessions; return how many there were."""
        return self.store.purge(self.limits(), self.now())

    @cached_property
    def _limits(self) -> Limits:
        """Read the limits that apply under every mechanism, once."""
        return Limits(
            max_age=seconds(settings.SESSION_MAX_AGE.read()),
            idle=seconds(settings.SESSION_IDLE_TIMEOUT.read()),
            touch=seconds(settings.SESSION_TOUCH_INTERVAL.read()),
        )

    def _keep(self, session_id: str, entry: Any) -> None:
        """Put a new entry into the dictionary, and create its record."""
        with self._memory.lock:
            self.user_id_by_session_id[session_id] = entry
            MemoryStore(self.user_id_by_session_id, self._memory).add(
                session_id,
                settings.MEMORY_SESSIONS_MAX.read(),
                settings.MAX_SESSIONS_PER_USER.read(),
            )
