#!/usr/bin/env python3
"""The table of SECURITY.md: each requirement has a test or a reason."""

import ast
import re
from pathlib import Path

from tests.asvs.page import PAGE, requirements

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


#: The sentence of the page about its table.
_COUNTS = re.compile(
    r"Of the (\d+) requirements of these levels, (\d+) apply, and each of"
    r" the\s(\d+)\shas"
)


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


def test_statement_has_the_numbers_of_the_table() -> None:
    """The page says how many requirements there are, and have a test."""
    text = " ".join(PAGE.read_text().split())
    found = _COUNTS.search(text)
    assert found is not None
    tested = sum(bool(row.tests) for row in requirements())
    assert [*map(int, found.groups())] == [len(REQUIRED), tested, tested]
    assert tested == len(REQUIRED) - len(NOT_APPLICABLE) == 46


def test_each_row_has_a_test_or_a_reason() -> None:
    """Only requirements that cannot be tested have a reason instead."""
    for row in requirements():
        if row.id in NOT_APPLICABLE:
            assert row.verdict.startswith("does not apply: "), row
        else:
            assert row.tests, row
        assert len(row.verdict) > 20


def test_each_test_of_a_row_exists() -> None:
    """A row names tests of this folder with its id, at level 3 too."""
    known = names_of_tests()
    for row in requirements(1, 2, 3):
        for name in row.tests:
            assert name in known, name
            chapter = f"test_v{row.id.replace('.', '_')}_"
            assert name.startswith(chapter), name


def test_each_test_of_a_requirement_is_in_its_row() -> None:
    """Each test whose name has an id of V6 or V7 is in a table."""
    named = {name for row in requirements(1, 2, 3) for name in row.tests}
    for name in names_of_tests():
        if re.match(r"test_v[67]_\d+_\d+_", name):
            assert name in named, name
