#!/usr/bin/env python3
"""Each extra of the package has what the modules that it is for import."""

import ast
import re
import sys
import tomllib
from importlib.metadata import packages_distributions, requires

import pytest

from tests.repo.repository import PRODUCT, imported
from tests.serving import ROOT

#: The modules of `vestibule.protect` that an application of each imports.
MODULES = {
    "flask": ("flask",),
    "fastapi": ("fastapi",),
    # It has no module of its own, but either of the two middlewares.
    "django": ("wsgi", "asgi"),
}
PACKAGE = "vestibule.protect"


def names_of(needs: list[str]) -> set[str]:
    """Return the distributions that requirements name, without extras'."""
    return {
        re.split(r"[^\w.-]", need)[0].lower()
        for need in needs
        if "extra ==" not in need
    }


PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
EXTRAS = {
    extra: names_of(needs)
    for extra, needs in PROJECT["optional-dependencies"].items()
}


def reached(*modules: str) -> dict[str, set[str]]:
    """Return what each module that these lead to in the package imports.

    Imports within functions count: they are made when a request comes.
    """
    found: dict[str, set[str]] = {}
    waiting = list(modules)
    while waiting:
        module = waiting.pop()
        file = ROOT / PACKAGE.replace(".", "/") / f"{module}.py"
        if module in found or not file.is_file():
            continue
        found[module] = set(imported(ast.parse(file.read_text())))
        waiting += [
            name.removeprefix(f"{PACKAGE}.")
            for name in found[module]
            if name.startswith(f"{PACKAGE}.")
        ]
    return found


def needed_by(*modules: str) -> set[str]:
    """Return the distributions of others that these modules import."""
    roots = {
        name.partition(".")[0]
        for names in reached(*modules).values()
        for name in names
    }
    known = packages_distributions()
    return {
        known[root][0].lower()
        for root in roots - {*PRODUCT, *sys.stdlib_module_names}
    }


def test_each_extra_is_looked_at() -> None:
    """No extra is for modules that the tests do not know of."""
    assert set(EXTRAS) == set(MODULES)


@pytest.mark.parametrize("extra", MODULES)
def test_an_extra_is_what_its_modules_import(extra: str) -> None:
    """It names its framework and what they import, and nothing else.

    What the package itself needs, or the framework, is there already.
    """
    there = names_of(PROJECT["dependencies"] + (requires(extra) or []))
    needed = needed_by(*MODULES[extra]) - there
    assert EXTRAS[extra] == needed | {extra}


def test_imports_within_functions_are_seen() -> None:
    """A module that is imported late is looked at as any other."""
    assert "aiohttp" in reached("asgi")["async_wire"]
    assert "urllib3" in reached("flask")["wire"]
