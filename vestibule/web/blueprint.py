#!/usr/bin/env python3
"""The blueprint that the pages hang on, and which of them are open.

Its law: a page is for who is signed in, unless it says otherwise.
"""

from collections.abc import Callable
from typing import Any, TypeVar

from flask import Blueprint

View = TypeVar("View", bound=Callable[..., Any])

pages = Blueprint("pages", __name__)

#: The endpoints that nobody needs a session for.
OPEN: set[str] = set()


def open_to_all(view: View) -> View:
    """Let everybody see the page that `view` makes.

    It stands below the route: `@pages.get(...)`, then `@open_to_all`.
    """
    OPEN.add(f"{pages.name}.{view.__name__}")
    return view
