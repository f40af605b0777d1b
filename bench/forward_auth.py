#!/usr/bin/env python3
"""Measures forward authentication: what it costs an application."""

import os
from collections.abc import Iterator
from contextlib import ExitStack
from functools import partial
from pathlib import Path

from bench import cores
from bench.filling import Known, filled_apart
from bench.load import Generator, get, get_forwarded
from bench.look_ups import CONNECTIONS, Target
from bench.rows import Goal, Rounds, Row, medians, ratios
from bench.serving import (
    ME,
    VERIFY,
    BareServer,
    ConstantServer,
    PinnedServer,
    UngatedServer,
)
from bench.trust import UNWATCHED, WATCHED
from tests.e2e.forward_auth.proxies import Nginx

STORED = 100_000
#: Requests over which a worker's memory is watched, and seconds for them.
MANY_VERIFIES = 1_000_000
AT_MOST = 300
SLICE = 5
WARM_UP = 70

#: Rules of the gate, in one scenario.
RULES = 100
RULED_STORED = 2_000
#: Sessions whose use is recorded each second, in one scenario.
TOUCHES_PER_SECOND = 350

_SITE = """
server {
    listen 80;
    root site;
    location / { auth_request /verify; }
    location = /verify {
        internal;
        proxy_pass http://asked/api/v1/auth_session/verify;
        proxy_http_version 1.1;
        proxy_set_header Connection "";
        proxy_set_header X-Forwarded-Host $http_host;
        proxy_set_header X-Forwarded-Uri $request_uri;
        proxy_pass_request_body off;
        proxy_set_header Content-Length "";
    }
}
upstream asked { server 127.0.0.1:5000; keepalive 64; }
"""


def verified(
    folder: Path, generator: Generator, rounds: Rounds
) -> Iterator[Row]:
    """Yield the throughput of verify against that of bare Flask."""
    with ExitStack() as running:
        settings: dict[str, dict[str, str]] = {
            "verify": UNWATCHED,
            "verify with identity": {
                "IDENTITY_HEADER": "on",
                "IDENTITY_HOSTS": "localhost,127.0.0.1:*",
            },
            "verify, watched": WATCHED,
            "verify, 4 blocking threads": {"BLOCKING_THREADS": "4"},
        }
        targets = {}
        for number, (what, given) in enumerate(settings.items()):
            server = PinnedServer(folder / f"gate{number}", **given)
            known = filled_apart(server.env, STORED)
            running.enter_context(server)
            targets[what] = Target(server, known, generator, VERIFY)
            length = server.check(known)
        bare_server = BareServer(folder / "gate-bare", length)
        running.enter_context(bare_server)
        bare = Target(bare_server, known, generator)
        reference, plain, signed, watched, fewer = rounds.interleaved(
            *(
                partial(target.rate, rounds.seconds)
                for target in (bare, *targets.values())
            )
        )
    for what, rates, bound in (
        ("verify : bare Flask", plain, 2.5),
        ("verify with identity : bare Flask", signed, 1.8),
        ("verify with 4 blocking threads : bare Flask", fewer, None),
    ):
        yield Row(
            what,
            ratios(rates, reference),
            None if bound is None else Goal(bound),
            seen=medians("answers/s", rates, reference),
        )
    yield Row(
        "verify with idle timeout and last use : without",
        ratios(watched, plain),
        Goal(0.85),
        seen=medians("answers/s", watched, plain),
    )


def touched(
    folder: Path, generator: Generator, rounds: Rounds
) -> Iterator[Row]:
    """Yield what recorded uses leave of the throughput of verify."""
    with ExitStack() as running:
        targets = []
        for interval in ("0", "1"):
            server = PinnedServer(
                folder / f"touched{interval}", SESSION_TOUCH_INTERVAL=interval
            )
            known = filled_apart(server.env, STORED)[:TOUCHES_PER_SECOND]
            running.enter_context(server)
            targets.append(Target(server, known, generator, VERIFY))
        quiet, busy = rounds.interleaved(
            *(partial(target.rate, rounds.seconds) for target in targets)
        )
    yield Row(
        f"verify with {TOUCHES_PER_SECOND} touches a second : without",
        ratios(busy, quiet),
        Goal(0.9),
        seen=medians("answers/s", busy, quiet),
    )
    yield Row(
        "the same, by the worker's processor time",
        ratios(targets[0].cost, targets[1].cost),
        seen=medians("ms/answer", targets[1].cost, targets[0].cost),
    )


def with_rules(
    folder: Path, generator: Generator, rounds: Rounds
) -> Iterator[Row]:
    """Yield what 100 rules of the gate leave of the throughput of verify."""
    rules = folder / "rules.toml"
    rules.write_text(
        "".join(
            f'[[rule]]\nhost = "app{n}.example"\npath = "/a/*/{n}"\n'
            f"level = 2\nfresh = {n}\n"
            for n in range(1, RULES)
        )
        + '[[rule]]\nhost = "app.example"\naccess = "signed-in"\n'
    )
    with ExitStack() as running:
        targets = []
        for number, more in enumerate(({}, {"GATE_RULES": str(rules)})):
            given: dict[str, str] = {"TRUSTED_PROXIES": "127.0.0.1", **more}
            server = PinnedServer(folder / f"ruled{number}", **given)
            known = filled_apart(server.env, RULED_STORED)
            running.enter_context(server)
            targets.append(
                Target(server, known, generator, VERIFY, get_forwarded)
            )
        plain, ruled = rounds.interleaved(
            *(partial(target.rate, rounds.seconds) for target in targets)
        )
    yield Row(
        f"verify with {RULES} rules : without",
        ratios(ruled, plain),
        Goal(0.95),
        seen=medians("answers/s", ruled, plain),
    )
    yield Row(
        "the same, by the worker's processor time",
        ratios(targets[0].cost, targets[1].cost),
        seen=medians("ms/answer", targets[1].cost, targets[0].cost),
    )


