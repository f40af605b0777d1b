#!/usr/bin/env python3
"""Comparison of documented output with the real output.

Only ids, times, codes, the schema's revision and versions of other programs
are masked. `...` stands
for omitted text: on its own line for lines, within a line for a part of it.
"""

import difflib
import re

_MASKS = (
    (re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"), "ID"),
    (
        re.compile(r"\d{4}-\d\d-\d\d[ T]\d\d:\d\d:\d\d(\.\d+(Z|\+00:00))?"),
        "TIME",
    ),
    (re.compile(r"(?<=_my_session_id=)[\w-]{43}"), "ID"),
    (re.compile(r"revision \d{4}"), "revision NUMBER"),
    (re.compile(r"curl/[\d.]+"), "curl/VERSION"),
    (re.compile(r"\b[0-9A-Z]{4}(-[0-9A-Z]{4}){3,6}\b"), "CODE"),
)


def masked(printed: str) -> str:
    """Return the output with ids, times, codes and versions masked."""
    for pattern, mask in _MASKS:
        printed = pattern.sub(mask, printed)
    return printed


def fault_of(printed: str, expected: str) -> str | None:
    """Return how `printed` differs from what is `expected`, or `None`."""
    seen, told = masked(printed), masked(expected)
    lines = (
        r"(?:.*\n)*?"
        if line.strip() == "..."
        else re.escape(line).replace(r"\.\.\.", ".*") + r"\n"
        for line in told.splitlines()
    )
    if re.fullmatch("".join(lines), _ended(seen)):
        return None
    return "\n".join(
        difflib.unified_diff(
            told.splitlines(),
            seen.splitlines(),
            "documented",
            "printed",
            lineterm="",
        )
    )


def _ended(printed: str) -> str:
    """Return `printed` with a newline at its end."""
    return (
        printed if printed.endswith("\n") or not printed else (f"{printed}\n")
    )
