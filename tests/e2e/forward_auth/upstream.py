#!/usr/bin/env python3
"""A protected application that returns the request it received.

Run with a port, it serves there until it is ended.
"""

import json
import sys
from asyncio import wait_for
from collections.abc import Awaitable, Callable
from contextlib import suppress
from hashlib import sha256
from typing import Any

Scope = dict[str, Any]
Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]

#: A text in each response of the application.
MARK = "the application was reached"
#: Seconds that a stream of events stays open without an event.
MAX_STREAM_SECONDS = 20


def seen_by(scope: Scope) -> dict[str, Any]:
    """Return what the application knows of a request before its body."""
    return {
        "mark": MARK,
        "method": scope.get("method", "GET"),
        "target": scope["raw_path"].decode()
        + (
            "?" + scope["query_string"].decode()
            if scope["query_string"]
            else ""
        ),
        # As received, repeated headers included.
        "headers": [
            (name.decode("latin-1"), value.decode("latin-1"))
            for name, value in scope["headers"]
        ],
    }


async def body_of(receive: Receive) -> bytes:
    """Return the whole body of a request."""
    body: bytes = b""
    while True:
        part = await receive()
        body += part.get("body", b"")
        if not part.get("more_body", False):
            return body


async def respond(scope: Scope, receive: Receive, send: Send) -> None:
    """Respond with the request as JSON; to `/refused` with a 401."""
    body = await body_of(receive)
    refused = scope["path"] == "/refused"
    await send(
        {
            "type": "http.response.start",
            "status": 401 if refused else 203,
            "headers": [
                (b"content-type", b"application/json"),
                (b"set-cookie", b"first=1; Path=/"),
                (b"set-cookie", b"second=2; HttpOnly"),
                (b"www-authenticate", b'Bearer realm="application"'),
                (b"location", b"/elsewhere"),
                (b"x-own", b"kept"),
            ],
        }
    )
    shown = {
        **seen_by(scope),
        "length": len(body),
        "digest": sha256(body).hexdigest(),
    }
    await send(
        {"type": "http.response.body", "body": json.dumps(shown).encode()}
    )


async def send_events(receive: Receive, send: Send) -> None:
    """Send one event, and keep the response open until the client goes."""
    await receive()
    kind = (b"content-type", b"text/event-stream")
    start = {"type": "http.response.start", "status": 203, "headers": [kind]}
    await send(start)
    text = f"data: {MARK}\n\n".encode()
    await send({"type": "http.response.body", "body": text, "more_body": True})
    with suppress(TimeoutError):
        await wait_for(receive(), MAX_STREAM_SECONDS)
    await send({"type": "http.response.body", "body": b""})


async def echo(scope: Scope, receive: Receive, send: Send) -> None:
    """Send the request on a websocket, then echo all messages."""
    await receive()
    await send({"type": "websocket.accept"})
    shown = json.dumps(seen_by(scope))
    await send({"type": "websocket.send", "text": shown})
    while (said := await receive())["type"] == "websocket.receive":
        await send(
            {
                "type": "websocket.send",
                "text": said.get("text"),
                "bytes": said.get("bytes"),
            }
        )


async def app(scope: Scope, receive: Receive, send: Send) -> None:
    """Serve one request or one websocket, by ASGI."""
    if scope["type"] == "http" and scope["path"].startswith("/events/"):
        await send_events(receive, send)
    elif scope["type"] == "http":
        await respond(scope, receive, send)
    elif scope["type"] == "websocket":
        await echo(scope, receive, send)


if __name__ == "__main__":
    from granian import Granian
    from granian.constants import Interfaces
    from granian.log import LogLevels

    Granian(
        "tests.e2e.forward_auth.upstream:app",
        port=int(sys.argv[1]),
        interface=Interfaces.ASGI,
        log_level=LogLevels.error,
    ).serve()
