#!/usr/bin/env python3
"""How an admin adds somebody, who then chooses the password.

Its law: an admin never learns or chooses a password (OWASP ASVS 5.0,
6.4.6). The new account has none until its owner sets it by a code.
"""

from typing import Any, NamedTuple

from models.user import User
from vestibule.accounts.registration import check_email, set_names
from vestibule.accounts.reset import ResetCode, store_with_code
from vestibule.observe.security import Event, log


class Invited(NamedTuple):
    """A new user, and the code that is shown once."""

    user: User
    code: ResetCode


def invite(
    email: Any,
    first_name: Any = None,
    last_name: Any = None,
    by: str | None = None,
) -> Invited:
    """Store a new user without a password; return it with a code.

    `by` is who does it, for the log. Raise `InvalidValue` naming the
    field, or `DuplicateEmail`.
    """
    check_email(email)
    user = User(email=email)
    set_names(user, {"first_name": first_name, "last_name": last_name})
    code = store_with_code(user)
    log(Event.USER_ADDED, user=user.id, by=by)
    log(Event.RESET_CODE_ISSUED, user=user.id, by=by)
    return Invited(user, code)
