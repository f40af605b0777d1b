#!/usr/bin/env python3
"""The names of users by their ids, for applications that store ids only.

A member may read names and nothing else: an email is what a stranger needs
to try passwords, so no response of this module has one.
"""

from collections.abc import Iterable
from typing import NamedTuple

from sqlalchemy import select

from vestibule.core.errors import InvalidValue
from vestibule.db.engine import database
from vestibule.db.models.base import is_storable
from vestibule.db.tables import USERS

#: Ids that one request may have: the rows of a long page.
MAX_IDS = 200
#: Characters of an id.
MAX_ID_LENGTH = 256


class NamedUser(NamedTuple):
    """What every user may know of another."""

    id: str
    first_name: str | None
    last_name: str | None

    def to_json(self) -> dict[str, str | None]:
        """Return the fields, and both names as one text; "" without any."""
        names = (self.first_name, self.last_name)
        return {
            **self._asdict(),
            "name": " ".join(name for name in names if name),
        }


def parse_ids(lists: Iterable[str]) -> list[str]:
    """Return the ids in lists separated by commas, each once, in order.

    Raise `InvalidValue` for too many, or for one that no user can have.
    """
    found = dict.fromkeys(
        one for each in lists for one in each.split(",") if one
    )
    if len(found) > MAX_IDS:
        raise InvalidValue(
            "ids", f"must be at most {MAX_IDS}", code="too_long"
        )
    if not all(
        len(one) <= MAX_ID_LENGTH and is_storable(one) for one in found
    ):
        raise InvalidValue("ids", "must be ids of users", code="invalid")
    return list(found)


def find_names(ids: list[str]) -> list[NamedUser]:
    """Return the users who have one of the `ids`, in their order.

    An unknown id is left out. Disabled users are there: an application
    shows what they wrote.
    """
    columns = USERS.c.id, USERS.c.first_name, USERS.c.last_name
    rows = database().fetch_all(select(*columns).where(USERS.c.id.in_(ids)))
    known = {row.id: NamedUser(*tuple(row)) for row in rows}
    return [known[one] for one in ids if one in known]
