#!/usr/bin/env python3
"""Measures mail: how fast the queue is sent, and what a request for one costs.

The mail server is aiosmtpd in a process of its own, on the load's core.
"""

import os
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPConnection
from pathlib import Path
from urllib.parse import urlencode

from bench.cores import pin_load, pin_server
from bench.load import Generator
from bench.rows import Goal, Rounds, Row, cpu_seconds
from bench.serving import PinnedServer
from tests.ports import free_port
from tests.serving import ROOT, environment

#: Mails of the queue that is sent, for each second of a round.
MAILS_PER_SECOND = 400
#: Requests of each kind; each is for another address, of another network.
REQUESTS = 200
_FORGOT = "/api/v1/auth_session/forgot"
_MEMORY_AT = (0.1, 0.9)

_SERVER = """
import asyncio, sys
from aiosmtpd.smtp import SMTP

class Sink:
    async def handle_DATA(self, server, session, envelope):
        return "250 OK"

async def main():
    loop = asyncio.get_running_loop()
    made = await loop.create_server(
        lambda: SMTP(Sink(), loop=loop), "127.0.0.1", int(sys.argv[1])
    )
    print("ready", flush=True)
    await made.serve_forever()

asyncio.run(main())
"""

_QUEUE = """
import sys
from datetime import timedelta
from vestibule.db import outgoing_mails
from vestibule.db.models.user import User

for first in range(int(sys.argv[2]), int(sys.argv[3]), 500):
    last = min(first + 500, int(sys.argv[3]))
    if sys.argv[1] == "users":
        for number in range(first, last):
            User(email=f"{number}@example.com").save()
        continue
    outgoing_mails.add([
        outgoing_mails.NewMail(
            "reset", f"{number}@example.com", timedelta(hours=1),
            user_id=str(number), detail={"browser": "x"},
        )
        for number in range(first, last)
    ])
"""


@contextmanager
def _mail_server() -> Iterator[dict[str, str]]:
    """Run a mail server that accepts all; yield the settings for it."""
    port = free_port()
    process = subprocess.Popen(
        [sys.executable, "-c", _SERVER, str(port)],
        stdout=subprocess.PIPE,
        preexec_fn=pin_load,
    )
    try:
        assert process.stdout is not None
        assert process.stdout.readline().strip() == b"ready"
        yield {
            "MAIL_URL": f"smtp://127.0.0.1:{port}",
            "MAIL_FROM": "no-reply@example.com",
            "PUBLIC_URL": "https://auth.example.com",
            "MAIL_PER_HOUR": "1000000",
        }
    finally:
        process.kill()
        process.wait()


def _fill(env: dict[str, str], what: str, first: int, last: int) -> None:
    """Store users, or queue mails, with numbers from `first` to `last`."""
    subprocess.run(
        [sys.executable, "-c", _QUEUE, what, str(first), str(last)],
        env=env,
        cwd=ROOT,
        check=True,
    )


def _resident(pid: int) -> float:
    """Return the resident memory of a process in MB (10^6 bytes)."""
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


def _queued(env: dict[str, str]) -> int:
    """Return how many mails are queued, by the command."""
    import sqlite3

    file = env["DATABASE_URL"].removeprefix("sqlite:///")
    with sqlite3.connect(f"file:{file}?mode=ro", uri=True) as connection:
        (row,) = connection.execute(
            "SELECT count(*) FROM outgoing_mails WHERE state = 'queued'"
        )
    return int(row[0])


