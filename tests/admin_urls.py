#!/usr/bin/env python3
"""The URLs of all admin pages, read from an application's routes.

A new page is included without a change here; a new path parameter fails until
a test gives it values.
"""

from collections.abc import Iterator, Sequence
from itertools import product

from werkzeug.routing import Map

from vestibule.web.routes import ADMIN


def admin_urls(
    routes: Map, method: str | None = None, **parts: Sequence[str]
) -> Iterator[str]:
    """Yield the URLs that accept `method`, or all of them.

    `parts` has the values of each path parameter.
    """
    for rule in routes.iter_rules():
        if not f"{rule.rule}/".startswith(f"{ADMIN}/"):
            continue
        if method is not None and method not in (rule.methods or ()):
            continue
        names = sorted(rule.arguments)
        for values in product(*(parts[name] for name in names)):
            built = rule.build(dict(zip(names, values, strict=True)))
            assert built is not None
            yield built[1]
