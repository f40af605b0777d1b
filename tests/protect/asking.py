#!/usr/bin/env python3
"""One way to ask by threads and by coroutines, so that both are tried."""

import asyncio
from collections.abc import Callable
from contextlib import contextmanager
from typing import Any

from vestibule.protect.address import TIMEOUT
from vestibule.protect.async_sources import async_source_for
from vestibule.protect.principal import Principal
from vestibule.protect.sources import source_for

Ask = Callable[[str], Principal | None]


@contextmanager
def by_threads(
    url: str | None, audience: str | None = None, timeout: float = TIMEOUT
) -> Any:
    """Yield what asks a source of threads."""
    source = source_for(url, audience, timeout)
    try:
        yield source.principal
    finally:
        source.close()


@contextmanager
def by_coroutines(
    url: str | None, audience: str | None = None, timeout: float = TIMEOUT
) -> Any:
    """Yield what asks a source of coroutines, on one event loop."""
    source = async_source_for(url, audience, timeout)
    with asyncio.Runner() as runner:
        try:
            yield lambda presented: runner.run(source.principal(presented))
        finally:
            runner.run(source.close())


WAYS = {"threads": by_threads, "coroutines": by_coroutines}
