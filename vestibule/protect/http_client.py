#!/usr/bin/env python3
"""Questions to a Vestibule over HTTP, for programs of threads.

Its law: no redirect is followed, no cookie is kept, no body is read
beyond its bound, and whatever goes wrong is `VestibuleUnavailable`.
"""

import os
from typing import TYPE_CHECKING

from vestibule.core import clock
from vestibule.core.errors import VestibuleUnavailable
from vestibule.protect.verify_response import (
    FIXED_HEADERS,
    KEPT_CONNECTIONS,
    MAX_BODY_BYTES,
    ServiceAddress,
    VerifyResponse,
)

if TYPE_CHECKING:
    import urllib3

#: Bytes that are read at once.
_PIECE = 16_384


class HTTPClient:
    """Connections to one Vestibule, kept open; threads may share it."""

    def __init__(self, address: ServiceAddress) -> None:
        """Open nothing yet."""
        # Its import opens a socket, to see if there is IPv6.
        import urllib3

        self._urllib3 = urllib3
        self._address = address
        self._pool = self._opened()

    def get(self, path: str, headers: dict[str, str]) -> VerifyResponse:
        """Return the answer to one `GET`.

        The time limit is for each wait before the body, and for the whole
        body. Raise `VestibuleUnavailable`.
        """
        if self._owner != os.getpid():
            # After a fork parent and child would read each other's answers.
            self._pool = self._opened()
        try:
            try:
                return self._asked(path, headers)
            except self._urllib3.exceptions.ProtocolError:
                # A connection may have been closed while nobody used it.
                return self._asked(path, headers)
        except (
            self._urllib3.exceptions.HTTPError,
            OSError,
            ValueError,
        ) as error:
            raise VestibuleUnavailable(type(error).__name__) from None

    def close(self) -> None:
        """Close the connections that nobody uses."""
        self._pool.close()

    def _opened(self) -> "urllib3.HTTPConnectionPool":
        """Return a pool of this process."""
        self._owner = os.getpid()
        return self._urllib3.connection_from_url(
            self._address.origin,
            maxsize=KEPT_CONNECTIONS,
            timeout=self._urllib3.Timeout(total=self._address.timeout),
            retries=False,
        )

    def _asked(self, path: str, headers: dict[str, str]) -> VerifyResponse:
        """Ask once; raise as urllib3 does."""
        response = self._pool.urlopen(
            "GET",
            self._address.prefix + path,
            headers={**FIXED_HEADERS, **headers},
            redirect=False,
            preload_content=False,
        )
        try:
            body = self._body_of(response)
        except BaseException:
            # What is left of the answer is for nobody.
            response.close()
            raise
        response.release_conn()
        found = response.headers
        return VerifyResponse(
            response.status,
            # One that comes twice has a comma between its values here.
            {name.lower(): found[name] for name in found},
            body,
        )

    def _body_of(self, response: "urllib3.BaseHTTPResponse") -> bytes:
        """Return the whole body, if it is short and comes in time."""
        end = clock.monotonic() + self._address.timeout
        body = b""
        while piece := response.read1(_PIECE, decode_content=False):
            body += piece
            if len(body) > MAX_BODY_BYTES:
                raise VestibuleUnavailable("the answer was too long")
            if clock.monotonic() > end:
                raise VestibuleUnavailable("the answer was too slow")
        return body
