#!/usr/bin/env python3
"""What many operations answer alike, written once and referred to."""

import json
from collections import Counter
from collections.abc import Iterator
from http import HTTPStatus
from typing import Any


def shared(paths: dict[str, Any]) -> dict[str, Any]:
    """Return the responses that stand in `paths` more than once, by name.

    There a reference takes the place of each: without, the document would
    have three times the size.
    """
    times = Counter(
        _text(responses[status]) for responses, status in _places(paths)
    )
    named: dict[str, str] = {}
    found: dict[str, Any] = {}
    for responses, status in _places(paths):
        response = responses[status]
        text = _text(response)
        if times[text] == 1:
            continue
        if text not in named:
            named[text] = _free_name(status, found)
            found[named[text]] = response
        responses[status] = {
            "$ref": f"#/components/responses/{named[text]}"
        }
    return found


def _places(paths: dict[str, Any]) -> Iterator[tuple[dict[str, Any], str]]:
    """Yield the responses of each operation with each of their statuses."""
    for entry in paths.values():
        for operation in entry.values():
            responses = operation["responses"]
            for status in responses:
                yield responses, status


def _text(response: dict[str, Any]) -> str:
    """Return what two responses have in common if they are alike."""
    return json.dumps(response, sort_keys=True)


def _free_name(status: str, taken: dict[str, Any]) -> str:
    """Return a name for a response with this status: `NotFound`."""
    phrase = HTTPStatus(int(status)).phrase.replace(" ", "")
    number = 1
    name = phrase
    while name in taken:
        number += 1
        name = f"{phrase}{number}"
    return name
