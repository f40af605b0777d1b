#!/usr/bin/env python3
"""The middleware that sets `request.user` to the user of a Vestibule.

It stands after `AuthenticationMiddleware`. A request without a session at
Vestibule keeps the user of Django's own session, so local users can still
log in. If the user cannot be determined, no view runs.
"""

from collections.abc import Awaitable, Callable
from typing import Any

from asgiref.sync import (
    iscoroutinefunction,
    markcoroutinefunction,
    sync_to_async,
)
from django.contrib import auth
from django.core.exceptions import ImproperlyConfigured
from django.http import HttpRequest, HttpResponse

from vestibule.protect.denials import (
    BACKEND_ERRORS,
    FORBIDDEN,
    Denial,
    denial_for_error,
)
from vestibule.protect.django import configuration
from vestibule.protect.request_headers import (
    from_environ,
    from_scope,
    strip_identity_headers,
    without_identity_headers,
)
from vestibule.protect.verify_response import PRINCIPAL, Principal


class VestibuleMiddleware:
    """Sets `request.user`, and the `Principal` as `request.vestibule`.

    It works in threads and on an event loop, as the rest of the project
    does.
    """

    sync_capable = True
    async_capable = True

    def __init__(self, get_response: Callable[[HttpRequest], Any]) -> None:
        """Stand before `get_response`; raise `ImproperlyConfigured`."""
        self.get_response = get_response
        self._is_async = iscoroutinefunction(get_response)
        if self._is_async:
            markcoroutinefunction(self)
            configuration.async_backend()
        else:
            configuration.sync_backend()

    def __call__(
        self, request: HttpRequest
    ) -> HttpResponse | Awaitable[HttpResponse]:
        """Answer a request, or deny it."""
        if self._is_async:
            return self._answer_async(request)
        _prepare(request)
        try:
            principal = kept_principal(request)
            if PRINCIPAL not in request.META:
                backend = configuration.sync_backend()
                header = _header(request, backend.header)
                if header is not None:
                    principal = backend.principal(header)
        except BACKEND_ERRORS as error:
            return response_of(denial_for_error(error))
        if not self._set_user(request, principal):
            return response_of(FORBIDDEN)
        response: HttpResponse = self.get_response(request)
        return response

    async def _answer_async(self, request: HttpRequest) -> HttpResponse:
        """Answer a request on an event loop, or deny it."""
        _prepare(request)
        try:
            principal = kept_principal(request)
            if PRINCIPAL not in request.META:
                backend = configuration.async_backend()
                header = _header(request, backend.header)
                if header is not None:
                    principal = await backend.principal(header)
        except BACKEND_ERRORS as error:
            return response_of(denial_for_error(error))
        if principal is None:
            request.META[PRINCIPAL] = request.vestibule = None
        elif not await sync_to_async(self._set_user)(request, principal):
            return response_of(FORBIDDEN)
        response: HttpResponse = await self.get_response(request)
        return response

    def _set_user(
        self, request: HttpRequest, principal: Principal | None
    ) -> bool:
        """Set the user of a request; return False if it is denied.

        A user whom the project itself refuses, such as one that was made
        inactive in its admin, is signed in at Vestibule all the same.
        """
        request.META[PRINCIPAL] = request.vestibule = principal
        if principal is None:
            return True
        user = auth.authenticate(request, vestibule_principal=principal)
        if user is None:
            return False

        async def auser() -> Any:
            """Return the user, as `request.auser` of Django does."""
            return user

        request.user, request.auser = user, auser
        return True


def _prepare(request: HttpRequest) -> None:
    """Check the order of the middleware, and remove identity headers."""
    if not hasattr(request, "user"):
        raise ImproperlyConfigured(
            "put VestibuleMiddleware after"
            " django.contrib.auth.middleware.AuthenticationMiddleware"
        )
    strip_identity_headers(request.META)
    # Computed from `META`, maybe by another middleware before.
    request.__dict__.pop("headers", None)
    scope = getattr(request, "scope", None)
    if scope is not None:
        scope["headers"] = without_identity_headers(scope["headers"])


def _header(request: HttpRequest, name: str) -> str | None:
    """Return a header of a request; raise `InvalidValue` for a bad one.

    From the ASGI scope where there is one: Django joins the cookies that
    HTTP/2 may split by commas, and none of them could be read.
    """
    scope = getattr(request, "scope", None)
    if scope is not None:
        return from_scope(scope, name)
    return from_environ(request.META, name)


def kept_principal(request: HttpRequest) -> Principal | None:
    """Return the user that a WSGI or ASGI middleware of ours found."""
    scope = getattr(request, "scope", None)
    if scope is not None and PRINCIPAL in scope:
        request.META[PRINCIPAL] = scope[PRINCIPAL]
    kept: Principal | None = request.META.get(PRINCIPAL)
    return kept


def response_of(denial: Denial) -> HttpResponse:
    """Return the response of a denied request."""
    response = HttpResponse(denial.body, status=denial.status)
    for name, value in denial.all_headers.items():
        response[name] = value
    return response
