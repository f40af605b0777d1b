#!/usr/bin/env python3
"""How soon the service answers after its start."""

from collections.abc import Iterator
from pathlib import Path

from bench.filling import filled_apart
from bench.load import Generator
from bench.rows import Goal, Rounds, Row
from bench.serving import PinnedServer, timed_start

STORED = 1_000
_GOAL = Goal(1, at_most=True, unit=" s")


def rows(folder: Path, generator: Generator, rounds: Rounds) -> Iterator[Row]:
    """Yield the seconds from start to the line and to the first answer.

    No load is made meanwhile; `generator` stays unused.
    """
    server = PinnedServer(folder / "starts")
    filled_apart(server.env, STORED)
    # The first start compiles what no start before it has compiled.
    server.start()
    server.stop()
    lines, answers = [], []
    for _ in range(rounds.count):
        line, answer = timed_start(server)
        server.stop()
        lines.append(line)
        answers.append(answer)
    yield Row("from start to ` * Running on`", lines, _GOAL, " s")
    yield Row("from start to the first answer", answers, _GOAL, " s")
