#!/usr/bin/env python3
"""An environment that has what a package asks for, and nothing else.

Its law: what is put there is found by what packages declare, never by
what happens to be installed; and no index is asked.
"""

import subprocess
import sys
import sysconfig
from collections.abc import Iterable, Iterator
from importlib.metadata import distribution
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

#: Seconds that a program in it may take on a busy machine.
PATIENCE = 110


def needed_by(needs: Iterable[str]) -> set[str]:
    """Return the distributions that requirements lead to, all the way."""
    waiting = list(_asked(needs, {""}))
    found: dict[str, set[str]] = {}
    while waiting:
        need = waiting.pop()
        name = canonicalize_name(need.name)
        extras = {"", *need.extras}
        if not extras <= found.get(name, set()):
            found[name] = extras | found.get(name, set())
            waiting += _asked(distribution(name).requires or (), found[name])
    return set(found)


def size_of(names: Iterable[str]) -> int:
    """Return the bytes of distributions' files, without compiled ones."""
    return sum(
        Path(str(file.locate())).stat().st_size
        for name in names
        for file in distribution(name).files or ()
        if ".." not in file.parts and file.suffix != ".pyc"
    )


def _asked(needs: Iterable[str], extras: set[str]) -> Iterator[Requirement]:
    """Yield what is asked for on this machine with some of the extras."""
    for need in map(Requirement, needs):
        if need.marker is None or any(
            need.marker.evaluate({"extra": extra}) for extra in extras
        ):
            yield need


class Bare:
    """An environment of its own, in `folder`."""

    def __init__(self, folder: Path) -> None:
        """Make it empty, once: to put pip there takes longer than the rest."""
        subprocess.run(
            [sys.executable, "-m", "venv", "--without-pip", str(folder)],
            check=True,
            timeout=PATIENCE,
        )
        self.programs = folder / "bin"
        self._packages = Path(
            sysconfig.get_path("purelib", "venv", {"base": str(folder)})
        )

    def put(self, name: str) -> None:
        """Link the folders and modules of a distribution installed here.

        Its programs stay away: they would begin with our interpreter.
        """
        here = distribution(name)
        tops = {file.parts[0] for file in here.files or ()}
        for top in tops - {"..", "__pycache__"}:
            target = Path(str(here.locate_file(top))).resolve()
            (self._packages / top).symlink_to(target)

    def pip(self, *words: str) -> str:
        """Let our pip work on it, without an index; return what it says."""
        return _said(
            [
                sys.executable,
                "-m",
                "pip",
                "--isolated",
                "--disable-pip-version-check",
                "--python",
                str(self.programs / "python"),
                *words,
            ],
        )

    def run(
        self, folder: Path, env: dict[str, str], program: str, *words: str
    ) -> str:
        """Run one of its programs in `folder`; return what it prints."""
        return _said([str(self.programs / program), *words], folder, env)


def _said(
    words: list[str],
    folder: Path | None = None,
    env: dict[str, str] | None = None,
) -> str:
    """Run a command that has to succeed; return what it prints."""
    done = subprocess.run(
        words,
        cwd=folder,
        env=env,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout
