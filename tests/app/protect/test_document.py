#!/usr/bin/env python3
"""The programs and limits in docs/protect.md are correct."""

import re
from typing import Any

from tests.serving import ROOT
from vestibule.protect.request_headers import MAX_HEADER_LENGTH

PAGE = (ROOT / "docs" / "protect.md").read_text()
#: The file and the lines of each view that the page appends to it.
ADDED = re.findall(
    r"^\$ cat >> (\w+_app\.py) <<'END'\n> (.*?)\n> END$",
    PAGE,
    re.MULTILINE | re.DOTALL,
)
BLOCKS = re.findall(r"^```python\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)


def test_documented_programs_run() -> None:
    """Each code block of the page works after those before it."""
    names: dict[str, Any] = {"__name__": "page"}
    for number, block in enumerate(BLOCKS):
        exec(compile(block, f"block {number}", "exec"), names)
    assert len(BLOCKS) == 12
    assert len(ADDED) == 2


def test_documented_views_are_those_of_examples() -> None:
    """The examples are run by their own tests."""
    for name in ("flask", "fastapi", "django"):
        example = (ROOT / "examples" / f"{name}_app.py").read_text()
        shown = [block for block in BLOCKS if f"from {name}" in block]
        assert shown
        # Those that the page tells readers to save.
        for block in shown[:1]:
            for part in block.split("\n\n\n"):
                if part.startswith(("def ", "@app.get")):
                    assert part.strip() in example, part
    for name, added in ADDED:
        example = (ROOT / "examples" / name).read_text()
        view = added.replace("\n> ", "\n").partition("@")
        assert "".join(view[1:]) in example, added


def test_documented_cookie_limit_is_enforced_limit() -> None:
    """The page and the code name the same number."""
    assert f"{MAX_HEADER_LENGTH:,} characters" in PAGE
