#!/usr/bin/env python3
"""Requests: what the service reads from one, cheaply and strictly.

Its law: a body that is not what it says it is counts as no body; nothing
of it is guessed or repaired.
"""

import json
from functools import cached_property
from typing import Any

from flask import Request

from models.user import User
from vestibule.sessions.cookie import cookies_of


class VestibuleRequest(Request):
    """A request of the API, with the user it comes from."""

    #: The principal, once the filter has let the request pass.
    current_user: User | None = None

    @cached_property
    def cookies(self) -> Any:
        """Return the cookies by name, those tossed in twice left out.

        Werkzeug's parser takes as long as the look-up of a session.
        """
        return cookies_of(self.environ.get("HTTP_COOKIE", ""))

    def json_object(self) -> dict[str, Any] | None:
        """Return the body if it is one JSON object, else `None`.

        Doubled keys are refused: two readers may take different ones.
        """
        if not self.is_json:
            return None
        try:
            body = json.loads(
                self.get_data(cache=False), object_pairs_hook=_object
            )
        except (ValueError, RecursionError):
            return None
        return body if isinstance(body, dict) else None


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Return the object of `pairs`; raise `ValueError` on a doubled key."""
    made = dict(pairs)
    if len(made) < len(pairs):
        raise ValueError("a key stands twice")
    return made
