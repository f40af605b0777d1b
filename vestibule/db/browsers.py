#!/usr/bin/env python3
"""Browsers of users: those that are trusted, and those that signed in before.

The table trusted_browsers says where a user need not give the second factor.
The browser has a cookie with 256 random bits, of which a digest is stored.
The row also has a digest of what it was given for: the password's hash and
the ids of the factors. A new password and a change of the factors therefore
end the trust by themselves, however they are made. What ends all sessions of
a user deletes the rows.

The table known_devices has the browsers that a user has signed in with; a
mail tells the user of a new one.
"""

import uuid
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from sqlalchemy import (
    ColumnElement,
    Connection,
    delete,
    insert,
    select,
    update,
)

from vestibule.core.crypto import digest_of
from vestibule.db.engine import database
from vestibule.db.factor_tables import TRUSTED_BROWSERS
from vestibule.db.statements import delete_in_batches, insert_into
from vestibule.db.tables import KNOWN_DEVICES

#: How long a browser is trusted, from the second factor on.
TRUST_LIFETIME = timedelta(days=30)
#: Browsers of one user; one more ends the oldest.
MAX_TRUSTED_BROWSERS = 20
#: How far the clocks of two machines may differ. A row from further in the
#: future does not count: a clock was set back.
SKEW = timedelta(seconds=10)
_COLUMNS = TRUSTED_BROWSERS.c
#: Devices of one user that are kept; the one used longest ago goes first.
MAX_DEVICES_PER_USER = 100
_DEVICE = KNOWN_DEVICES.c


class TrustedBrowser(NamedTuple):
    """A browser that a user trusts, without its cookie."""

    #: The public handle, which is not secret.
    id: str
    created_at: datetime
    ip: str | None
    user_agent: str | None

    @property
    def expires_at(self) -> datetime:
        """Return when it is not trusted any more."""
        return self.created_at + TRUST_LIFETIME


def new_browser(
    now: datetime, ip: str | None, user_agent: str | None
) -> TrustedBrowser:
    """Return a browser with a new handle, trusted from `now` on."""
    return TrustedBrowser(str(uuid.uuid4()), now, ip, user_agent)


def binding_of(password_hash: str | None, factor_ids: list[str]) -> str:
    """Return the digest of what a trust is for: password and factors."""
    return digest_of("\n".join([password_hash or "", *sorted(factor_ids)]))


def trust(
    user_id: str, cookie_digest: str, binding: str, browser: TrustedBrowser
) -> None:
    """Store a browser; drop the oldest beyond `MAX_TRUSTED_BROWSERS`."""
    oldest = (
        select(_COLUMNS.id)
        .where(_COLUMNS.user_id == user_id)
        .order_by(_COLUMNS.created_at.desc(), _COLUMNS.id)
        .offset(MAX_TRUSTED_BROWSERS)
    )
    with database().transaction() as connection:
        connection.execute(
            insert(TRUSTED_BROWSERS).values(
                cookie_digest=cookie_digest,
                user_id=user_id,
                binding=binding,
                **browser._asdict(),
            )
        )
        beyond = list(connection.scalars(oldest))
        if beyond:
            connection.execute(
                delete(TRUSTED_BROWSERS).where(_COLUMNS.id.in_(beyond))
            )


def is_trusted(
    user_id: str, cookie_digest: str, binding: str, now: datetime
) -> bool:
    """Return True if the cookie's browser is trusted by this user."""
    return bool(
        database().fetch_all(
            select(_COLUMNS.id).where(
                _COLUMNS.cookie_digest == cookie_digest,
                *_valid(user_id, binding, now),
            )
        )
    )


def trusted_by_user(
    user_id: str, binding: str, now: datetime
) -> list[TrustedBrowser]:
    """Return the browsers that are trusted now, newest first."""
    found: Sequence[Any] = database().fetch_all(
        select(*(_COLUMNS[name] for name in TrustedBrowser._fields))
        .where(*_valid(user_id, binding, now))
        .order_by(_COLUMNS.created_at.desc(), _COLUMNS.id)
    )
    return [TrustedBrowser(*row) for row in found]


def end_trust(handle: str, user_id: str) -> bool:
    """End the trust in one browser; return True if it was the user's."""
    with database().transaction() as connection:
        gone = connection.execute(
            delete(TRUSTED_BROWSERS).where(
                _COLUMNS.id == handle, _COLUMNS.user_id == user_id
            )
        )
        return gone.rowcount > 0


def end_trust_of_user(user_id: str | None) -> None:
    """End the trust in all browsers of a user, or of all users."""
    with database().transaction() as connection:
        if user_id is None:
            connection.execute(delete(TRUSTED_BROWSERS))
        else:
            end_trust_in_transaction(connection, user_id)


def end_trust_in_transaction(connection: Connection, user_id: str) -> None:
    """End the trust in all browsers within the caller's transaction."""
    connection.execute(
        delete(TRUSTED_BROWSERS).where(_COLUMNS.user_id == user_id)
    )


def purge_trusted(now: datetime) -> int:
    """Delete the browsers that are not trusted any more; return how many."""
    return delete_in_batches(
        TRUSTED_BROWSERS, _COLUMNS.created_at <= now - TRUST_LIFETIME
    )


def _valid(
    user_id: str, binding: str, now: datetime
) -> list[ColumnElement[bool]]:
    """Return the conditions for the rows of a user that count now."""
    return [
        _COLUMNS.user_id == user_id,
        _COLUMNS.binding == binding,
        _COLUMNS.created_at > now - TRUST_LIFETIME,
        _COLUMNS.created_at <= now + SKEW,
    ]


def was_seen(user_id: str, digest: str, now: datetime) -> bool:
    """Return True if the user signed in with this device; record the use."""
    with database().transaction() as connection:
        updated = connection.execute(
            update(KNOWN_DEVICES)
            .where(_DEVICE.user_id == user_id, _DEVICE.device_digest == digest)
            .values(seen_at=now)
        )
    return updated.rowcount > 0


def remember(
    user_id: str, digest: str, now: datetime, since: datetime
) -> bool:
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
