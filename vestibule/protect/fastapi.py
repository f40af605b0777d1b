#!/usr/bin/env python3
"""FastAPI dependencies: the signed-in user, and required roles.

A route that depends on a user runs only after the user is known.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any, Self

from fastapi import Depends, FastAPI, HTTPException, WebSocket
from fastapi.openapi.models import APIKey, APIKeyIn
from fastapi.requests import HTTPConnection
from fastapi.security.base import SecurityBase

from vestibule.protect.asgi import find_principal, lead_step_up
from vestibule.protect.assurance import demanded, denial_for_user
from vestibule.protect.async_backends import AsyncBackend, async_backend_for
from vestibule.protect.backends import SETTINGS, Installation
from vestibule.protect.denials import (
    BACKEND_ERRORS,
    UNAUTHORIZED,
    Denial,
    denial_for,
    denial_for_error,
    validate_roles,
)
from vestibule.protect.request_headers import COOKIE
from vestibule.protect.sign_in import SignInPages
from vestibule.protect.starlette import (
    WATCHED,
    VestibuleMiddleware,
    close_at_shutdown,
)
from vestibule.protect.verify_response import DEFAULT_TIMEOUT, Principal
from vestibule.protect.websockets import (
    MAX_CHECK_SECONDS,
    close_at_end,
    validate_interval,
)

Lifespan = Callable[[Any], AbstractAsyncContextManager[Any]]


class Vestibule:
    """The dependencies of routes that need a signed-in user.

    `url` is the address of a Vestibule; without it, the installation of
    this process is used. With `audience`, the host of the application, the
    signed identity from forward authentication counts instead of the
    cookie. `timeout` is in seconds. The session of a websocket is checked
    every `check_interval` seconds. `cookie_name` is the `SESSION_NAME` of
    Vestibule, which the OpenAPI description of the application shows.
    `pages` is the address of Vestibule's pages, as for Flask, for
    `assurance_required`.
    Raise `InvalidValue` or `ConfigurationError` for arguments or settings
    that cannot work.

    `dependency_overrides` of `current_user` holds for `role_required` and
    `assurance_required` too.
    """

    #: Gives the user of a request, `None` if it is anonymous. Like all of
    #: these it answers 503 if the user cannot be determined, and 400 for a
    #: header that no honest client sends.
    optional_user: Callable[..., Awaitable[Principal | None]]
    #: Gives the signed-in user; 401 for an anonymous request.
    current_user: Callable[..., Awaitable[Principal]]

    def __init__(
        self,
        url: str | Installation | None = SETTINGS,
        *,
        audience: str | None = None,
        timeout: float = DEFAULT_TIMEOUT,
        check_interval: float = MAX_CHECK_SECONDS,
        cookie_name: str = "_my_session_id",
        pages: str | None = "",
    ) -> None:
        """Open no connection yet."""
        self._pages = None if pages is None else SignInPages(pages)
        self._backend = async_backend_for(url, audience, timeout)
        self._interval = validate_interval(check_interval)
        how = self._backend, self._interval, cookie_name
        self.optional_user = _OptionalUser(*how)
        # It does not depend on the other one: that takes a tenth longer.
        self.current_user = _CurrentUser(*how)

    @classmethod
    def in_process(
        cls,
        *,
        database_url: str | None = None,
        session_name: str | None = None,
        **options: Any,
    ) -> Self:
        """Return an object that uses the database of a Vestibule itself.

        `database_url` and `session_name` count before the settings of this
        process. The other arguments are those of the class. Raise
        `ConfigurationError` for settings or a database that cannot work.
        """
        installation = Installation(database_url, session_name)
        return cls(installation, **options)

    def role_required(
        self, *roles: str
    ) -> Callable[..., Awaitable[Principal]]:
        """Return a dependency that gives the user with one of the `roles`.

        401 for an anonymous request, 403 without the role. Raise
        `TypeError` without roles, `ValueError` for a role that no user can
        have.
        """
        names = validate_roles(roles)

        async def dependency(
            user: Principal = Depends(self.current_user),
        ) -> Principal:
            """Return the signed-in user if they have one of the roles."""
            return _require(user, names)

        return dependency

    def assurance_required(
        self,
        *,
        level: int = 1,
        phishing_resistant: bool = False,
        fresh: int | None = None,
    ) -> Callable[..., Awaitable[Principal]]:
        """Return a dependency that gives a user who proved so much.

        `level=2` demands two factors, `phishing_resistant` a passkey, and
        `fresh` a proof of the last so many seconds. A user who lacks that
        is led to the step-up page and back if the request loads a page;
        otherwise the answer is 401 (RFC 9470), as for an anonymous request.
        Raise `TypeError` or `ValueError` for a demand without meaning.
        """
        demand = demanded(level, phishing_resistant, fresh)

        async def dependency(
            connection: HTTPConnection,
            user: Principal = Depends(self.current_user),
        ) -> Principal:
            """Return the signed-in user if the session meets the demand."""
            denial = denial_for_user(user, demand=demand)
            if denial is None:
                return user
            denial = lead_step_up(denial, self._pages, connection.scope)
            raise _http_exception(denial)

        return dependency

    def init_app(self, app: FastAPI) -> None:
        """Set `request.user` in `app`, and close connections at its end.

        The lifespan that the application has already stays.
        """
        app.add_middleware(
            VestibuleMiddleware,
            backend=self._backend,
            check_interval=self._interval,
        )
        close_at_shutdown(app, self._backend)

    def lifespan_with(self, own: Lifespan) -> Lifespan:
        """Return the lifespan `own`, which closes the connections too."""

        @asynccontextmanager
        async def lifespan(app: Any) -> AsyncIterator[Any]:
            """Run the application's own lifespan, then close."""
            async with self.lifespan(app), own(app) as state:
                yield state

        return lifespan

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


