#!/usr/bin/env python3
"""The responses to denied requests, the same for every framework.

401 is for an anonymous request, and for a user who has to prove more; 403
for a wrong role, 400 for a header that no honest client sends, and 503 if
the user cannot be determined.
"""

import json
import logging
from typing import NamedTuple

from vestibule.core.assurance import Requirement, Role, step_up_challenge
from vestibule.core.errors import InvalidValue, VestibuleUnavailable
from vestibule.protect.verify_response import Principal

_log = logging.getLogger(__name__)

#: How to authenticate (RFC 9110, section 11.6.1): as at Vestibule.
CHALLENGE = 'Cookie realm="vestibule"'
#: The request headers that decide about a redirect.
PAGE_VARY = "Cookie, Accept, Sec-Fetch-Mode"


class Denial(NamedTuple):
    """The status and message of a denied request."""

    status: int
    text: str
    #: What the user's session does not meet.
    demand: Requirement | None = None
    #: Where a page load is redirected.
    location: str | None = None

    @property
    def body(self) -> bytes:
        """Return the JSON body, as the API would write it.

        It is empty for a redirect.
        """
        if self.location is not None:
            return b""
        return json.dumps(
            {"error": self.text}, ensure_ascii=False, separators=(",", ":")
        ).encode("utf-8", "replace")

    @property
    def headers(self) -> dict[str, str]:
        """Return the headers that the status requires."""
        if self.location is not None:
            return {
                "Location": self.location,
                "Cache-Control": "no-store",
                "Vary": PAGE_VARY,
            }
        if self.status != 401:
            return {}
        if self.demand is not None:
            return {"WWW-Authenticate": step_up_challenge(self.demand)}
        return {"WWW-Authenticate": CHALLENGE}

    @property
    def all_headers(self) -> dict[str, str]:
        """Return the headers of a whole response that is not cached."""
        if self.location is not None:
            return {"Content-Length": "0", **self.headers}
        return {
            "Content-Type": "application/json",
            "Content-Length": str(len(self.body)),
            "Cache-Control": "no-store",
            **self.headers,
        }


UNAUTHORIZED = Denial(401, "Unauthorized")
FORBIDDEN = Denial(403, "Forbidden")
#: As the API answers a request that needs a recent password.
NOT_RECENT = Denial(403, "Re-authentication required")
UNAVAILABLE = Denial(503, "Service Unavailable")


def denial_for(
    principal: Principal | None,
    roles: tuple[str, ...],
    optional: bool = False,
) -> Denial | None:
    """Return the denial for `principal`, or `None` if they may pass.

    With `roles`, the user must have one of them; without, be signed in.
    If `optional`, an anonymous request passes too.
    """
    if principal is None:
        return None if optional else UNAUTHORIZED
    if roles and principal.role not in roles:
        return FORBIDDEN
    return None


def denial_for_error(error: InvalidValue | VestibuleUnavailable) -> Denial:
    """Return the denial for a failed backend, and log the reason."""
    if isinstance(error, InvalidValue):
        return Denial(400, str(error))
    _log.warning("cannot determine the user: %s", error)
    return UNAVAILABLE


def validate_roles(roles: tuple[object, ...]) -> tuple[str, ...]:
    """Return the names of `roles`; raise `TypeError` if there are none.

    A decorator used without parentheses would pass the view as a role. A
    role that no user can have is a typing error, which would refuse every
    user: raise `ValueError`.
    """
    names = tuple(role for role in roles if isinstance(role, str) and role)
    if not names or len(names) < len(roles):
        raise TypeError("give roles by their names")
    possible = [role.value for role in Role]
    for name in names:
        if name not in possible:
            raise ValueError(
                f"no user can have the role {name!r}; the roles are"
                f" {' and '.join(possible)}"
            )
    return names


#: What a backend raises if it cannot determine the user.
BACKEND_ERRORS: tuple[type[InvalidValue], type[VestibuleUnavailable]] = (
    InvalidValue,
    VestibuleUnavailable,
)
