#!/usr/bin/env python3
"""Measures idle timeouts, login throttling and the purge of sessions."""

from collections.abc import Iterator
from contextlib import ExitStack
from functools import partial
from pathlib import Path

from bench.filling import filled_apart
from bench.load import Generator, Seen, get
from bench.logins import LOOK_UPS, STORED, LoginServer
from bench.look_ups import FEW, MANY, Target
from bench.rows import Goal, Rounds, Row, medians, ratios
from bench.serving import ME, PinnedServer

#: Limits that record each use, and limits that record none.
WATCHED = {"SESSION_IDLE_TIMEOUT": "1800", "SESSION_TOUCH_INTERVAL": "60"}
UNWATCHED = {"SESSION_IDLE_TIMEOUT": "0", "SESSION_TOUCH_INTERVAL": "0"}
#: Age in seconds of the sessions to purge.
LONG_AGO = 1_000_000


def watched(
    folder: Path, generator: Generator, rounds: Rounds
) -> Iterator[Row]:
    """Yield what idle timeout and last use leave of the throughput."""
    with ExitStack() as running:
        targets = []
        for name, settings in (("on", WATCHED), ("off", UNWATCHED)):
            server = PinnedServer(folder / f"watched-{name}", **settings)
            known = filled_apart(server.env, STORED)
            running.enter_context(server)
            targets.append(Target(server, known, generator))
        on, off = rounds.interleaved(
            *(partial(target.rate, rounds.seconds) for target in targets)
        )
    yield Row(
        "users/me with idle timeout and last use : without",
        ratios(on, off),
        Goal(0.85),
        seen=medians("answers/s", on, off),
    )


def throttled(
    folder: Path, generator: Generator, rounds: Rounds
) -> Iterator[Row]:
    """Yield the time that throttling adds to a login that succeeds."""
    with ExitStack() as running:
        servers = []
        for switch in ("on", "off"):
            server = PinnedServer(
                folder / f"throttle-{switch}", THROTTLE=switch
            )
            known = filled_apart(server.env, STORED)
            running.enter_context(server)
            servers.append(LoginServer(server, known, generator))
        on, off = rounds.interleaved(
            *(partial(one.logins, rounds.seconds) for one in servers)
        )
    with_it, without = [s.cost for s in on], [s.cost for s in off]
    yield Row(
        "what throttling adds to a login",
        [one - other for one, other in zip(with_it, without, strict=True)],
        Goal(1, at_most=True, unit=" ms"),
        unit=" ms",
        seen=medians("ms each", with_it, without),
    )


def purged(
    folder: Path, generator: Generator, rounds: Rounds
) -> Iterator[Row]:
    """Yield how much longer look-ups take while a million are purged."""
    settings = {"SESSION_DURATION": "3600", "SESSION_PURGE_INTERVAL": "1"}
    with ExitStack() as running:
        measures = []
        for count in (MANY, FEW):
            server = PinnedServer(folder / f"purge{count}", **settings)
            known = filled_apart(server.env, count, LONG_AGO)
            running.enter_context(server)
            server.check(known)
            requests = generator.file(
                [get(ME, session_id) for session_id, _ in known]
            )
            measures.append(
                partial(
                    generator.run,
                    server.port,
                    requests,
                    LOOK_UPS,
                    rounds.seconds,
                )
            )
        purging: list[Seen]
        quiet: list[Seen]
        purging, quiet = rounds.interleaved(*measures)
    slow, fast = [s.p99 for s in purging], [s.p99 for s in quiet]
    yield Row(
        f"99th percentile while {MANY:,} are purged : quiet",
        ratios(slow, fast),
        Goal(2, at_most=True),
        seen=medians("ms", slow, fast),
    )
