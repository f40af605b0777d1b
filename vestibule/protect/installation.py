#!/usr/bin/env python3
"""Which installation an application uses in process."""

from dataclasses import dataclass, field
from typing import Any, Self

from vestibule.core import setting_types
from vestibule.core.errors import ConfigurationError


@dataclass(frozen=True)
class Installation:
    """The installation of this process, in place of a Vestibule's URL.

    `database_url` and `session_name` count before the environment, whose
    `DATABASE_URL` may be the application's own.
    """

    database_url: str | None = field(default=None, repr=False)
    session_name: str | None = None

    def apply(self) -> None:
        """Give the settings of this process these values.

        Raise `ConfigurationError` for a second database: a process has one.
        """
        values = {
            "DATABASE_URL": self.database_url,
            "SESSION_NAME": self.session_name,
        }
        for name, value in values.items():
            if value is not None and not setting_types.may_give(name, value):
                raise ConfigurationError(
                    name, "was given another value in this process before"
                )
        setting_types.give(
            {name: value for name, value in values.items() if value}
        )


class OpensInProcess:
    """A middleware that may use the database of a Vestibule itself."""

    @classmethod
    def in_process(
        cls,
        application: Any,
        *,
        database_url: str | None = None,
        session_name: str | None = None,
        **options: Any,
    ) -> Self:
        """Return a middleware around `application` without a URL.

        `database_url` and `session_name` count before the settings of this
        process. The other arguments are those of the class. Raise
        `ConfigurationError` for settings or a database that cannot work.
        """
        make: Any = cls
        middleware: Self = make(
            application, Installation(database_url, session_name), **options
        )
        return middleware


#: The installation that the settings of this process describe: what an
#: adapter without arguments uses. `None` is refused in its place, because
#: it often is an address that was not found.
SETTINGS = Installation()
