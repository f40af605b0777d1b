#!/usr/bin/env python3
"""The backend in process, where an application shares the installation.

It makes the same decision as the API and forward authentication, by the
same functions, on the same database, with the same settings. The service
stores its rules of sessions in the database when it starts. They count here,
so that no application lets a session pass that the service refuses.
"""

import logging
import os
from dataclasses import replace
from typing import Any

from vestibule.checks.startup import check_in_process
from vestibule.core import (
    access_settings,
    clock,
    page_settings,
    setting_types,
    settings,
)
from vestibule.core.errors import (
    ConfigurationError,
    DatabaseUnavailable,
    SchemaMismatch,
    VestibuleError,
    VestibuleUnavailable,
)
from vestibule.db import migrate, session_queries
from vestibule.db.engine import configured_database
from vestibule.http.access import Outcome, authenticate, start_request
from vestibule.http.request import VestibuleRequest
from vestibule.http.user_response import facts_of_request, identity_of
from vestibule.identity.header import Identity, facts_claims
from vestibule.mechanisms import mechanism_for, session_cache
from vestibule.mechanisms.auth import Auth
from vestibule.mechanisms.session_exp_auth import SessionExpAuth
from vestibule.protect.backends import Installation
from vestibule.protect.request_headers import COOKIE
from vestibule.protect.verify_response import (
    VERIFY_PATH,
    Facts,
    Principal,
    parse_facts,
)
from vestibule.sessions.lifetime import Limits, seconds

_log = logging.getLogger(__name__)
#: The name under which a principal is kept with a cached session.
_CACHE_KEY = "principal"
_PATH, _, _QUERY = VERIFY_PATH.partition("?")
#: Seconds after which the stored rules are read again: the service may
#: have started with others.
RELOAD_SECONDS = 30.0
#: Names that differ only mean that no session is found; the application
#: would be closed to every user.
_SAME_NAMES = (settings.AUTH_TYPE, settings.SESSION_NAME)
#: Settings that the stored rules give a value, if this process sets none.
_GIVEN: tuple[settings.Setting[object], ...] = (
    page_settings.APP_HOSTS,
    access_settings.REQUIRE_MFA,
    access_settings.MFA_GRACE,
)


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


class InProcessRules:
    """The rules that the service has stored, read at intervals."""

    def __init__(self) -> None:
        """Read them; raise `ConfigurationError` without a database.

        A file that does not exist would be made, empty, by the first use:
        every user would be unknown, and nothing would say why.
        """
        self._rules: dict[str, str] = {}
        self._due = clock.monotonic()
        try:
            _require_schema()
            self.reload()
        except DatabaseUnavailable as error:
            # Requests get 503 until it answers; then they read the rules.
            _log.warning("the rules of sessions cannot be read: %s", error)
        missing = {
            setting.name: self._rules[setting.name]
            for setting in _SAME_NAMES
            if self._rules.get(setting.name)
            and not setting_types.is_given(setting)
        }
        setting_types.give(missing)
        for setting in _SAME_NAMES:
            stored = self._rules.get(setting.name)
            if stored and setting.text() != stored:
                raise ConfigurationError(
                    setting.name,
                    f"must be {stored}, as the service has it, or unset",
                )

    def are_due(self) -> bool:
        """Return True if the rules have to be read again."""
        return clock.monotonic() >= self._due

    def reload(self) -> None:
        """Read the rules; raise `DatabaseUnavailable` if that fails."""
        self._rules = session_queries.stored_rules()
        for setting in _GIVEN:
            if not setting_types.is_set(setting):
                value = self._rules.get(setting.name, "")
                setting_types.give({setting.name: value})
        self._due = clock.monotonic() + RELOAD_SECONDS

    def apply_to(self, auth: Any) -> None:
        """Give a mechanism with sessions the limits of the service.

        Without stored rules it keeps those of this process's settings.
        """
        if not self._rules or not isinstance(auth, SessionExpAuth):
            return
        duration = self._value(settings.SESSION_DURATION) or 0
        limits = Limits(
            max_age=seconds(self._value(settings.SESSION_MAX_AGE) or 0),
            idle=seconds(self._value(settings.SESSION_IDLE_TIMEOUT) or 0),
            touch=seconds(self._value(settings.SESSION_TOUCH_INTERVAL) or 0),
        )
        known = replace(limits, duration=seconds(duration))
        if auth.limits() != known:
            auth.set_limits(limits, duration)

    def _value(self, setting: settings.Setting[int | None]) -> int | None:
        """Return the stored value of a setting, which the service parsed."""
        return setting.parse(self._rules.get(setting.name) or None)


def _require_schema() -> None:
    """Raise `ConfigurationError` unless the database has our tables.

    Raise `SchemaMismatch` if another version made them. An upgrade by an
    application would stop a service of the older version.
    """
    opened = configured_database()
    try:
        path = opened.url.database or ""
        is_there = not opened.is_sqlite or os.path.exists(path)
        found = migrate.revision(opened) if is_there else None
    finally:
        opened.close()
    if found is None:
        raise ConfigurationError(
            "DATABASE_URL",
            "must name the database of the service: there are no tables of"
            " Vestibule in this one",
        )
    if found != migrate.EXPECTED_REVISION:
        raise SchemaMismatch(
            f"the service's database has the schema {found}, and this"
            f" application works with {migrate.EXPECTED_REVISION}: install"
            " the version of the service here, or upgrade the service first"
        )
