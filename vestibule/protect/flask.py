#!/usr/bin/env python3
"""The Flask extension: the signed-in user, and protected views.

A protected view runs only after its user is known. No view sees a header
by which a client could claim to be another user.
"""

from collections.abc import Callable, Iterable
from functools import wraps
from typing import Any, NoReturn, TypeVar, cast

from flask import Flask, abort, current_app, request
from werkzeug.datastructures import WWWAuthenticate
from werkzeug.exceptions import Unauthorized
from werkzeug.local import LocalProxy

from vestibule.protect.backends import Backend, backend_for
from vestibule.protect.denials import (
    BACKEND_ERRORS,
    UNAUTHORIZED,
    Denial,
    denial_for,
    denial_for_error,
    validate_roles,
)
from vestibule.protect.request_headers import strip_identity_headers
from vestibule.protect.verify_response import DEFAULT_TIMEOUT, Principal
from vestibule.protect.wsgi import find_principal

View = TypeVar("View", bound=Callable[..., Any])

_EXTENSION_NAME = "vestibule"


class Vestibule:
    """The extension that determines the user of each request.

    `url` is the address of a Vestibule; without it, the installation of
    this process is used. With `audience`, the host of the application, the
    signed identity from forward authentication counts instead of the
    cookie. `timeout` is in seconds. Raise `InvalidValue` or
    `ConfigurationError` for arguments or settings that cannot work.
    """

    def __init__(
        self,
        app: Flask | None = None,
        url: str | None = None,
        *,
        audience: str | None = None,
        timeout: float = DEFAULT_TIMEOUT,
    ) -> None:
        """Install the extension in `app`, or later by `init_app`."""
        self._backend = backend_for(url, audience, timeout)
        if app is not None:
            self.init_app(app)

    def init_app(self, app: Flask) -> None:
        """Install the extension in `app`."""
        app.extensions[_EXTENSION_NAME] = self._backend
        inner = app.wsgi_app

        def without_identity(
            environ: dict[str, Any], start_response: Any
        ) -> Iterable[bytes]:
            """Remove identity headers of the client before the request."""
            strip_identity_headers(environ)
            return inner(environ, start_response)

        app.wsgi_app = without_identity  # type: ignore[method-assign]

    def close(self) -> None:
        """Close the connections to Vestibule."""
        self._backend.close()


def _find_current_user() -> Principal | None:
    """Return the user of this request, or deny it if that fails."""
    backend: Backend | None = current_app.extensions.get(_EXTENSION_NAME)
    if backend is None:
        # `bool(current_user)` would turn a RuntimeError into False.
        raise LookupError("Vestibule(app) was not installed")
    try:
        return find_principal(request.environ, backend)
    except BACKEND_ERRORS as error:
        _deny(denial_for_error(error))


#: The signed-in user; false and without attributes if anonymous.
current_user = cast(Principal, LocalProxy(_find_current_user))


def login_required(view: View) -> View:
    """Protect a view: anonymous requests get 401."""
    return _protect(view, ())


def role_required(*roles: str) -> Callable[[View], View]:
    """Protect a view: users without one of the `roles` get 403.

    Anonymous requests get 401. Raise `TypeError` without roles.
    """
    names = validate_roles(roles)
    return lambda view: _protect(view, names)


def _protect(view: View, roles: tuple[str, ...]) -> View:
    """Return `view`, protected by the `roles`."""

    @wraps(view)
    def protected(*args: Any, **kwargs: Any) -> Any:
        """Call the view, or deny the request."""
        denial = denial_for(_find_current_user(), roles)
        if denial is not None:
            _deny(denial)
        return current_app.ensure_sync(view)(*args, **kwargs)

    return cast(View, protected)


def _deny(denial: Denial) -> NoReturn:
    """Abort the request; the application may have an error handler."""
    if denial is UNAUTHORIZED:
        raise Unauthorized(
            www_authenticate=WWWAuthenticate(
                "cookie", {"realm": _EXTENSION_NAME}
            )
        )
    abort(denial.status, denial.text)
