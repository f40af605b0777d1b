#!/usr/bin/env python3
"""The demand for a recent proof of identity, before what is sensitive."""

from datetime import timedelta

from api.v1.auth.session_auth import SessionAuth
from api.v1.request import current_request
from vestibule import settings
from vestibule.accounts.proof import is_recent
from vestibule.errors import ProofTooOld


def require_recent_proof() -> None:
    """Raise `ProofTooOld` unless the password was proved within the window.
    """
    if not has_recent_proof():
        raise ProofTooOld("a proof of the password is missing or too old")


def has_recent_proof() -> bool:
    """Tell whether the password was proved within the window.

    A request with a password of its own proves it itself; who is known by
    a session proved it when that was opened, or refreshed.
    """
    request = current_request()
    mechanism = request.mechanism
    if not isinstance(mechanism, SessionAuth):
        return True
    session_id = mechanism.session_cookie(request)
    session = (
        None if session_id is None else mechanism.store.find(session_id)
    )
    window = timedelta(seconds=settings.REAUTH_WINDOW.read())
    return session is not None and is_recent(
        session.authenticated_at, window, mechanism.now()
    )
