#!/usr/bin/env python3
"""Importing the product opens nothing, starts nothing and needs nothing."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.repo.repository import product_modules
from tests.serving import ROOT

pytestmark = pytest.mark.slow

#: Modules that run as programs: by `-m`, or by Alembic in a migration.
PROGRAMS = {"vestibule.__main__", "vestibule.db.migrations.env"}
#: Needs a configured Django project: Django's own backends are models.
NEEDS_DJANGO = {"vestibule.protect.django.backends"}
PROGRAM = str(ROOT / "tests" / "repo" / "watched_imports.py")


def side_effects_of(folder: Path, *modules: str) -> str:
    """Return the side effects of importing `modules` in an empty `folder`.

    The environment is empty too, and `-B` keeps the interpreter from writing
    byte code.
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
    """Return an empty folder that is read-only."""
    empty = tmp_path / "empty"
    empty.mkdir(mode=0o555)
    return empty


def test_imports_have_no_side_effects(folder: Path) -> None:
    """All modules can be imported, and mechanisms and models created."""
    modules = set(product_modules()) - PROGRAMS - NEEDS_DJANGO
    assert {"api.v1.app", "api.v1.auth", "vestibule.db.engine"} <= modules
    assert side_effects_of(folder, *sorted(modules)) == ""


@pytest.mark.parametrize("program", sorted(PROGRAMS | NEEDS_DJANGO))
def test_excluded_program_exists(program: str) -> None:
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
def test_side_effect_is_found(folder: Path, code: str, deed: str) -> None:
    """The audit hook reports each kind of side effect."""
    (folder.parent / "guilty.py").write_text(code + "\n")
    assert deed in side_effects_of(folder, "guilty").splitlines()


@pytest.mark.parametrize(
    "module",
    ["sqlalchemy.dialects.postgresql", "email_validator", "fido2"],
)
def test_start_on_sqlite_leaves_a_library_out(module: str) -> None:
    """The application loads what few processes need when they need it."""
    asked = f"import sys, vestibule.api.app; print({module!r} in sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", asked],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert done.stdout == "False\n"
