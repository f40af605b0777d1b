#!/usr/bin/env python3
"""The wheel that is built from the tree, and environments for it."""

import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

from tests.e2e.install.bare import Bare, required_by
from tests.repo.repository import tracked
from tests.serving import ROOT, environment

#: The one package of the wheel.
PACKAGE = "vestibule"
#: Files besides the package that a build reads.
BUILD_FILES = ("pyproject.toml", "README.md", "LICENSE")
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
CLIENT: list[str] = PROJECT["dependencies"]
EXTRAS: dict[str, list[str]] = PROJECT["optional-dependencies"]
SERVICE = [*CLIENT, *EXTRAS["server"]]


def shipped() -> set[str]:
    """Return the files of the package that git tracks."""
    return {
        file.path
        for file in tracked()
        if file.path.partition("/")[0] == PACKAGE
    }


def pip(folder: Path, *arguments: str) -> None:
    """Run pip in `folder`."""
    subprocess.run(
        [
            sys.executable,
            "-m",
            "pip",
            "--quiet",
            "--disable-pip-version-check",
            *arguments,
        ],
        cwd=folder,
        check=True,
        timeout=110,
    )


def build(folder: Path) -> Path:
    """Build the wheel in `folder` from what git tracks; return its path.

    A build leaves files beside its sources, so it reads a copy of them.
    """
    for name in {*shipped(), *BUILD_FILES}:
        copy = folder / "tree" / name
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, copy)
    # The builder is among the pinned requirements: no index is used.
    pip(folder, "wheel", "--no-deps", "--no-build-isolation", "./tree")
    (built,) = folder.glob("*.whl")
    return built


def installed_with(wheel: Path, extras: str) -> Bare:
    """Install the wheel with `extras`, separated by commas.

    The environment has the declared requirements and nothing else. pip itself
    checks that none is missing, because no index is used.
    """
    bare = Bare(wheel.parent / f"with-{extras}")
    wanted = [
        need for name in extras.split(",") for need in EXTRAS.get(name, [])
    ]
    for name in required_by([*CLIENT, *wanted]):
        bare.link(name)
    what = f"{wheel}[{extras}]" if extras else str(wheel)
    bare.pip("install", "--no-index", "--no-compile", what)
    return bare


def alone(folder: Path, **settings: str) -> dict[str, str]:
    """Return environment variables that do not lead to our source."""
    return environment(folder, **settings) | {"PYTHONPATH": ""}
