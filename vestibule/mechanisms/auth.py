#!/usr/bin/env python3
"""The base mechanism: which paths need authentication, and credentials."""

from functools import lru_cache
from typing import Any, List, Optional, TypeVar

from vestibule.core import settings
from vestibule.core.request_headers import authorization_of
from vestibule.sessions import cookie


class Auth:
    """A mechanism that protects paths and identifies no user.

    It accepts requests of any Flask application, and other objects that
    have `headers` or `cookies` with a `.get()`.
    """

    def require_auth(
        self, path: Optional[str], excluded_paths: Optional[List[str]]
    ) -> bool:
        """Return True if `path` needs authentication.

        It does not if it equals an excluded path, with or without a slash
        at the end, or if it starts with one that ends with `*`.
        """
        if path is None or not excluded_paths:
            return True
        whole, prefixes = _parse_excluded(tuple(excluded_paths))
        return not (
            (path if path.endswith("/") else path + "/") in whole
            or path.startswith(prefixes)
        )

    def authorization_header(self, request: Any = None) -> Optional[str]:
        """Return the `Authorization` header of `request`, or `None`."""
        return authorization_of(getattr(request, "headers", None))

    def session_cookie(self, request: Any = None) -> Optional[str]:
        """Return the value of the session cookie of `request`, or `None`.

        `SESSION_NAME`, which names the cookie, is read at each call.
        """
        name = settings.SESSION_NAME.read()
        if request is None or name is None:
            return None
        return cookie.read(request, name)

    # fmt: off
    def current_user(
        self, request: Any = None
    ) -> Optional[TypeVar("User")]:  # type: ignore[valid-type]
        # fmt: on
        """Return the user of `request`: here always `None`."""
        return None


@lru_cache(maxsize=64)
def _parse_excluded(
    excluded_paths: tuple[str, ...],
) -> tuple[frozenset[str], tuple[str, ...]]:
    """Return the whole paths, each with a slash at its end, and the prefixes.

    Every request needs them, and the lists are always the same.
    """
    prefixes = [one[:-1] for one in excluded_paths if one.endswith("*")]
    whole = [
        one if one.endswith("/") else one + "/"
        for one in excluded_paths
        if not one.endswith("*")
    ]
    return frozenset(whole), tuple(prefixes)
