#!/usr/bin/env python3
"""One read: what a single question already loaded is not loaded again.

Its law: what is remembered lives as long as the `with` block of its
thread, some microseconds, and is never shared. It lets the look-up of a
session bring its user along in the same query, for code that asks for the
session first and for the user next.
"""

import threading
from types import TracebackType
from typing import Any

_scope = threading.local()


class IdentityMap:
    """The block within which `recall` finds what `remember` was given.

    One inside another is part of it.
    """

    __slots__ = ("_outer",)

    def __enter__(self) -> None:
        """Begin with nothing remembered, if this is the outermost."""
        self._outer: dict[Any, Any] | None = getattr(_scope, "seen", None)
        if self._outer is None:
            _scope.seen = {}

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Forget all of it."""
        _scope.seen = self._outer


def remember(model: type, identity: str, found: Any) -> None:
    """Keep the loaded object for the rest of the block, if there is one.

    `identity` is what it was asked for by.
    """
    seen = getattr(_scope, "seen", None)
    if seen is not None:
        seen[model, identity] = found


def recall(model: type, identity: str) -> Any:
    """Return the object of `model` that was remembered, or `None`."""
    seen = getattr(_scope, "seen", None)
    return seen.get((model, identity)) if seen else None
