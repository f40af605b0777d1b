#!/usr/bin/env python3
"""The mechanisms, by the name that `AUTH_TYPE` has for each."""

from api.v1.auth.auth import Auth
from api.v1.auth.basic_auth import BasicAuth
from api.v1.auth.session_auth import SessionAuth
from api.v1.auth.session_db_auth import SessionDBAuth
from api.v1.auth.session_exp_auth import SessionExpAuth
from vestibule.errors import BadSetting

MECHANISMS: dict[str, type[Auth]] = {
    "auth": Auth,
    "basic_auth": BasicAuth,
    "session_auth": SessionAuth,
    "session_exp_auth": SessionExpAuth,
    "session_db_auth": SessionDBAuth,
}


def mechanism_for(auth_type: str | None) -> type[Auth] | None:
    """Return the class that `auth_type` names; `None` for none at all.

    Raise `BadSetting` for an unknown name: a typing error must not leave
    the doors open, nor guarded by something else.
    """
    if auth_type is None:
        return None
    if auth_type not in MECHANISMS:
        raise BadSetting(
            "AUTH_TYPE",
            f"must be one of {', '.join(MECHANISMS)}, not {auth_type!r}",
        )
    return MECHANISMS[auth_type]
