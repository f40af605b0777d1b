#!/usr/bin/env python3
"""FastAPI dependencies: the signed-in user, and required roles.

A route that depends on a user runs only after the user is known.
"""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

from fastapi import HTTPException
from fastapi.requests import HTTPConnection

from vestibule.protect.asgi import find_principal
from vestibule.protect.async_backends import async_backend_for
from vestibule.protect.denials import (
    BACKEND_ERRORS,
    UNAUTHORIZED,
    Denial,
    denial_for,
    denial_for_error,
    validate_roles,
)
from vestibule.protect.verify_response import DEFAULT_TIMEOUT, Principal


class Vestibule:
    """The dependencies of routes that need a signed-in user.

    `url` is the address of a Vestibule; without it, the installation of
    this process is used. With `audience`, the host of the application, the
    signed identity from forward authentication counts instead of the
    cookie. `timeout` is in seconds. Raise `InvalidValue` or
    `ConfigurationError` for arguments or settings that cannot work.
    """

    def __init__(
        self,
        url: str | None = None,
        *,
        audience: str | None = None,
        timeout: float = DEFAULT_TIMEOUT,
    ) -> None:
        """Open no connection yet."""
        self._backend = async_backend_for(url, audience, timeout)

    async def optional_user(
        self, connection: HTTPConnection
    ) -> Principal | None:
        """Return the user of a request, `None` if it is anonymous.

        Like all of these it answers 503 if the user cannot be determined,
        and 400 for a header that no honest client sends.
        """
        try:
            return await find_principal(connection.scope, self._backend)
        except BACKEND_ERRORS as error:
            raise _http_exception(denial_for_error(error)) from None

    async def current_user(self, connection: HTTPConnection) -> Principal:
        """Return the signed-in user; 401 for an anonymous request."""
        return await self._require(connection, ())

    def role_required(
        self, *roles: str
    ) -> Callable[[HTTPConnection], Awaitable[Principal]]:
        """Return a dependency that gives the user with one of the `roles`.

        401 for an anonymous request, 403 without the role. Raise
        `TypeError` without roles.
        """
        names = validate_roles(roles)

        async def dependency(connection: HTTPConnection) -> Principal:
            """Return the signed-in user if they have one of the roles."""
            return await self._require(connection, names)

        return dependency

    @asynccontextmanager
    async def lifespan(self, _: Any) -> AsyncIterator[None]:
        """Close the connections when the application ends."""
        try:
            yield
        finally:
            await self.close()

    async def close(self) -> None:
        """Close the connections to Vestibule."""
        await self._backend.close()

    async def _require(
        self, connection: HTTPConnection, roles: tuple[str, ...]
    ) -> Principal:
        """Return the user if they have one of the `roles`, or deny."""
        principal = await self.optional_user(connection)
        denial = denial_for(principal, roles)
        if principal is None or denial is not None:
            raise _http_exception(denial or UNAUTHORIZED)
        return principal


def _http_exception(denial: Denial) -> HTTPException:
    """Return the exception that FastAPI turns into the response."""
    return HTTPException(denial.status, denial.text, denial.headers or None)
