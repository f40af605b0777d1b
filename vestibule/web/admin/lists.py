#!/usr/bin/env python3
"""What the lists of the admin pages share: filter form, cursor, names."""

from collections.abc import Callable, Iterable, Sequence
from typing import TypeVar
from urllib.parse import urlencode

from babel.numbers import format_decimal

from vestibule.audit.log import COMMAND_LINE
from vestibule.core.errors import InvalidValue
from vestibule.db.keyset import Count
from vestibule.db.models.user import User
from vestibule.http.request import current_request
from vestibule.web.i18n import N_, gettext, language, ngettext
from vestibule.web.messages import ERROR_MESSAGES
from vestibule.web.routes import own_url

T = TypeVar("T")

#: Rows per page that can be chosen; the first is the default.
PAGE_SIZES = (25, 50, 100)


#: The default order of lists of events, sessions and mails.
_NEWEST_FIRST = ("-time", "-created")
#: What a field of a filter takes, where the field does not say so.
_FIELD_ERRORS = {
    "network": N_("Enter an IP address or network, e.g. 203.0.113.0/24."),
}


class FilterForm:
    """The filter form of a list, as the query string fills it in."""

    def __init__(self, path: str, *names: str) -> None:
        """Read the fields `names`, the size and the cursor of a page."""
        given = current_request().args
        self.path = path
        self.values = {name: given.get(name, "") for name in names}
        size = given.get("rows", "")
        chosen = int(size) if size.isascii() and size.isdigit() else 0
        #: Rows of a page.
        self.size = chosen if chosen in PAGE_SIZES else PAGE_SIZES[0]
        self.sizes = PAGE_SIZES
        self.cursor = given.get("after", "")
        self.status = 200
        #: Messages by field name.
        self.errors: dict[str, str] = {}
        #: A message about an invalid cursor, which has no field.
        self.alert: str | None = None

    @property
    def is_set(self) -> bool:
        """Return True if a filter is set; an order is none."""
        return any(
            value for name, value in self.values.items() if name != "sort"
        )

    @property
    def here(self) -> str:
        """Return the URL of this page of the list, to go back to."""
        return self.url(after=self.cursor)

    def run(self, query: Callable[[], T], default: T) -> T:
        """Return what `query` returns, or `default` for an invalid filter.

        An invalid filter sets the status to 400 and the messages.
        """
        try:
            return query()
        except InvalidValue as error:
            self.status = 400
            # The order and the format of a file have no field to correct.
            if error.field in self.values.keys() - {"sort", "format"}:
                self.errors[error.field] = gettext(
                    _FIELD_ERRORS.get(error.field, ERROR_MESSAGES["invalid"])
                )
            else:
                self.alert = gettext(
                    "This link does not belong to this list. Search again."
                )
            return default

    def url(self, path: str | None = None, **more: str) -> str:
        """Return the URL of `path`, or of the list, with this filter."""
        size = "" if self.size == PAGE_SIZES[0] else str(self.size)
        query = urlencode(
            {
                name: value
                for name, value in (
                    self.values | {"rows": size} | more
                ).items()
                if value
            }
        )
        url = own_url(path or self.path)
        return f"{url}?{query}" if query else url

    def other_sort(
        self, options: Sequence[tuple[str, str]]
    ) -> list[tuple[str, str]]:
        """Return the present order as an option if it is not among them.

        A column head has sorted by it: it is the reverse of an option. The
        newest first is the first option, which has an empty value.
        """
        sort, labels = self.values["sort"], dict(options)
        reverse = sort[1:] if sort.startswith("-") else f"-{sort}"
        if sort in labels or reverse not in labels or sort in _NEWEST_FIRST:
            return []
        label = gettext("%(column)s, reversed") % {"column": labels[reverse]}
        return [(sort, label)]

    @property
    def cleared(self) -> str:
        """Return the URL of the list with its order, and no filter."""
        return self.url(**{name: "" for name in self.values if name != "sort"})

    def link(self, cursor: str | None) -> str | None:
        """Return the URL of the page at a cursor, or `None` without one."""
        return self.url(after=cursor) if cursor else None

    def sort_url(self, column: str, is_sorted: str) -> str:
        """Return the URL of the list sorted by a column, or the reverse.

        `is_sorted` is "" or the direction in which it is sorted by it.
        """
        sign = {"ascending": "-", "descending": ""}.get(
            is_sorted,
            "-"
            if column in ("time", "created", "signed_in", "last_used")
            else "",
        )
        return self.url(sort=f"{sign}{column}")


#: The number of rows of a list, by what the list has.
_COUNTS: dict[str, tuple[Callable[[int], str], str]] = {
    "users": (
        lambda number: ngettext("%(number)s user", "%(number)s users", number),
        N_("More than %(number)s users"),
    ),
    "sessions": (
        lambda number: ngettext(
            "%(number)s session", "%(number)s sessions", number
        ),
        N_("More than %(number)s sessions"),
    ),
    "invitations": (
        lambda number: ngettext(
            "%(number)s invitation", "%(number)s invitations", number
        ),
        N_("More than %(number)s invitations"),
    ),
    "mails": (
        lambda number: ngettext(
            "%(number)s email", "%(number)s emails", number
        ),
        N_("More than %(number)s emails"),
    ),
    "events": (
        lambda number: ngettext(
            "%(number)s event", "%(number)s events", number
        ),
        N_("More than %(number)s events"),
    ),
}


def count_text(what: str, count: Count | None) -> str:
    """Return the number of rows of a list in words; "" if it is unknown."""
    if count is None:
        return ""
    exact, more = _COUNTS[what]
    text = exact(count.number) if count.is_exact else gettext(more)
    return text % {"number": format_decimal(count.number, locale=language())}


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
