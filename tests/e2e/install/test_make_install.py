#!/usr/bin/env python3
"""`make install` makes what production needs, and nothing for tests."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.serving import ROOT

#: What the service imports, and what only tests and checks do.
NEEDED = ("flask", "granian", "sqlalchemy", "argon2")
TOOLS = (
    "pytest",
    "hypothesis",
    "playwright",
    "mypy",
    "sphinx",
    "schemathesis",
)
#: Prints which of the modules in its arguments can be imported.
FINDER = """
import importlib.util, json, sys
print(json.dumps([m for m in sys.argv[1:] if importlib.util.find_spec(m)]))
"""
#: Seconds that the installation may take; it needs a package index.
MAX_SECONDS = 900


@pytest.mark.torture
@pytest.mark.timeout(MAX_SECONDS + 60)
def test_make_install_leaves_the_test_tools_out(tmp_path: Path) -> None:
    """The environment has the pinned requirements of the service alone."""
    for name in ("Makefile", "requirements.txt", "requirements-dev.txt"):
        shutil.copy(ROOT / name, tmp_path)
    subprocess.run(
        ["make", "install", f"PYTHON={sys.executable}"],
        cwd=tmp_path,
        check=True,
        timeout=MAX_SECONDS,
    )
    found = subprocess.run(
        [str(tmp_path / ".venv/bin/python"), "-c", FINDER, *NEEDED, *TOOLS],
        check=True,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert json.loads(found.stdout) == list(NEEDED)
