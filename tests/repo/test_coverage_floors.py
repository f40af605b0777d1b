#!/usr/bin/env python3
"""The gate that judges coverage: it sees a gap, and lets the whole pass."""

from pathlib import Path

import pytest
from coverage import Coverage

from tests.repo.coverage_floors import (
    FLOORS,
    GUARDING,
    Floor,
    broken,
    unmeasured,
)
from tests.repo.repository import product_files

CODE = "a = 1\nif a:\n    b = 2\n"
#: Each step from line to line; minus one is outside.
WHOLE = [(-1, 1), (1, 2), (2, 3), (3, -1), (2, -1)]


def measured(file: Path, steps: list[tuple[int, int]]) -> Coverage:
    """Return the coverage of `file` after exactly these `steps`."""
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
def test_a_gap_breaks_the_floor(
    tmp_path: Path,
    steps: list[tuple[int, int]],
    percent: float,
    gaps: int,
) -> None:
    """A branch never taken counts as a gap, as a line never run does."""
    file = tmp_path / "judged.py"
    floor = Floor("what is judged", percent, (str(file),))
    reports = list(broken(measured(file, steps), (floor,)))
    assert len(reports) == gaps
    assert all("judged.py" in report for report in reports)


def test_a_file_without_data_is_named(tmp_path: Path) -> None:
    """A shipped file that no process measured cannot pass unseen."""
    coverage = measured(tmp_path / "judged.py", WHOLE)
    assert unmeasured(coverage) == {file.path for file in product_files()}


def test_what_guards_people_has_no_lower_floor() -> None:
    """Every file that guards people is under the floor of 100 percent."""
    assert FLOORS[0].include == FLOORS[1].omit == GUARDING
    assert FLOORS[0].percent == 100.0
    for pattern in GUARDING:
        assert any(
            file.path.startswith(pattern.rstrip("*"))
            for file in product_files()
        ), pattern
