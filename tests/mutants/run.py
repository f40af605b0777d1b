#!/usr/bin/env python3
"""Check that the tests notice each fault of `mutants.json`.

A mutant is a small change of one file that breaks one promise of the code.
Each is applied to a copy of the tree in a temporary folder, and the tests
that should notice it run there until the first failure. The working tree
is never changed.

A mutant is killed if one of its tests fails, and survives otherwise. It is
not applicable if its `old` code does not occur exactly once in its file,
or if its tests do not pass without it. Exit code 1 unless all are killed.

    python -m tests.mutants.run [--only m001,m002] [--part 1/2]
"""

import argparse
import contextlib
import importlib.util
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from enum import StrEnum
from itertools import islice
from pathlib import Path
from typing import NamedTuple

from tests.repo.repository import tracked
from tests.serving import ROOT

MUTANTS_FILE = Path(__file__).with_name("mutants.json")
#: Seconds that the tests of one mutant may take; most need less than 20.
MAX_SECONDS = 300
#: The mutants are in code that is the same for each database, and
#: PostgreSQL takes seconds to start. Long tests are left out too.
PYTEST_OPTIONS = ["-x", "-m", "not torture and not idle"]
EXPRESSION = "not postgresql"
#: Exit codes of pytest: all passed, a test failed, or an import failed.
PASSED, FAILED, INTERRUPTED = 0, 1, 2


class Mutant(NamedTuple):
    """A fault: where it is, what it breaks, and which tests notice it."""

    id: str
    path: str
    #: What the code does wrong with the fault, in words.
    breaks: str
    old: str
    new: str
    #: Files and folders of tests.
    tests: tuple[str, ...]
    #: An expression for pytest's `-k`, where one file has many slow tests.
    select: str = ""


class Verdict(StrEnum):
    """What became of a mutant."""

    KILLED = "killed"
    SURVIVED = "survived"
    NOT_APPLICABLE = "not applicable"


class Result(NamedTuple):
    """A verdict, and the reason if the mutant was not killed."""

    verdict: Verdict
    reason: str = ""


def read_mutants(file: Path = MUTANTS_FILE) -> list[Mutant]:
    """Return the mutants of a JSON file, in its order."""
    return [
        Mutant(**{**entry, "tests": tuple(entry["tests"])})
        for entry in json.loads(file.read_text("utf-8"))
    ]


def choose(
    mutants: Sequence[Mutant], only: str | None, part: str
) -> list[Mutant]:
    """Return the mutants with the ids `only`, of them the part `n/m`.

    Raise `ValueError` for an id that does not exist, or a part that is not
    from 1 to the number of parts.
    """
    chosen = list(mutants)
    if only is not None:
        ids = only.split(",")
        unknown = set(ids) - {mutant.id for mutant in mutants}
        if unknown:
            raise ValueError(f"no such mutant: {', '.join(sorted(unknown))}")
        chosen = [mutant for mutant in mutants if mutant.id in ids]
    number, _, parts = part.partition("/")
    if not 1 <= int(number) <= int(parts):
        raise ValueError(f"no such part: {part}")
    return list(islice(chosen, int(number) - 1, None, int(parts)))


