#!/usr/bin/env python3
"""Tests of `.env`: written, read as a shell reads it, or refused."""

import os
import subprocess
from pathlib import Path

import pytest

from tests.unit.cli.conftest import Run, run
from tests.unit.cli.processes import vestibule
from vestibule.cli.setup import FIRST_SETTINGS
from vestibule.core import env_file, page_settings, settings
from vestibule.core.errors import ConfigurationError

__all__ = ["run"]

GOOD = r"""
# A comment, and an empty line above.
API_PORT=5001
export BRAND_NAME='The  "House" of $Ada' # a comment
BRAND_COLOR=#1f5fae
PASSWORD_CONTEXT_WORDS="a\"b\\c\n",'it'\''s'\ d
LOGIN_URL=
CORS_ORIGINS=*
API_PORT=5002
TRUSTED_PROXIES=10.0.0.0/8,::1
"""
VALUES = {
    "API_PORT": "5002",
    "BRAND_NAME": 'The  "House" of $Ada',
    "BRAND_COLOR": "#1f5fae",
    "PASSWORD_CONTEXT_WORDS": "a\"b\\c\\n,it's d",
    "LOGIN_URL": "",
    "CORS_ORIGINS": "*",
    "TRUSTED_PROXIES": "10.0.0.0/8,::1",
}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Work in an empty folder whose `.env` is read."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("ENV_FILE")
    monkeypatch.delenv("DATABASE_URL")
    return tmp_path


def written(folder: Path, content: str, name: str = ".env") -> Path:
    """Write a file of settings for its owner alone."""
    file = folder / name
    file.write_text(content)
    file.chmod(0o600)
    return file


def value_in_a_shell(file: Path, name: str) -> str:
    """Return the value that a POSIX shell exports after it read `file`."""
    return subprocess.run(
        ["sh", "-c", f'set -a; . "$1"; printenv {name}', "sh", str(file)],
        check=True,
        env={"PATH": os.environ["PATH"]},
        capture_output=True,
        text=True,
    ).stdout.removesuffix("\n")


def test_values_equal_those_of_a_shell(folder: Path) -> None:
    """Every value is the one that a shell makes of the line."""
    file = written(folder, GOOD)
    assert env_file.parse(GOOD, ".env") == VALUES
    for name, value in VALUES.items():
        assert value_in_a_shell(file, name) == value


@pytest.mark.parametrize(
    "line",
    [
        "no assignment",
        "=x",
        "A B=x",
        "A =x",
        "9=x",
        "A=x y",
        "A='x",
        'A="x',
        "A=$HOME",
        'A="$HOME"',
        "A=`id`",
        'A="`id`"',
        "A=x;id",
        "A=x&",
        "A=~/x",
        "A=x|y",
        "A=x\\",
        "A=\0",
    ],
)
def test_line_that_a_shell_reads_differently_is_refused(line: str) -> None:
    """The line is named, and what it holds is not repeated."""
    with pytest.raises(ConfigurationError) as error:
        env_file.parse(f"API_PORT=1\n\n{line}\n", "the file")
    assert str(error.value).startswith("the file, line 3: ")
    assert line not in str(error.value)


@pytest.mark.parametrize(
    "value", ["", "plain", "#1", "it's", "a b", "$x", "-----\\n-----", "é"]
)
def test_quoted_value_is_read_back(value: str) -> None:
    """Any value is the same afterwards."""
    content = f"A={env_file.quote(value)}\n"
    assert env_file.parse(content, "") == {"A": value}


