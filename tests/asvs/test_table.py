#!/usr/bin/env python3
"""The table of SECURITY.md: each requirement has a test or a reason."""

import ast
from pathlib import Path

from tests.asvs.page import requirements

#: The requirements of V6 and V7 at level 1 and 2: first and last of each
#: section's run, as ASVS 5.0.0 numbers them.
_RUNS = {
    "6.1": (1, 3),
    "6.2": (1, 12),
    "6.3": (1, 4),
    "6.4": (1, 4),
    "6.5": (1, 5),
    "6.6": (1, 3),
    "6.8": (1, 4),
    "7.1": (1, 3),
    "7.2": (1, 4),
    "7.3": (1, 2),
    "7.4": (1, 5),
    "7.5": (1, 2),
    "7.6": (1, 2),
}
REQUIRED = [
    f"{section}.{number}"
    for section, (first, last) in _RUNS.items()
    for number in range(first, last + 1)
]
NOT_APPLICABLE = {
    "6.6.1",
    "6.8.1",
    "6.8.2",
    "6.8.3",
    "6.8.4",
    "7.1.3",
    "7.6.1",
}


def names_of_tests() -> set[str]:
    """Return the names of the tests in this folder."""
    return {
        node.name
        for file in Path(__file__).parent.glob("test_*.py")
        for node in ast.walk(ast.parse(file.read_text()))
        if isinstance(node, ast.FunctionDef) and node.name.startswith("test_")
    }


def test_each_requirement_has_its_row() -> None:
    """All 53 requirements have one row each, in order."""
    assert len(REQUIRED) == 53
    assert [row.id for row in requirements()] == REQUIRED


def test_each_row_has_a_test_or_a_reason() -> None:
    """Only requirements that cannot be tested have a reason instead."""
    for row in requirements():
        if row.id in NOT_APPLICABLE:
            assert row.verdict.startswith("does not apply: "), row
        else:
            assert row.tests, row
        assert len(row.verdict) > 20


def test_each_test_of_a_row_exists() -> None:
    """A row names tests of this folder with its id."""
    known = names_of_tests()
    for row in requirements():
        for name in row.tests:
            assert name in known, name
            chapter = f"test_v{row.id.replace('.', '_')}_"
            assert name.startswith(chapter), name


def test_each_test_of_a_requirement_is_in_its_row() -> None:
    """Each test of V6 and V7 at these levels is in the table."""
    named = {name for row in requirements() for name in row.tests}
    for name in names_of_tests():
        for asked in REQUIRED:
            if name.startswith(f"test_v{asked.replace('.', '_')}_"):
                assert name in named, name
