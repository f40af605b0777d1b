#!/usr/bin/env python3
"""The table of SECURITY.md: no requirement without a test or a reason."""

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
ASKED = [
    f"{section}.{number}"
    for section, (first, last) in _RUNS.items()
    for number in range(first, last + 1)
]
UNFIT = {
    "6.6.1",
    "6.8.1",
    "6.8.2",
    "6.8.3",
    "6.8.4",
    "7.1.3",
    "7.6.1",
}
#: What waits for multi-factor authentication or mail.
WAITING = {
    "6.3.3",
    "6.4.3",
    "6.4.4",
    "6.5.1",
    "6.5.2",
    "6.5.3",
    "6.5.4",
    "6.5.5",
    "6.6.2",
    "6.6.3",
}


def names_here() -> set[str]:
    """Return the names of the tests of this folder."""
    return {
        node.name
        for file in Path(__file__).parent.glob("test_*.py")
        for node in ast.walk(ast.parse(file.read_text()))
        if isinstance(node, ast.FunctionDef) and node.name.startswith("test_")
    }


def test_every_requirement_has_its_row() -> None:
    """All 53 are there, once, in order."""
    assert len(ASKED) == 53
    assert [row.id for row in requirements()] == ASKED


def test_every_row_has_a_test_or_a_reason() -> None:
    """Reasons are for the ones that cannot be tested, and no others."""
    for row in requirements():
        if row.id in UNFIT:
            assert row.verdict.startswith("does not apply: "), row
        elif row.id in WAITING:
            assert row.verdict.startswith("open: "), row
        else:
            assert row.tests, row
        assert len(row.verdict) > 20


def test_every_named_test_exists() -> None:
    """A row names tests of this folder that carry its id."""
    known = names_here()
    for row in requirements():
        for name in row.tests:
            assert name in known, name
            chapter = f"test_v{row.id.replace('.', '_')}_"
            assert name.startswith(chapter), name


def test_every_test_of_a_requirement_is_named() -> None:
    """What is tested for V6 and V7 at these levels stands in the table."""
    named = {name for row in requirements() for name in row.tests}
    for name in names_here():
        for asked in ASKED:
            if name.startswith(f"test_v{asked.replace('.', '_')}_"):
                assert name in named, name
