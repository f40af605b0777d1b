#!/usr/bin/env python3
"""The three comparisons: authentication, logins, and a route of FastAPI."""

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from bench.load import Generator, get_with
from bench.peers import ours, routes
from bench.peers.comparison import compared, fastest
from bench.peers.fixtures import Fixtures, RunningPeer
from bench.peers.installation import Installation
from bench.peers.peers import PEERS, Peer
from bench.peers.queries import LoginLoad, RouteLoad
from bench.rows import Rounds, Row


@dataclass
class Setting:
    """What all comparisons of a run share."""

    installation: Installation
    folder: Path
    generator: Generator
    rounds: Rounds
    #: What could not be measured here, and why.
    left_out: list[str] = field(default_factory=list)

    def running_peers(
        self, fixtures: Fixtures, peers: list[Peer]
    ) -> list[RunningPeer]:
        """Start those peers that can run here; note the others."""
        able = []
        for peer in peers:
            lacking = fixtures.missing(peer)
            if lacking is None:
                able.append(fixtures.start_peer(peer))
            else:
                self.left_out.append(f"{peer.name}, which needs {lacking}")
        return able

    def load_of(self, peer: RunningPeer) -> RouteLoad:
        """Return a peer's route, to be measured."""
        served = peer.server
        return RouteLoad(
            peer.definition.name,
            served.port,
            served.pids,
            self.generator.file(
                [
                    get_with(served.path, header)
                    for header in peer.cookies.values()
                ]
            ),
            self.generator,
        )


def whoami(setting: Setting) -> Iterator[Row]:
    """Yield how our rate of authenticated requests compares with each peer."""
    with ExitStack() as running:
        fixtures = Fixtures(
            setting.installation, setting.folder / "whoami", running
        )
        running_peers = setting.running_peers(fixtures, list(PEERS))
        own = ours.whoami(
            setting.folder / "whoami",
            running,
            setting.generator,
            fixtures.fresh_postgresql(),
        )
        bare = ours.reference(
            setting.folder / "whoami", running, setting.generator
        )
        theirs = [setting.load_of(peer) for peer in running_peers]
        interleave(setting.rounds, [bare, *own, *theirs])
        for peer in running_peers:
            peer.server.check(peer.cookies)
    python = fastest(
        [
            one
            for one, peer in zip(theirs, running_peers, strict=True)
            if peer.definition.is_python
        ]
    )
    bounds = {ours.USERS_ME: 7, ours.VERIFIED: 25, ours.SIGNED: 15}
    if python is not None:
        for one in own:
            yield compared(
                f"{one.name} : the fastest of Python, {python.name}",
                one,
                python,
                bounds.get(one.name),
            )
    for other in theirs:
        yield compared(f"{ours.USERS_ME} : {other.name}", own[0], other, 7)
    yield compared(f"{ours.USERS_ME} : {bare.name}", own[0], bare)


def logins(setting: Setting) -> Iterator[Row]:
    """Yield how our rate of logins compares with each peer."""
    with ExitStack() as running:
        folder = setting.folder / "logins"
        fixtures = Fixtures(setting.installation, folder, running)
        running_peers = setting.running_peers(
            fixtures, [peer for peer in PEERS if peer.logs_in]
        )
        own = ours.logins(folder, running)
        theirs = [_logins_of(peer) for peer in running_peers]
        interleave(setting.rounds, [own, *theirs])
    for one in theirs:
        yield compared(f"logins : {one.name}", own, one, 5, "logins/s")


def _logins_of(peer: RunningPeer) -> LoginLoad:
    """Return a peer's login, named with the hash that it computes."""
    return LoginLoad(
        f"{peer.definition.name}, {peer.hashed}",
        peer.server.port,
        peer.server.pids,
        peer.attempts(),
    )


def fastapi_routes(setting: Setting) -> Iterator[Row]:
    """Yield how a route that Vestibule protects compares in FastAPI."""
    with ExitStack() as running:
        folder = setting.folder / "routes"
        fixtures = Fixtures(setting.installation, folder, running)
        running_peers = setting.running_peers(
            fixtures,
            [peer for peer in PEERS if peer.app == "fastapi_users_app"],
        )
        by_client, in_process = routes.protected(
            setting.installation, folder, running, setting.generator
        )
        theirs = [setting.load_of(peer) for peer in running_peers]
        interleave(setting.rounds, [by_client, in_process, *theirs])
        for peer in running_peers:
            peer.server.check(peer.cookies)
    best = fastest(theirs)
    if best is not None:
        for one, bound in ((by_client, 2), (in_process, 5)):
            yield compared(
                f"{one.name} : route of {best.name}", one, best, bound
            )


def interleave(rounds: Rounds, measured: list[RouteLoad | LoginLoad]) -> None:
    """Measure all in turn, round by round, after each was warmed up."""
    for one in measured:
        if isinstance(one, RouteLoad):
            one.warm_up()
    rounds.interleaved(
        *(partial(one.measure, rounds.seconds) for one in measured)
    )
