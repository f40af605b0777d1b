#!/usr/bin/env python3
"""WSGI middleware, for Django and any other WSGI application.

The application sees a request only after its user is known, in
`environ["vestibule.principal"]`, and sees no header by which a client
could claim to be another user.
"""

from collections.abc import Callable, Iterable
from http import HTTPStatus
from typing import Any

from vestibule.protect.assurance import (
    denial_for_user,
    lead_page,
)
from vestibule.protect.backends import (
    Backend,
    Installation,
    backend_for,
)
from vestibule.protect.denials import (
    BACKEND_ERRORS,
    Denial,
    denial_for_error,
)
from vestibule.protect.middleware import Middleware
from vestibule.protect.request_headers import (
    from_environ,
    strip_identity_headers,
)
from vestibule.protect.sign_in import target_of_environ
from vestibule.protect.verify_response import (
    PRINCIPAL,
    Principal,
)

WSGIApplication = Callable[..., Iterable[bytes]]


class Protection(Middleware[WSGIApplication, Backend]):
    """Middleware for WSGI applications; see `Middleware`."""

    def _find_backend(
        self,
        url: str | Installation | None,
        audience: str | None,
        timeout: float,
    ) -> Backend:
        """Return the backend at `url`, or that of this process."""
        return backend_for(url, audience, timeout)

    def __call__(
        self, environ: dict[str, Any], start_response: Callable[..., Any]
    ) -> Iterable[bytes]:
        """Deny the request of `environ`, or pass it to the application."""
        denial: Denial | None
        try:
            principal = find_principal(environ, self._backend)
        except BACKEND_ERRORS as error:
            denial = denial_for_error(error)
        else:
            denial = denial_for_user(
                principal, self._roles, self._demand, self._optional
            )
        if denial is not None and denial.demand is not None:
            here = target_of_environ(environ)
            denial = lead_page(denial, self._pages, environ, here)
        if denial is not None:
            body = _deny(denial, start_response)
            return () if environ.get("REQUEST_METHOD") == "HEAD" else (body,)
        strip_identity_headers(environ)
        return self._app(environ, start_response)

    def close(self) -> None:
        """Close the connections to Vestibule."""
        self._backend.close()


def find_principal(
    environ: dict[str, Any], backend: Backend
) -> Principal | None:
    """Return the user of a request, and keep it in its environment.

    The backend is asked once per request. Raise `InvalidValue` or
    `VestibuleUnavailable`.
    """
    if PRINCIPAL in environ:
        known: Principal | None = environ[PRINCIPAL]
        return known
    header_value = from_environ(environ, backend.header)
    principal = (
        None if header_value is None else backend.principal(header_value)
    )
    environ[PRINCIPAL] = principal
    return principal


def _deny(denial: Denial, start_response: Callable[..., Any]) -> bytes:
    """Start the response of a denial; return its body."""
    start_response(
        f"{denial.status} {HTTPStatus(denial.status).phrase}",
        [*denial.all_headers.items()],
    )
    return denial.body
