#!/usr/bin/env python3
"""A middleware of WSGI (PEP 3333), for Django and all others.

Its law: what is within sees a request only after its user is known, in
`environ["vestibule.principal"]`, and sees no header that names another.
"""

from collections.abc import Callable, Iterable
from http import HTTPStatus
from typing import Any

from vestibule.protect.address import TIMEOUT
from vestibule.protect.presented import drop_from_environ, from_environ
from vestibule.protect.principal import PRINCIPAL, Principal
from vestibule.protect.refusal import (
    FAILURES,
    Refusal,
    checked_roles,
    refusal_for,
    refusal_of,
)
from vestibule.protect.sources import Source, source_for

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
        timeout: float = TIMEOUT,
    ) -> None:
        """Stand before `application`; raise `InvalidValue`, `BadSetting`.
        """
        self._application = application
        self._roles = checked_roles(roles) if roles else ()
        self._optional = optional
        self._source = source_for(url, audience, timeout)

    def __call__(
        self, environ: dict[str, Any], start_response: Callable[..., Any]
    ) -> Iterable[bytes]:
        """Answer the request of `environ`, or let it be answered."""
        refusal: Refusal | None
        try:
            principal = found_in(environ, self._source)
        except FAILURES as error:
            refusal = refusal_for(error)
        else:
            refusal = refusal_of(principal, self._roles, self._optional)
        if refusal is not None:
            body = _refuse(refusal, start_response)
            return () if environ.get("REQUEST_METHOD") == "HEAD" else (body,)
        drop_from_environ(environ)
        return self._application(environ, start_response)

    def close(self) -> None:
        """Close the connections to Vestibule."""
        self._source.close()


def found_in(
    environ: dict[str, Any], source: Source
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


def _refuse(
    refusal: Refusal, start_response: Callable[..., Any]
) -> bytes:
    """Begin the answer in place of the application; return its body."""
    start_response(
        f"{refusal.status} {HTTPStatus(refusal.status).phrase}",
        [*refusal.all_headers.items()],
    )
    return refusal.body
