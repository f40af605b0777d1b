#!/usr/bin/env python3
"""The files of the repository that git tracks.

Untracked files break no rule.
"""

import ast
import subprocess
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import NamedTuple

from tests.serving import ROOT

#: The packages that users import.
PRODUCT = ("api", "models", "vestibule")

Function = ast.FunctionDef | ast.AsyncFunctionDef


class Tracked(NamedTuple):
    """A file of the repository: its mode in the index and its path."""

    mode: str
    path: str

    @property
    def text(self) -> str:
        """Return the file's text in the working tree."""
        return (ROOT / self.path).read_text("utf-8")


@cache
def tracked() -> tuple[Tracked, ...]:
    """Return the files that git tracks, without deleted ones."""
    # In a container the clone often belongs to another user.
    listed = subprocess.run(
        ["git", "-c", "safe.directory=*", "ls-files", "-s", "-z"],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    entries = [entry.split("\t", 1) for entry in listed.split("\0") if entry]
    return tuple(
        Tracked(state.split()[0], path)
        for state, path in entries
        if (ROOT / path).is_file()
    )


def python_files() -> list[Tracked]:
    """Return the Python files of the repository."""
    return [file for file in tracked() if file.path.endswith(".py")]


def product_files() -> list[Tracked]:
    """Return the Python files of the product's packages."""
    return [file for file in python_files() if file.path.startswith(PRODUCT)]


def product_modules() -> list[str]:
    """Return the names of the product's modules."""
    return [
        ".".join(Path(file.path).with_suffix("").parts).removesuffix(
            ".__init__"
        )
        for file in product_files()
    ]


def documented(
    tree: ast.Module,
) -> Iterator[ast.Module | ast.ClassDef | Function]:
    """Yield the module, its classes and functions, nested ones too."""
    for node in ast.walk(tree):
        if isinstance(
            node,
            ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef,
        ):
            yield node


def imported(tree: ast.Module) -> Iterator[str]:
    """Yield the full name of each imported module and name."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.module or ""
            for alias in node.names:
                yield f"{node.module}.{alias.name}"


def dotted(tree: ast.Module) -> Iterator[str]:
    """Yield each dotted name in the code, like `os.environ`."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and isinstance(
            node.value, ast.Name
        ):
            yield f"{node.value.id}.{node.attr}"
