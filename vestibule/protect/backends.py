#!/usr/bin/env python3
"""Backends that determine the user of a request, for threaded programs.

There are three: a Vestibule asked over HTTP, its signed identity, or the
installation in process. Each reads one header, by the same interface. An
`Installation` in place of a URL says which one an application uses.

The HTTP client follows no redirect, keeps no cookie and reads no body beyond
its limit. Any failure is a `VestibuleUnavailable`.
"""

import logging
import os
import threading
from collections.abc import Collection
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from vestibule.core import clock, setting_types
from vestibule.core.command_line import install_hint
from vestibule.core.errors import ConfigurationError, VestibuleUnavailable
from vestibule.identity.header import HEADER
from vestibule.protect.identity import (
    Audience,
    KeyCache,
    TokenReader,
    key_id_of,
)
from vestibule.protect.request_headers import COOKIE, encode_header
from vestibule.protect.verify_response import (
    FIXED_HEADERS,
    KEYS_PATH,
    MAX_BODY_BYTES,
    MAX_IDLE_CONNECTIONS,
    VERIFY_PATH,
    Principal,
    ServiceAddress,
    VerifyResponse,
    parse_address,
    parse_json,
    parse_principal,
    refuse_audience,
)

if TYPE_CHECKING:
    import urllib3

    from vestibule.protect.in_process import InProcess

_log = logging.getLogger(__name__)
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


@dataclass(frozen=True)
class Installation:
    """The installation of this process, in place of a Vestibule's URL.

    `database_url` and `session_name` count before the environment, whose
    `DATABASE_URL` may be the application's own.
    """

    database_url: str | None = field(default=None, repr=False)
    session_name: str | None = None

    def apply(self) -> None:
        """Give the settings of this process these values.

        Raise `ConfigurationError` for a second database: a process has one.
        """
        values = {
            "DATABASE_URL": self.database_url,
            "SESSION_NAME": self.session_name,
        }
        for name, value in values.items():
            if value is not None and not setting_types.may_give(name, value):
                raise ConfigurationError(
                    name, "was given another value in this process before"
                )
        setting_types.give(
            {name: value for name, value in values.items() if value}
        )


#: The installation that the settings of this process describe: what an
#: adapter without arguments uses. `None` is refused in its place, because
#: it often is an address that was not found.
SETTINGS = Installation()


class Backend(Protocol):
    """Determines the user of a request."""

    @property
    def header(self) -> str:
        """Return the name of the header that identifies the user."""

    def principal(self, header_value: str) -> Principal | None:
        """Return the user that this header identifies, or `None`.

        Raise `VestibuleUnavailable` if that cannot be determined.
        """

    def close(self) -> None:
        """Close all connections."""


class RemoteVerifier:
    """Asks a Vestibule about each request."""

    header = COOKIE

    def __init__(self, client: HTTPClient) -> None:
        """Send requests by `client`."""
        self._client = client

    def principal(self, header_value: str) -> Principal | None:
        """Return the user that the verify route names."""
        return parse_principal(
            self._client.get(
                VERIFY_PATH, {COOKIE: encode_header(header_value)}
            )
        )

    def close(self) -> None:
        """Close the connections."""
        self._client.close()


class TokenVerifier:
    """Reads the signed identity that forward authentication adds."""

    header = HEADER

    def __init__(
        self, client: HTTPClient, audience: str | Collection[str]
    ) -> None:
        """Fetch keys by `client`; accept tokens for `audience`."""
        self._client = client
        self._tokens = TokenReader(audience)
        self._keys = KeyCache()
        self._fetching = threading.Lock()

    def principal(self, header_value: str) -> Principal | None:
        """Return the user that the token names."""
        known = self._tokens.cached_principal(header_value, self._keys)
        if known is not None:
            return known
        kid = key_id_of(header_value)
        if kid is None:
            return None
        if self._keys.needs_fetch(kid):
            self._fetch(kid)
        key = self._keys.get(kid)
        return None if key is None else self._tokens.verify(header_value, key)

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def _fetch(self, kid: str) -> None:
        """Fetch the keys, unless another thread has just done so.

        If that fails, the cached keys are used until they expire.
        """
        with self._fetching:
            if not self._keys.needs_fetch(kid):
                return
            try:
                self._keys.replace(parse_json(self._client.get(KEYS_PATH, {})))
            except VestibuleUnavailable as error:
                _log.warning("cannot fetch the signing keys: %s", error)
            self._keys.record_attempt()


def open_in_process(
    installation: Installation | None = None,
) -> "InProcess":
    """Return the backend that uses the installation of this process.

    Raise `ImportError` if the service is not installed beside the client,
    and `ConfigurationError` as `InProcess` does.
    """
    try:
        from vestibule.protect.in_process import InProcess
    except ModuleNotFoundError as error:
        raise ImportError(install_hint(error, "server")) from None
    return InProcess(installation)


def backend_for(
    url: str | Installation | None,
    audience: Audience,
    timeout: float,
) -> Backend:
    """Return the backend for the Vestibule at `url`, or for this process.

    For this process, `url` is an `Installation`. `None` is refused: it
    often is an address that was not found.

    With an `audience`, the application's own host, the backend reads the
    signed identity instead of asking. `timeout` is in seconds. Raise
    `InvalidValue` for bad arguments, and what `open_in_process` raises.
    """
    if isinstance(url, Installation):
        refuse_audience(audience)
        return open_in_process(url)
    client = HTTPClient(parse_address(url, timeout))
    return (
        RemoteVerifier(client)
        if audience is None
        else TokenVerifier(client, audience)
    )
