#!/usr/bin/env python3
"""Importing is free: it opens nothing, starts nothing and needs nothing."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.repo.repository import product_modules
from tests.serving import ROOT

#: What runs as a program: by `-m`, or by Alembic within a migration.
PROGRAMS = {"vestibule.__main__", "vestibule.db.migrations.env"}
PROGRAM = str(ROOT / "tests" / "repo" / "watched_imports.py")


def deeds_of(folder: Path, *modules: str) -> str:
    """Return what importing `modules` in an empty `folder` does.

    The environment is empty too; `-B` keeps the interpreter itself from
    writing what it compiled.
    """
    done = subprocess.run(
        [sys.executable, "-B", PROGRAM, *modules],
        cwd=folder,
        env={"PYTHONPATH": f"{folder.parent}:{ROOT}"},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return an empty folder that nothing should be written to."""
    empty = tmp_path / "empty"
    empty.mkdir(mode=0o555)
    return empty


def test_importing_does_nothing(folder: Path) -> None:
    """All modules, mechanisms and models can be had without a deed."""
    modules = set(product_modules()) - PROGRAMS
    assert {"api.v1.app", "api.v1.auth", "vestibule.db.engine"} <= modules
    assert deeds_of(folder, *sorted(modules)) == ""


@pytest.mark.parametrize("program", sorted(PROGRAMS))
def test_what_is_left_out_exists(program: str) -> None:
    """The exceptions of the test above are modules of the project."""
    assert program in product_modules()


@pytest.mark.parametrize(
    ("code", "deed"),
    [
        ("open('written', 'w').close()", "open written w"),
        ("import os; os.close(os.open('made', 65))", "open made None"),
        ("import socket; socket.socket().close()", "socket.__new__"),
        ("import sqlite3; sqlite3.connect(':memory:')", "sqlite3.connect"),
        ("import subprocess; subprocess.run('true')", "subprocess.Popen"),
        (
            "import threading as t; t.Thread(target=t.Event().wait,"
            " daemon=True).start()",
            "a thread of guilty",
        ),
    ],
)
def test_a_deed_is_seen(folder: Path, code: str, deed: str) -> None:
    """The witness notes each kind of thing that an import must not do."""
    (folder.parent / "guilty.py").write_text(code + "\n")
    assert deed in deeds_of(folder, "guilty").splitlines()
