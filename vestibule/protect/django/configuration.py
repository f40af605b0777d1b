#!/usr/bin/env python3
"""The settings of a Django project for Vestibule, and what they configure."""

from functools import cache
from typing import Any

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured

from vestibule.core.errors import VestibuleError
from vestibule.protect.async_backends import (
    AsyncBackend,
    AsyncInProcess,
    async_backend_for,
)
from vestibule.protect.backends import (
    Backend,
    Installation,
    backend_for,
    open_in_process,
)
from vestibule.protect.sign_in import SignInPages
from vestibule.protect.verify_response import DEFAULT_TIMEOUT


def setting(name: str, default: Any) -> Any:
    """Return a setting of the project."""
    return getattr(settings, name, default)


@cache
def sync_backend() -> Backend:
    """Return the backend for requests in threads.

    Raise `ImproperlyConfigured` for settings that cannot work.
    """
    try:
        if _is_in_process():
            return open_in_process(_installation())
        return backend_for(*_arguments())
    except VestibuleError as error:
        raise ImproperlyConfigured(f"Vestibule: {error}") from error


@cache
def async_backend() -> AsyncBackend:
    """Return the backend for requests on an event loop; raise as above."""
    try:
        if _is_in_process():
            return AsyncInProcess(open_in_process(_installation()))
        return async_backend_for(*_arguments())
    except VestibuleError as error:
        raise ImproperlyConfigured(f"Vestibule: {error}") from error


def sign_in_pages() -> SignInPages:
    """Return the pages of Vestibule; raise `ImproperlyConfigured`."""
    try:
        return SignInPages(setting("VESTIBULE_PAGES", ""))
    except VestibuleError as error:
        raise ImproperlyConfigured(f"VESTIBULE_PAGES: {error}") from error


def _is_in_process() -> bool:
    """Return True if the project uses the database of Vestibule itself.

    Exactly one of two settings says where Vestibule is, so that a missing
    address is an error and not another way of asking.
    """
    in_process = bool(setting("VESTIBULE_IN_PROCESS", False))
    if in_process == (setting("VESTIBULE_URL", None) is not None):
        raise ImproperlyConfigured(
            "set VESTIBULE_URL to the address of a Vestibule, or"
            " VESTIBULE_IN_PROCESS = True, and not both"
        )
    return in_process


def _installation() -> Installation:
    """Return the database that the project names, or none."""
    return Installation(
        setting("VESTIBULE_DATABASE_URL", None),
        setting("VESTIBULE_SESSION_NAME", None),
    )


def _arguments() -> tuple[str, Any, float]:
    """Return the address, the audience and the time limit in seconds."""
    return (
        settings.VESTIBULE_URL,
        setting("VESTIBULE_AUDIENCE", None),
        setting("VESTIBULE_TIMEOUT", DEFAULT_TIMEOUT),
    )
