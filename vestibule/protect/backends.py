#!/usr/bin/env python3
"""Backends that determine the user of a request, for threaded programs.

There are three: a Vestibule asked over HTTP, its signed identity, or the
installation in process. Each reads one header, by the same interface. An
`Installation` in place of a URL says which one an application uses.
"""

import logging
import threading
from collections.abc import Collection
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol, Self

from vestibule.core import setting_types
from vestibule.core.command_line import install_hint
from vestibule.core.errors import ConfigurationError, VestibuleUnavailable
from vestibule.identity.header import HEADER
from vestibule.protect.http_client import HTTPClient
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

_log = logging.getLogger(__name__)


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


class OpensInProcess:
    """A middleware that may use the database of a Vestibule itself."""

    @classmethod
    def in_process(
        cls,
        application: Any,
        *,
        database_url: str | None = None,
        session_name: str | None = None,
        **options: Any,
    ) -> Self:
        """Return a middleware around `application` without a URL.

        `database_url` and `session_name` count before the settings of this
        process. The other arguments are those of the class. Raise
        `ConfigurationError` for settings or a database that cannot work.
        """
        make: Any = cls
        middleware: Self = make(
            application, Installation(database_url, session_name), **options
        )
        return middleware


#: The installation that the settings of this process describe: what an
#: adapter without arguments uses. `None` is refused in its place, because
#: it often is an address that was not found.
SETTINGS = Installation()


if TYPE_CHECKING:
    from vestibule.protect.in_process import InProcess


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
