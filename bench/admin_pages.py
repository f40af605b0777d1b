#!/usr/bin/env python3
"""Measures the admin pages among many users and events."""

import html
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from urllib.parse import urlencode

import requests

from bench.admin_rows import ROBOT
from bench.filling import id_of
from bench.load import Generator
from bench.rows import Goal, Rounds, Row, medians, ratios
from bench.serving import PinnedServer
from tests.serving import COOKIE, ROOT
from vestibule.db.event_search import EVENT_SORTS
from vestibule.db.session_search import LAST_USED, SESSION_SORTS
from vestibule.db.user_search import SORTS as USER_SORTS

FEW = 1_000, 10_000
MANY = 1_000_000, 10_000_000
#: Events of the kind that is exported, and so many MB more than before
#: the export may be resident at its end.
EXPORTED, MEMORY = 1_000_000, 30
#: A kind without any event: the filter has to scan all rows.
RARE = "user_removed"
#: What an admin asks for, as the pages and the API have it.
ASKED = {
    "list": "/api/v1/admin/users",
    "list of who never signed in": "/api/v1/admin/users?signed_in=no",
    "search by name": "/api/v1/admin/users?q=chlo",
    "search by email": "/api/v1/admin/users?q=user00",
    "search inside emails": "/api/v1/admin/users?q=r0007@exam",
    "search by a whole email": "/api/v1/admin/users?q=user0000123@example.com",
    **{
        f"page of users by {sort}": f"/admin?sort={sort}"
        for sort in USER_SORTS
    },
    **{
        f"page of sessions by {sort}": f"/admin/sessions?sort={sort}"
        for sort in SESSION_SORTS
        if not sort.endswith(LAST_USED)
    },
    **{
        f"page of events by {sort}": f"/admin/events?sort={sort}"
        for sort in EVENT_SORTS
    },
    "page of a user's sessions by last use": (
        f"/admin/sessions?user={id_of(7)}&sort=-last_used"
    ),
    "page of sessions too many to sort": "/admin/sessions?sort=-last_used",
    "sessions of a network by user": (
        "/api/v1/sessions?network=10.7.31.1&sort=user"
    ),
    "sessions of a device": "/api/v1/sessions?device=opera",
    "search that finds nothing": "/api/v1/admin/users?q=zz%25",
    "events": "/api/v1/events?kind=login_failed",
    "events of a user": f"/api/v1/events?user={id_of(7)}",
    "sessions": "/api/v1/sessions",
    "users by role and state": "/api/v1/admin/users?role=member&disabled=yes",
    "events of a robot, of a rare kind": (
        f"/admin/events?user={id_of(ROBOT)}&kind={RARE}"
    ),
    "events of its network, of a rare kind": (
        f"/admin/events?network=10.9.9.9&kind={RARE}"
    ),
    "page of a robot": f"/admin/users/{id_of(ROBOT)}",
    "page of sessions": "/admin/sessions",
    "figures": "/api/v1/figures?period=month",
    "page of users": "/admin",
    "page of figures": "/admin/figures?period=month",
}


#: Lists of which a page far down is asked for, after so many rows.
DEEP = {
    "deep page of users": "/api/v1/admin/users",
    "deep page of events": "/api/v1/events",
    "deep page of sessions": "/api/v1/sessions",
}
#: Lists whose next page is asked for, and from there the previous one.
BESIDE = {
    "users": "/admin?sort=name",
    "sessions": "/admin/sessions?sort=network",
    "events": "/admin/events?sort=kind",
}
PAGES = 4


