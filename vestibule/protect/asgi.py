#!/usr/bin/env python3
"""ASGI 3 middleware, for Django, Starlette and any other ASGI application.

The application sees a request or a websocket only after its user is known,
in `scope["vestibule.principal"]`, and sees no header by which a client
could claim to be another user.
"""

from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from typing import Any

from vestibule.protect.assurance import (
    denial_for_user,
    lead_page,
)
from vestibule.protect.async_backends import AsyncBackend, async_backend_for
from vestibule.protect.backends import Installation
from vestibule.protect.denials import (
    BACKEND_ERRORS,
    Denial,
    denial_for_error,
)
from vestibule.protect.middleware import Middleware
from vestibule.protect.request_headers import (
    from_scope,
    without_identity_headers,
)
from vestibule.protect.sign_in import SignInPages, target_of_scope
from vestibule.protect.verify_response import (
    PRINCIPAL,
    Principal,
)

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
ASGIApplication = Callable[[Scope, Receive, Send], Awaitable[None]]

#: The ASGI extension for denying a websocket with an HTTP response.
_DENIAL_EXTENSION = "websocket.http.response"


class Protection(Middleware[ASGIApplication, AsyncBackend]):
    """Middleware for ASGI applications; see `Middleware`."""

    def _find_backend(
        self,
        url: str | Installation | None,
        audience: str | None,
        timeout: float,
    ) -> AsyncBackend:
        """Return the backend at `url`, or that of this process."""
        return async_backend_for(url, audience, timeout)

    async def __call__(
        self, scope: Scope, receive: Receive, send: Send
    ) -> None:
        """Deny the request of `scope`, or pass it to the application."""
        kind = scope["type"]
        if kind == "lifespan":
            try:
                await self._app(scope, receive, send)
            finally:
                await self._backend.close()
            return
        if kind not in ("http", "websocket"):
            raise ValueError(
                f"cannot determine the user of a {kind!r} connection"
            )
        denial: Denial | None
        try:
            principal = await find_principal(scope, self._backend)
        except BACKEND_ERRORS as error:
            denial = denial_for_error(error)
        else:
            denial = denial_for_user(
                principal, self._roles, self._demand, self._optional
            )
        if denial is None:
            headers = without_identity_headers(scope["headers"])
            await self._app({**scope, "headers": headers}, receive, send)
        elif kind == "http":
            denial = lead_step_up(denial, self._pages, scope)
            is_head = scope.get("method") == "HEAD"
            await deny(denial, send, "http.response", is_head)
        else:
            await deny_websocket(denial, scope, receive, send)


async def find_principal(
    scope: MutableMapping[str, Any], backend: AsyncBackend
) -> Principal | None:
    """Return the user of a request, and keep it in its scope.

    The backend is asked once per request. Raise `InvalidValue` or
    `VestibuleUnavailable`.
    """
    if PRINCIPAL in scope:
        known: Principal | None = scope[PRINCIPAL]
        return known
    header_value = from_scope(scope, backend.header)
    principal = (
        None if header_value is None else await backend.principal(header_value)
    )
    scope[PRINCIPAL] = principal
    return principal


def lead_step_up(
    denial: Denial, pages: SignInPages | None, scope: Mapping[str, Any]
) -> Denial:
    """Return `denial`, which leads a page load to the step-up page.

    Denials for anything else stay as they are.
    """
    if denial.demand is None or scope["type"] != "http":
        return denial
    sent: dict[bytes, bytes] = dict(scope["headers"])
    environ = {"REQUEST_METHOD": scope["method"]}
    for name in (b"accept", b"sec-fetch-mode", b"upgrade"):
        if name in sent:
            key = name.decode().upper().replace("-", "_")
            environ[f"HTTP_{key}"] = sent[name].decode("latin-1")
    return lead_page(denial, pages, environ, target_of_scope(scope))


async def deny(
    denial: Denial, send: Send, kind: str, is_head: bool = False
) -> None:
    """Send the denial, in messages of this `kind`."""
    await send(
        {
            "type": f"{kind}.start",
            "status": denial.status,
            "headers": [
                (name.lower().encode(), value.encode())
                for name, value in denial.all_headers.items()
            ],
        }
    )
    body = b"" if is_head else denial.body
    await send({"type": f"{kind}.body", "body": body})


async def deny_websocket(
    denial: Denial, scope: Scope, receive: Receive, send: Send
) -> None:
    """Deny a websocket in its handshake; servers then answer 403."""
    await receive()
    if _DENIAL_EXTENSION in (scope.get("extensions") or {}):
        await deny(denial, send, _DENIAL_EXTENSION)
    else:
        await send({"type": "websocket.close", "code": 1008})
