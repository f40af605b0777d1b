#!/usr/bin/env python3
"""The base of all mechanisms: which paths are guarded, what a request has."""

from typing import Any, List, Optional, TypeVar

from vestibule.core import settings
from vestibule.sessions import cookie


class Auth:
    """A mechanism that guards paths and knows nobody.

    It takes requests of any Flask application, or anything else that has
    `headers` or `cookies` with a `.get()`.
    """

    def require_auth(
        self, path: Optional[str], excluded_paths: Optional[List[str]]
    ) -> bool:
        """Tell whether `path` needs authentication.

        It does not if it equals an excluded path, a slash at the end
        making no difference, or begins as one that ends with `*`.
        """
        if path is None or not excluded_paths:
            return True
        whole = path if path.endswith("/") else path + "/"
        for excluded in excluded_paths:
            if excluded.endswith("*"):
                if path.startswith(excluded[:-1]):
                    return False
            elif whole == (
                excluded if excluded.endswith("/") else excluded + "/"
            ):
                return False
        return True

    def authorization_header(self, request: Any = None) -> Optional[str]:
        """Return the `Authorization` header of `request`, or `None`."""
        headers = getattr(request, "headers", None)
        if headers is None:
            return None
        value = headers.get("Authorization")
        return value if isinstance(value, str) else None

    def session_cookie(self, request: Any = None) -> Optional[str]:
        """Return the value of the session cookie of `request`, or `None`.

        `SESSION_NAME` says at each call which cookie that is.
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
        """Return the user that `request` comes from: here, nobody."""
        return None
