#!/usr/bin/env python3
"""The cores: one for the measured server, another for the load.

The measured server runs on one core alone. The load stays off that core
if the machine has a second one.
"""

import os

#: The cores of this process, read before anything is pinned.
ALL = (
    sorted(os.sched_getaffinity(0))
    if hasattr(os, "sched_getaffinity")
    else [0]
)


def serving() -> int:
    """Return the number of the core that servers are pinned to."""
    return ALL[0]


def loading() -> int:
    """Return the number of the core that load and benchmark run on."""
    return ALL[-1]


def pin_server() -> None:
    """Pin this process, and what it will start, to the serving core."""
    os.sched_setaffinity(0, {serving()})


def pin_load() -> None:
    """Pin this process, and what it will start, to the loading core."""
    os.sched_setaffinity(0, {loading()})