class Tree:
    """A copy of the tree, in which one mutant at a time is applied."""

    def __init__(self, root: Path) -> None:
        """Work on the copy in `root`."""
        self._root = root
        #: Whether tests pass without a mutant, by paths and selection.
        self._sound: dict[tuple[tuple[str, ...], str], bool] = {}

    def judge(self, mutant: Mutant) -> Result:
        """Run the tests of `mutant` with it; return the result."""
        file = self._root / mutant.path
        source = file.read_text("utf-8") if file.is_file() else ""
        found = source.count(mutant.old)
        if found != 1:
            return Result(
                Verdict.NOT_APPLICABLE,
                f"the old code occurs {found} times in {mutant.path}",
            )
        with written(file, source.replace(mutant.old, mutant.new)):
            code = self._run(mutant)
        if code is None:
            return Result(
                Verdict.SURVIVED, f"no result within {MAX_SECONDS} seconds"
            )
        if code == PASSED:
            return Result(Verdict.SURVIVED, "no test noticed it")
        if code not in (FAILED, INTERRUPTED):
            return Result(
                Verdict.NOT_APPLICABLE, f"pytest ended with exit code {code}"
            )
        if not self._passes_without(mutant):
            return Result(
                Verdict.NOT_APPLICABLE, "its tests fail without it too"
            )
        return Result(Verdict.KILLED)

    def _passes_without(self, mutant: Mutant) -> bool:
        """Return True if the tests of `mutant` pass on unchanged code."""
        key = mutant.tests, mutant.select
        if key not in self._sound:
            self._sound[key] = self._run(mutant) == PASSED
        return self._sound[key]

    def _run(self, mutant: Mutant) -> int | None:
        """Run the tests of `mutant`; return pytest's exit code.

        `None` if they took more than `MAX_SECONDS`. The tests run in a
        process group of their own, which ends with them.
        """
        expression = EXPRESSION
        if mutant.select:
            expression += f" and ({mutant.select})"
        process = subprocess.Popen(
            [
                *(sys.executable, "-m", "pytest"),
                *(*PYTEST_OPTIONS, "-k", expression, *mutant.tests),
            ],
            cwd=self._root,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        try:
            return process.wait(MAX_SECONDS)
        except subprocess.TimeoutExpired:
            return None
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()


@contextlib.contextmanager
def written(file: Path, text: str) -> Iterator[None]:
    """Have `text` in `file` while the block runs.

    Compiled code is deleted, before and after: Python takes it for current
    if a file of the same size was written in the same second.
    """
    before = file.read_bytes()
    compiled = Path(importlib.util.cache_from_source(str(file)))
    try:
        file.write_text(text, "utf-8")
        compiled.unlink(missing_ok=True)
        yield
    finally:
        file.write_bytes(before)
        compiled.unlink(missing_ok=True)


@contextlib.contextmanager
def copied_tree() -> Iterator[Path]:
    """Yield a temporary folder with a copy of all tracked files."""
    with tempfile.TemporaryDirectory(prefix="mutants-") as folder:
        for file in tracked():
            target = Path(folder) / file.path
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / file.path, target)
        yield Path(folder)


def parse_arguments() -> list[Mutant]:
    """Return the mutants that the command line asks for."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.mutants.run",
        description="Check that the tests notice faults in the code.",
    )
    parser.add_argument(
        "--only", metavar="IDS", help="only these mutants: m001,m002"
    )
    parser.add_argument(
        "--part",
        metavar="N/M",
        default="1/1",
        help="only the Nth of M parts of them",
    )
    given = parser.parse_args()
    try:
        return choose(read_mutants(), given.only, given.part)
    except ValueError as error:
        parser.error(str(error))


def main() -> int:
    """Judge the mutants, one line each; return the exit code."""
    mutants = parse_arguments()
    # By default SIGTERM would leave the copy and the running tests behind.
    signal.signal(signal.SIGTERM, lambda number, _: sys.exit(128 + number))
    verdicts: Counter[Verdict] = Counter()
    with copied_tree() as root:
        tree = Tree(root)
        for mutant in mutants:
            begun = time.monotonic()
            result = tree.judge(mutant)
            verdicts[result.verdict] += 1
            line = f"{mutant.id} {result.verdict} {mutant.path}"
            if result.reason:
                line += f": {result.reason} ({mutant.breaks})"
            print(f"{line} [{time.monotonic() - begun:.0f} s]", flush=True)
    print(", ".join(f"{verdicts[each]} {each}" for each in Verdict))
    return 0 if verdicts[Verdict.KILLED] == len(mutants) else 1


if __name__ == "__main__":
    sys.exit(main())
