#!/usr/bin/env python3
"""Sessions in the memory of one process, without an end."""

from typing import Any, Dict, Optional

from api.v1.auth.auth import Auth
from models.identity import OneRead
from models.user import User
from vestibule.sessions import new_session_id
from vestibule.sessions.record import record_of


class SessionAuth(Auth):
    """Knows users by a session id in a cookie."""

    #: The sessions of this process: user ids by session id.
    user_id_by_session_id: Dict[str, Any] = {}

    def create_session(self, user_id: Optional[str] = None) -> Optional[str]:
        """Begin a session of `user_id` and return its id.

        `None`, and no session, for anything that is no string.
        """
        if not isinstance(user_id, str):
            return None
        session_id = new_session_id()
        self.user_id_by_session_id[session_id] = user_id
        return session_id

    def user_id_for_session_id(
        self, session_id: Optional[str] = None
    ) -> Optional[str]:
        """Return the id of the user whose session this is, or `None`."""
        if not isinstance(session_id, str):
            return None
        record = record_of(self.user_id_by_session_id.get(session_id))
        return None if record is None else record.user_id

    def current_user(self, request: Any = None) -> Optional[User]:
        """Return the user of the session that the cookie names, or `None`.
        """
        session_id = self.session_cookie(request)
        with OneRead():
            user_id = self.user_id_for_session_id(session_id)
            return User.get(user_id)

    def destroy_session(self, request: Any = None) -> bool:
        """End the session that the cookie names; tell if there was one."""
        session_id = self.session_cookie(request)
        if session_id is None:
            return False
        if self.user_id_for_session_id(session_id) is None:
            return False
        # Of two logouts at once, the later one finds nothing to delete.
        return self.user_id_by_session_id.pop(session_id, None) is not None
