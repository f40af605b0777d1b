#!/usr/bin/env python3
"""Vestibule in this run: the same checks and the same load as the peers."""

from contextlib import ExitStack
from functools import partial
from pathlib import Path
from urllib.parse import urlencode

from bench.filling import PASSWORD, Known, email_of, filled_apart
from bench.load import Generator, get
from bench.look_ups import STORED
from bench.peers.fixtures import USERS
from bench.peers.queries import LoginLoad, RouteLoad
from bench.peers.responses import check_anonymous, check_named
from bench.serving import LOGIN, ME, VERIFY, BareServer, PinnedServer

USERS_ME = "users/me"
VERIFIED = "verify"
SIGNED = "verify with identity"
ON_POSTGRESQL = "users/me on PostgreSQL"
BARE = "a bare Flask route, served like ours"
#: Bytes of the reference's body: about those of a user.
_LENGTH = 250


def running_with(
    folder: Path, running: ExitStack, **settings: str
) -> tuple[PinnedServer, list[Known]]:
    """Start a server with many sessions; return it and some of them."""
    server = PinnedServer(folder, **settings)
    known = filled_apart(server.env, STORED)
    running.enter_context(server)
    return server, known


def query_of(
    name: str,
    server: PinnedServer,
    known: list[Known],
    path: str,
    generator: Generator,
) -> RouteLoad:
    """Return a route of ours that was checked and is to be measured."""
    for session_id, email in known[:: max(1, len(known) // USERS)]:
        found = server.request("GET", path, session_id)
        check_named(name, found.status_code, found.text, email)
    for without in (None, "00000000-0000-4000-8000-00000000dead"):
        found = server.request("GET", path, without)
        check_anonymous(
            name, found.status_code, found.text, [who.email for who in known]
        )
    requests = generator.file([get(path, one.session_id) for one in known])
    return RouteLoad(
        name, server.port, partial(server.workers), requests, generator
    )


def reference(
    folder: Path, running: ExitStack, generator: Generator
) -> RouteLoad:
    """Start a bare Flask route, which all are measured beside.

    It has no users, so its responses identify none.
    """
    server = BareServer(folder / "bare", _LENGTH)
    running.enter_context(server)
    return RouteLoad(
        BARE,
        server.port,
        partial(server.workers),
        generator.file([get(ME, "anybody")]),
        generator,
        wanted="",
    )


def whoami(
    folder: Path, running: ExitStack, generator: Generator, database: str
) -> list[RouteLoad]:
    """Start what is compared: `users/me`, verify, verify with identity.

    And `users/me` on the PostgreSQL that `database` names, if it does.
    """
    plain, known = running_with(folder / "ours", running)
    signing, others = running_with(
        folder / "signing",
        running,
        IDENTITY_HEADER="on",
        IDENTITY_HOSTS="localhost,127.0.0.1:*",
    )
    found = [
        query_of(USERS_ME, plain, known, ME, generator),
        query_of(VERIFIED, plain, known, VERIFY, generator),
        query_of(SIGNED, signing, others, VERIFY, generator),
    ]
    if database:
        server, more = running_with(
            folder / "postgresql", running, DATABASE_URL=database
        )
        found.append(query_of(ON_POSTGRESQL, server, more, ME, generator))
    return found


def logins(folder: Path, running: ExitStack) -> LoginLoad:
    """Start a server as it is shipped, which counts guesses too."""
    server, _ = running_with(folder / "ours-logins", running, THROTTLE="on")
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    return LoginLoad(
        "ours",
        server.port,
        partial(server.workers),
        [
            (
                LOGIN,
                headers,
                urlencode(
                    {
                        "email": email_of(number),
                        "password": PASSWORD,
                    }
                ),
            )
            for number in range(USERS)
        ],
    )