def scales(
    folder: Path, generator: Generator, rounds: Rounds
) -> Iterator[Row]:
    """Yield how much longer admin pages take with many users than with few."""
    with ExitStack() as running:
        servers = [
            _server(folder / f"desk{users}", users, happened, running)
            for users, happened in (FEW, MANY)
        ]
        asked = {what: [path] * 2 for what, path in ASKED.items()} | {
            what: [_deep(*one, path) for one in servers]
            for what, path in DEEP.items()
        }
        asked |= {
            f"{kind} page of {what}": [
                _beside(*one, path)[number] for one in servers
            ]
            for what, path in BESIDE.items()
            for number, kind in enumerate(("next", "previous"))
        }
        for what, paths in asked.items():
            few, many = rounds.interleaved(
                *(
                    partial(_time, server, cookie, path, rounds.seconds)
                    for (server, cookie), path in zip(
                        servers, paths, strict=True
                    )
                )
            )
            yield Row(
                f"admin pages, {what},"
                f" the fastest tenth of {rounds.seconds / 4:g} s:"
                f" {MANY[0]:,} users, {MANY[1]:,} events : few",
                ratios(many, few),
                Goal(1.5, at_most=True),
                seen=medians("ms", many, few),
            )
        yield from _exports(*servers[1])


def _server(
    folder: Path, users: int, happened: int, running: ExitStack
) -> tuple[PinnedServer, str]:
    """Start a server on a filled file; return it and an admin's cookie."""
    server = PinnedServer(
        folder, WEB_PAGES="on", SESSION_PURGE_INTERVAL="86400"
    )
    done = subprocess.run(
        [sys.executable, "-m", "bench.admin_rows", str(users), str(happened)],
        cwd=ROOT,
        env=server.env,
        check=True,
        stdout=subprocess.PIPE,
        text=True,
        timeout=900,
    )
    running.enter_context(server)
    return server, done.stdout.strip()


def _time(server: PinnedServer, cookie: str, path: str, seconds: int) -> float:
    """Return the milliseconds of a response, of the fastest tenth.

    What else runs on the machine makes answers slower, never faster.
    """
    taken: list[float] = []
    end = time.perf_counter() + seconds / 4
    with requests.Session() as session:
        session.cookies.set(COOKIE, cookie)
        while time.perf_counter() < end or len(taken) < 10:
            begun = time.perf_counter()
            answer = session.get(server.url + path, timeout=60)
            taken.append((time.perf_counter() - begun) * 1000)
            if answer.status_code != 200:
                raise AssertionError(f"{path}: {answer.text}")
    return sorted(taken)[len(taken) // 10]


def _deep(server: PinnedServer, cookie: str, path: str) -> str:
    """Return the URL of the page that many pages down a list."""
    address = f"{path}?limit=200"
    for _ in range(PAGES):
        answer = requests.get(
            server.url + address, cookies={COOKIE: cookie}, timeout=60
        )
        after = answer.json()["next"]
        address = f"{path}?{urlencode({'limit': 200, 'after': after})}"
    return address


def _beside(server: PinnedServer, cookie: str, path: str) -> tuple[str, str]:
    """Return the URLs of the next page, and of the page before that one."""
    found = []
    for kind in ("next", "prev"):
        answer = requests.get(
            server.url + path, cookies={COOKIE: cookie}, timeout=60
        )
        (link,) = re.findall(rf'rel="{kind}" href="(.*?)"', answer.text)
        path = html.unescape(link)
        found.append(path)
    return found[0], found[1]


def _exports(server: PinnedServer, cookie: str) -> Iterator[Row]:
    """Yield the memory and the speed of an export."""
    path = "/api/v1/events/export?kind=login_failed&format="
    for form in ("csv", "jsonl"):
        # The first one opens what stays open.
        _time(server, cookie, f"{path}{form}&user={id_of(7)}", 1)
        before, begun = server.memory(), time.perf_counter()
        lines = _lines(server, cookie, path + form)
        taken = time.perf_counter() - begun
        if lines < EXPORTED:
            raise AssertionError(f"{lines} lines only")
        yield Row(
            f"MB more at most while {EXPORTED:,} events go out as {form}",
            [server.peak_memory() - before],
            Goal(MEMORY, at_most=True, unit=" MB"),
            unit=" MB",
            seen=f"{lines / taken:,.0f} events/s",
        )


def _lines(server: PinnedServer, cookie: str, path: str) -> int:
    """Read a file slowly to its end; return its number of lines."""
    answer = requests.get(
        server.url + path, cookies={COOKIE: cookie}, stream=True, timeout=60
    )
    number = 0
    for chunk in answer.iter_content(1 << 16):
        number += chunk.count(b"\n")
        time.sleep(0.001)
    return number
