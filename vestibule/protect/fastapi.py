#!/usr/bin/env python3
"""Dependencies of FastAPI: who is signed in, and what is for them alone.

Its law: a route that depends on a user begins only after the user is
known. It names one by nothing but what it is given here.
"""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

from fastapi import HTTPException
from fastapi.requests import HTTPConnection

from vestibule.protect.asgi import find_principal
from vestibule.protect.async_backends import async_backend_for
from vestibule.protect.denials import (
    FAILURES,
    UNAUTHORIZED,
    Denial,
    checked_roles,
    denial_for,
    denial_for_error,
)
from vestibule.protect.verify_response import DEFAULT_TIMEOUT, Principal


class Vestibule:
    """What routes ask who is signed in.

    `url` is that of a Vestibule, without it the installation of this
    process is asked. With `audience`, the host of the application, the
    signed identity of a gate counts instead of the cookie. `timeout` is
    in seconds. Raise `InvalidValue` or `BadSetting` for what cannot be.
    """

    def __init__(
        self,
        url: str | None = None,
        *,
        audience: str | None = None,
        timeout: float = DEFAULT_TIMEOUT,
    ) -> None:
        """Open nothing yet."""
        self._source = async_backend_for(url, audience, timeout)

    async def optional_user(
        self, connection: HTTPConnection
    ) -> Principal | None:
        """Return who sends a request, `None` if nobody is signed in.

        As all of these: 503 where nobody can tell, 400 for a header that
        no honest client sends.
        """
        try:
            return await find_principal(connection.scope, self._source)
        except FAILURES as error:
            raise _refused(denial_for_error(error)) from None

    async def current_user(self, connection: HTTPConnection) -> Principal:
        """Return who is signed in; 401 if nobody is."""
        return await self._admitted(connection, ())

    def role_required(
        self, *roles: str
    ) -> Callable[[HTTPConnection], Awaitable[Principal]]:
        """Return a dependency: who is signed in with one of the `roles`.

        401 if nobody is, 403 without the role. Raise `TypeError` for no
        role at all.
        """
        names = checked_roles(roles)

        async def admitted(connection: HTTPConnection) -> Principal:
            """Return who is signed in with one of the roles."""
            return await self._admitted(connection, names)

        return admitted

    @asynccontextmanager
    async def lifespan(self, _: Any) -> AsyncIterator[None]:
        """Close the connections when the application ends."""
        try:
            yield
        finally:
            await self.close()

    async def close(self) -> None:
        """Close the connections to Vestibule."""
        await self._source.close()

    async def _admitted(
        self, connection: HTTPConnection, roles: tuple[str, ...]
    ) -> Principal:
        """Return who is signed in with one of the `roles`, or refuse."""
        principal = await self.optional_user(connection)
        refusal = denial_for(principal, roles)
        if principal is None or refusal is not None:
            raise _refused(refusal or UNAUTHORIZED)
        return principal


def _refused(refusal: Denial) -> HTTPException:
    """Return what FastAPI answers a refusal by."""
    return HTTPException(refusal.status, refusal.text, refusal.headers or None)
