#!/usr/bin/env python3
"""A middleware of ASGI 3, for Django, Starlette and all others.

Its law: what is within sees a request or a websocket only after its user
is known, in `scope["vestibule.principal"]`, and sees no header that names
another.
"""

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from vestibule.protect.async_backends import AsyncBackend, async_backend_for
from vestibule.protect.denials import (
    FAILURES,
    Denial,
    checked_roles,
    denial_for,
    denial_for_error,
)
from vestibule.protect.request_headers import (
    from_scope,
    without_identity_headers,
)
from vestibule.protect.verify_response import (
    DEFAULT_TIMEOUT,
    PRINCIPAL,
    Principal,
)

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
ASGIApplication = Callable[[Scope, Receive, Send], Awaitable[None]]

#: An extension of ASGI: a websocket may be refused by a status.
_DENIAL = "websocket.http.response"


class Protection:
    """An application that only those who are signed in get to.

    `url` is that of a Vestibule, without it the installation of this
    process is asked. With `audience`, the host of the application, the
    signed identity of a gate counts instead of the cookie. With `roles`
    one of them is needed. `optional` lets others pass as nobody, for an
    application that decides for itself. `timeout` is in seconds.
    """

    def __init__(
        self,
        app: ASGIApplication,
        url: str | None = None,
        *,
        audience: str | None = None,
        roles: tuple[str, ...] = (),
        optional: bool = False,
        timeout: float = DEFAULT_TIMEOUT,
    ) -> None:
        """Stand before `app`; raise `InvalidValue`, `BadSetting`."""
        self._app = app
        self._roles = checked_roles(roles) if roles else ()
        self._optional = optional
        self._source = async_backend_for(url, audience, timeout)

    async def __call__(
        self, scope: Scope, receive: Receive, send: Send
    ) -> None:
        """Answer the request of `scope`, or let it be answered."""
        kind = scope["type"]
        if kind == "lifespan":
            try:
                await self._app(scope, receive, send)
            finally:
                await self._source.close()
            return
        if kind not in ("http", "websocket"):
            raise ValueError(f"nobody can be known by {kind!r}")
        refusal: Denial | None
        try:
            principal = await find_principal(scope, self._source)
        except FAILURES as error:
            refusal = denial_for_error(error)
        else:
            refusal = denial_for(principal, self._roles, self._optional)
        if refusal is None:
            headers = without_identity_headers(scope["headers"])
            await self._app({**scope, "headers": headers}, receive, send)
        elif kind == "http":
            is_head = scope.get("method") == "HEAD"
            await _refuse(refusal, send, "http.response", is_head)
        else:
            await _refuse_websocket(refusal, scope, receive, send)


async def find_principal(
    scope: MutableMapping[str, Any], source: AsyncBackend
) -> Principal | None:
    """Return who sends a request, and note it; ask once for each.

    Raise `InvalidValue` or `VestibuleUnavailable`.
    """
    if PRINCIPAL in scope:
        known: Principal | None = scope[PRINCIPAL]
        return known
    presented = from_scope(scope, source.header)
    principal = (
        None if presented is None else await source.principal(presented)
    )
    scope[PRINCIPAL] = principal
    return principal


async def _refuse(
    refusal: Denial, send: Send, kind: str, is_head: bool = False
) -> None:
    """Answer in place of the application, by messages of this `kind`."""
    await send(
        {
            "type": f"{kind}.start",
            "status": refusal.status,
            "headers": [
                (name.lower().encode(), value.encode())
                for name, value in refusal.all_headers.items()
            ],
        }
    )
    body = b"" if is_head else refusal.body
    await send({"type": f"{kind}.body", "body": body})


async def _refuse_websocket(
    refusal: Denial, scope: Scope, receive: Receive, send: Send
) -> None:
    """Refuse a websocket before it is one; servers answer 403 by default."""
    await receive()
    if _DENIAL in (scope.get("extensions") or {}):
        await _refuse(refusal, send, _DENIAL)
    else:
        await send({"type": "websocket.close", "code": 1008})
