#!/usr/bin/env python3
"""`main`: exit codes with a closed, full or broken output."""

import os
import sys
from pathlib import Path

import pytest

from tests.unit.cli.conftest import Run
from vestibule import cli
from vestibule.db.models.user import User


@pytest.fixture
def users_list(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the arguments of this process be a command that prints."""
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


@pytest.mark.usefixtures("users_list")
def test_closed_output_is_no_error(monkeypatch: pytest.MonkeyPatch) -> None:
    """An output that was never there is no failure."""
    monkeypatch.setattr(sys, "stdout", None)
    assert exit_code() == 0
    sys.stdout.close()


@pytest.mark.usefixtures("users_list")
def test_full_disk_is_one_error_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A disk without space is one line."""
    # Its closing fails too: what is left still fits nowhere.
    with (
        pytest.raises(OSError, match="No space"),
        open("/dev/full", "w") as full,
    ):
        monkeypatch.setattr(sys, "stdout", full)
        code = exit_code()
    assert code == 1
    assert capsys.readouterr().err == (
        "vestibule: [Errno 28] No space left on device\n"
    )


@pytest.mark.usefixtures("users_list")
def test_broken_pipe_is_silent(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """If the reader is gone, nothing is reported."""
    reader, writer = os.pipe()
    os.close(reader)
    pipe = os.fdopen(writer, "w")
    monkeypatch.setattr(sys, "stdout", pipe)
    assert exit_code() == 1
    assert capsys.readouterr().err == ""
    with pytest.raises(BrokenPipeError):
        pipe.close()


def test_serve_names_an_invalid_setting(
    run: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A setting with which the server cannot start is named."""
    monkeypatch.setenv("AUTH_TYPE", "nonsense")
    done = run("serve")
    assert done.exit_code == 1
    assert "vestibule: AUTH_TYPE" in done.output
    assert not list(tmp_path.iterdir())
