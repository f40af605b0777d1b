#!/usr/bin/env python3
"""What threads share: made once, whoever comes first."""

import threading
from concurrent.futures import ThreadPoolExecutor

from vestibule.core.threads import Once


def test_two_that_are_first_share_one() -> None:
    """Who comes while it is made waits for it, and gets the same."""
    making, go_on = threading.Event(), threading.Event()

    @Once
    def made() -> list[int]:
        """Make a list, for as long as the test likes."""
        making.set()
        assert go_on.wait(20)
        return []

    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(made)
        assert making.wait(20)
        second = pool.submit(made)
        go_on.set()
        assert first.result(20) is second.result(20) is made()


def test_what_is_forgotten_is_made_anew() -> None:
    """Also while somebody makes it, as when a process is forked then."""
    numbers = iter(range(3))

    @Once
    def made() -> int:
        """Make the next number."""
        number = next(numbers)
        if number == 0:
            made.cache_clear()
            assert made() == 1
        return number

    assert (made(), made()) == (0, 1)
    made.cache_clear()
    assert made() == 2
    assert made.__doc__ == "Make the next number."
