#!/usr/bin/env python3
"""The decision in process, where an application shares the installation.

Its law: it is the decision of the filter and of the gate, by the same
functions, on the same database and by the same settings.
"""

import logging

from vestibule.core import settings
from vestibule.core.errors import (
    ConfigurationError,
    VestibuleError,
    VestibuleUnavailable,
)
from vestibule.http.access import Outcome, authenticate, start_request
from vestibule.http.request import VestibuleRequest
from vestibule.mechanisms import mechanism_for, session_cache
from vestibule.mechanisms.auth import Auth
from vestibule.protect.request_headers import COOKIE
from vestibule.protect.verify_response import VERIFY_PATH, Principal

_log = logging.getLogger(__name__)

#: By this name it is kept with a remembered session.
_MADE = "principal"
_PATH, _, _QUERY = VERIFY_PATH.partition("?")


class InProcess:
    """The Vestibule whose settings this process has."""

    header = COOKIE

    def __init__(self) -> None:
        """Judge by the mechanism of the settings.

        Raise `BadSetting` where these know nobody: an application that
        asks would be shut for everybody, or open.
        """
        mechanism = mechanism_for(settings.AUTH_TYPE.read())
        for setting in (settings.AUTH_TYPE, settings.SESSION_NAME):
            if setting.read() is None:
                raise ConfigurationError(
                    setting.name,
                    "must be set where an application asks in process",
                )
        self._auth: Auth = mechanism() if mechanism else Auth()

    def principal(self, presented: str) -> Principal | None:
        """Return whose cookies are `presented`, or `None`.

        Raise `VestibuleUnavailable` where the database does not tell.
        """
        return self.answer(self.question(presented))

    def question(self, presented: str) -> VestibuleRequest:
        """Return what a client of the API would ask with these cookies."""
        return VestibuleRequest(
            {
                "REQUEST_METHOD": "GET",
                "SCRIPT_NAME": "",
                "PATH_INFO": _PATH,
                "QUERY_STRING": _QUERY,
                "HTTP_COOKIE": presented,
                "wsgi.url_scheme": "http",
            }
        )

    def answer(self, request: VestibuleRequest) -> Principal | None:
        """Return who sends the question `request`, as `principal` does."""
        try:
            return self._judged(request)
        except VestibuleError as error:
            raise VestibuleUnavailable(str(error)) from None
        except Exception as error:
            _log.exception("a request cannot be judged")
            raise VestibuleUnavailable("a defect") from error

    def is_quick(self, request: VestibuleRequest) -> bool:
        """Tell whether `answer` needs nothing that could take long.

        So it is for a session that is remembered, where it can be seen
        without the file that nothing was written since; one that is not
        is looked up, and perhaps its use is noted.
        """
        try:
            session_id = self._auth.session_cookie(request)
            return session_id is None or not (
                session_cache.needs_lookup(self._auth, session_id)
            )
        except Exception:
            # Where it is answered, that is said and noted.
            return False

    def close(self) -> None:
        """Do nothing: the connections are the database's affair."""

    def _judged(self, request: VestibuleRequest) -> Principal | None:
        """Return the principal that is decided on; raise what goes wrong."""
        start_request(self._auth, request)
        decision = authenticate(self._auth, request)
        if decision.outcome is not Outcome.PASSED:
            return None
        made = {} if decision.known is None else decision.known.made
        principal: Principal | None = made.get(_MADE)
        if principal is None:
            user = decision.principal
            principal = made[_MADE] = Principal(
                user.id,
                user.email,
                user.role,
                user.first_name,
                user.last_name,
            )
        return principal
