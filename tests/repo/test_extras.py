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
    "fastapi": ("fastapi", "starlette"),
    # That for Django REST framework needs it too, if it is used.
    "django": (
        "wsgi",
        "asgi",
        "django.middleware",
        "django.backends",
        "django.views",
    ),
}
#: The extra of the service, which brings `vestibule.protect` in process.
SERVER = "server"
IN_PROCESS = "vestibule.protect.in_process"
PACKAGE = "vestibule.protect"


def names_of(needs: list[str]) -> set[str]:
    """Return the distributions of requirements, without those of extras."""
    return {
        re.split(r"[^\w.-]", need)[0].lower()
        for need in needs
        if "extra ==" not in need
    }


PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
BASE = names_of(PROJECT["dependencies"])
EXTRAS = {
    extra: names_of(needs)
    for extra, needs in PROJECT["optional-dependencies"].items()
}


def imports_of(module: str) -> set[str] | None:
    """Return what a module of ours imports; `None` if it is no module.

    Imports within functions count in `vestibule.protect`: they are made
    when a request comes. Elsewhere they are those of the service.
    """
    file = ROOT / f"{module.replace('.', '/')}.py"
    if not file.is_file():
        return None
    tree = ast.parse(file.read_text())
    if not module.startswith(PACKAGE):
        tree.body = [
            node
            for node in tree.body
            if isinstance(node, ast.Import | ast.ImportFrom)
        ]
    return set(imported(tree))


def reached(*modules: str) -> dict[str, set[str]]:
    """Return what each module imports that an application gets to.

    What is asked in process is left out: it needs the service.
    """
    found: dict[str, set[str]] = {}
    waiting = [f"{PACKAGE}.{module}" for module in modules]
    while waiting:
        module = waiting.pop()
        if module in found or module == IN_PROCESS:
            continue
        names = imports_of(module)
        if names is not None:
            found[module] = names
            waiting += [name for name in names if name.startswith("vestibule")]
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


def test_each_extra_is_tested() -> None:
    """The tests know the modules of each extra."""
    assert set(EXTRAS) == {*MODULES, SERVER}


@pytest.mark.parametrize("extra", MODULES)
def test_extra_has_what_its_modules_import(extra: str) -> None:
    """An extra names its framework and the imports of its modules only.

    The base dependencies and those of the framework are installed anyway.
    """
    there = BASE | names_of(requires(extra) or [])
    needed = needed_by(*MODULES[extra]) - there
    assert EXTRAS[extra] == needed | {extra}


def test_base_dependencies_are_those_of_the_client() -> None:
    """The WSGI middleware imports exactly the base dependencies.

    PyJWT imports cryptography itself to check a signature.
    """
    assert needed_by("wsgi") | {"cryptography"} == BASE


def test_imports_within_functions_count() -> None:
    """A module that is imported late counts like any other."""
    late = reached("asgi")["vestibule.protect.async_http_client"]
    assert "aiohttp" in late
    assert "urllib3" in reached("flask")["vestibule.protect.backends"]


def test_imports_beyond_protect_count() -> None:
    """Imports of the adapters from the rest of Vestibule count too."""
    assert "vestibule.identity.header" in reached("wsgi")
