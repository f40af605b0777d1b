#!/usr/bin/env python3
"""Authentication for the views of Django REST framework.

The framework itself is imported only to refuse a request.
"""

from typing import Any

from django.http import HttpRequest
from django.middleware.csrf import CsrfViewMiddleware

from vestibule.protect.denials import CHALLENGE


class _CSRFCheck(CsrfViewMiddleware):  # type: ignore[misc]
    """Django's check, which returns its reason instead of a response."""

    def _reject(self, request: HttpRequest, reason: str) -> str:
        """Return the reason."""
        return reason


class VestibuleAuthentication:
    """Authenticates the user whom `VestibuleMiddleware` found.

    Like `SessionAuthentication` it requires a CSRF token for methods that
    change something, because the framework exempts its views. An
    anonymous request gets 401.
    """

    def authenticate(self, request: Any) -> tuple[Any, Any] | None:
        """Return the user and the principal, `None` if anonymous."""
        principal = getattr(request._request, "vestibule", None)
        if principal is None:
            return None
        check = _CSRFCheck(lambda _: None)
        check.process_request(request._request)
        reason = check.process_view(request._request, None, (), {})
        if reason:
            from rest_framework.exceptions import PermissionDenied

            raise PermissionDenied(f"CSRF Failed: {reason}")
        return request._request.user, principal

    def authenticate_header(self, request: Any) -> str:
        """Return how to authenticate, for a 401."""
        return CHALLENGE
