#!/usr/bin/env python3
"""Who may use what: the stairs, and the doors that have one key each."""

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

#: What nobody imports: unsafe to read, not kept up any more, or made to
#: do what is done here.
BANNED = {
    "pickle",
    "passlib",
    "flask_login",
    "flask_session",
    "flask_security",
    "fastapi_users",
}
#: What is compared with imports what it is made of, outside `.venv`.
PEERS = {
    f"bench/peers/apps/{name}_app.py"
    for name in ("flask_login", "flask_security", "fastapi_users")
}
ENVIRONMENT = {"os.environ", "os.environb", "os.getenv", "os.putenv"}
PRESENT = {
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

ONE_KEY = [
    (ENVIRONMENT, ("vestibule/core/settings.py",)),
    (
        PRESENT,
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
    """Return what a module imports, and the dotted names it has."""
    return {*imported(tree), *dotted(tree)}


def test_imports_go_down_the_stairs() -> None:
    """Each contract of import-linter is found to be kept."""
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


def test_every_package_has_its_layer() -> None:
    """A new package must be given a layer before its imports are allowed."""
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
    # `python -m vestibule` is started; no module imports it.
    assert missing == {"vestibule.__main__"}


def test_only_the_login_view_imports_the_application() -> None:
    """The one upward import is the one that the contract asks for."""
    allowed = {
        line
        for contract in contracts().values()
        for line in contract.get("ignore_imports", [])
    }
    assert allowed == {"vestibule.api.views.session_auth -> vestibule.api.app"}


@pytest.mark.parametrize(("names", "where"), ONE_KEY)
def test_only_one_place_reads(names: set[str], where: tuple[str, ...]) -> None:
    """The environment and the time are each read in their own place."""
    readers = {
        file.path
        for file in product_files()
        if uses(ast.parse(file.text)) & names
    }
    assert readers == set(where)


def test_only_the_models_speak_sql() -> None:
    """Drivers and their toolkits are imported by the models alone."""
    for file in product_files():
        if not file.path.startswith("vestibule/db/"):
            assert not roots(file) & SQL, file.path


def test_nobody_imports_what_is_banned() -> None:
    """No file imports a banned library, except peers to compare with."""
    importers = {file.path for file in python_files() if roots(file) & BANNED}
    assert importers == PEERS


def test_nothing_shipped_imports_the_tests() -> None:
    """What is shipped works without what only serves it."""
    for file in product_files():
        assert not roots(file) & {"tests", "bench", "pytest"}, file.path


def test_the_rules_see_how_a_name_can_be_had() -> None:
    """A name is seen whether it is imported or reached by its module."""
    reached = ast.parse("import os\ndef f():\n    return os.environ['A']\n")
    brought = ast.parse("from time import monotonic\n")
    assert uses(reached) & ENVIRONMENT
    assert uses(brought) & PRESENT
    assert {"sqlalchemy"} <= set(
        imported(ast.parse("from sqlalchemy import text\n"))
    )


def roots(file: Tracked) -> set[str]:
    """Return the outermost packages that a file imports from."""
    return {name.partition(".")[0] for name in imported(ast.parse(file.text))}


def test_all_that_is_shipped_is_looked_at() -> None:
    """The rules above are given every package that is shipped."""
    seen = {file.path.partition("/")[0] for file in product_files()}
    assert seen == set(PRODUCT)
