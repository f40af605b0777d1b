#!/usr/bin/env python3
"""What the lists of the admin pages share: filter form, cursor, names."""

from collections.abc import Callable, Iterable
from typing import TypeVar
from urllib.parse import urlencode

from vestibule.audit.log import COMMAND_LINE
from vestibule.core.errors import InvalidValue
from vestibule.db.models.user import User
from vestibule.http.request import current_request
from vestibule.web.i18n import gettext
from vestibule.web.routes import own_url

T = TypeVar("T")

#: Rows per page.
PAGE_ROWS = 25


class FilterForm:
    """The filter form of a list, as the query string fills it in."""

    def __init__(self, *names: str) -> None:
        """Read the fields `names` and the cursor from the query string."""
        given = current_request().args
        self.values = {name: given.get(name, "") for name in names}
        self.cursor = given.get("after", "")
        self.status = 200
        #: Messages by field name.
        self.errors: dict[str, str] = {}
        #: A message about an invalid cursor, which has no field.
        self.alert: str | None = None

    def run(self, query: Callable[[], T], default: T) -> T:
        """Return what `query` returns, or `default` for an invalid filter.

        An invalid filter sets the status to 400 and the messages.
        """
        try:
            return query()
        except InvalidValue as error:
            self.status = 400
            if error.field in self.values:
                self.errors[error.field] = gettext("This value is not valid.")
            else:
                self.alert = gettext(
                    "This link does not belong to this list. Search again."
                )
            return default

    def url(self, path: str, **more: str) -> str:
        """Return the URL of `path` with this filter and `more`."""
        query = urlencode(
            {
                name: value
                for name, value in (self.values | more).items()
                if value
            }
        )
        url = own_url(path)
        return f"{url}?{query}" if query else url

    def next_url(self, path: str, cursor: str | None) -> str | None:
        """Return the URL of the next page, or `None` on the last one."""
        return self.url(path, after=cursor) if cursor else None


def user_names(ids: Iterable[str | None]) -> dict[str, str]:
    """Return the email, else the name, else the id of users, by id.

    Deleted users are left out, and so are actors on the command line:
    a user with such an id is never looked up.
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
