#!/usr/bin/env python3
"""How a table came about: day, machine, versions, what is not compared."""

import platform
import re
import shutil
import subprocess
from importlib.metadata import version
from pathlib import Path

from bench import cores
from bench.peers.installation import Installation
from bench.peers.peers import PEERS
from bench.rows import Rounds
from tests.backends import PostgreSQL
from vestibule.core import clock

_NUMBER = re.compile(r"\d+(\.\d+)+")
#: What a reader must know who draws conclusions from the ratios.
NOT_COMPARED = (
    "Not compared: ours writes no session of Flask and keeps nothing but"
    " the user in a session; peers carry features that ours has not, such"
    " as data of one's own in the session, messages, admin pages and other"
    " ways to log in. Ours keeps live sessions in memory as long as nothing"
    " is written to SQLite, and nothing is written while answers to whoami"
    " are measured; on PostgreSQL it looks each one up. Peers have 10"
    " sessions of 10 users, ours 1,000 in use out of 100,000. Redis and"
    " PostgreSQL run on the load's core and cost the peers nothing. Better"
    " Auth with its cookie cache asks no database: a session that was ended"
    " stays good until the cached copy is too old."
)


def footnotes(
    installation: Installation, rounds: Rounds, left_out: list[str]
) -> list[str]:
    """Return the paragraphs below the table."""
    shared = cores.serving() == cores.loading()
    said = [
        f"{clock.now():%Y-%m-%d}, {processor()}, {len(cores.ALL)} cores,"
        f" {platform.system()} {platform.machine()}. Medians of"
        f" {rounds.count} interleaved rounds of {rounds.seconds} s each."
        f" One worker each on core {cores.serving()}, load by wrk on core"
        f" {cores.loading()}"
        f"{' (the only one: read with care)' * shared}. `seen` has ours :"
        " theirs, and the processor time of each one's own processes.",
        f"Versions: {'; '.join(versions(installation))}.",
        NOT_COMPARED,
    ]
    if left_out:
        named = "; ".join(sorted(set(left_out)))
        said.append(f"Left out for what is not installed: {named}.")
    return said


def processor() -> str:
    """Return what the kernel calls the processor."""
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        name, _, value = line.partition(":")
        if name.strip() == "model name":
            return value.strip()
    return platform.processor() or "an unnamed processor"


def versions(installation: Installation) -> list[str]:
    """Return what runs here, each with its version."""
    names = {name for peer in PEERS for name in peer.packages}
    if not installation.has_node():
        names -= {
            name
            for peer in PEERS
            if not peer.is_python
            for name in peer.packages
        }
    own = [f"{name} {version(name)}" for name in ("flask", "granian")]
    theirs = [
        f"{name} {number}"
        for name, number in sorted(installation.versions(names).items())
    ]
    return [
        f"ours on Python {platform.python_version()} with {', '.join(own)}",
        f"the peers' {', '.join(theirs)}",
        *_programs(),
    ]


def _programs() -> list[str]:
    """Return the versions of programs, of those that are there."""
    found = PostgreSQL.find()
    commands = [["node", "--version"], ["redis-server", "--version"]]
    if found is not None:
        commands.append([f"{found}/postgres", "--version"])
    said = []
    for command in commands:
        if shutil.which(command[0]):
            done = subprocess.run(
                command, capture_output=True, text=True, timeout=30
            )
            found_number = _NUMBER.search(done.stdout)
            if found_number is not None:
                said.append(f"{Path(command[0]).name} {found_number[0]}")
    return said
