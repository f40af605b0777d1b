#!/usr/bin/env python3
"""Minimum test coverage, higher for the code that protects users.

`python -m tests.repo.coverage_floors` checks the data of a run of `pytest
--cov` and exits with 1 if a minimum is not reached.
"""

import io
import sys
from collections.abc import Iterator
from typing import NamedTuple

from coverage import Coverage
from coverage.exceptions import CoverageException

from tests.repo.repository import product_files
from tests.serving import ROOT

#: A gap here could be an untested way in.
SECURITY_CODE = (
    "vestibule/mechanisms/*",
    "vestibule/sessions/*",
    "vestibule/accounts/*",
    "vestibule/core/passwords.py",
    "vestibule/core/request_headers.py",
    "vestibule/protect/*",
)


class Floor(NamedTuple):
    """The minimum share of lines and branches of some files, in percent."""

    name: str
    percent: float
    include: tuple[str, ...]
    omit: tuple[str, ...] = ()


FLOORS = (
    Floor("security code", 98.0, SECURITY_CODE),
    Floor(
        "the rest",
        95.0,
        ("vestibule/*",),
        SECURITY_CODE,
    ),
)


def collected() -> Coverage:
    """Return the combined coverage of all processes that left data."""
    coverage = Coverage(config_file=str(ROOT / "pyproject.toml"))
    coverage.load()
    coverage.combine()
    coverage.save()
    return coverage


def missed_floors(
    coverage: Coverage, floors: tuple[Floor, ...] = FLOORS
) -> Iterator[str]:
    """Yield a report of files and lines for each floor that is missed."""
    for floor in floors:
        report = io.StringIO()
        percent = coverage.report(
            include=list(floor.include),
            omit=list(floor.omit),
            show_missing=True,
            skip_covered=True,
            file=report,
        )
        print(
            f"coverage of {floor.name}: {percent:.2f} %"
            f" (at least {floor.percent:.0f} %)"
        )
        if percent < floor.percent:
            yield report.getvalue()


def unmeasured(coverage: Coverage) -> set[str]:
    """Return the shipped files that have no coverage data."""
    known = coverage.get_data().measured_files()
    return {
        file.path
        for file in product_files()
        if file.path.startswith("vestibule/")
        and str(ROOT / file.path) not in known
    }


def main() -> int:
    """Print the missed floors; return the exit code."""
    try:
        coverage = collected()
        reports = list(missed_floors(coverage))
    except CoverageException as error:
        print(f"coverage cannot be judged: {error}", file=sys.stderr)
        return 1
    reports += [
        f"{path} was not measured\n" for path in sorted(unmeasured(coverage))
    ]
    print(*reports, sep="\n", end="")
    return 1 if reports else 0


if __name__ == "__main__":
    sys.exit(main())
