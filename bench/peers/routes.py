#!/usr/bin/env python3
"""A route of FastAPI that Vestibule protects: by its client, in process."""

from contextlib import ExitStack
from functools import partial
from pathlib import Path

from bench.filling import Known, filled_apart
from bench.load import Generator, get
from bench.look_ups import STORED
from bench.peers.fixtures import USERS
from bench.peers.installation import APPS, Installation
from bench.peers.peers import uvicorn
from bench.peers.queries import RouteLoad
from bench.peers.server import WHOAMI, PeerServer, started
from bench.serving import PinnedServer
from tests.ports import free_port
from tests.serving import COOKIE, ROOT

BY_CLIENT = "FastAPI route, asking verify over HTTP"
IN_PROCESS = "FastAPI route, deciding in process"


def protected(
    installation: Installation,
    folder: Path,
    running: ExitStack,
    generator: Generator,
) -> tuple[RouteLoad, RouteLoad]:
    """Start the same application twice, over one Vestibule's database.

    The Vestibule that the first asks shares the serving core with it:
    both together are what the answer costs.
    """
    folder.mkdir(exist_ok=True)
    vestibule = PinnedServer(folder / "asked")
    known = filled_apart(vestibule.env, STORED)
    running.enter_context(vestibule)
    start = partial(_started, installation, folder, running, known, generator)
    return (
        start(BY_CLIENT, vestibule, vestibule.url),
        start(IN_PROCESS, vestibule, ""),
    )


def _started(
    installation: Installation,
    folder: Path,
    running: ExitStack,
    known: list[Known],
    generator: Generator,
    name: str,
    vestibule: PinnedServer,
    url: str,
) -> RouteLoad:
    """Start the application, check it, and return its route."""
    served = PeerServer(name, free_port(), WHOAMI, folder)
    command = uvicorn("protected_app", served.port)
    command[0] = installation.bin("own", command[0])
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
    return RouteLoad(name, served.port, pids, requests, generator)
