#!/usr/bin/env python3
"""The page of errors has each message of the code, and no other."""

import ast
import re
from pathlib import Path

import pytest

from tests.docs.messages import PAGE, documented, missing, said, texts_of
from tests.docs.usage import OF_QUESTIONS, OF_USAGE
from tests.unit.cli.conftest import Run, run
from tests.unit.cli.processes import on_terminal
from vestibule.db.models.user import User

__all__ = ["run"]


def test_each_message_has_its_row() -> None:
    """Who searches the page for what was printed finds it.

    `python -m tests.docs.messages` prints the rows that are lacking.
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


def pattern(text: str) -> str:
    """Return what a message matches, whatever is filled in."""
    return re.escape(text).replace("<>", ".+")


@pytest.mark.parametrize(("text", "line"), OF_USAGE.items())
def test_what_click_says_of_usage(run: Run, text: str, line: str) -> None:
    """It is what the page has."""
    done = run(*line.split())
    assert (done.exit_code, done.stdout) == (2, "")
    assert re.search(f"^Error: {pattern(text)}", done.stderr, re.MULTILINE)


@pytest.mark.parametrize("text", OF_QUESTIONS)
def test_what_click_says_to_an_answer(tmp_path: Path, text: str) -> None:
    """It is what the page has, and nothing was done."""
    User(email="bob@example.com").save()
    typed = OF_QUESTIONS[text]
    code, screen = on_terminal(tmp_path, *typed.words, answers=typed.answers)
    assert code in (1, 130)
    assert re.search(
        rf"^(Error: )?{pattern(text)}\r?$", screen, re.MULTILINE
    ), screen
    (user,) = User.all()
    assert user.password is None


@pytest.mark.parametrize(
    ("code", "texts"),
    [
        ('"a %s of %d"', ["a <> of <>"]),
        ('f"a {b} c"', ["a <> c"]),
        ('"a" if b else "c"', ["a", "c"]),
        ("str(error)", ["<>"]),
    ],
)
def test_what_is_filled_in_is_marked(code: str, texts: list[str]) -> None:
    """A message is known by what is the same each time."""
    assert texts_of(ast.parse(code, mode="eval").body) == texts
