#!/usr/bin/env python3
"""A middleware of WSGI (PEP 3333), for Django and all others.

Its law: what is within sees a request only after its user is known, in
`environ["vestibule.principal"]`, and sees no header that names another.
"""

from collections.abc import Callable, Iterable
from http import HTTPStatus
from typing import Any

from vestibule.protect.backends import Backend, backend_for
from vestibule.protect.denials import (
    FAILURES,
    Denial,
    checked_roles,
    denial_for,
    denial_for_error,
)
from vestibule.protect.request_headers import (
    from_environ,
    strip_identity_headers,
)
from vestibule.protect.verify_response import (
    DEFAULT_TIMEOUT,
    PRINCIPAL,
    Principal,
)

WSGIApplication = Callable[..., Iterable[bytes]]


class Protection:
    """An application that only those who are signed in get to.

    `url` is that of a Vestibule, without it the installation of this
    process is asked. With `audience`, the host of the application, the
    signed identity of a gate counts instead of the cookie. With `roles`
    one of them is needed. `optional` lets others pass as nobody, for an
    application that decides for itself. `timeout` is in seconds.
    """

    def __init__(
        self,
        application: WSGIApplication,
        url: str | None = None,
        *,
        audience: str | None = None,
        roles: tuple[str, ...] = (),
        optional: bool = False,
        timeout: float = DEFAULT_TIMEOUT,
    ) -> None:
        """Stand before `application`; raise `InvalidValue`, `BadSetting`."""
        self._application = application
        self._roles = checked_roles(roles) if roles else ()
        self._optional = optional
        self._source = backend_for(url, audience, timeout)

    def __call__(
        self, environ: dict[str, Any], start_response: Callable[..., Any]
    ) -> Iterable[bytes]:
        """Answer the request of `environ`, or let it be answered."""
        refusal: Denial | None
        try:
            principal = find_principal(environ, self._source)
        except FAILURES as error:
            refusal = denial_for_error(error)
        else:
            refusal = denial_for(principal, self._roles, self._optional)
        if refusal is not None:
            body = _refuse(refusal, start_response)
            return () if environ.get("REQUEST_METHOD") == "HEAD" else (body,)
        strip_identity_headers(environ)
        return self._application(environ, start_response)

    def close(self) -> None:
        """Close the connections to Vestibule."""
        self._source.close()


def find_principal(
    environ: dict[str, Any], source: Backend
) -> Principal | None:
    """Return who sends a request, and note it; ask once for each.

    Raise `InvalidValue` or `VestibuleUnavailable`.
    """
    if PRINCIPAL in environ:
        known: Principal | None = environ[PRINCIPAL]
        return known
    presented = from_environ(environ, source.header)
    principal = None if presented is None else source.principal(presented)
    environ[PRINCIPAL] = principal
    return principal


def _refuse(refusal: Denial, start_response: Callable[..., Any]) -> bytes:
    """Begin the answer in place of the application; return its body."""
    start_response(
        f"{refusal.status} {HTTPStatus(refusal.status).phrase}",
        [*refusal.all_headers.items()],
    )
    return refusal.body
