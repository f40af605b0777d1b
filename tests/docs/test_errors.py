#!/usr/bin/env python3
"""`docs/errors.md` has exactly the messages of the code."""

import ast
import re
from pathlib import Path

import pytest

from tests.docs.messages import PAGE, documented, messages, missing, texts_of
from tests.docs.usage import OF_QUESTIONS, OF_USAGE
from tests.unit.cli.conftest import Run, run
from tests.unit.cli.processes import on_terminal
from vestibule.db.models.user import User

__all__ = ["run"]


def test_each_message_has_its_row() -> None:
    """A reader who searches the page for a message finds it.

    `python -m tests.docs.messages` prints the missing rows.
    """
    assert missing() == {}


def test_each_row_is_a_message() -> None:
    """Each row is a current message, without duplicates."""
    told = documented()
    assert set(told) <= {text for text, _ in messages()}
    # A response of the API may have the text of another part.
    assert len(told) == len(set(told))


def test_each_row_has_cause_and_remedy() -> None:
    """A row has three cells, and none is empty."""
    rows = re.findall(r"^\| `.*", PAGE.read_text(), re.MULTILINE)
    assert len(rows) == len(documented())
    for row in rows:
        cells = [cell.strip() for cell in row.strip("| ").split(" | ")]
        assert len(cells) == 3, row
        assert all(cells), row


def test_each_placeholder_has_a_name() -> None:
    """A message on the page has `<name>` where a value is filled in."""
    assert "<>" not in PAGE.read_text()


def test_each_remedy_is_an_action() -> None:
    """No remedy is `none` or `nothing`."""
    cures = re.findall(r"^\| `.* \| (.*) \|$", PAGE.read_text(), re.MULTILINE)
    assert len(cures) == len(documented())
    for cure in cures:
        assert not re.match(r"(none|nothing)\b", cure), cure


def pattern(text: str) -> str:
    """Return a regular expression that matches a message."""
    return re.escape(text).replace("<>", ".+")


@pytest.mark.parametrize(("text", "line"), OF_USAGE.items())
def test_click_usage_error_is_as_documented(
    run: Run, text: str, line: str
) -> None:
    """Click prints the message that the page has."""
    done = run(*line.split())
    assert (done.exit_code, done.stdout) == (2, "")
    assert re.search(f"^Error: {pattern(text)}", done.stderr, re.MULTILINE)


@pytest.mark.parametrize("text", OF_QUESTIONS)
def test_click_prompt_error_is_as_documented(
    tmp_path: Path, text: str
) -> None:
    """Click prints the message, and the command changes nothing."""
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
def test_placeholders_replace_filled_in_values(
    code: str, texts: list[str]
) -> None:
    """A message keeps only its constant parts."""
    assert texts_of(ast.parse(code, mode="eval").body) == texts