class _User(SecurityBase):
    """A dependency that finds the user of a request.

    FastAPI describes it in the OpenAPI document of the application.
    """

    def __init__(
        self, backend: AsyncBackend, interval: float, cookie_name: str
    ) -> None:
        """Ask `backend`; check websockets every `interval` seconds."""
        self._backend = backend
        self._interval = interval
        is_cookie = backend.header == COOKIE
        self.scheme_name = "Vestibule"
        # `in` is a keyword, so the fields come as a dictionary.
        self.model = APIKey.model_validate(
            {
                "in": APIKeyIn.cookie if is_cookie else APIKeyIn.header,
                "name": cookie_name if is_cookie else backend.header,
                "description": "The session of a user at Vestibule.",
            }
        )

    async def find(self, connection: HTTPConnection) -> Principal | None:
        """Return the user of a request or a websocket, `None` if anonymous."""
        try:
            principal = await find_principal(connection.scope, self._backend)
        except BACKEND_ERRORS as error:
            raise _http_exception(denial_for_error(error)) from None
        if principal is not None and isinstance(connection, WebSocket):
            self._watch(connection, principal)
        return principal

    def _watch(self, websocket: WebSocket, principal: Principal) -> None:
        """Close a websocket when its session ends, unless that is done.

        The check ends with the task that serves the websocket.
        """
        serving = asyncio.current_task()
        if websocket.scope.get(WATCHED) or serving is None:
            return
        websocket.scope[WATCHED] = True

        async def close(code: int) -> None:
            """Close it, unless the application has."""
            serving.remove_done_callback(stop)
            try:
                await websocket.close(code)
            except RuntimeError:
                # The application or the client closed it just now.
                pass

        watching = asyncio.ensure_future(
            close_at_end(
                websocket.scope,
                self._backend,
                principal,
                self._interval,
                close,
            )
        )

        def stop(_: Any) -> None:
            """Stop the check: the websocket is not served any more."""
            watching.cancel()

        serving.add_done_callback(stop)


class _OptionalUser(_User):
    """The dependency that gives the user of a request, or `None`."""

    async def __call__(self, connection: HTTPConnection) -> Principal | None:
        """Return the user, `None` if the request is anonymous."""
        return await self.find(connection)


class _CurrentUser(_User):
    """The dependency that requires a user."""

    async def __call__(self, connection: HTTPConnection) -> Principal:
        """Return the signed-in user, or deny the request."""
        return _require(await self.find(connection), ())


def _require(user: Principal | None, roles: tuple[str, ...]) -> Principal:
    """Return the user if they have one of the `roles`, or deny."""
    denial = denial_for(user, roles)
    if user is None or denial is not None:
        raise _http_exception(denial or UNAUTHORIZED)
    return user


def _http_exception(denial: Denial) -> HTTPException:
    """Return the exception that FastAPI turns into the response."""
    return HTTPException(denial.status, denial.text, denial.headers or None)
