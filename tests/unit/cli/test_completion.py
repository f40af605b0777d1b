#!/usr/bin/env python3
"""`completion`: a real shell completes the commands with its output."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.backends import missing
from tests.serving import environment
from tests.unit.cli.conftest import Run


def completed(folder: Path, *words: str) -> list[str]:
    """Return the completions of bash for the last of these words."""
    bash = shutil.which("bash")
    if bash is None:
        missing("bash")
    installed = folder / "bin/vestibule"
    installed.parent.mkdir(exist_ok=True)
    installed.write_text(
        f'#!/bin/sh\nexec {sys.executable} -m vestibule "$@"\n'
    )
    installed.chmod(0o755)
    script = (
        f'PATH="{installed.parent}:$PATH"\n'
        'eval "$(vestibule completion bash)"\n'
        'COMP_WORDS=(vestibule "$@"); COMP_CWORD=$#\n'
        "_vestibule_completion vestibule\n"
        'printf "%s\\n" "${COMPREPLY[@]}"\n'
    )
    done = subprocess.run(
        [str(bash), "-c", script, "bash", *words],
        env=environment(folder),
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout.split()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("words", "offered"),
    [
        (["us"], ["users"]),
        (["users", "ro"], ["role"]),
        (["users", "role", "bob@example.com", ""], ["member", "admin"]),
        (["events", "export", "--for"], ["--format"]),
        (["nothing", "x"], []),
    ],
)
def test_bash_completes_commands_choices_and_options(
    tmp_path: Path, words: list[str], offered: list[str]
) -> None:
    """Commands, those within, choices and options."""
    assert completed(tmp_path, *words) == offered


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_each_shell_gets_its_own_script(run: Run, shell: str) -> None:
    """It calls the installed command with the variable that it reads."""
    printed = run("completion", shell).stdout
    assert f"_VESTIBULE_COMPLETE={shell}_complete" in printed
    assert "vestibule" in printed


def test_unknown_shell_is_a_usage_error(run: Run) -> None:
    """Its exit code is that of wrong usage."""
    assert run("completion", "csh").exit_code == 2
