#!/usr/bin/env python3
"""How soon the service answers after its start, and what passkeys add."""

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import NamedTuple

import requests

from bench.filling import PASSWORD, email_of, filled_apart
from bench.load import Generator
from bench.rows import Goal, Rounds, Row, cpu_seconds, medians
from bench.serving import ME, PinnedServer, timed_start
from vestibule.core.crypto import new_key

STORED = 1_000
_GOAL = Goal(1, at_most=True, unit=" s")


class Started(NamedTuple):
    """What one start took, and the memory of the worker after some use.

    The first two are in seconds.
    """

    line: float
    answer: float
    #: Processor time of all its processes until then, in seconds. A busy
    #: machine changes it little.
    processor: float
    #: MB (10^6 bytes).
    memory: float


def rows(folder: Path, generator: Generator, rounds: Rounds) -> Iterator[Row]:
    """Yield the seconds from start to the line and to the first answer.

    Then what possible passkeys, which no user has, add to the start and to
    the memory of the worker. No load is made meanwhile; `generator` stays
    unused.
    """
    plain = PinnedServer(folder / "starts", WEB_PAGES="on")
    possible = PinnedServer(
        folder / "passkeys",
        WEB_PAGES="on",
        PUBLIC_URL="http://localhost",
        SECRETS_KEY=new_key(),
    )
    for server in (plain, possible):
        filled_apart(server.env, STORED)
        # The first start compiles what no start before it has compiled.
        server.start()
        server.stop()
    without, having = rounds.interleaved(
        partial(_started, plain), partial(_started, possible)
    )
    lines = [one.line for one in without]
    yield Row("from start to ` * Running on`", lines, _GOAL, " s")
    answers = [one.answer for one in without]
    yield Row("from start to the first answer", answers, _GOAL, " s")
    for what, index, factor, unit, bound in (
        ("processor time that unused passkeys add to it", 2, 1000, "ms", 50),
        ("what unused passkeys add to the worker's memory", 3, 1, "MB", 5),
    ):
        less = [one[index] * factor for one in without]
        more = [one[index] * factor for one in having]
        yield Row(
            what,
            [big - small for big, small in zip(more, less, strict=True)],
            Goal(bound, at_most=True, unit=f" {unit}"),
            f" {unit}",
            medians(unit, more, less),
        )


def _started(server: PinnedServer) -> Started:
    """Start the server, let a user sign in and look around; stop it."""
    line, answer = timed_start(server)
    processes = [server.process.pid, *server.workers()]
    used = sum(map(cpu_seconds, processes))
    try:
        session = server.login(email_of(1), PASSWORD)
        for path in ("/sign-in", ME, "/account", "/account/sessions"):
            # The first one as a stranger.
            cookie = None if path == "/sign-in" else session
            found: requests.Response = server.request("GET", path, cookie)
            if found.status_code != 200:
                raise RuntimeError(f"{path}: {found.status_code}")
        return Started(line, answer, used, server.memory())
    finally:
        server.stop()
