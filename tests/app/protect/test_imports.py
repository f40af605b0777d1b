#!/usr/bin/env python3
"""Each adapter imports its own framework only."""

from pathlib import Path

import pytest

from tests.serving import ROOT, run_python

FRAMEWORKS = {
    "flask",
    "fastapi",
    "starlette",
    "django",
    "aiohttp",
    "urllib3",
    "sqlalchemy",
    "werkzeug",
}
#: The modules, with the packages that each needs.
NEEDS: dict[str, set[str]] = {
    "flask": {"flask", "werkzeug"},
    "fastapi": {"fastapi", "starlette"},
    "starlette": {"starlette"},
    "django.middleware": {"django"},
    "django.views": {"django"},
    "django.rest_framework": {"django"},
    "testing": {"urllib3"},
    "wsgi": set(),
    "asgi": set(),
}
SCRIPT = """
import sys

class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in sys.argv[2:]:
            raise ModuleNotFoundError(f"No module named {name!r}")

sys.meta_path.insert(0, Absent())
__import__(f"vestibule.protect.{sys.argv[1]}")
print("imported")
"""


@pytest.mark.parametrize("name", NEEDS)
def test_adapter_imports_without_other_frameworks(
    name: str, tmp_path: Path
) -> None:
    """Nothing else is installed there."""
    output = run_python(
        SCRIPT,
        tmp_path,
        {"PYTHONPATH": str(ROOT)},
        name,
        *(FRAMEWORKS - NEEDS[name]),
    )
    assert output == "imported\n"


def test_import_check_detects_hidden_package(tmp_path: Path) -> None:
    """The script notices an import of a hidden package."""
    with pytest.raises(AssertionError, match="No module named 'jwt'"):
        run_python(SCRIPT, tmp_path, {"PYTHONPATH": str(ROOT)}, "asgi", "jwt")
