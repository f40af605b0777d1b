#!/usr/bin/env python3
"""What the service says in its own terms has a sentence for people."""

import ast
from collections.abc import Iterator

import pytest

from tests.app.api.conftest import Build
from tests.repo.repository import product_files
from vestibule.core.errors import InvalidValue
from vestibule.sessions.session import EndReason
from vestibule.web.messages import end_reason_message, error_message

#: What no form can be refused for: scripts and the command line alone.
_NOT_TYPED = {
    "must not be missing",
    "is in conflict with what is stored",
    "must be a string",
    "must be a date and time",
    # Of a list's next page: the desk has a sentence for it.
    "is no place of this list",
}


def refusals() -> Iterator[str]:
    """Yield why values of users are refused, as the code says it."""
    for file in product_files():
        if not file.path.startswith(
            ("models/", "vestibule/accounts/", "vestibule/core/passwords.py")
        ) or file.path.endswith(("old_store.py", "adoption.py", "role.py")):
            continue
        for node in ast.walk(ast.parse(file.text)):
            if (
                isinstance(node, ast.Call)
                and isinstance(node.func, ast.Name)
                and node.func.id == "InvalidValue"
            ):
                yield wording(node.args[1])


def wording(node: ast.expr) -> str:
    """Return the text of an expression, with an 8 in its gaps."""
    if isinstance(node, ast.JoinedStr):
        return "".join(map(wording, node.values))
    return str(node.value) if isinstance(node, ast.Constant) else "8"


def test_each_refusal_has_a_sentence(build: Build) -> None:
    """A page never says that a value "cannot be taken", and no more."""
    house = build("session_db_auth", WEB_PAGES="on")
    with house.app.test_request_context():
        unsaid = {
            why
            for why in refusals()
            if error_message(InvalidValue("password", why))
            == "This cannot be taken."
        }
        told = error_message(
            InvalidValue("x", "must have at least 15 characters")
        )
        assert (
            error_message(InvalidValue("x", "is new"))
            == "This cannot be taken."
        )
    assert unsaid == _NOT_TYPED
    assert told == "Please use at least 15 characters."


@pytest.mark.parametrize("language", ["en", "fr"])
def test_each_reason_has_a_sentence(build: Build, language: str) -> None:
    """Each its own, and one for what is not known any more."""
    house = build("session_db_auth", WEB_PAGES="on")
    headers = {"Accept-Language": language}
    with house.app.test_request_context(headers=headers):
        told = [end_reason_message(reason) for reason in (*EndReason, None)]
    assert len(set(told)) == len(EndReason) + 1
    assert all(text.endswith(".") for text in told)
