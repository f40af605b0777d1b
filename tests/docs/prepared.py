#!/usr/bin/env python3
"""The users and files that a page expects before its first command."""

import json
from collections.abc import Callable

from tests.docs.terminal import Step, Terminal
from tests.serving import ROOT
from vestibule.db.models.user import User

#: Valid rows of the old store; the page shows this number.
GOOD_ROWS = 41
_MOMENT = "2020-01-31T23:59:59"


def command_line(terminal: Terminal) -> None:
    """Create a user, a password file, and an old store with a bad row.

    The commands are installed, and the service runs beside them.
    """
    User(email="bob@example.com").save()
    terminal.typed = terminal.folder / "password-file"
    terminal.typed.write_text("correct horse battery\n")
    rows = {
        key: {
            "id": key,
            "email": email,
            "_password": "a" * 64,
            "created_at": _MOMENT,
            "updated_at": _MOMENT,
        }
        for key, email in [
            *((f"k{n}", f"user{n}@example.com") for n in range(GOOD_ROWS)),
            ("a7c3", "user0@example.com"),
        ]
    }
    (terminal.folder / ".db_User.json").write_text(json.dumps(rows))
    for name, words in (
        ("python", ""),
        ("vestibule", " -m vestibule"),
    ):
        terminal.type(
            Step(f'{name}() {{ .venv/bin/python{words} "$@"; }}', "")
        )
    terminal.type(Step("make run", ""))


def clone(terminal: Terminal) -> None:
    """Copy the files of a clone that proxies and applications need."""
    for folder in ("deploy", "examples"):
        (terminal.folder / folder).mkdir()
        for file in (ROOT / folder).iterdir():
            if file.is_file():
                (terminal.folder / folder / file.name).write_text(
                    terminal.placed(file.read_text())
                )


def application(terminal: Terminal) -> None:
    """Provide the environment of an application with all dependencies.

    pip resolves the requirements of the clone without an index, and would
    report a missing extra.
    """
    terminal.elsewhere["/path/to/vestibule"] = str(ROOT)
    terminal.type(Step('PATH="$PWD/.venv/bin:$PATH"', ""))
    terminal.type(
        Step(
            'pip() { .venv/bin/python -m pip "$@" --dry-run --no-index'
            " --no-build-isolation; }",
            "",
        )
    )


PREPARED: dict[str, Callable[[Terminal], None]] = {
    "docs/cli.md": command_line,
    "docs/forward-authentication.md": clone,
    "docs/development.md": application,
    "docs/django.md": application,
    "docs/protect.md": application,
    "docs/testing.md": application,
}
