#!/usr/bin/env python3
"""What the owner of an account changes: password and email.

Its law: whoever changes a password proves the present one in the same
request, and a password that was changed in the same moment by somebody
else stays changed.
"""

from typing import Any

from models.user import User
from vestibule.accounts.credentials import check_credentials
from vestibule.accounts.hash_queue import hash_queue
from vestibule.accounts.password_rules import check_new_password
from vestibule.accounts.registration import check_email
from vestibule.errors import InvalidValue, WrongPassword
from vestibule.passwords import hash_of


def change_password(user: User, current: str, new: Any) -> None:
    """Store `new` as the password of `user`, if `current` is the present.

    Raise `InvalidValue` for one that may not be taken, and
    `WrongPassword`.
    """
    prove(user, current)
    if new == current:
        raise InvalidValue("new_password", "is the present one")
    before = user.password
    if not user.replace_hash(before, hash_for(user, new)):
        raise WrongPassword("the password was changed in this very moment")


def hash_for(user: User, new: Any) -> str:
    """Return the hash of a password that `user` is to have from now on.

    Raise `InvalidValue` if it may not be taken, `Busy` if too many are
    being hashed.
    """
    check_new_password(new, user.email, "new_password")
    with hash_queue().turn():
        return hash_of(new)


def prove(user: User, password: str) -> None:
    """Raise `WrongPassword` unless `password` is the user's."""
    account = user.email or user.id
    if check_credentials([user], account, password) is None:
        raise WrongPassword("wrong password")


def change_email(user: User, email: Any) -> None:
    """Store another address of `user`.

    Raise `InvalidValue`, `DuplicateEmail`, or `NotStored`.
    """
    check_email(email)
    user.email = email
    user.save_changes()
