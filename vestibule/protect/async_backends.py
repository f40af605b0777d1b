#!/usr/bin/env python3
"""Who knows the user of a request, for programs of coroutines.

As in `sources`, and nothing here makes an event loop wait.
"""

import asyncio
import logging
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Protocol

from vestibule.core.errors import VestibuleUnavailable
from vestibule.core.extras import install_hint
from vestibule.identity.header import HEADER
from vestibule.protect.backends import open_in_process
from vestibule.protect.identity import KeyCopy, Tokens, kid_of
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

#: Threads that look sessions up; each keeps a connection to the database.
MAX_THREADS = 4


class AsyncBackend(Protocol):
    """What knows the user of a request."""

    @property
    def header(self) -> str:
        """Return the name of the header by which people are known."""

    async def principal(self, presented: str) -> Principal | None:
        """Return who presents this header, or `None`.

        Raise `VestibuleUnavailable` where that cannot be learnt.
        """

    async def close(self) -> None:
        """Give up what is kept open."""


class AsyncRemoteVerifier:
    """A Vestibule that is asked about each request."""

    header = COOKIE

    def __init__(self, wire: "AsyncHTTPClient") -> None:
        """Ask by `wire`."""
        self._wire = wire

    async def principal(self, presented: str) -> Principal | None:
        """Return who verify names."""
        return parse_principal(
            await self._wire.get(
                VERIFY_PATH, {COOKIE: encode_header(presented)}
            )
        )

    async def close(self) -> None:
        """Close the connections."""
        await self._wire.close()


class AsyncTokenVerifier:
    """The gate before the application, which signs who somebody is."""

    header = HEADER

    def __init__(self, wire: "AsyncHTTPClient", audience: str) -> None:
        """Fetch keys by `wire`; take tokens for `audience`."""
        self._wire = wire
        self._tokens = Tokens(audience)
        self._keys = KeyCopy()
        self._fetching = asyncio.Lock()

    async def principal(self, presented: str) -> Principal | None:
        """Return who the token names."""
        known = self._tokens.recall(presented, self._keys)
        if known is not None:
            return known
        kid = kid_of(presented)
        if kid is None:
            return None
        if self._keys.wants(kid):
            await self._fetch(kid)
        key = self._keys.find(kid)
        return None if key is None else self._tokens.check(presented, key)

    async def close(self) -> None:
        """Close the connections."""
        await self._wire.close()

    async def _fetch(self, kid: str) -> None:
        """Fetch the keys, if nobody else has just done so.

        Where that fails the copy is used for as long as it may be.
        """
        async with self._fetching:
            if not self._keys.wants(kid):
                return
            try:
                self._keys.take(
                    parse_json(await self._wire.get(KEYS_PATH, {}))
                )
            except VestibuleUnavailable as error:
                _log.warning("the keys were not fetched: %s", error)
            self._keys.tried()


class AsyncInProcess:
    """The installation in process, without waiting for its database."""

    header = COOKIE

    def __init__(self, installation: "InProcess") -> None:
        """Ask `installation`; start no thread yet."""
        self._installation = installation
        self._threads = ThreadPoolExecutor(MAX_THREADS, "vestibule-protect")
        self._is_open = False

    async def principal(self, presented: str) -> Principal | None:
        """Return who it knows by these cookies.

        A remembered session is found in less time than a thread takes to
        be told of it. The first look-up may bring a schema up to date.
        """
        request = self._installation.question(presented)
        if self._is_open and self._installation.is_quick(request):
            return self._installation.answer(request)
        found = await asyncio.get_running_loop().run_in_executor(
            self._threads, self._installation.answer, request
        )
        self._is_open = True
        return found

    async def close(self) -> None:
        """Let the threads end, and have others if it is asked again."""
        threads = self._threads
        self._threads = ThreadPoolExecutor(MAX_THREADS, "vestibule-protect")
        threads.shutdown(wait=False)


def async_backend_for(
    url: str | None, audience: str | None, timeout: float
) -> AsyncBackend:
    """Return who is asked, as `source_for` does, for coroutines."""
    if url is None:
        refuse_audience(audience)
        return AsyncInProcess(open_in_process())
    try:
        from vestibule.protect.async_http_client import AsyncHTTPClient
    except ModuleNotFoundError as error:
        raise ImportError(install_hint(error, "fastapi")) from None
    wire = AsyncHTTPClient(parse_address(url, timeout))
    if audience is None:
        return AsyncRemoteVerifier(wire)
    return AsyncTokenVerifier(wire, audience)
