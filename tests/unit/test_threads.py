#!/usr/bin/env python3
"""Objects that threads share are made once."""

import threading
from concurrent.futures import ThreadPoolExecutor

from vestibule.core.threads import Once


def test_concurrent_first_uses_share_one_object() -> None:
    """A thread that comes while it is made waits, and gets the same one."""
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


def test_cleared_object_is_made_again() -> None:
    """Also while another thread makes it, as at a fork."""
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
