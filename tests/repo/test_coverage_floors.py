#!/usr/bin/env python3
"""The coverage check finds gaps and accepts complete coverage."""

from pathlib import Path

import pytest
from coverage import Coverage

from tests.repo.coverage_floors import (
    FLOORS,
    SECURITY_CODE,
    Floor,
    missed_floors,
    unmeasured,
)
from tests.repo.repository import product_files

CODE = "a = 1\nif a:\n    b = 2\n"
#: Each arc from line to line; -1 is outside.
WHOLE = [(-1, 1), (1, 2), (2, 3), (3, -1), (2, -1)]


def measured(file: Path, steps: list[tuple[int, int]]) -> Coverage:
    """Return the coverage of `file` after exactly these arcs."""
    file.write_text(CODE)
    coverage = Coverage(data_file=None, config_file=False, branch=True)
    coverage.get_data().add_arcs({str(file): steps})
    return coverage


@pytest.mark.parametrize(
    ("steps", "percent", "gaps"),
    [
        (WHOLE, 100.0, 0),
        (WHOLE[:4], 100.0, 1),
        (WHOLE[:4], 80.0, 0),
        (WHOLE[:2], 80.0, 1),
    ],
)
def test_gap_misses_the_floor(
    tmp_path: Path,
    steps: list[tuple[int, int]],
    percent: float,
    gaps: int,
) -> None:
    """A branch that is never taken is a gap, like a line that never runs."""
    file = tmp_path / "judged.py"
    floor = Floor("what is judged", percent, (str(file),))
    reports = list(missed_floors(measured(file, steps), (floor,)))
    assert len(reports) == gaps
    assert all("judged.py" in report for report in reports)


def test_file_without_data_is_reported(tmp_path: Path) -> None:
    """A shipped file that no process measured is not overlooked."""
    coverage = measured(tmp_path / "judged.py", WHOLE)
    assert unmeasured(coverage) == {
        file.path
        for file in product_files()
        if file.path.startswith("vestibule/")
    }


def test_security_code_needs_more_coverage_than_the_rest() -> None:
    """Every pattern of security code matches files."""
    assert FLOORS[0].include == FLOORS[1].omit == SECURITY_CODE
    assert FLOORS[0].percent > FLOORS[1].percent
    for pattern in SECURITY_CODE:
        assert any(
            file.path.startswith(pattern.rstrip("*"))
            for file in product_files()
        ), pattern
