#!/usr/bin/env python3
"""Debian's Chromium, driven by Playwright."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import Browser, sync_playwright

from tests.backends import missing

PROGRAM = Path("/usr/bin/chromium")
#: Root has no sandbox, and the browser must start no requests by itself.
ARGUMENTS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
    # Tests of several hosts.
    "--host-resolver-rules=MAP *.vestibule.test 127.0.0.1,"
    "MAP *.other.test 127.0.0.1",
)


@contextmanager
def running() -> Iterator[Browser]:
    """Run a browser; a process can have only one Playwright at a time."""
    if not PROGRAM.exists():
        missing("Chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=PROGRAM, args=ARGUMENTS
        )
        yield browser
        browser.close()
