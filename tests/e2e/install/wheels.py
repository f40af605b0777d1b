#!/usr/bin/env python3
"""The wheel that is built of the tree, and environments it is put in."""

import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

from tests.e2e.install.bare import Bare, needed_by
from tests.repo.repository import tracked
from tests.serving import ROOT, environment

#: The one package of the wheel.
PACKAGE = "vestibule"
#: Beside the package, what a build reads.
READ = ("pyproject.toml", "README.md", "LICENSE")
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
CLIENT: list[str] = PROJECT["dependencies"]
EXTRAS: dict[str, list[str]] = PROJECT["optional-dependencies"]
SERVICE = [*CLIENT, *EXTRAS["server"]]


def shipped() -> set[str]:
    """Return the files of the package, as git knows them."""
    return {
        file.path
        for file in tracked()
        if file.path.partition("/")[0] == PACKAGE
    }


def pip(folder: Path, *arguments: str) -> None:
    """Run pip on what lies in `folder`."""
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

    A build leaves files beside what it reads, so it reads a copy.
    """
    for name in {*shipped(), *READ}:
        copy = folder / "tree" / name
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, copy)
    # The builder is among the pinned requirements: no index is asked.
    pip(folder, "wheel", "--no-deps", "--no-build-isolation", "./tree")
    (built,) = folder.glob("*.whl")
    return built


def installed_with(wheel: Path, extras: str) -> Bare:
    """Install the wheel with `extras`, which commas separate.

    The environment has what these declare to need and nothing else. pip
    itself sees that nothing is missing, for no index is asked.
    """
    bare = Bare(wheel.parent / f"with-{extras}")
    wanted = [
        need for name in extras.split(",") for need in EXTRAS.get(name, [])
    ]
    for name in needed_by([*CLIENT, *wanted]):
        bare.put(name)
    what = f"{wheel}[{extras}]" if extras else str(wheel)
    bare.pip("install", "--no-index", "--no-compile", what)
    return bare


def alone(folder: Path, **settings: str) -> dict[str, str]:
    """Return an environment that leads to no code but what is installed."""
    return environment(folder, **settings) | {"PYTHONPATH": ""}
