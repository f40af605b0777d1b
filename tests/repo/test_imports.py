#!/usr/bin/env python3
"""Import rules: layers, and modules that only one place may use."""

import ast
import re
import subprocess
import sys
import tomllib
from typing import Any

import pytest

from tests.repo.repository import (
    PRODUCT,
    Tracked,
    dotted,
    imported,
    product_files,
    product_modules,
    python_files,
)
from tests.serving import ROOT

pytestmark = pytest.mark.slow

#: Libraries that are unsafe, unmaintained, or do what Vestibule does.
BANNED = {
    "pickle",
    "passlib",
    "flask_login",
    "flask_session",
    "flask_security",
    "fastapi_users",
}
#: Applications of the benchmark that use such libraries, outside `.venv`.
PEERS = {
    f"bench/peers/apps/{name}_app.py"
    for name in ("flask_login", "flask_security", "fastapi_users")
}
ENVIRONMENT = {"os.environ", "os.environb", "os.getenv", "os.putenv"}
CURRENT_TIME = {
    "datetime.now",
    "datetime.utcnow",
    "datetime.today",
    "date.today",
    "time.time",
    "time.time_ns",
    "time.monotonic",
    "time.monotonic_ns",
    "time.perf_counter",
    "time.perf_counter_ns",
}
SQL = {"sqlalchemy", "alembic", "psycopg", "sqlite3", "pysqlite3"}

ONLY_PLACES = [
    (ENVIRONMENT, ("vestibule/core/setting_types.py",)),
    (
        CURRENT_TIME,
        (
            "vestibule/core/clock.py",
            "vestibule/mechanisms/session_exp_auth.py",
        ),
    ),
]


def contracts() -> dict[str, dict[str, Any]]:
    """Return the contracts of import-linter's settings by their ids."""
    with (ROOT / "pyproject.toml").open("rb") as settings:
        found = tomllib.load(settings)["tool"]["importlinter"]["contracts"]
    return {contract["id"]: contract for contract in found}


def uses(tree: ast.Module) -> set[str]:
    """Return the imports and the dotted names of a module."""
    return {*imported(tree), *dotted(tree)}


def test_import_linter_contracts_are_kept() -> None:
    """No contract of import-linter is broken."""
    done = subprocess.run(
        [
            sys.executable,
            "-c",
            "from importlinter.cli import lint_imports_command as lint;lint()",
            "--no-cache",
        ],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert " 0 broken" in done.stdout


def test_each_module_is_in_a_layer() -> None:
    """A new package needs a layer before its imports are allowed."""
    layers = contracts()["layers"]["layers"]
    named = set(re.split(r"[\s:|]+", " ".join(layers)))
    missing = {
        module
        for module in product_modules()
        if not any(
            module == layer
            or module.startswith(f"{layer}.")
            or layer.startswith(f"{module}.")
            for layer in named
        )
    }
    # `python -m vestibule` runs it; no module imports it.
    assert missing == {"vestibule.__main__"}


def test_only_login_view_imports_application() -> None:
    """The only upward import is the one that the contract requires."""
    allowed = {
        line
        for contract in contracts().values()
        for line in contract.get("ignore_imports", [])
    }
    assert allowed == {"vestibule.api.views.session_auth -> vestibule.api.app"}


@pytest.mark.parametrize(("names", "where"), ONLY_PLACES)
def test_environment_and_time_are_read_in_one_place(
    names: set[str], where: tuple[str, ...]
) -> None:
    """Only these modules use the names."""
    readers = {
        file.path
        for file in product_files()
        if uses(ast.parse(file.text)) & names
    }
    assert readers == set(where)


def test_only_db_imports_sql_libraries() -> None:
    """Only `vestibule.db` imports drivers and SQL libraries."""
    for file in product_files():
        if not file.path.startswith("vestibule/db/"):
            assert not roots(file) & SQL, file.path


def test_banned_libraries_are_not_imported() -> None:
    """Only the benchmark's applications import them."""
    importers = {file.path for file in python_files() if roots(file) & BANNED}
    assert importers == PEERS


def test_product_does_not_import_tests() -> None:
    """The product works without tests and benchmarks."""
    for file in product_files():
        found = roots(file) & {"tests", "bench", "pytest"}
        if file.path == "vestibule/protect/testing.py":
            # It is for tests, and has fixtures if pytest is installed.
            found -= {"pytest"}
        assert not found, file.path


def test_uses_finds_imports_and_dotted_names() -> None:
    """A name is found whether it is imported or reached by its module."""
    reached = ast.parse("import os\ndef f():\n    return os.environ['A']\n")
    brought = ast.parse("from time import monotonic\n")
    assert uses(reached) & ENVIRONMENT
    assert uses(brought) & CURRENT_TIME
    assert {"sqlalchemy"} <= set(
        imported(ast.parse("from sqlalchemy import text\n"))
    )


def roots(file: Tracked) -> set[str]:
    """Return the top-level packages that a file imports."""
    return {name.partition(".")[0] for name in imported(ast.parse(file.text))}


def test_rules_cover_every_product_package() -> None:
    """The rules above see every package of the product."""
    seen = {file.path.partition("/")[0] for file in product_files()}
    assert seen == set(PRODUCT)