def test_environment_overrides_the_file(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The file sets only settings that are not set yet."""
    monkeypatch.setenv("API_PORT", "4000")
    monkeypatch.delenv("POSTGRES_USER", raising=False)
    written(folder, f"{GOOD}POSTGRES_USER=x\nENV_FILE=other\n")
    assert env_file.load() == {"POSTGRES_USER", "ENV_FILE"}
    assert settings.API_PORT.read() == 4000
    assert page_settings.BRAND_NAME.read() == VALUES["BRAND_NAME"]
    assert "POSTGRES_USER" not in os.environ
    assert settings.ENV_FILE.read() == ".env"


def test_missing_file_is_an_error_only_if_named(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No `.env` is needed; a file that is named has to exist."""
    assert env_file.load() == set()
    (folder / ".env").mkdir()
    assert env_file.load() == set()
    assert not env_file.is_readable_by_others()
    monkeypatch.setenv("ENV_FILE", "other")
    with pytest.raises(ConfigurationError, match="there is no file other"):
        env_file.load()
    written(folder, "API_PORT=4001\n", "other")
    env_file.load()
    assert settings.API_PORT.read() == 4001


@pytest.mark.parametrize("mode", [0o620, 0o602, 0o666])
def test_writable_file_is_refused(folder: Path, mode: int) -> None:
    """Settings in a file that others may write are not trusted."""
    written(folder, "API_PORT=4001\n").chmod(mode)
    with pytest.raises(ConfigurationError, match=r"chmod 600 \.env"):
        env_file.load()
    assert settings.API_PORT.read() == 5000


def test_file_of_another_user_is_refused(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file of root or of the same user is accepted."""
    file = written(folder, "API_PORT=4001\n")
    owner = file.stat().st_uid
    monkeypatch.setattr(os, "geteuid", lambda: owner + 1)
    if owner == 0:
        # A file of root is always trusted; let another user own it.
        os.chown(file, 4711, -1)
    with pytest.raises(ConfigurationError, match="belongs to another user"):
        env_file.load()


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"\xff", "is not text in UTF-8"),
        (b"#" * 300_000, "is not a file of settings"),
    ],
)
def test_binary_or_huge_file_is_refused(
    folder: Path, content: bytes, why: str
) -> None:
    """What is no text, or far too long, is refused."""
    (folder / ".env").write_bytes(content)
    (folder / ".env").chmod(0o600)
    with pytest.raises(ConfigurationError, match=why):
        env_file.load()


def test_init_writes_every_setting(folder: Path, run: Run) -> None:
    """The file is the owner's alone, and has each setting by default."""
    done = run("init")
    assert done.exit_code == 0, done.output
    file = folder / ".env"
    assert file.stat().st_mode & 0o777 == 0o600
    assert env_file.parse(file.read_text(), ".env") == FIRST_SETTINGS
    lines = file.read_text().splitlines()
    meanings = " ".join(line.removeprefix("# ") for line in lines)
    shown = "\n".join(
        line.removeprefix("#")
        for line in lines
        if "=" in line and line[:2] != "# "
    )
    values = env_file.parse(shown, ".env")
    for setting in settings.ALL:
        if setting is settings.ENV_FILE:
            assert setting.name not in values
            continue
        assert setting.meaning in meanings
        expected = FIRST_SETTINGS.get(setting.name, setting.default or "")
        assert values[setting.name] == expected
    assert all(len(line) <= 79 for line in lines)


def test_init_overwrites_no_file(folder: Path, run: Run) -> None:
    """A file that is there is kept, a link to nowhere too."""
    (folder / "link").symlink_to("nowhere")
    file = written(folder, "API_PORT=4001\n")
    for arguments in ((), ("link",), (str(file),)):
        done = run("init", *arguments)
        assert done.exit_code == 1
        assert "exists already and is kept" in done.stderr
    assert file.read_text() == "API_PORT=4001\n"
    assert not (folder / "nowhere").exists()


def test_init_in_an_unwritable_folder_is_an_error(
    folder: Path, run: Run
) -> None:
    """The error is one line."""
    done = run("init", "none/.env")
    assert done.exit_code == 1
    assert done.stderr.startswith("vestibule: [Errno 2] ")


def test_hardened_init_has_no_weak_finding(folder: Path, run: Run) -> None:
    """Only the database and the key for secrets have to be made yet."""
    assert run("init", "--hardened").exit_code == 0
    done = run("doctor")
    assert done.exit_code == 0, done.output
    assert done.stdout.count("weak") == 2
    assert "there is no database" in done.stdout
    assert "there is no key for secrets" in done.stdout


def test_init_equals_the_settings_of_make_run() -> None:
    """Both ways to start serve with the same settings."""
    makefile = Path(__file__).parents[2] / "Makefile"
    for name, value in FIRST_SETTINGS.items():
        assert f"{name}=$${{{name}:-{value}}}" in makefile.read_text()


def test_doctor_checks_the_file(folder: Path, run: Run) -> None:
    """Unknown names, readers and bad lines are findings."""
    written(folder, "SESION_NAME=x\n").chmod(0o644)
    said = run("doctor").stdout
    assert "weak  .env has names that are no settings: SESION_NAME" in said
    assert "weak  other users of this machine can read .env" in said
    written(folder, "nonsense\n")
    done = run("doctor")
    assert done.exit_code == 1
    assert "wrong .env, line 1: must be NAME=VALUE" in done.stdout


@pytest.mark.slow
def test_commands_and_server_read_the_file(tmp_path: Path) -> None:
    """A process reads the settings of the folder where it starts."""
    written(tmp_path, "AUTH_TYPE=nonsense\nDATABASE_URL=sqlite:///a.db\n")
    done = vestibule(tmp_path, "serve", ENV_FILE=".env")
    assert done.returncode == 1
    assert done.stderr.startswith("vestibule: AUTH_TYPE: ")
    written(tmp_path, "nonsense\n")
    for arguments in (("users", "list"), ("serve",)):
        done = vestibule(tmp_path, *arguments, ENV_FILE=".env")
        assert done.returncode == 1
        assert done.stderr.startswith("vestibule: .env, line 1: ")
    assert vestibule(tmp_path, "--help", ENV_FILE=".env").returncode == 0
