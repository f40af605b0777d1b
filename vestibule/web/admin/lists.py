#!/usr/bin/env python3
"""What the lists of the desk have in common: filters, names, next pages."""

from collections.abc import Callable, Iterable
from typing import TypeVar
from urllib.parse import urlencode

from vestibule.audit.log import COMMAND_LINE
from vestibule.core.errors import InvalidValue
from vestibule.db.models.user import User
from vestibule.http.request import current_request
from vestibule.web.i18n import gettext

T = TypeVar("T")

#: Rows of a page.
PAGE_ROWS = 25


class FilterForm:
    """What was typed into the fields of a filter."""

    def __init__(self, *names: str) -> None:
        """Read it from the address of the page."""
        given = current_request().args
        self.values = {name: given.get(name, "") for name in names}
        self.after = given.get("after", "")
        self.status = 200
        #: By field; a place that is none has no field.
        self.errors: dict[str, str] = {}
        self.alert: str | None = None

    def found(self, find: Callable[[], T], nothing: T) -> T:
        """Return what `find` finds; `nothing` for what cannot be meant."""
        try:
            return find()
        except InvalidValue as error:
            self.status = 400
            if error.field in self.values:
                self.errors[error.field] = gettext(
                    "This cannot be searched for."
                )
            else:
                self.alert = gettext(
                    "This address is of another list. Here is none; search"
                    " again."
                )
            return nothing

    def address(self, path: str, **more: str) -> str:
        """Return the address of a page with this filter."""
        query = urlencode(
            {
                name: value
                for name, value in (self.values | more).items()
                if value
            }
        )
        return f"{path}?{query}" if query else path


def user_names(ids: Iterable[str | None]) -> dict[str, str]:
    """Return how the users with these ids are called, by id.

    An email if there is one; who is deleted is missing, and so is who was
    at the command line, whatever ids users have.
    """
    found = {
        id: User.get(id)
        for id in set(ids)
        if id is not None and not id.startswith(COMMAND_LINE)
    }
    return {
        id: user.email or user.display_name() or user.id
        for id, user in found.items()
        if user is not None
    }
