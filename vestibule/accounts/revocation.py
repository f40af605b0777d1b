#!/usr/bin/env python3
"""How sessions end because somebody wants them to.

Its law: what ends is told of, with whoever ended it; to end nothing of
one's own is no event, or whoever is signed in could fill the log with it.
"""

from vestibule.accounts.permissions import Actor
from vestibule.audit.log import EventType, log
from vestibule.sessions.session import EndReason
from vestibule.sessions.store import SessionStore


def revoke_own(store: SessionStore, user_id: str, handle: str) -> bool:
    """End a session of the user who asks; tell if it was there."""
    if not store.end_handle(handle, EndReason.REVOKED, user_id):
        return False
    log(EventType.SESSION_REVOKED, user=user_id, handle=handle)
    return True


def revoke_others(store: SessionStore, user_id: str, keep: str | None) -> int:
    """End the sessions of the user who asks but for one; count them."""
    ended = store.end_all(EndReason.REVOKED, user_id, keep)
    if ended:
        log(EventType.SESSIONS_REVOKED, user=user_id, count=ended)
    return ended


def end_in_memory(
    store: SessionStore | None, user_id: str, reason: EndReason
) -> None:
    """End the user's sessions that are in no database.

    It is called after a transaction that changed the user and ended the
    sessions in the database: those would cost a second one for nothing.
    """
    if store is not None and not store.in_database:
        store.end_all(reason, user_id)


def revoke(store: SessionStore, handle: str, actor: Actor) -> bool:
    """End one session, whosever it is; tell if it was there."""
    session = store.named(handle)
    # Of two who end it at once only one is told that it was there.
    if session is None or not store.end_handle(
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
    """End the sessions of a user, or everybody's; count them."""
    ended = store.end_all(EndReason.REVOKED_BY_ADMIN, user_id)
    log(EventType.SESSIONS_REVOKED, user=user_id, by=actor.id, count=ended)
    return ended
