#!/usr/bin/env python3
"""The names of users by their ids, for applications that store ids only.

A member may read names and nothing else: an email is what a stranger needs
to try passwords, so no response of this module has one.
"""

from collections.abc import Sequence
from typing import NamedTuple

from sqlalchemy import select

from vestibule.db.engine import database
from vestibule.db.tables import USERS


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


def find_names(ids: Sequence[str]) -> list[NamedUser]:
    """Return the users who have one of the `ids`, in their order.

    An unknown id is left out. Disabled users are there: an application
    shows what they wrote.
    """
    columns = USERS.c.id, USERS.c.first_name, USERS.c.last_name
    rows = database().fetch_all(select(*columns).where(USERS.c.id.in_(ids)))
    known = {id: NamedUser(id, first, last) for id, first, last in rows}
    return [known[one] for one in ids if one in known]
