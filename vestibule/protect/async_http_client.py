#!/usr/bin/env python3
"""The HTTP client that asks a Vestibule, for asyncio programs.

It is imported late, because it imports aiohttp. As the client in `backends`,
it follows no redirect, keeps no cookie and reads no body beyond its limit.
Any failure is a `VestibuleUnavailable`.
"""

import asyncio

import aiohttp

from vestibule.core.errors import VestibuleUnavailable
from vestibule.protect.verify_response import (
    FIXED_HEADERS,
    MAX_BODY_BYTES,
    MAX_IDLE_CONNECTIONS,
    ServiceAddress,
    VerifyResponse,
)

#: Bytes in one read.
_READ_SIZE_BYTES = 16_384


class AsyncHTTPClient:
    """Persistent connections of one event loop to one Vestibule."""

    def __init__(self, address: ServiceAddress) -> None:
        """Open no connection yet: there may be no event loop."""
        self._address = address
        self._session: aiohttp.ClientSession | None = None
        self._loop: asyncio.AbstractEventLoop | None = None

    async def get(self, path: str, headers: dict[str, str]) -> VerifyResponse:
        """Return the response to one `GET`, read within the time limit.

        Raise `VestibuleUnavailable`.
        """
        try:
            async with self._session_of_loop().get(
                self._address.origin + self._address.prefix + path,
                headers=headers,
                allow_redirects=False,
            ) as response:
                body = await _read_body(response)
                return VerifyResponse(
                    response.status,
                    _join_headers(response.raw_headers),
                    body,
                )
        except (
            aiohttp.ClientError,
            TimeoutError,
            OSError,
            ValueError,
        ) as error:
            raise VestibuleUnavailable(type(error).__name__) from None

    async def close(self) -> None:
        """Close all connections."""
        session, self._session = self._session, None
        if session is not None:
            await session.close()

    def _session_of_loop(self) -> aiohttp.ClientSession:
        """Return the session of the running event loop."""
        loop = asyncio.get_running_loop()
        if self._session is None or self._loop is not loop:
            self._loop = loop
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(limit=MAX_IDLE_CONNECTIONS),
                # A cookie jar would mix the cookies of users.
                cookie_jar=aiohttp.DummyCookieJar(),
                headers=FIXED_HEADERS,
                timeout=aiohttp.ClientTimeout(total=self._address.timeout),
                auto_decompress=False,
            )
        return self._session


async def _read_body(response: aiohttp.ClientResponse) -> bytes:
    """Return the body; raise `VestibuleUnavailable` if it is too long."""
    body = b""
    async for piece in response.content.iter_chunked(_READ_SIZE_BYTES):
        body += piece
        if len(body) > MAX_BODY_BYTES:
            # The connection cannot be reused: the rest is still to come.
            response.close()
            raise VestibuleUnavailable("the response is too long")
    return body


def _join_headers(raw: tuple[tuple[bytes, bytes], ...]) -> dict[str, str]:
    """Return headers by name; repeated ones are joined by commas."""
    headers: dict[str, str] = {}
    for key, value in raw:
        name, text = key.decode("latin-1").lower(), value.decode("latin-1")
        known = headers.get(name)
        headers[name] = text if known is None else f"{known}, {text}"
    return headers
