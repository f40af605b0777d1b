#!/usr/bin/env python3
"""An extension of Flask: who is signed in, and what is for them alone.

Its law: a view that is guarded begins only after its user is known, and
none sees a header that names another.
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
    FAILURES,
    UNAUTHORIZED,
    Denial,
    checked_roles,
    denial_for,
    denial_for_error,
)
from vestibule.protect.request_headers import strip_identity_headers
from vestibule.protect.verify_response import DEFAULT_TIMEOUT, Principal
from vestibule.protect.wsgi import find_principal

View = TypeVar("View", bound=Callable[..., Any])

_NAME = "vestibule"


class Vestibule:
    """What an application asks who is signed in.

    `url` is that of a Vestibule, without it the installation of this
    process is asked. With `audience`, the host of the application, the
    signed identity of a gate counts instead of the cookie. `timeout` is
    in seconds. Raise `InvalidValue` or `BadSetting` for what cannot be.
    """

    def __init__(
        self,
        app: Flask | None = None,
        url: str | None = None,
        *,
        audience: str | None = None,
        timeout: float = DEFAULT_TIMEOUT,
    ) -> None:
        """Be installed in `app`, or in those that `init_app` is given."""
        self._source = backend_for(url, audience, timeout)
        if app is not None:
            self.init_app(app)

    def init_app(self, app: Flask) -> None:
        """Be what `app` asks."""
        app.extensions[_NAME] = self._source
        inner = app.wsgi_app

        def without_names(
            environ: dict[str, Any], start_response: Any
        ) -> Iterable[bytes]:
            """Answer a request, once it names nobody by itself."""
            strip_identity_headers(environ)
            return inner(environ, start_response)

        app.wsgi_app = without_names  # type: ignore[method-assign]

    def close(self) -> None:
        """Close the connections to Vestibule."""
        self._source.close()


def _current() -> Principal | None:
    """Return who sends this request; abort it where nobody can tell."""
    source: Backend | None = current_app.extensions.get(_NAME)
    if source is None:
        # Of a RuntimeError `bool(current_user)` would make False.
        raise LookupError("Vestibule(app) was not installed")
    try:
        return find_principal(request.environ, source)
    except FAILURES as error:
        _refuse(denial_for_error(error))


#: Who is signed in; false, and without attributes, if nobody is.
current_user = cast(Principal, LocalProxy(_current))


def login_required(view: View) -> View:
    """Let a view be for those who are signed in; others get 401."""
    return _guarded(view, ())


def role_required(*roles: str) -> Callable[[View], View]:
    """Let a view be for those with one of the `roles`; others get 403.

    Who is not signed in gets 401. Raise `TypeError` for no role at all.
    """
    names = checked_roles(roles)
    return lambda view: _guarded(view, names)


def _guarded(view: View, roles: tuple[str, ...]) -> View:
    """Return `view` for those with one of the `roles`."""

    @wraps(view)
    def guarded(*args: Any, **kwargs: Any) -> Any:
        """Answer as the view does, or refuse."""
        refusal = denial_for(_current(), roles)
        if refusal is not None:
            _refuse(refusal)
        return current_app.ensure_sync(view)(*args, **kwargs)

    return cast(View, guarded)


def _refuse(refusal: Denial) -> NoReturn:
    """Abort the request; handlers of the application may answer it."""
    if refusal is UNAUTHORIZED:
        raise Unauthorized(
            www_authenticate=WWWAuthenticate("cookie", {"realm": _NAME})
        )
    abort(refusal.status, refusal.text)
