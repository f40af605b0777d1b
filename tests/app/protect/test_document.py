#!/usr/bin/env python3
"""What docs/protect.md shows is so."""

import re
from typing import Any

from tests.serving import ROOT
from vestibule.protect.request_headers import MAX_HEADER_LENGTH

PAGE = (ROOT / "docs" / "protect.md").read_text()
BLOCKS = re.findall(r"^```python\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)


def test_its_programs_run() -> None:
    """Each block of the page works, after those before it."""
    names: dict[str, Any] = {"__name__": "page"}
    for number, block in enumerate(BLOCKS):
        exec(compile(block, f"block {number}", "exec"), names)
    assert len(BLOCKS) == 7


def test_it_shows_the_examples() -> None:
    """The views of the page are those of the examples, which are run."""
    for name in ("flask", "fastapi", "django"):
        example = (ROOT / "examples" / f"{name}_app.py").read_text()
        shown = [block for block in BLOCKS if f"from {name}" in block]
        assert shown
        for block in shown:
            for part in block.split("\n\n\n"):
                if part.startswith(("def ", "@app.get")):
                    assert part.strip() in example, part


def test_it_says_how_much_is_too_much() -> None:
    """The longest cookie is the one that the page tells of."""
    assert f"{MAX_HEADER_LENGTH:,} characters" in PAGE
