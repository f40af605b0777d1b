#!/usr/bin/env python3
"""The mechanisms, by their names in `AUTH_TYPE`."""

from vestibule.core.errors import ConfigurationError
from vestibule.mechanisms.auth import Auth
from vestibule.mechanisms.basic_auth import BasicAuth
from vestibule.mechanisms.session_auth import SessionAuth
from vestibule.mechanisms.session_db_auth import SessionDBAuth
from vestibule.mechanisms.session_exp_auth import SessionExpAuth

MECHANISMS: dict[str, type[Auth]] = {
    "auth": Auth,
    "basic_auth": BasicAuth,
    "session_auth": SessionAuth,
    "session_exp_auth": SessionExpAuth,
    "session_db_auth": SessionDBAuth,
}


def mechanism_for(auth_type: str | None) -> type[Auth] | None:
    """Return the class that `auth_type` names; `None` for none at all.

    Raise `ConfigurationError` for an unknown name: after a typing error
    the service must not start open, or with another mechanism.
    """
    if auth_type is None:
        return None
    if auth_type not in MECHANISMS:
        raise ConfigurationError(
            "AUTH_TYPE",
            f"must be one of {', '.join(MECHANISMS)}, not {auth_type!r}",
        )
    return MECHANISMS[auth_type]
