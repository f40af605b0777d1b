#!/usr/bin/env python3
"""What is answered to a request that may not pass, whatever answers it.

Its law: 401 is for who is not signed in, 403 for a wrong role, 400 for a
header that nobody sends, and 503 where nobody could tell.
"""

import json
import logging
from typing import NamedTuple

from vestibule.core.errors import InvalidValue, VestibuleUnavailable
from vestibule.protect.verify_response import Principal

_log = logging.getLogger(__name__)

#: How one may authenticate (RFC 9110, section 11.6.1): as at Vestibule.
CHALLENGE = 'Cookie realm="vestibule"'


class Denial(NamedTuple):
    """A status and a text for who was refused."""

    status: int
    text: str

    @property
    def body(self) -> bytes:
        """Return the body that an answer of the API would have."""
        return json.dumps(
            {"error": self.text}, ensure_ascii=False, separators=(",", ":")
        ).encode("utf-8", "replace")

    @property
    def headers(self) -> dict[str, str]:
        """Return what belongs to the status."""
        if self.status == 401:
            return {"WWW-Authenticate": CHALLENGE}
        return {}

    @property
    def all_headers(self) -> dict[str, str]:
        """Return those of a whole answer, which no cache may keep."""
        return {
            "Content-Type": "application/json",
            "Content-Length": str(len(self.body)),
            "Cache-Control": "no-store",
            **self.headers,
        }


UNAUTHORIZED = Denial(401, "Unauthorized")
FORBIDDEN = Denial(403, "Forbidden")
UNAVAILABLE = Denial(503, "Service Unavailable")


def denial_for(
    principal: Principal | None,
    roles: tuple[str, ...],
    optional: bool = False,
) -> Denial | None:
    """Return why `principal` may not pass, `None` if they may.

    They need to have one of the `roles`; without any, to be signed in.
    Where that is `optional`, who is not signed in may pass as nobody.
    """
    if principal is None:
        return None if optional else UNAUTHORIZED
    if roles and principal.role not in roles:
        return FORBIDDEN
    return None


def denial_for_error(error: InvalidValue | VestibuleUnavailable) -> Denial:
    """Return what is answered where asking failed; note why it did."""
    if isinstance(error, InvalidValue):
        return Denial(400, str(error))
    _log.warning("nobody can tell who asks: %s", error)
    return UNAVAILABLE


def checked_roles(roles: tuple[object, ...]) -> tuple[str, ...]:
    """Return the names of `roles`; raise `TypeError` if there are none.

    A decorator without its parentheses would guard by a function's name.
    """
    names = tuple(role for role in roles if isinstance(role, str) and role)
    if not names or len(names) < len(roles):
        raise TypeError("roles are given by their names")
    return names


#: Both ways in which it can fail to learn who asks.
FAILURES: tuple[type[InvalidValue], type[VestibuleUnavailable]] = (
    InvalidValue,
    VestibuleUnavailable,
)
