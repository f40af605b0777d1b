#!/usr/bin/env python3
"""The random seed of a long run, which can be repeated."""

import os
import random

#: The variable that repeats a run, with the seed that a failure printed.
SEED = "TORTURE_SEED"


def random_seed() -> str:
    """Return the seed of a run and print it for failures."""
    seed = os.environ.get(SEED) or str(random.SystemRandom().getrandbits(32))
    print(f"{SEED}={seed}")
    return seed
