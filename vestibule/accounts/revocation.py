#!/usr/bin/env python3
"""End sessions on request of their user or of an admin.

Each request is logged with the actor who made it. A user who ends none of
their own sessions causes no event: otherwise any user could fill the log."""

from vestibule.accounts.permissions import Actor
from vestibule.audit.log import EventType, log
from vestibule.db import browsers
from vestibule.db.models.base import is_storable
from vestibule.sessions.session import EndReason, Session
from vestibule.sessions.store import SessionStore


def revoke_own(store: SessionStore, user_id: str, handle: str) -> bool:
    """End a session of the user; return True if it existed."""
    if not store.end_by_handle(handle, EndReason.REVOKED, user_id):
        return False
    log(EventType.SESSION_REVOKED, user=user_id, handle=handle)
    return True


def revoke_others(
    store: SessionStore, user_id: str, current: Session | None
) -> int:
    """End the user's sessions except `current`; return their number.

    No browser is trusted any more, also not the one of `current`.
    """
    browsers.end_trust_of_user(user_id)
    keep = None if current is None else current.id
    ended = store.end_all(EndReason.REVOKED, user_id, keep)
    if ended:
        log(EventType.SESSIONS_REVOKED, user=user_id, count=ended)
    return ended


def end_in_memory(
    store: SessionStore | None, user_id: str, reason: EndReason
) -> None:
    """End the user's sessions that are not in the database.

    Call this after the transaction that changed the user, which has ended
    the sessions in the database.
    """
    if store is not None and not store.in_database:
        store.end_all(reason, user_id)


def revoke(store: SessionStore, handle: str, actor: Actor) -> bool:
    """End one session of any user; return True if it existed."""
    session = store.find_by_handle(handle)
    # Of two concurrent requests only one ends the session.
    if session is None or not store.end_by_handle(
        handle, EndReason.REVOKED_BY_ADMIN
    ):
        return False
    log(
        EventType.SESSION_REVOKED,
        user=session.user_id,
        by=actor.id,
        handle=handle,
    )
    return True


def revoke_all(store: SessionStore, user_id: str | None, actor: Actor) -> int:
    """End the sessions of one user, or of all; return their number.

    No browser is trusted any more.
    """
    browsers.end_trust_of_user(user_id)
    ended = store.end_all(EndReason.REVOKED_BY_ADMIN, user_id)
    log(EventType.SESSIONS_REVOKED, user=user_id, by=actor.id, count=ended)
    return ended


def untrust_browser(user_id: str, handle: str, actor: Actor) -> bool:
    """End the trust in one browser of a user; return True if it existed.

    That browser is asked for the second factor again. Its sessions stay.
    """
    if not is_storable(handle) or not browsers.end_trust(handle, user_id):
        return False
    log(
        EventType.SESSION_REVOKED,
        user=user_id,
        by=None if actor.id == user_id else actor.id,
        handle=handle,
        reason="trusted_browser",
    )
    return True
