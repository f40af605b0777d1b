#!/usr/bin/env python3
"""The table known_devices: the browsers that a user has signed in with."""

from datetime import datetime

from sqlalchemy import delete, select, update

from vestibule.db.engine import database
from vestibule.db.statements import insert_into
from vestibule.db.tables import KNOWN_DEVICES, USERS

#: Devices of one user that are kept; the one used longest ago goes first.
MAX_DEVICES_PER_USER = 100
_DEVICE = KNOWN_DEVICES.c


def was_seen(user_id: str, digest: str, now: datetime) -> bool:
    """Return True if the user signed in with this device; record the use."""
    with database().transaction() as connection:
        updated = connection.execute(
            update(KNOWN_DEVICES)
            .where(_DEVICE.user_id == user_id, _DEVICE.device_digest == digest)
            .values(seen_at=now)
        )
    return updated.rowcount > 0


def add(user_id: str, digest: str, now: datetime, since: datetime) -> bool:
    """Store a device, and drop those not used since; return True if first."""
    mine = _DEVICE.user_id == user_id
    newest = (
        select(_DEVICE.device_digest)
        .where(mine)
        .order_by(_DEVICE.seen_at.desc())
        .limit(MAX_DEVICES_PER_USER - 1)
    )
    with database().transaction() as connection:
        connection.execute(
            delete(KNOWN_DEVICES).where(mine, _DEVICE.seen_at < since)
        )
        known = connection.execute(newest).scalars().all()
        if len(known) == MAX_DEVICES_PER_USER - 1:
            connection.execute(
                delete(KNOWN_DEVICES).where(
                    mine, _DEVICE.device_digest.not_in(known)
                )
            )
        connection.execute(
            insert_into(KNOWN_DEVICES)
            .values(user_id=user_id, device_digest=digest, seen_at=now)
            .on_conflict_do_nothing()
        )
    return not known


def set_language(user_id: str, language: str) -> None:
    """Store the language of mails to a user."""
    with database().transaction() as connection:
        connection.execute(
            update(USERS)
            .where(USERS.c.id == user_id)
            .values(language=language)
        )
