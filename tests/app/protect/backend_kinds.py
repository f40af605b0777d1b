#!/usr/bin/env python3
"""Open a backend of threads or of coroutines in the same way."""

import asyncio
from contextlib import contextmanager
from typing import Any

from vestibule.protect.async_backends import async_backend_for
from vestibule.protect.backends import backend_for
from vestibule.protect.verify_response import DEFAULT_TIMEOUT


@contextmanager
def sync_backend(
    url: Any,
    audience: str | None = None,
    timeout: float = DEFAULT_TIMEOUT,
) -> Any:
    """Yield a function that verifies requests with threads."""
    source = backend_for(url, audience, timeout)
    try:
        yield source.principal
    finally:
        source.close()


@contextmanager
def async_backend(
    url: Any,
    audience: str | None = None,
    timeout: float = DEFAULT_TIMEOUT,
) -> Any:
    """Yield a function that verifies requests on one event loop."""
    source = async_backend_for(url, audience, timeout)
    with asyncio.Runner() as runner:
        try:
            yield lambda presented: runner.run(source.principal(presented))
        finally:
            runner.run(source.close())


BACKENDS = {"threads": sync_backend, "coroutines": async_backend}
