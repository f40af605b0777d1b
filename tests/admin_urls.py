#!/usr/bin/env python3
"""Every address of the admin's desk, as an application knows them.

Its law: none is written here. A new page is among them by itself, and
one with a new part in its address fails until that part has a value.
"""

from collections.abc import Iterator, Sequence
from itertools import product

from werkzeug.routing import Map

from vestibule.web.routes import ADMIN


def admin_urls(
    routes: Map, method: str | None = None, **parts: Sequence[str]
) -> Iterator[str]:
    """Give the addresses that take a method, or all of them.

    `parts` has the values of each variable part of an address.
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
