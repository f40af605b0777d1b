#!/usr/bin/env python3
"""How an account is made and named by a client: what is allowed in.

Its law: the model layer takes what scripts give; what comes over HTTP or
the command line passes here first.
"""

from typing import Any

from email_validator import EmailNotValidError, validate_email

from models.base import storable_text
from models.user import User
from vestibule.accounts.hash_queue import hash_queue
from vestibule.accounts.password_rules import check_new_password
from vestibule.errors import InvalidValue
from vestibule.observe.security import Event, log


def register(
    email: Any,
    password: Any,
    first_name: Any = None,
    last_name: Any = None,
    by: str | None = None,
) -> User:
    """Store and return a new user.

    `by` is who adds somebody else, for the log. Raise `InvalidValue`
    naming the field that cannot be taken, `DuplicateEmail`, or `Busy` when
    too many passwords are being hashed.
    """
    user = new_user(email, password, first_name, last_name)
    user.save()
    log(Event.USER_ADDED, user=user.id, by=by)
    return user


def new_user(
    email: Any,
    password: Any,
    first_name: Any = None,
    last_name: Any = None,
    strict: bool = False,
) -> User:
    """Return a user who may be stored, as `register` does.

    `strict` refuses a guessable password whatever `PASSWORD_BLOCKLIST`
    says.
    """
    check_email(email)
    check_new_password(password, email, changing=strict)
    user = User(email=email)
    set_names(user, {"first_name": first_name, "last_name": last_name})
    with hash_queue().turn():
        user.password = password
    return user


def check_email(email: Any) -> None:
    """Raise `InvalidValue` unless `email` is an address (RFC 5321, 5322).

    No DNS is asked, and hosts of a local network count; domains that are
    reserved for other uses do not (RFC 6761: `localhost`, `invalid`).
    """
    if not isinstance(email, str):
        raise InvalidValue("email", "must be a string")
    try:
        validate_email(
            email.strip(),
            check_deliverability=False,
            globally_deliverable=False,
            strict=True,
        )
    except (EmailNotValidError, UnicodeError):
        raise InvalidValue("email", "is not an email address") from None


def set_names(user: User, names: dict[str, Any]) -> None:
    """Set the `first_name` and `last_name` that are in `names`.

    Raise `InvalidValue` for one that is neither text nor `None`.
    """
    for field in ("first_name", "last_name"):
        if field in names:
            setattr(user, field, storable_text(field, names[field]))
