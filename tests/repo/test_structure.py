#!/usr/bin/env python3
"""The structure of the product: number of modules, no import cycles."""

import ast
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

from tests.repo.repository import Tracked, imported, product_files

#: The limit is to become 150; modules that change together are merged. The
#: adapters for frameworks are apart, because none may import another one, and
#: so is each step of the schema.
MAX_MODULES = 260

Graph = dict[str, set[str]]


def vestibule_files() -> list[Tracked]:
    """Return the Python files of `vestibule`."""
    return [
        file for file in product_files() if file.path.startswith("vestibule/")
    ]


def module_name(path: str) -> str:
    """Return the name of the module in a file."""
    parts = Path(path).with_suffix("").parts
    return ".".join(parts).removesuffix(".__init__")


def import_graph(files: dict[str, str]) -> Graph:
    """Return the imports at the top level of each module, from its text.

    Imports in functions run later and cannot make a cycle fail.
    """
    graph: Graph = {}
    for module, text in files.items():
        statements = [
            node
            for node in ast.parse(text).body
            if isinstance(node, ast.Import | ast.ImportFrom)
        ]
        names = set(imported(ast.Module([*statements], [])))
        # `from package import module` imports the module, not the package.
        packages = {
            node.module
            for node in statements
            if isinstance(node, ast.ImportFrom)
            and all(f"{node.module}.{a.name}" in files for a in node.names)
        }
        graph[module] = (names - packages) & files.keys()
    return graph


def test_number_of_modules_is_bounded() -> None:
    """`vestibule` is not cut into ever more small modules."""
    assert len(vestibule_files()) <= MAX_MODULES


def test_imports_have_no_cycle() -> None:
    """The modules of `vestibule` can be sorted by their imports."""
    files = {module_name(f.path): f.text for f in vestibule_files()}
    graph = import_graph(files)
    assert graph["vestibule.api.app"]
    tuple(TopologicalSorter(graph).static_order())


def test_vestibule_does_not_import_contract_paths() -> None:
    """`api` and `models` lead to `vestibule`, never the other way round."""
    for file in vestibule_files():
        roots = {
            name.partition(".")[0] for name in imported(ast.parse(file.text))
        }
        assert not roots & {"api", "models"}, file.path


def test_import_cycle_is_found() -> None:
    """A cycle over a package and its module is reported."""
    files = {
        "a": "from a.c import f\n",
        "a.b": "from a import x\n",
        "a.c": "from a import b\ndef f():\n    import a\n",
    }
    assert import_graph(files) == {"a": {"a.c"}, "a.b": {"a"}, "a.c": {"a.b"}}
    with pytest.raises(CycleError):
        TopologicalSorter(import_graph(files)).prepare()
