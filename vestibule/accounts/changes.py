#!/usr/bin/env python3
"""What is changed of an account: password and email.

Its law: an owner who changes the password proves the present one in the
same request, and a password that was changed in the same moment by
somebody else stays changed. What the old password opened ends with it.
"""

from typing import Any

from models.ending import Rotation
from models.user import User
from vestibule import clock
from vestibule.accounts.credentials import check_credentials
from vestibule.accounts.hash_queue import hash_queue
from vestibule.accounts.password_rules import check_new_password
from vestibule.accounts.registration import check_email
from vestibule.digest import digest_of
from vestibule.errors import InvalidValue, WrongPassword
from vestibule.observe.security import Event, log
from vestibule.passwords import hash_of
from vestibule.sessions import new_session_id
from vestibule.sessions.reasons import Reason
from vestibule.sessions.store import SessionStore


def change_password(
    user: User,
    current: str,
    new: Any,
    store: SessionStore | None = None,
    session_id: str | None = None,
) -> str | None:
    """Store `new` as the password of `user`, if `current` is the present.

    All sessions of the user end, in the database with the change itself,
    in another `store` after it: but for that of `session_id`, which gets a
    new id. Return that one, or `None` if there was no such session. Raise
    `InvalidValue` for a password that may not be taken, `WrongPassword`.
    """
    prove(user, current)
    if new == current:
        raise InvalidValue("new_password", "is the present one")
    hashed = hash_for(user, new)
    kept, new_id = None, new_session_id()
    if session_id is not None:
        kept = Rotation(digest_of(session_id), digest_of(new_id))
    reason = Reason.PASSWORD_CHANGED
    is_kept = user.replace_password(hashed, reason, kept)
    log(Event.PASSWORD_CHANGED, user=user.id)
    if is_kept:
        return new_id
    if store is None:
        return None
    session = None if session_id is None else store.find(session_id)
    store.end_all(reason, user.id, None if session is None else session.id)
    if session_id is None:
        return None
    return store.rotate(session_id, clock.now())


def give_password(user: User, new: Any, by: str) -> None:
    """Store `new` as the password of `user`, whose sessions go on.

    For whoever keeps the machine, and needs no proof: `by`, for the log.
    Raise `InvalidValue` for a password that may not be taken, `Busy`, or
    `NotStored`.
    """
    check_new_password(new, user.email)
    with hash_queue().turn():
        user.password = new
    user.save_changes()
    log(Event.PASSWORD_CHANGED, user=user.id, by=by)


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


def prove_again(user: User, password: str) -> None:
    """Raise `WrongPassword` unless it is the user's; tell that it was."""
    prove(user, password)
    log(Event.REAUTHENTICATED, user=user.id)


def change_email(user: User, email: Any) -> None:
    """Store another address of `user`.

    Raise `InvalidValue`, `DuplicateEmail`, or `NotStored`.
    """
    check_email(email)
    user.email = email
    user.save_changes()
    log(Event.EMAIL_CHANGED, user=user.id)
