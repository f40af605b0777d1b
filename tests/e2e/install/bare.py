#!/usr/bin/env python3
"""A virtual environment with the declared requirements of a package only.

Its distributions are found by what packages declare, never by what happens
to be installed, and no package index is used.
"""

import subprocess
import sys
import sysconfig
from collections.abc import Iterable, Iterator
from importlib.metadata import distribution, distributions
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

#: Seconds for one command on a busy machine.
COMMAND_TIMEOUT = 110


def required_by(needs: Iterable[str]) -> set[str]:
    """Return the names of all distributions that requirements lead to."""
    waiting = list(_applicable(needs, {""}))
    found: dict[str, set[str]] = {}
    while waiting:
        need = waiting.pop()
        name = canonicalize_name(need.name)
        extras = {"", *need.extras}
        if not extras <= found.get(name, set()):
            found[name] = extras | found.get(name, set())
            waiting += _applicable(
                distribution(name).requires or (), found[name]
            )
    return set(found)


def size_of(names: Iterable[str]) -> int:
    """Return the bytes of the files of distributions, without .pyc files."""
    return sum(
        Path(str(file.locate())).stat().st_size
        for name in names
        for file in distribution(name).files or ()
        if ".." not in file.parts and file.suffix != ".pyc"
    )


def _applicable(
    needs: Iterable[str], extras: set[str]
) -> Iterator[Requirement]:
    """Yield the requirements for this machine and these extras."""
    for need in map(Requirement, needs):
        if need.marker is None or any(
            need.marker.evaluate({"extra": extra}) for extra in extras
        ):
            yield need


class Bare:
    """A virtual environment in a folder of its own."""

    def __init__(self, folder: Path) -> None:
        """Create an empty environment without pip, which installs slowly."""
        subprocess.run(
            [sys.executable, "-m", "venv", "--without-pip", str(folder)],
            check=True,
            timeout=COMMAND_TIMEOUT,
        )
        self.programs = folder / "bin"
        self._packages = Path(
            sysconfig.get_path("purelib", "venv", {"base": str(folder)})
        )

    def link(self, name: str) -> None:
        """Link the modules of a distribution that is installed here.

        Its scripts are left out: they would start our interpreter.
        """
        here = distribution(name)
        tops = {file.parts[0] for file in here.files or ()}
        for top in tops - {"..", "__pycache__"}:
            target = Path(str(here.locate_file(top))).resolve()
            (self._packages / top).symlink_to(target)

    def link_missing(self, names: Iterable[str]) -> None:
        """Link the distributions among `names` that are not there yet."""
        here = {
            canonicalize_name(str(each.metadata["Name"]))
            for each in distributions(path=[str(self._packages)])
        }
        for name in set(names) - here:
            self.link(name)

    def pip(self, *arguments: str) -> str:
        """Run our pip on it, without an index; return the output."""
        return _output_of(
            [
                sys.executable,
                "-m",
                "pip",
                "--isolated",
                "--disable-pip-version-check",
                "--python",
                str(self.programs / "python"),
                *arguments,
            ],
        )

    def run(
        self, folder: Path, env: dict[str, str], program: str, *arguments: str
    ) -> str:
        """Run one of its programs in `folder`; return what it prints."""
        return _output_of(
            [str(self.programs / program), *arguments], folder, env
        )


def _output_of(
    arguments: list[str],
    folder: Path | None = None,
    env: dict[str, str] | None = None,
) -> str:
    """Run a command that must succeed; return what it prints."""
    done = subprocess.run(
        arguments,
        cwd=folder,
        env=env,
        capture_output=True,
        text=True,
        timeout=COMMAND_TIMEOUT,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout
