#!/usr/bin/env python3
"""Threads that work aside, where the system has one to give.

Its law: a request does not fail because a container may have no more
threads; whoever wanted one asks again, and the log is told once.
"""

import logging
import threading
from collections.abc import Callable
from typing import Any

_log = logging.getLogger(__name__)

#: The names of those that could not be started.
_refused: set[str] = set()


def started(
    name: str, work: Callable[..., object], *arguments: Any
) -> threading.Thread | None:
    """Start a daemon thread that does `work`; `None` if there is none."""
    thread = threading.Thread(
        target=work, args=arguments, name=name, daemon=True
    )
    try:
        thread.start()
    except RuntimeError as error:
        if name not in _refused:
            _refused.add(name)
            _log.warning("no thread for %s: %s", name, error)
        return None
    _refused.discard(name)
    return thread
