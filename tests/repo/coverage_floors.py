#!/usr/bin/env python3
"""The floors under the tests' coverage: what guards people has no gaps.

`python -m tests.repo.coverage_floors` judges the data that a run of
`pytest --cov` left, and exits with 1 when a floor is broken.
"""

import io
import sys
from collections.abc import Iterator
from typing import NamedTuple

from coverage import Coverage
from coverage.exceptions import CoverageException

from tests.repo.repository import product_files
from tests.serving import ROOT

#: A gap here is a way in that nobody tried.
GUARDING = (
    "vestibule/mechanisms/*",
    "vestibule/sessions/*",
    "vestibule/accounts/*",
    "vestibule/core/passwords.py",
    "vestibule/core/network.py",
    "vestibule/protect/*",
)


class Floor(NamedTuple):
    """A share of lines and branches that the files must reach together."""

    name: str
    percent: float
    include: tuple[str, ...]
    omit: tuple[str, ...] = ()


FLOORS = (
    Floor("what guards people", 100.0, GUARDING),
    Floor(
        "the rest",
        95.0,
        tuple(f"{name}/*" for name in ("vestibule",)),
        GUARDING,
    ),
)


def collected() -> Coverage:
    """Return the coverage of all processes that left data, as one."""
    coverage = Coverage(config_file=str(ROOT / "pyproject.toml"))
    coverage.load()
    coverage.combine()
    coverage.save()
    return coverage


def broken(
    coverage: Coverage, floors: tuple[Floor, ...] = FLOORS
) -> Iterator[str]:
    """Yield a report for each floor that is not reached: files and lines."""
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
    """Return the shipped files that the data knows nothing of."""
    known = coverage.get_data().measured_files()
    return {
        file.path
        for file in product_files()
        if str(ROOT / file.path) not in known
    }


def main() -> int:
    """Print what is broken; return the exit code."""
    try:
        coverage = collected()
        reports = list(broken(coverage))
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
