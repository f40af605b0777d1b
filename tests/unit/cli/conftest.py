#!/usr/bin/env python3
"""Fixtures: commands that are run within this process."""

from collections.abc import Callable

import pytest
from click.testing import CliRunner, Result

from vestibule.cli import program
from vestibule.db import engine

Run = Callable[..., Result]

#: A password that the rules allow.
PASSWORD = "correct horse"


@pytest.fixture
def run() -> Run:
    """Return a function that runs a command line and returns its result."""

    def invoke(*arguments: str, typed: str | bytes | None = None) -> Result:
        """Run the `arguments` with `typed` on standard input.

        The database is opened anew, as each process does.
        """
        engine.close()
        result = CliRunner().invoke(program, arguments, input=typed)
        engine.close()
        if not isinstance(result.exception, SystemExit | None):
            raise result.exception
        return result

    return invoke
