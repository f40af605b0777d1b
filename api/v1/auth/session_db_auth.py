#!/usr/bin/env python3
"""Sessions in the database: they outlive a restart, all processes see them.
"""

from datetime import datetime
from typing import Any, Optional

from api.v1.auth.session_exp_auth import SessionExpAuth
from models.user_session import UserSession
from vestibule.sessions import new_session_id
from vestibule.sessions.purge import purge_database
from vestibule.sessions.record import Record


class SessionDBAuth(SessionExpAuth):
    """A `SessionExpAuth` that keeps its sessions as `UserSession` rows."""

    def create_session(self, user_id: Optional[str] = None) -> Optional[str]:
        """Store a session of `user_id` and return its id."""
        if not isinstance(user_id, str):
            return None
        session_id = new_session_id()
        UserSession(user_id=user_id, session_id=session_id).save()
        return session_id

    def user_id_for_session_id(
        self, session_id: Optional[str] = None
    ) -> Optional[str]:
        """Return the user id of a stored session still live, or `None`."""
        if not isinstance(session_id, str):
            return None
        found = UserSession.find(session_id)
        if found is None or found.user_id is None:
            return None
        if not self.is_live(Record(found.user_id, found.created_at)):
            return None
        return found.user_id

    def destroy_session(self, request: Any = None) -> bool:
        """Delete the session that the cookie names; tell if there was one.
        """
        session_id = self.session_cookie(request)
        if session_id is None:
            return False
        if self.user_id_for_session_id(session_id) is None:
            return False
        return UserSession.end(session_id)

    def purge(self, now: datetime) -> int:
        """Delete the rows of sessions that are dead at the moment `now`."""
        return purge_database(self.limits(), now)
