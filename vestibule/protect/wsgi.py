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
    requirement,
)
from vestibule.protect.backends import (
    SETTINGS,
    Backend,
    Installation,
    OpensInProcess,
    backend_for,
)
from vestibule.protect.denials import (
    BACKEND_ERRORS,
    Denial,
    denial_for_error,
    validate_roles,
)
from vestibule.protect.request_headers import (
    from_environ,
    strip_identity_headers,
)
from vestibule.protect.sign_in import SignInPages, target_of_environ
from vestibule.protect.verify_response import (
    DEFAULT_TIMEOUT,
    PRINCIPAL,
    Principal,
)

WSGIApplication = Callable[..., Iterable[bytes]]


class Protection(OpensInProcess):
    """Middleware that lets only signed-in users reach an application.

    `url` is the address of a Vestibule; without it, the installation of
    this process is used. With `audience`, the host of the application, the
    signed identity from forward authentication counts instead of the
    cookie. `roles` requires one of these roles. `optional` lets anonymous
    requests pass, for an application that decides itself. `level`,
    `phishing_resistant` and `fresh` (in seconds) demand more of how users
    signed in; page loads of users who lack that are led to the pages of
    Vestibule, whose address is `pages` as for Flask. `timeout` is in
    seconds.
    """

    def __init__(
        self,
        application: WSGIApplication,
        url: str | Installation | None = SETTINGS,
        *,
        audience: str | None = None,
        roles: tuple[str, ...] = (),
        optional: bool = False,
        level: int = 1,
        phishing_resistant: bool = False,
        fresh: int | None = None,
        timeout: float = DEFAULT_TIMEOUT,
        pages: str | None = "",
    ) -> None:
        """Wrap `application`.

        Raise `InvalidValue` or `ConfigurationError`, and `TypeError` or
        `ValueError` for a demand without meaning.
        """
        self._application = application
        self._roles = validate_roles(roles) if roles else ()
        self._optional = optional
        self._demand = requirement(level, phishing_resistant, fresh)
        self._pages = None if pages is None else SignInPages(pages)
        self._backend = backend_for(url, audience, timeout)

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
        return self._application(environ, start_response)

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
