#!/usr/bin/env python3
"""What the middleware of WSGI, ASGI and Starlette has in common."""

from abc import abstractmethod
from typing import Any, Generic, Self, TypeVar

from vestibule.protect.assurance import requirement
from vestibule.protect.backends import SETTINGS, Installation
from vestibule.protect.denials import validate_roles
from vestibule.protect.sign_in import SignInPages
from vestibule.protect.verify_response import DEFAULT_TIMEOUT

Application = TypeVar("Application")
FoundBackend = TypeVar("FoundBackend")


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


class Middleware(OpensInProcess, Generic[Application, FoundBackend]):
    """Middleware that lets only signed-in users reach an application.

    `url` is the address of a Vestibule; without it, the installation of
    this process is used. With `audience`, the host of the application, the
    signed identity from forward authentication counts instead of the
    cookie. `roles` requires one of these roles. `optional` lets anonymous
    requests pass, for an application that decides itself. `level`,
    `phishing_resistant` and `fresh` (in seconds) demand more of how users
    signed in; page loads of users who lack that are led to the pages of
    Vestibule, whose address is `pages` as for Flask. `timeout` is in
    seconds.
    """

    def __init__(
        self,
        app: Application,
        url: str | Installation | None = SETTINGS,
        *,
        audience: str | None = None,
        roles: tuple[str, ...] = (),
        optional: bool = False,
        level: int = 1,
        phishing_resistant: bool = False,
        fresh: int | None = None,
        timeout: float = DEFAULT_TIMEOUT,
        pages: str | None = "",
    ) -> None:
        """Wrap `app`.

        Raise `InvalidValue` or `ConfigurationError`, and `TypeError` or
        `ValueError` for a demand without meaning.
        """
        self._app = app
        self._roles = validate_roles(roles) if roles else ()
        self._optional = optional
        self._demand = requirement(level, phishing_resistant, fresh)
        self._pages = None if pages is None else SignInPages(pages)
        self._backend = self._find_backend(url, audience, timeout)

    @abstractmethod
    def _find_backend(
        self,
        url: str | Installation | None,
        audience: str | None,
        timeout: float,
    ) -> FoundBackend:
        """Return what finds the user of a request."""
