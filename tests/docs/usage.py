#!/usr/bin/env python3
"""Messages of click, and commands that produce them.

The texts are in click's code: each stands here with a command line, so that a
test sees the message.
"""

from typing import NamedTuple


class Typed(NamedTuple):
    """The words of a command, and the input at its prompts."""

    words: tuple[str, ...]
    answers: dict[str, str]


#: Each message, with `<>` for values, and a command line.
OF_USAGE = {
    "No such command <>.": "users ad",
    "No such option <>.": "users list --jsn",
    "Missing argument <>.": "users add",
    "Got unexpected extra argument (<>)": "users list bob",
    "Got unexpected extra arguments (<>)": "users list bob eve",
    "Option <> requires an argument.": "events list --limit",
    "Option <> does not take a value.": "users list --json=yes",
    "Invalid value for <>: <> is not a valid integer range.": (
        "events list --limit many"
    ),
    "Invalid value for <>: <> is not in the range <>.": (
        "events list --limit 0"
    ),
    "Invalid value for <>: <> is not one of <>.": "users role bob king",
    "Invalid value for <>: File <> does not exist.": (
        "db import-json nowhere.json"
    ),
}
#: Each message at a prompt, and the input for it.
OF_QUESTIONS = {
    "The two entered values do not match.": Typed(
        ("users", "passwd", "bob@example.com"),
        {
            "Password: ": "one thing",
            "Repeat": "another thing",
            "match.": "\x03",
        },
    ),
    "invalid input": Typed(
        ("users", "remove", "bob@example.com"),
        {"[y/N]": "perhaps", "invalid input": "n"},
    ),
    "Aborted!": Typed(("users", "remove", "bob@example.com"), {"[y/N]": "n"}),
}
