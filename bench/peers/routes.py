#!/usr/bin/env python3
"""A route of FastAPI that Vestibule protects: by its client, in process."""

from contextlib import ExitStack
from functools import partial
from pathlib import Path

from bench.filling import Known, filled_apart
from bench.load import Generator, get
from bench.look_ups import STORED
from bench.peers.asked import Asked
from bench.peers.household import USERS
from bench.peers.outside import APPS, Outside
from bench.peers.roster import uvicorn
from bench.peers.served import WHOAMI, Served, started
from bench.serving import PinnedServer
from tests.ports import free_port
from tests.serving import COOKIE, ROOT

BY_CLIENT = "FastAPI route, asking verify over HTTP"
IN_PROCESS = "FastAPI route, deciding in process"


def protected(
    outside: Outside,
    folder: Path,
    running: ExitStack,
    generator: Generator,
) -> tuple[Asked, Asked]:
    """Start the same application twice, over one Vestibule's database.

    The Vestibule that the first asks shares the serving core with it:
    both together are what the answer costs.
    """
    folder.mkdir(exist_ok=True)
    vestibule = PinnedServer(folder / "asked")
    known = filled_apart(vestibule.env, STORED)
    running.enter_context(vestibule)
    start = partial(_started, outside, folder, running, known, generator)
    return (
        start(BY_CLIENT, vestibule, vestibule.url),
        start(IN_PROCESS, vestibule, ""),
    )


def _started(
    outside: Outside,
    folder: Path,
    running: ExitStack,
    known: list[Known],
    generator: Generator,
    name: str,
    vestibule: PinnedServer,
    url: str,
) -> Asked:
    """Start the application, check it, and return its route."""
    served = Served(name, free_port(), WHOAMI, folder)
    command = uvicorn("protected_app", served.port)
    command[0] = outside.bin("own", command[0])
    env = vestibule.env | {
        "PYTHONPATH": f"{APPS}:{ROOT}",
        "PEER_VESTIBULE": url,
    }
    running.enter_context(started(served, command, env))
    some = known[:: max(1, len(known) // USERS)]
    served.check({one.email: f"{COOKIE}={one.session_id}" for one in some})

    def pids() -> list[int]:
        """Return the processes that an answer is made by."""
        asked = vestibule.workers() if url else []
        return [*served.pids(), *asked]

    requests = generator.file([get(WHOAMI, one.session_id) for one in known])
    return Asked(name, served.port, pids, requests, generator)
