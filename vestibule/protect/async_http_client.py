#!/usr/bin/env python3
"""Questions to a Vestibule over HTTP, for programs of coroutines.

Its law is that of `wire`: no redirect is followed, no cookie is kept, no
body is read beyond its bound, and whatever goes wrong is
`VestibuleUnavailable`.
"""

import asyncio

import aiohttp

from vestibule.core.errors import VestibuleUnavailable
from vestibule.protect.verify_response import (
    FIXED_HEADERS,
    KEPT_CONNECTIONS,
    MAX_BODY_BYTES,
    ServiceAddress,
    VerifyResponse,
)

#: Bytes that are read at once.
_PIECE = 16_384


class AsyncHTTPClient:
    """Connections of one event loop to one Vestibule, kept open."""

    def __init__(self, address: ServiceAddress) -> None:
        """Open nothing yet: there may be no event loop."""
        self._address = address
        self._session: aiohttp.ClientSession | None = None
        self._loop: asyncio.AbstractEventLoop | None = None

    async def get(self, path: str, headers: dict[str, str]) -> VerifyResponse:
        """Return the answer to one `GET`, all of it within the time limit.

        Raise `VestibuleUnavailable`.
        """
        try:
            async with self._opened().get(
                self._address.origin + self._address.prefix + path,
                headers=headers,
                allow_redirects=False,
            ) as response:
                body = await _body_of(response)
                return VerifyResponse(
                    response.status,
                    _joined(response.raw_headers),
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

    def _opened(self) -> aiohttp.ClientSession:
        """Return the session of the event loop that runs."""
        loop = asyncio.get_running_loop()
        if self._session is None or self._loop is not loop:
            self._loop = loop
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(limit=KEPT_CONNECTIONS),
                # Else one user's cookies would go along with another's.
                cookie_jar=aiohttp.DummyCookieJar(),
                headers=FIXED_HEADERS,
                timeout=aiohttp.ClientTimeout(total=self._address.timeout),
                auto_decompress=False,
            )
        return self._session


async def _body_of(response: aiohttp.ClientResponse) -> bytes:
    """Return the whole body, if it is short."""
    body = b""
    async for piece in response.content.iter_chunked(_PIECE):
        body += piece
        if len(body) > MAX_BODY_BYTES:
            # The connection cannot be used again: the rest is on its way.
            response.close()
            raise VestibuleUnavailable("the answer was too long")
    return body


def _joined(raw: tuple[tuple[bytes, bytes], ...]) -> dict[str, str]:
    """Return headers by name, those that come twice joined by commas."""
    headers: dict[str, str] = {}
    for key, value in raw:
        name, text = key.decode("latin-1").lower(), value.decode("latin-1")
        known = headers.get(name)
        headers[name] = text if known is None else f"{known}, {text}"
    return headers
