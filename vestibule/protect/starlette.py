#!/usr/bin/env python3
"""Starlette: the signed-in user as `request.user`.

`requires("authenticated")` and `requires("admin")` of Starlette work: the
scopes of a user are "authenticated" and the role. `assurance_required`
demands more of how the user signed in.
"""

from collections.abc import Callable
from contextlib import asynccontextmanager
from functools import partial
from inspect import iscoroutinefunction
from typing import Any

from starlette.applications import Starlette
from starlette.authentication import (
    AuthCredentials,
    BaseUser,
    UnauthenticatedUser,
)
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from vestibule.protect.asgi import (
    deny,
    deny_websocket,
    find_principal,
    lead_step_up,
)
from vestibule.protect.assurance import (
    View,
    demanded,
    denial_for_user,
    refusing,
)
from vestibule.protect.async_backends import AsyncBackend, async_backend_for
from vestibule.protect.backends import SETTINGS, Installation
from vestibule.protect.denials import BACKEND_ERRORS, denial_for_error
from vestibule.protect.middleware import OpensInProcess
from vestibule.protect.request_headers import without_identity_headers
from vestibule.protect.sign_in import SignInPages
from vestibule.protect.verify_response import (
    DEFAULT_TIMEOUT,
    PRINCIPAL,
    Principal,
)
from vestibule.protect.websockets import (
    MAX_CHECK_SECONDS,
    close_at_end,
    run_watched,
    validate_interval,
)

#: The key of a websocket's scope that says that its session is checked.
WATCHED = "vestibule.watched"


class User(BaseUser):
    """A signed-in user, as Starlette knows users."""

    def __init__(self, principal: Principal) -> None:
        """Take the user's data."""
        self.principal = principal

    @property
    def is_authenticated(self) -> bool:
        """Return True."""
        return True

    @property
    def display_name(self) -> str:
        """Return the names, else the email."""
        return self.principal.name

    @property
    def identity(self) -> str:
        """Return the id at Vestibule."""
        return self.principal.id

    def __getattr__(self, name: str) -> Any:
        """Return `id`, `email`, `role` or another field of the user."""
        if name == "principal":
            raise AttributeError(name)
        return getattr(self.principal, name)


class VestibuleMiddleware(OpensInProcess):
    """Sets `request.user` and `request.auth` for all requests.

    `url` is the address of a Vestibule; without it, the installation of
    this process is used. `audience` and `timeout` are as in
    `vestibule.protect.asgi.Protection`. The session of a websocket is
    checked every `check_interval` seconds. `backend` is for an adapter
    that has one already.
    """

    def __init__(
        self,
        app: ASGIApp,
        url: str | Installation | None = SETTINGS,
        *,
        audience: str | None = None,
        timeout: float = DEFAULT_TIMEOUT,
        check_interval: float = MAX_CHECK_SECONDS,
        backend: AsyncBackend | None = None,
    ) -> None:
        """Wrap `app`; raise `InvalidValue` or `ConfigurationError`."""
        self._app = app
        self._interval = validate_interval(check_interval)
        self._backend = backend or async_backend_for(url, audience, timeout)
        self._is_own = backend is None

    async def __call__(
        self, scope: Scope, receive: Receive, send: Send
    ) -> None:
        """Answer a request or a websocket, or deny it."""
        kind = scope["type"]
        if kind not in ("http", "websocket"):
            try:
                await self._app(scope, receive, send)
            finally:
                if self._is_own:
                    await self._backend.close()
            return
        scope["headers"] = without_identity_headers(scope["headers"])
        try:
            principal = await find_principal(scope, self._backend)
        except BACKEND_ERRORS as error:
            denial = denial_for_error(error)
            if kind == "http":
                is_head = scope.get("method") == "HEAD"
                await deny(denial, send, "http.response", is_head)
            else:
                await deny_websocket(denial, scope, receive, send)
            return
        scopes: list[str] = []
        user: BaseUser = UnauthenticatedUser()
        if principal is not None:
            scopes, user = ["authenticated", principal.role], User(principal)
        scope["auth"], scope["user"] = AuthCredentials(scopes), user
        if kind == "http" or principal is None:
            await self._app(scope, receive, send)
            return
        scope[WATCHED] = True
        watch = partial(
            close_at_end, scope, self._backend, principal, self._interval
        )
        await run_watched(self._app, scope, receive, send, watch)


def assurance_required(
    *,
    level: int = 1,
    phishing_resistant: bool = False,
    fresh: int | None = None,
    pages: str | None = "",
) -> Callable[[View], View]:
    """Protect an endpoint: users must have proven who they are so well.

    The endpoint is a function or a method that gets a request. `level=2`
    demands two factors, `phishing_resistant` a passkey, and `fresh` a proof
    of the last so many seconds. A user who lacks that is led to the step-up
    page and back if the request loads a page; otherwise the answer is 401
    (RFC 9470), as for an anonymous request. `pages` is the address of
    Vestibule's pages, as for Flask. Raise `TypeError` or `ValueError` for a
    demand without meaning, `LookupError` without the middleware.
    """
    demand = demanded(level, phishing_resistant, fresh)
    found = None if pages is None else SignInPages(pages)

    def refusal(*args: Any, **more: Any) -> Response | None:
        """Return the response to a request that may not pass."""
        given = (*args, *more.values())
        requests = [one for one in given if isinstance(one, Request)]
        scope = requests[0].scope if requests else {}
        if PRINCIPAL not in scope:
            raise LookupError("VestibuleMiddleware was not installed")
        denial = denial_for_user(scope[PRINCIPAL], demand=demand)
        if denial is None:
            return None
        denial = lead_step_up(denial, found, scope)
        return Response(denial.body, denial.status, denial.all_headers)

    return lambda endpoint: refusing(
        endpoint, refusal, iscoroutinefunction(endpoint)
    )


def close_at_shutdown(app: Starlette, backend: AsyncBackend) -> None:
    """Close `backend` after the lifespan that the application has."""
    own = app.router.lifespan_context

    @asynccontextmanager
    async def lifespan(application: Any) -> Any:
        """Run the application's own lifespan, then close."""
        try:
            async with own(application) as state:
                yield state
        finally:
            await backend.close()

    app.router.lifespan_context = lifespan
