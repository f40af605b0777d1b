#!/usr/bin/env python3
"""An identity map: an object loaded once is not loaded again in its block.

The map lives as long as the `with` block of its thread, some microseconds,
and is never shared. It lets the look-up of a session load the session's
user in the same query, for code that asks for the session first and for
the user next.
"""

import threading
from types import TracebackType
from typing import Any

_current = threading.local()


class IdentityMap:
    """A `with` block within which `get` returns what `put` was given.

    A nested block shares the map of the outer one.
    """

    __slots__ = ("_outer",)

    def __enter__(self) -> None:
        """Start with an empty map, if this is the outermost block."""
        self._outer: dict[Any, Any] | None = getattr(_current, "map", None)
        if self._outer is None:
            _current.map = {}

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Drop the map at the end of the outermost block."""
        _current.map = self._outer

    @staticmethod
    def put(model: type, key: str, loaded: Any) -> None:
        """Keep a loaded object for the rest of the block, if there is one.

        `key` is the value by which the object was looked up.
        """
        objects = getattr(_current, "map", None)
        if objects is not None:
            objects[model, key] = loaded

    @staticmethod
    def get(model: type, key: str) -> Any:
        """Return the object of `model` that was put under `key`, or `None`."""
        objects = getattr(_current, "map", None)
        return objects.get((model, key)) if objects else None
