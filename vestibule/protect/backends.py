#!/usr/bin/env python3
"""Who knows the user of a request, for programs of threads.

A Vestibule over HTTP, the keys of one, or the installation in process:
they know people by one header, and are asked in one way.
"""

import logging
import threading
from typing import TYPE_CHECKING, Protocol

from vestibule.core.errors import VestibuleUnavailable
from vestibule.core.extras import install_hint
from vestibule.identity.header import HEADER
from vestibule.protect.http_client import HTTPClient
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
    from vestibule.protect.in_process import InProcess

_log = logging.getLogger(__name__)


class Backend(Protocol):
    """What knows the user of a request."""

    @property
    def header(self) -> str:
        """Return the name of the header by which people are known."""

    def principal(self, presented: str) -> Principal | None:
        """Return who presents this header, or `None`.

        Raise `VestibuleUnavailable` where that cannot be learnt.
        """

    def close(self) -> None:
        """Give up what is kept open."""


class RemoteVerifier:
    """A Vestibule that is asked about each request."""

    header = COOKIE

    def __init__(self, wire: HTTPClient) -> None:
        """Ask by `wire`."""
        self._wire = wire

    def principal(self, presented: str) -> Principal | None:
        """Return who verify names."""
        return parse_principal(
            self._wire.get(VERIFY_PATH, {COOKIE: encode_header(presented)})
        )

    def close(self) -> None:
        """Close the connections."""
        self._wire.close()


class TokenVerifier:
    """The gate before the application, which signs who somebody is."""

    header = HEADER

    def __init__(self, wire: HTTPClient, audience: str) -> None:
        """Fetch keys by `wire`; take tokens for `audience`."""
        self._wire = wire
        self._tokens = Tokens(audience)
        self._keys = KeyCopy()
        self._fetching = threading.Lock()

    def principal(self, presented: str) -> Principal | None:
        """Return who the token names."""
        known = self._tokens.recall(presented, self._keys)
        if known is not None:
            return known
        kid = kid_of(presented)
        if kid is None:
            return None
        if self._keys.wants(kid):
            self._fetch(kid)
        key = self._keys.find(kid)
        return None if key is None else self._tokens.check(presented, key)

    def close(self) -> None:
        """Close the connections."""
        self._wire.close()

    def _fetch(self, kid: str) -> None:
        """Fetch the keys, if no other thread has just done so.

        Where that fails the copy is used for as long as it may be.
        """
        with self._fetching:
            if not self._keys.wants(kid):
                return
            try:
                self._keys.take(parse_json(self._wire.get(KEYS_PATH, {})))
            except VestibuleUnavailable as error:
                _log.warning("the keys were not fetched: %s", error)
            self._keys.tried()


def open_in_process() -> "InProcess":
    """Return the backend that uses the installation of this process.

    Raise `ImportError` if the service is not installed beside the client,
    and `ConfigurationError` as `InProcess` does.
    """
    try:
        from vestibule.protect.in_process import InProcess
    except ModuleNotFoundError as error:
        raise ImportError(install_hint(error, "server")) from None
    return InProcess()


def backend_for(
    url: str | None, audience: str | None, timeout: float
) -> Backend:
    """Return who is asked: the Vestibule at `url`, or this installation.

    With an `audience`, the application's own host, the gate's signed
    identity is taken instead. `timeout` is in seconds. Raise
    `InvalidValue`, or `BadSetting` where the settings name nobody to ask.
    """
    if url is None:
        refuse_audience(audience)
        return open_in_process()
    wire = HTTPClient(parse_address(url, timeout))
    return (
        RemoteVerifier(wire)
        if audience is None
        else TokenVerifier(wire, audience)
    )
