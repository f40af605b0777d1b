#!/usr/bin/env python3
"""The page about the command line documents each command and option."""

import re
from collections.abc import Iterator

import click

from tests.serving import ROOT
from vestibule.cli import program
from vestibule.cli.commands import CommandError, Interrupted, Program


def commands(
    group: click.Group, path: tuple[str, ...] = ()
) -> Iterator[tuple[str, click.Command]]:
    """Yield each command by its words, those of the groups within too."""
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        assert command is not None
        if isinstance(command, click.Group):
            yield from commands(command, (*path, name))
        else:
            yield " ".join((*path, name)), command


def usage(name: str, command: click.Command) -> str:
    """Return the heading that a command should have: it and arguments."""
    arguments = (
        parameter.make_metavar(click.Context(command))
        for parameter in command.params
        if isinstance(parameter, click.Argument)
    )
    return " ".join((name, *arguments))


def sections() -> dict[str, str]:
    """Return the text of the page under each heading of a command."""
    page = (ROOT / "docs/cli.md").read_text()
    parts = re.split(r"^##.* ?", page, flags=re.MULTILINE)
    headings = re.findall(r"^##.*", page, flags=re.MULTILINE)
    return {
        heading.removeprefix("### ").strip("`"): text
        for heading, text in zip(headings, parts[1:], strict=True)
        if heading.startswith("### ")
    }


def test_each_command_has_a_section() -> None:
    """No command is without a section, no section without a command."""
    assert sorted(sections()) == sorted(
        usage(name, command) for name, command in commands(program)
    )


def test_each_section_lists_its_options() -> None:
    """A section lists the options that its command takes, and no other."""
    told = sections()
    for name, command in commands(program):
        listed = {
            option
            for line in told[usage(name, command)].splitlines()
            if line.startswith("- `--")
            for option in re.findall(r"`(--[a-z-]+)", line)
        }
        taken = {
            option
            for parameter in command.params
            if isinstance(parameter, click.Option)
            for option in parameter.opts
        }
        assert listed == taken, name


def test_each_example_is_an_existing_command() -> None:
    """What the page tells to type names commands that there are."""
    page = (ROOT / "docs/cli.md").read_text()
    known = {name for name, _ in commands(program)}
    typed = re.findall(
        r"\$ (?:[A-Z_]+=\S+ )*(?:python -m )?vestibule ([a-z].*)", page
    )
    assert len(typed) >= 10
    for line in typed:
        one, two = [*line.split(), ""][:2]
        assert one in known or f"{one} {two}" in known, line


def test_everything_has_a_help_text() -> None:
    """Commands, groups and options say what they are for."""
    for name, command in commands(program):
        assert command.help, name
        for parameter in command.params:
            if isinstance(parameter, click.Option):
                assert parameter.help, (name, parameter.name)


def test_summaries_equal_the_help_of_the_commands() -> None:
    """The overview and the command itself say the same."""
    context = click.Context(program)
    assert isinstance(program, Program)
    for name, lazy in program.lazy_commands.items():
        command = program.get_command(context, name)
        assert command is not None
        assert command.get_short_help_str(200) == lazy.summary


def test_each_exit_code_is_documented() -> None:
    """The table has each code that a command can end with, and no other."""
    page = (ROOT / "docs/cli.md").read_text()
    told = set(map(int, re.findall(r"^\| (\d+) \|", page, re.MULTILINE)))
    assert told == {
        0,
        CommandError.exit_code,
        click.UsageError.exit_code,
        Interrupted.exit_code,
    }
