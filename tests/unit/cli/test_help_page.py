#!/usr/bin/env python3
"""Help: every page of it fits a terminal that is narrow."""

from collections.abc import Iterator

import click
import pytest
from click.testing import CliRunner

from vestibule.cli import program

PROG = "python -m vestibule"


def commands(
    group: click.Group, path: tuple[str, ...] = ()
) -> Iterator[tuple[str, ...]]:
    """Yield the words of each command, and of each group of them."""
    yield path
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        if isinstance(command, click.Group):
            yield from commands(command, (*path, name))
        else:
            yield (*path, name)


def page(columns: int, *words: str) -> str:
    """Return the help of a command on a terminal of so many columns."""
    done = CliRunner().invoke(
        program,
        [*words, "--help"],
        prog_name=PROG,
        env={"COLUMNS": str(columns)},
    )
    assert done.exit_code == 0
    return done.stdout


def test_forty_columns() -> None:
    """No line of any page is longer, and what is left out has a sign.

    click shortens what a command is for where a group names it.
    """
    seen = set()
    for words in commands(program):
        narrow, wide = page(40, *words), page(200, *words)
        assert max(map(len, narrow.splitlines())) <= 40, words
        seen.add(words)
        if "Commands:" not in wide or not words:
            assert narrow.split() == wide.split(), words
            continue
        for line in narrow.partition("Commands:")[2].splitlines():
            start = " ".join(line.split()).removesuffix("...")
            assert start in " ".join(wide.split()), words
    assert {(), ("users", "add"), ("db", "import-json")} <= seen


def test_the_name_of_a_command_is_not_parted() -> None:
    """One that is too long for its line goes on in the next, whole."""
    assert page(40, "db", "import-json").startswith(
        f"Usage: {PROG} db\n           import-json [OPTIONS] FILE\n"
    )


def test_a_wide_terminal_has_pages_as_always() -> None:
    """They are as wide as click makes them, and not wider."""
    for columns in (80, 300):
        assert page(columns, "db", "import-json").startswith(
            f"Usage: {PROG} db import-json [OPTIONS] FILE\n"
        )
    assert max(map(len, page(300).splitlines())) <= 78


@pytest.mark.parametrize("columns", [1, 8, 20])
def test_hardly_any_room(columns: int) -> None:
    """Help is help all the same."""
    assert "Work with the accounts." in " ".join(
        page(columns, "users").split()
    )
