#!/usr/bin/env python3
"""The backend in process, where an application shares the installation.

It makes the same decision as the API and forward authentication, by the
same functions, on the same database, with the same settings.
"""

import logging

from vestibule.checks.startup import check_in_process
from vestibule.core import settings
from vestibule.core.errors import (
    ConfigurationError,
    VestibuleError,
    VestibuleUnavailable,
)
from vestibule.http.access import Outcome, authenticate, start_request
from vestibule.http.request import VestibuleRequest
from vestibule.http.user_response import facts_of_request, identity_of
from vestibule.identity.header import Identity, facts_claims
from vestibule.mechanisms import mechanism_for, session_cache
from vestibule.mechanisms.auth import Auth
from vestibule.protect.installation import Installation
from vestibule.protect.request_headers import COOKIE
from vestibule.protect.session_rules import InProcessRules
from vestibule.protect.verify_response import (
    VERIFY_PATH,
    Facts,
    Principal,
    parse_facts,
)

_log = logging.getLogger(__name__)

#: The name under which a principal is kept with a cached session.
_CACHE_KEY = "principal"
_PATH, _, _QUERY = VERIFY_PATH.partition("?")


class InProcess:
    """The Vestibule that the settings of this process describe."""

    header = COOKIE

    def __init__(self, installation: Installation | None = None) -> None:
        """Use the mechanism and the database of `installation`.

        What it does not name is read from the settings, and from the rules
        that the service stored. Raise `ConfigurationError` if AUTH_TYPE or
        SESSION_NAME is unset: the application would be closed for every
        user, or open to all. Raise it too for a database without the
        tables of Vestibule, for a `SESSION_NAME` or an `AUTH_TYPE` that is
        not the service's, and for settings that prevent a start. Their
        warnings are logged.
        """
        if installation is not None:
            installation.apply()
        self._rules = InProcessRules()
        mechanism = mechanism_for(settings.AUTH_TYPE.read())
        for setting in (settings.AUTH_TYPE, settings.SESSION_NAME):
            if setting.read() is None:
                raise ConfigurationError(
                    setting.name,
                    "must be set to use Vestibule in process",
                )
        check_in_process(mechanism)
        self._auth: Auth = mechanism() if mechanism else Auth()
        self._rules.apply_to(self._auth)

    def principal(self, header_value: str) -> Principal | None:
        """Return the user of the cookies in `header_value`, or `None`.

        Raise `VestibuleUnavailable` if the database cannot be read.
        """
        return self.find_principal(self.build_request(header_value))

    def build_request(self, header_value: str) -> VestibuleRequest:
        """Return the request that a client of the API would send."""
        return VestibuleRequest(
            {
                "REQUEST_METHOD": "GET",
                "SCRIPT_NAME": "",
                "PATH_INFO": _PATH,
                "QUERY_STRING": _QUERY,
                "HTTP_COOKIE": header_value,
                "wsgi.url_scheme": "http",
            }
        )

    def find_principal(self, request: VestibuleRequest) -> Principal | None:
        """Return the user of `request`; raise as `principal` does."""
        try:
            return self._authenticate(request)
        except VestibuleError as error:
            raise VestibuleUnavailable(str(error)) from None
        except Exception as error:
            _log.exception("cannot authenticate a request")
            raise VestibuleUnavailable("an internal error") from error

    def is_immediate(self, request: VestibuleRequest) -> bool:
        """Return True if `find_principal` will not touch the database.

        That holds for a cached session, if it can be seen without reading
        the file that the database was not written since. Any other session
        is looked up, and its last use may be stored.
        """
        try:
            session_id = self._auth.session_cookie(request)
            if self._rules.are_due():
                return False
            return session_id is None or not (
                session_cache.needs_lookup(self._auth, session_id)
            )
        except Exception:
            # `find_principal` raises and logs the same failure.
            return False

    def close(self) -> None:
        """Do nothing: the database owns the connections."""

    def _authenticate(self, request: VestibuleRequest) -> Principal | None:
        """Return the user of `request`; raise any failure as it is."""
        if self._rules.are_due():
            self._rules.reload()
            self._rules.apply_to(self._auth)
        start_request(self._auth, request)
        decision = authenticate(self._auth, request)
        if decision.outcome is not Outcome.PASSED:
            return None
        made = {} if decision.known is None else decision.known.made
        principal: Principal | None = made.get(_CACHE_KEY)
        if principal is None:
            user = decision.principal
            identity = identity_of(user, facts_of_request(request))
            principal = made[_CACHE_KEY] = Principal(
                user.id,
                user.email,
                user.role,
                user.first_name,
                user.last_name,
                identity.is_verified,
                *_facts_of(identity),
            )
        return principal


def _facts_of(identity: Identity) -> Facts:
    """Return the facts as an application gets them from a service."""
    return parse_facts(facts_claims(identity)) or Facts()