def ungated(
    folder: Path, generator: Generator, rounds: Rounds
) -> Iterator[Row]:
    """Yield the throughput of users/me that verify and the pages leave."""
    with ExitStack() as running:
        targets = []
        for server in (
            PinnedServer(folder / "gated"),
            UngatedServer(folder / "ungated"),
            PinnedServer(folder / "with-pages", WEB_PAGES="on"),
        ):
            known = filled_apart(server.env, STORED)
            running.enter_context(server)
            targets.append(Target(server, known, generator, ME))
        gated, plain, paged = rounds.interleaved(
            *(partial(target.rate, rounds.seconds) for target in targets)
        )
    for what, rates, reference in (
        ("users/me with the gate : without", gated, plain),
        ("users/me with pages : without", paged, gated),
    ):
        yield Row(
            what,
            ratios(rates, reference),
            Goal(0.97),
            seen=medians("answers/s", rates, reference),
        )


def behind_nginx(
    folder: Path, generator: Generator, rounds: Rounds
) -> Iterator[Row]:
    """Yield the throughput of nginx with verify and with a constant."""
    with ExitStack() as running:
        server = PinnedServer(folder / "behind", TRUSTED_PROXIES="127.0.0.1")
        known = filled_apart(server.env, STORED)
        constant = ConstantServer(folder / "constant", 200)
        measures = []
        for each in (server, constant):
            running.enter_context(each)
            proxy = _nginx(folder / f"nginx-{each.port}", each.port)
            running.callback(proxy.stop)
            measures.append(
                partial(
                    generator.run,
                    proxy.port,
                    _pages(generator, known),
                    CONNECTIONS,
                    rounds.seconds,
                )
            )
        asked, told = rounds.interleaved(*measures)
    rates, references = [s.rate for s in asked], [s.rate for s in told]
    yield Row(
        "nginx asking verify : asking a constant answer",
        ratios(rates, references),
        Goal(0.5),
        seen=medians("pages/s", rates, references),
    )


def by_workers(
    folder: Path, generator: Generator, rounds: Rounds
) -> Iterator[Row]:
    """Yield what a second worker adds, the load on the same two cores."""
    with ExitStack() as running:
        before = os.sched_getaffinity(0)
        running.callback(os.sched_setaffinity, 0, before)
        os.sched_setaffinity(0, cores.ALL)
        measures = []
        for workers in ("2", "1"):
            server = PinnedServer(
                folder / f"workers{workers}", WORKERS=workers
            )
            known = filled_apart(server.env, STORED)
            server.start(preexec=None)
            running.callback(server.stop)
            measures.append(
                partial(
                    generator.run,
                    server.port,
                    _verifies(generator, known),
                    CONNECTIONS,
                    rounds.seconds,
                )
            )
        two, one = rounds.interleaved(*measures)
    rates, references = [s.rate for s in two], [s.rate for s in one]
    yield Row(
        "verify by two workers : by one",
        ratios(rates, references),
        Goal(1.4),
        seen=medians("answers/s", rates, references),
    )


def remembered(folder: Path, generator: Generator, _: Rounds) -> Iterator[Row]:
    """Yield how a worker's memory grows over a million of verifies.

    After the first minute, at whose end the use of each session is noted
    and each thread has written and read what it keeps from then on.
    """
    with PinnedServer(
        folder / "million",
        IDENTITY_HEADER="on",
        IDENTITY_HOSTS="localhost,127.0.0.1:*",
    ) as server:
        known = filled_apart(server.env, STORED)
        requests = _verifies(generator, known)
        run = partial(generator.run, server.port, requests, CONNECTIONS, SLICE)
        for _slice in range(WARM_UP // SLICE):
            run()
        before, answers = server.memory(), 0.0
        for _slice in range(AT_MOST // SLICE):
            answers += run().rate * SLICE
            if answers >= MANY_VERIFIES:
                break
        after = server.memory()
    yield Row(
        f"memory after {answers:,.0f} verifies : before",
        [after / before],
        Goal(1.03, at_most=True),
        seen=f"{after:.1f} : {before:.1f} MB",
    )


def _verifies(generator: Generator, known: list[Known]) -> Path:
    """Return requests to the verify route."""
    return generator.file([get(VERIFY, session_id) for session_id, _ in known])


def _pages(generator: Generator, known: list[Known]) -> Path:
    """Return requests for a page behind forward authentication."""
    return generator.file([get("/", session_id) for session_id, _ in known])


def _nginx(folder: Path, port: int) -> Nginx:
    """Start an nginx on the serving core, with a page of its own.

    It asks the server on `port` before it shows the page.
    """
    site = folder / "site"
    site.mkdir(parents=True)
    (site / "index.html").write_text("<p>Here it is.</p>\n")
    proxy = Nginx(folder)
    before = os.sched_getaffinity(0)
    cores.pin_server()
    try:
        proxy.start(_SITE, {"127.0.0.1:5000": f"127.0.0.1:{port}"})
    finally:
        os.sched_setaffinity(0, before)
    return proxy
