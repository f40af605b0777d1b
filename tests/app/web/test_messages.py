#!/usr/bin/env python3
"""Each error code and end reason has a message on the pages."""

import ast
from collections.abc import Iterator

import pytest

from tests.app.api.conftest import Build
from tests.repo.repository import product_files
from vestibule.core import errors
from vestibule.core.errors import InvalidValue, Throttled, VestibuleError
from vestibule.sessions.session import EndReason
from vestibule.web.messages import (
    ERROR_MESSAGES,
    error_message,
)
from vestibule.web.sessions import end_reason_message

ERRORS = {
    name: found
    for name, found in vars(errors).items()
    if isinstance(found, type) and issubclass(found, VestibuleError)
}


def raised_codes() -> Iterator[str]:
    """Yield the codes of all errors below status 500 that are raised.

    A code is at the call that creates the error, or in its class.
    """
    for file in product_files():
        for node in ast.walk(ast.parse(file.text)):
            if isinstance(node, ast.Call):
                yield from codes_of(node)
            elif isinstance(node, ast.Raise) and node.exc is not None:
                yield from class_code(node.exc)


def codes_of(call: ast.Call) -> Iterator[str]:
    """Yield the code of the error that a call creates, if any."""
    given = [word.value for word in call.keywords if word.arg == "code"]
    name = call.func.id if isinstance(call.func, ast.Name) else None
    if name not in ERRORS or not given:
        yield from class_code(call.func)
        return
    assert isinstance(given[0], ast.Constant), ast.unparse(call)
    yield str(given[0].value)


def class_code(node: ast.expr) -> Iterator[str]:
    """Yield the code in the class of an error that `node` names."""
    found = ERRORS.get(node.id) if isinstance(node, ast.Name) else None
    if found is not None and found.status < 500 and "code" in vars(found):
        yield found.code


def test_error_codes_and_messages_match() -> None:
    """`DuplicateEmail` has its code in the call of its constructor."""
    assert {*raised_codes(), "taken"} == set(ERROR_MESSAGES)


def test_only_base_client_error_has_no_code() -> None:
    """An error without a code would have no message."""
    without = {
        name
        for name, found in ERRORS.items()
        if found.status < 500 and found.code == VestibuleError.code
    }
    # Their constructors require a code.
    # `WrongCode` is the base of two errors with a code.
    assert without == {"InvalidValue", "DuplicateEmail", "WrongCode"}


def test_message_shows_the_details_of_its_error(build: Build) -> None:
    """A number or a time is where the sentence has its gap."""
    service = build("session_db_auth", WEB_PAGES="on")
    short = InvalidValue("x", "is short", code="too_short", number=15)
    with service.app.test_request_context():
        assert error_message(short) == "Please use at least 15 characters."
        assert "8 seconds" in error_message(Throttled(8))


@pytest.mark.parametrize("language", ["en", "fr"])
def test_each_end_reason_has_a_message(build: Build, language: str) -> None:
    """An unknown reason has a message too."""
    service = build("session_db_auth", WEB_PAGES="on")
    headers = {"Accept-Language": language}
    with service.app.test_request_context(headers=headers):
        sentences = [
            end_reason_message(reason) for reason in (*EndReason, None)
        ]
    assert len(set(sentences)) == len(EndReason) + 1
    assert all(text.endswith(".") for text in sentences)
