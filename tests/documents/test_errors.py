#!/usr/bin/env python3
"""The page of errors has each message of the code, and no other."""

import ast
import re

import pytest

from tests.documents.messages import PAGE, documented, missing, said, texts_of


def test_each_message_has_its_row() -> None:
    """Who searches the page for what was printed finds it.

    `python -m tests.documents.messages` prints the rows that are lacking.
    """
    assert missing() == {}


def test_each_row_is_a_message() -> None:
    """No row tells of what nobody says any more, and none stands twice."""
    told = documented()
    assert set(told) <= {text for text, _ in said()}
    # An answer of the API may have the text of another part.
    assert len(told) == len(set(told))


def test_each_row_has_a_cause_and_a_cure() -> None:
    """A row has three cells, and none of them is empty."""
    rows = re.findall(r"^\| `.*", PAGE.read_text(), re.MULTILINE)
    assert len(rows) == len(documented())
    for row in rows:
        cells = [cell.strip() for cell in row.strip("| ").split(" | ")]
        assert len(cells) == 3, row
        assert all(cells), row


def test_each_row_says_what_is_filled_in() -> None:
    """A reader knows what stands in a message where the page has `<so>`."""
    assert "<>" not in PAGE.read_text()


def test_each_cure_is_something_to_do() -> None:
    """No row sends its reader away with nothing."""
    cures = re.findall(r"^\| `.* \| (.*) \|$", PAGE.read_text(), re.MULTILINE)
    assert len(cures) == len(documented())
    for cure in cures:
        assert not re.match(r"(none|nothing)\b", cure), cure


@pytest.mark.parametrize(("code", "texts"), [
    ('"a %s of %d"', ["a <> of <>"]),
    ('f"a {b} c"', ["a <> c"]),
    ('"a" if b else "c"', ["a", "c"]),
    ("str(error)", ["<>"]),
])
def test_what_is_filled_in_is_marked(code: str, texts: list[str]) -> None:
    """A message is known by what is the same each time."""
    assert texts_of(ast.parse(code, mode="eval").body) == texts
