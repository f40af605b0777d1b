#!/usr/bin/env python3
"""The HTTP client that asks a Vestibule, for threaded programs.

It follows no redirect, keeps no cookie and reads no body beyond its limit.
Any failure is a `VestibuleUnavailable`.
"""

import os
from typing import TYPE_CHECKING

from vestibule.core import clock
from vestibule.core.errors import VestibuleUnavailable
from vestibule.protect.verify_response import (
    FIXED_HEADERS,
    MAX_BODY_BYTES,
    MAX_IDLE_CONNECTIONS,
    ServiceAddress,
    VerifyResponse,
)

if TYPE_CHECKING:
    import urllib3

#: Bytes in one read.
_READ_SIZE_BYTES = 16_384


class HTTPClient:
    """Persistent connections to one Vestibule; threads may share it."""

    def __init__(self, address: ServiceAddress) -> None:
        """Open no connection yet."""
        # Importing it opens a socket, to find out whether IPv6 works.
        import urllib3

        self._urllib3 = urllib3
        self._address = address
        self._pool = self._new_pool()

    def get(self, path: str, headers: dict[str, str]) -> VerifyResponse:
        """Return the response to one `GET`.

        The time limit holds for each wait before the body, and for the
        whole body. Raise `VestibuleUnavailable`.
        """
        if self._owner != os.getpid():
            # After a fork, parent and child would mix their responses.
            self._pool = self._new_pool()
        try:
            try:
                return self._send(path, headers)
            except self._urllib3.exceptions.ProtocolError:
                # The server may have closed an idle connection.
                return self._send(path, headers)
        except (
            self._urllib3.exceptions.HTTPError,
            OSError,
            ValueError,
        ) as error:
            raise VestibuleUnavailable(type(error).__name__) from None

    def close(self) -> None:
        """Close the idle connections."""
        self._pool.close()

    def _new_pool(self) -> "urllib3.HTTPConnectionPool":
        """Return a connection pool that belongs to this process."""
        self._owner = os.getpid()
        return self._urllib3.connection_from_url(
            self._address.origin,
            maxsize=MAX_IDLE_CONNECTIONS,
            timeout=self._urllib3.Timeout(total=self._address.timeout),
            retries=False,
        )

    def _send(self, path: str, headers: dict[str, str]) -> VerifyResponse:
        """Send one request; raise as urllib3 does."""
        response = self._pool.urlopen(
            "GET",
            self._address.prefix + path,
            headers={**FIXED_HEADERS, **headers},
            redirect=False,
            preload_content=False,
        )
        try:
            body = self._read_body(response)
        except BaseException:
            # The rest of the body must not reach the next request.
            response.close()
            raise
        response.release_conn()
        found = response.headers
        return VerifyResponse(
            response.status,
            # urllib3 joins repeated headers by commas.
            {name.lower(): found[name] for name in found},
            body,
        )

    def _read_body(self, response: "urllib3.BaseHTTPResponse") -> bytes:
        """Return the body.

        Raise `VestibuleUnavailable` if it is too long or too slow.
        """
        end = clock.monotonic() + self._address.timeout
        body = b""
        while piece := response.read1(_READ_SIZE_BYTES, decode_content=False):
            body += piece
            if len(body) > MAX_BODY_BYTES:
                raise VestibuleUnavailable("the response is too long")
            if clock.monotonic() > end:
                raise VestibuleUnavailable("the response is too slow")
        return body
