#!/usr/bin/env python3
"""The folder outside the tree where the peers are installed.

No other library for logins or sessions gets into the tree or into `.venv`;
deleting this folder deletes them all.
"""

import hashlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

from tests.serving import ROOT

HERE = Path(__file__).resolve().parent
APPS = HERE / "apps"
#: The lists that each environment is made by.
PEERS = (HERE / "requirements.txt",)
OWN = (ROOT / "requirements.txt", HERE / "requirements-own.txt")
#: Seconds that an installation may take; a database is compiled in it.
_MAX_WAIT_SECONDS = 1800
_VERSIONS = (
    "import json, sys; from importlib.metadata import version;"
    "print(json.dumps({n: version(n) for n in sys.argv[1:]}))"
)


def default() -> Path:
    """Return the folder that `PEERS_DIR` names, or one of the cache's."""
    configured = os.environ.get("PEERS_DIR")
    if configured:
        return Path(configured).resolve()
    cache = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(cache) / "vestibule-peers"


def stamp_of(files: Iterable[Path]) -> str:
    """Return a text that changes whenever one of the `files` does."""
    digest = hashlib.sha256()
    for file in files:
        digest.update(file.read_bytes())
    return digest.hexdigest()


class Installation:
    """Two environments of Python and one of Node, made when missing."""

    def __init__(self, folder: Path) -> None:
        """Use `folder`; raise `ValueError` if that lies in the tree."""
        if folder.resolve().is_relative_to(ROOT):
            raise ValueError("the peers' folder lies inside the tree")
        self.folder = folder
        self._node_failed = False

    def bin(self, environment: str, program: str) -> str:
        """Return the path of a program of `peers` or of `own`."""
        return str(self.folder / environment / "bin" / program)

    @property
    def node(self) -> Path:
        """Return the folder that Node's packages are found from."""
        return self.folder / "node"

    def has_node(self) -> bool:
        """Return True if the programs that Node's peers need work."""
        return not self._node_failed and all(
            map(shutil.which, ("node", "npm"))
        )

    def install(self, environment: str, lists: Iterable[Path]) -> None:
        """Make an environment by lists of pinned and hashed packages."""
        place = self.folder / environment
        if self._is_fresh(place, stamp_of(lists)):
            return
        shutil.rmtree(place, ignore_errors=True)
        place.parent.mkdir(parents=True, exist_ok=True)
        _run([sys.executable, "-m", "venv", str(place)], self.folder)
        options = [part for file in lists for part in ("-r", str(file))]
        _run(
            [
                self.bin(environment, "python"),
                "-m",
                "pip",
                "install",
                "--quiet",
                "--disable-pip-version-check",
                "--require-hashes",
                "--no-deps",
                *options,
            ],
            self.folder,
        )
        (place / "stamp").write_text(stamp_of(lists))

    def install_node(self) -> None:
        """Install what `package.json` pins; there is no file of locks.

        Such a file would hold the addresses that things came from. Raise
        `RuntimeError` if it fails; Node's peers are left out then.
        """
        self._node_failed = True
        package = HERE / "package.json"
        if not self._is_fresh(self.node, stamp_of([package])):
            shutil.rmtree(self.node, ignore_errors=True)
            self.node.mkdir(parents=True)
            shutil.copy(package, self.node)
            _run(
                [
                    "npm",
                    "install",
                    "--no-package-lock",
                    "--no-audit",
                    "--no-fund",
                    "--omit=dev",
                    "--loglevel=error",
                ],
                self.node,
            )
            (self.node / "stamp").write_text(stamp_of([package]))
        for script in APPS.glob("*.mjs"):
            shutil.copy(script, self.node)
        self._node_failed = False

    def versions(self, names: Iterable[str]) -> dict[str, str]:
        """Return the versions of Python packages, and of Node's others."""
        known: dict[str, str] = {}
        asked = set(names)
        for name in sorted(asked):
            manifest = self.node / "node_modules" / name / "package.json"
            if manifest.is_file():
                known[name] = json.loads(manifest.read_text())["version"]
        done = subprocess.run(
            [
                self.bin("peers", "python"),
                "-c",
                _VERSIONS,
                *sorted(asked - set(known)),
            ],
            check=True,
            capture_output=True,
            text=True,
            timeout=60,
        )
        known.update(json.loads(done.stdout))
        return known

    @staticmethod
    def _is_fresh(place: Path, stamp: str) -> bool:
        """Return True if `place` is complete and of the same lists."""
        noted = place / "stamp"
        return noted.is_file() and noted.read_text() == stamp


def _run(command: list[str], folder: Path) -> None:
    """Run an installer; raise `RuntimeError` with its last lines of output."""
    done = subprocess.run(
        command,
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=_MAX_WAIT_SECONDS,
    )
    if done.returncode:
        said = "\n".join(done.stdout.splitlines()[-15:])
        raise RuntimeError(f"{Path(command[0]).name} failed:\n{said}")
