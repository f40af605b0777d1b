#!/usr/bin/env python3
"""Sessions in the database: shared by all processes, kept over restarts."""

from typing import Any, Optional

from vestibule.core import settings
from vestibule.core.client_info import current_client
from vestibule.db.identity_map import IdentityMap
from vestibule.db.models.user_session import UserSession
from vestibule.mechanisms.session_exp_auth import SessionExpAuth
from vestibule.sessions.database import DatabaseStore
from vestibule.sessions.facts import current_facts
from vestibule.sessions.session import EndReason, new_session_id
from vestibule.sessions.store import SessionStore


class SessionDBAuth(SessionExpAuth):
    """A `SessionExpAuth` that keeps its sessions as `UserSession` rows."""

    @property
    def store(self) -> SessionStore:
        """Return where this mechanism keeps its sessions."""
        return DatabaseStore()

    def create_session(self, user_id: Optional[str] = None) -> Optional[str]:
        """Store a session of `user_id` and return its id."""
        if not isinstance(user_id, str):
            return None
        session_id = new_session_id()
        origin = current_client()
        now = self.now()
        UserSession(
            user_id=user_id,
            session_id=session_id,
            created_at=now,
            last_seen_at=now,
            authenticated_at=now if origin.method else None,
            **origin._asdict(),
            **current_facts().stored(),
        ).insert_within_limit(
            settings.MAX_SESSIONS_PER_USER.read(), EndReason.TOO_MANY_SESSIONS
        )
        return session_id

    def user_id_for_session_id(
        self, session_id: Optional[str] = None
    ) -> Optional[str]:
        """Return the user id of a stored session still live, or `None`."""
        if not isinstance(session_id, str):
            return None
        # A logout provides the session that authenticated its request.
        session = IdentityMap.get(UserSession, session_id)
        if session is None:
            session = UserSession.find(session_id)
        return self.owner_of(session_id, session)

    def destroy_session(self, request: Any = None) -> bool:
        """Delete the session of the cookie; return True if there was one."""
        session_id = self.session_cookie(request)
        if session_id is None:
            return False
        if self.user_id_for_session_id(session_id) is None:
            return False
        return self.store.end(session_id, EndReason.LOGGED_OUT)
