#!/usr/bin/env python3
"""`main`: its exit codes."""

import sys
from pathlib import Path

import pytest

from tests.unit.cli.conftest import Run
from vestibule import cli
from vestibule.db.models.user import User


@pytest.fixture
def users_list(monkeypatch: pytest.MonkeyPatch) -> None:
    """Set the arguments of this process to a command that prints."""
    User(id="1").save()
    monkeypatch.setattr(sys, "argv", ["vestibule", "users", "list"])


def exit_code() -> object:
    """Run `main` and return the code with which it exits."""
    with pytest.raises(SystemExit) as end:
        cli.main()
    return end.value.code


@pytest.mark.usefixtures("users_list")
def test_success_exits_with_zero(capsys: pytest.CaptureFixture[str]) -> None:
    """The exit code of success is 0."""
    assert exit_code() == 0
    assert capsys.readouterr().out.startswith("id\temail\t")


def test_serve_names_an_invalid_setting(
    run: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A setting with which the server cannot start is named."""
    monkeypatch.setenv("AUTH_TYPE", "nonsense")
    done = run("serve")
    assert done.exit_code == 1
    assert "vestibule: AUTH_TYPE" in done.output
    assert not list(tmp_path.iterdir())