class _Sending:
    """One run of `mail send`: its rate, its cost, and its memory."""

    def __init__(self, env: dict[str, str], number: int) -> None:
        """Send `number` queued mails; measure from the first to the last."""
        process = subprocess.Popen(
            [sys.executable, "-m", "vestibule", "mail", "send"],
            env=env,
            cwd=ROOT,
            stdout=subprocess.DEVNULL,
            preexec_fn=pin_server,
        )
        memory: dict[float, float] = {}
        begun, started, used = 0.0, number, 0.0
        while (left := _queued(env)) > 0:
            if process.poll() is not None:
                raise RuntimeError(f"{left} mails were not sent")
            if left < number and not begun:
                begun, started = time.perf_counter(), left
                used = cpu_seconds(process.pid)
            for share in _MEMORY_AT:
                if number - left >= share * number and share not in memory:
                    memory[share] = _resident(process.pid)
            time.sleep(0.02)
            if process.poll() is None:
                last = cpu_seconds(process.pid)
        self.rate = started / (time.perf_counter() - begun)
        self.cost = (last - used) * 1000 / started
        self.growth = memory[_MEMORY_AT[1]] - memory[_MEMORY_AT[0]]
        process.wait()


def sent(folder: Path, generator: Generator, rounds: Rounds) -> Iterator[Row]:
    """Yield how many mails one process sends in a second."""
    number = MAILS_PER_SECOND * rounds.seconds
    place = folder / "mails"
    place.mkdir()
    runs = []
    with _mail_server() as settings:
        env = environment(place, **settings)
        for turn in range(rounds.count):
            _fill(env, "mails", turn * number, (turn + 1) * number)
            runs.append(_Sending(env, number))
    yield Row(
        "mails that a process sends",
        [run.rate for run in runs],
        Goal(200, unit="/s"),
        unit="/s",
    )
    yield Row(
        "processor time of the sender for a mail",
        [run.cost for run in runs],
        unit=" ms",
    )
    yield Row(
        f"growth of its memory, from a tenth to nine tenths of {number} mails",
        [run.growth for run in runs],
        Goal(5, at_most=True, unit=" MB"),
        unit=" MB",
    )


def asked(folder: Path, generator: Generator, rounds: Rounds) -> Iterator[Row]:
    """Yield how long requests take that send a mail, and that do not."""
    with _mail_server() as settings:
        server = PinnedServer(
            folder / "asked", TRUSTED_PROXIES="127.0.0.1/32", **settings
        )
        with server:
            _fill(server.env, "users", 0, REQUESTS)
            times: dict[str, list[float]] = {"known": [], "unknown": []}
            for number in range(REQUESTS):
                for kind in sorted(times, reverse=bool(number % 2)):
                    domain = "example.com" if kind == "known" else "no.example"
                    times[kind].append(
                        _forgot(server.port, f"{number}@{domain}", number)
                    )
            silent = [
                # The address has had its mail of this minute.
                _forgot(server.port, f"{number}@example.com", number)
                for number in range(REQUESTS)
            ]
    known, unknown = times["known"], times["unknown"]
    for what, others in (
        ("an unknown address", unknown),
        ("one that sends no mail", silent),
    ):
        yield Row(
            f"a request that sends mail : {what}, quartiles of {REQUESTS}",
            [
                one / other
                for one, other in zip(
                    statistics.quantiles(known, n=4),
                    statistics.quantiles(others, n=4),
                    strict=True,
                )
            ],
            Goal(1.1, at_most=True) if others is unknown else None,
            seen=f"{_shown(known)} : {_shown(others)} ms",
        )


def _forgot(port: int, email: str, number: int) -> float:
    """Ask for a mail from a network of its own; return the milliseconds."""
    connection = HTTPConnection("127.0.0.1", port, timeout=30)
    connection.connect()
    body = urlencode({"email": email})
    network = f"10.{number >> 8}.{number & 255}"
    last = 1 + ("no." in email)
    begun = time.perf_counter()
    connection.request(
        "POST",
        _FORGOT,
        body,
        {
            "Content-Type": "application/x-www-form-urlencoded",
            "X-Forwarded-For": f"{network}.{last}",
        },
    )
    response = connection.getresponse()
    response.read()
    took = (time.perf_counter() - begun) * 1000
    connection.close()
    if response.status != 202:
        raise RuntimeError(f"{email}: {response.status}")
    return took


def _shown(values: list[float]) -> str:
    """Return the quartiles of some values."""
    return "/".join(f"{one:.1f}" for one in statistics.quantiles(values, n=4))
