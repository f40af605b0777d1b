#!/usr/bin/env python3
"""Backends that determine the user of a request, for asyncio programs.

They do what those in `backends` do and never block the event loop.
"""

import asyncio
import logging
from collections.abc import Collection
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Protocol

from vestibule.core.command_line import install_hint
from vestibule.core.errors import VestibuleUnavailable
from vestibule.identity.header import HEADER
from vestibule.protect.backends import Installation, open_in_process
from vestibule.protect.identity import (
    Audience,
    KeyCache,
    TokenReader,
    key_id_of,
)
from vestibule.protect.request_headers import COOKIE, encode_header
from vestibule.protect.verify_response import (
    KEYS_PATH,
    VERIFY_PATH,
    Principal,
    parse_address,
    parse_json,
    parse_principal,
    refuse_audience,
)

if TYPE_CHECKING:
    from vestibule.protect.async_http_client import AsyncHTTPClient
    from vestibule.protect.in_process import InProcess

_log = logging.getLogger(__name__)

#: Threads that look up sessions; each keeps a database connection.
MAX_THREADS = 4


class AsyncBackend(Protocol):
    """Determines the user of a request."""

    @property
    def header(self) -> str:
        """Return the name of the header that identifies the user."""

    async def principal(self, header_value: str) -> Principal | None:
        """Return the user that this header identifies, or `None`.

        Raise `VestibuleUnavailable` if that cannot be determined.
        """

    @property
    def session_backend(self) -> "AsyncBackend":
        """Return the backend that can ask again while a session lasts.

        It reads the cookie: a signed identity lasts a minute.
        """

    async def close(self) -> None:
        """Close all connections."""


class AsyncRemoteVerifier:
    """Asks a Vestibule about each request."""

    header = COOKIE

    def __init__(self, client: "AsyncHTTPClient") -> None:
        """Send requests by `client`."""
        self._client = client

    async def principal(self, header_value: str) -> Principal | None:
        """Return the user that the verify route names."""
        return parse_principal(
            await self._client.get(
                VERIFY_PATH, {COOKIE: encode_header(header_value)}
            )
        )

    @property
    def session_backend(self) -> AsyncBackend:
        """Return this backend."""
        return self

    async def close(self) -> None:
        """Close the connections."""
        await self._client.close()


class AsyncTokenVerifier:
    """Reads the signed identity that forward authentication adds."""

    header = HEADER

    def __init__(
        self, client: "AsyncHTTPClient", audience: str | Collection[str]
    ) -> None:
        """Fetch keys by `client`; accept tokens for `audience`."""
        self._client = client
        self._tokens = TokenReader(audience)
        self._keys = KeyCache()
        self._fetching = asyncio.Lock()

    async def principal(self, header_value: str) -> Principal | None:
        """Return the user that the token names."""
        known = self._tokens.cached_principal(header_value, self._keys)
        if known is not None:
            return known
        kid = key_id_of(header_value)
        if kid is None:
            return None
        if self._keys.needs_fetch(kid):
            await self._fetch(kid)
        key = self._keys.get(kid)
        return None if key is None else self._tokens.verify(header_value, key)

    @property
    def session_backend(self) -> AsyncBackend:
        """Return a backend that asks by the same client."""
        return AsyncRemoteVerifier(self._client)

    async def close(self) -> None:
        """Close the connections."""
        await self._client.close()

    async def _fetch(self, kid: str) -> None:
        """Fetch the keys, unless another task has just done so.

        If that fails, the cached keys are used until they expire.
        """
        async with self._fetching:
            if not self._keys.needs_fetch(kid):
                return
            try:
                self._keys.replace(
                    parse_json(await self._client.get(KEYS_PATH, {}))
                )
            except VestibuleUnavailable as error:
                _log.warning("cannot fetch the signing keys: %s", error)
            self._keys.record_attempt()


class AsyncInProcess:
    """Uses the installation in process without blocking the loop."""

    header = COOKIE

    def __init__(self, in_process: "InProcess") -> None:
        """Use `in_process`; start no thread yet."""
        self._in_process = in_process
        self._threads = ThreadPoolExecutor(MAX_THREADS, "vestibule-protect")
        self._is_open = False

    async def principal(self, header_value: str) -> Principal | None:
        """Return the user of these cookies.

        Finding a cached session takes less time than handing it to a
        thread. The first look-up runs in a thread, because it may migrate
        the database.
        """
        request = self._in_process.build_request(header_value)
        if self._is_open and self._in_process.is_immediate(request):
            return self._in_process.find_principal(request)
        found = await asyncio.get_running_loop().run_in_executor(
            self._threads, self._in_process.find_principal, request
        )
        self._is_open = True
        return found

    @property
    def session_backend(self) -> AsyncBackend:
        """Return this backend."""
        return self

    async def close(self) -> None:
        """Stop the threads; a later request starts others."""
        threads = self._threads
        self._threads = ThreadPoolExecutor(MAX_THREADS, "vestibule-protect")
        threads.shutdown(wait=False)


def async_backend_for(
    url: str | Installation | None,
    audience: Audience,
    timeout: float,
) -> AsyncBackend:
    """Return the backend that `backend_for` would, for asyncio programs.

    Raise `ImportError` if aiohttp, which it needs for HTTP, is missing.
    """
    if isinstance(url, Installation):
        refuse_audience(audience)
        return AsyncInProcess(open_in_process(url))
    try:
        from vestibule.protect.async_http_client import AsyncHTTPClient
    except ModuleNotFoundError as error:
        raise ImportError(install_hint(error, "fastapi")) from None
    client = AsyncHTTPClient(parse_address(url, timeout))
    if audience is None:
        return AsyncRemoteVerifier(client)
    return AsyncTokenVerifier(client, audience)
