#!/usr/bin/env python3
"""The parts of SECURITY.md that programs read."""

import re
from typing import NamedTuple

from tests.serving import ROOT

PAGE = ROOT / "SECURITY.md"
_ROW = re.compile(r"\| ([67]\.\d+\.\d+) \| ([123]) \| (.+?) \| (.+?) \|")


class Requirement(NamedTuple):
    """A requirement of ASVS, its level, and its tests or a reason."""

    id: str
    level: int
    meaning: str
    verdict: str

    @property
    def tests(self) -> list[str]:
        """Return the names of the tests in the row."""
        return re.findall(r"`(test_\w+)`", self.verdict)


def requirements(*levels: int) -> list[Requirement]:
    """Return the rows of these levels in their order; by default 1 and 2."""
    return [
        Requirement(found[1], int(found[2]), found[3], found[4])
        for found in map(_ROW.fullmatch, PAGE.read_text().splitlines())
        if found and int(found[2]) in (levels or (1, 2))
    ]


def block(name: str) -> list[list[str]]:
    """Return the words of each line of the block with this name."""
    (text,) = re.findall(rf"```{name}\n(.*?)```", PAGE.read_text(), re.DOTALL)
    return [
        line.split()
        for line in text.splitlines()
        if line and not line.startswith("#")
    ]


def numbers(name: str) -> dict[str, int]:
    """Return a block whose lines are a name and a number each."""
    return {key: int(value) for key, value in block(name)}
