#!/usr/bin/env python3
"""Websockets are closed when the session of their user ends.

A websocket is authenticated in its handshake and may then stay open for
days. The session is checked again while it is open, so a session that was
revoked ends there too.
"""

import asyncio
import logging
import math
from collections.abc import Awaitable, Callable
from typing import Any

from vestibule.core.errors import InvalidValue
from vestibule.protect.async_backends import AsyncBackend
from vestibule.protect.denials import BACKEND_ERRORS
from vestibule.protect.request_headers import from_scope
from vestibule.protect.verify_response import Principal

_log = logging.getLogger(__name__)

#: Seconds between two checks of a session, at most.
MAX_CHECK_SECONDS = 30.0
#: Seconds to wait until a client takes the message that closes it.
MAX_CLOSE_SECONDS = 5.0
#: Close codes of RFC 6455, 7.4.1 and its registry: a policy violation, and
#: "try again later".
SESSION_ENDED = 1008
TRY_AGAIN_LATER = 1013

Close = Callable[[int], Awaitable[None]]


def validate_interval(seconds: float) -> float:
    """Return the seconds between two checks; raise `InvalidValue`."""
    if not 0 < seconds <= MAX_CHECK_SECONDS or math.isnan(seconds):
        raise InvalidValue(
            "check_interval",
            f"must be above 0 and at most {MAX_CHECK_SECONDS:.0f} seconds",
            code="invalid",
        )
    return seconds


async def close_at_end(
    scope: Any,
    backend: AsyncBackend,
    principal: Principal,
    interval: float,
    close: Close,
) -> None:
    """Check the session of a websocket until it ends, then call `close`.

    `interval` is in seconds. A user with another role now is refused as
    well, because the handshake may have required the role. If the user
    cannot be determined, the websocket is closed for another try. Without
    a cookie, which a proxy may have removed, the session cannot be
    checked and counts as ended.
    """
    asking, code = backend.session_backend, None
    while code is None:
        await asyncio.sleep(interval)
        try:
            header_value = from_scope(scope, asking.header)
            found = (
                None
                if header_value is None
                else await asking.principal(header_value)
            )
        except BACKEND_ERRORS as error:
            _log.warning("cannot check the user of a websocket: %s", error)
            code = TRY_AGAIN_LATER
        else:
            if found is None or (found.id, found.role) != (
                principal.id,
                principal.role,
            ):
                code = SESSION_ENDED
    await close(code)


class WatchedWebSocket:
    """The messages of one websocket, which ends with its session.

    The application then receives a disconnect, and sending raises
    `OSError`, as if the client had left.
    """

    def __init__(self, receive: Any, send: Any) -> None:
        """Pass messages on to the server's `receive` and `send`."""
        self._receive = receive
        self._send = send
        self._ended = asyncio.Event()
        self._code = SESSION_ENDED
        self._is_closed = False

    @property
    def is_ended(self) -> bool:
        """Return True once the session has ended."""
        return self._ended.is_set()

    async def receive(self) -> Any:
        """Return the next message, or a disconnect after the end."""
        if not self._ended.is_set():
            message = asyncio.ensure_future(self._receive())
            ended = asyncio.ensure_future(self._ended.wait())
            try:
                await asyncio.wait(
                    {message, ended}, return_when=asyncio.FIRST_COMPLETED
                )
                if message.done():
                    return message.result()
            finally:
                message.cancel()
                ended.cancel()
        return {"type": "websocket.disconnect", "code": self._code}

    async def send(self, message: Any) -> None:
        """Send a message; raise `OSError` after the end."""
        if self._ended.is_set():
            raise OSError("the session of this websocket has ended")
        if message["type"] == "websocket.close":
            self._is_closed = True
        await self._send(message)

    async def close(self, code: int) -> None:
        """Close the websocket, unless the application has closed it."""
        if self._is_closed:
            return
        self._code = code
        self._ended.set()
        await self._send({"type": "websocket.close", "code": code})


async def run_watched(
    app: Any,
    scope: Any,
    receive: Any,
    send: Any,
    watch: Callable[[Close], Awaitable[None]],
) -> None:
    """Run an ASGI application on a websocket while `watch` checks it."""
    websocket = WatchedWebSocket(receive, send)
    watching = asyncio.ensure_future(watch(websocket.close))
    try:
        await app(scope, websocket.receive, websocket.send)
    finally:
        if websocket.is_ended:
            # The application may end before the close is on its way.
            await asyncio.wait({watching}, timeout=MAX_CLOSE_SECONDS)
        watching.cancel()
