#!/usr/bin/env python3
"""What a long run leaves to chance, and how the same comes again."""

import os
import random

#: Set it to the seed that a failure has shown, for the same run.
SEED = "TORTURE_SEED"


def chance() -> str:
    """Return the seed of a run; it is shown where the run fails."""
    seed = os.environ.get(SEED) or str(random.SystemRandom().getrandbits(32))
    print(f"{SEED}={seed}")
    return seed
