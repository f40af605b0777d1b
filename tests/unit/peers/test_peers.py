#!/usr/bin/env python3
"""The peers: configuration, requirements and requests of each."""

import re
from urllib.parse import parse_qs

import pytest

from bench.peers import hashes, installation
from bench.peers.fixtures import header_of
from bench.peers.installation import APPS, HERE, OWN, Installation, stamp_of
from bench.peers.peers import PEERS, Login
from tests.serving import ROOT

LISTS = installation.PEERS


def test_each_peer_has_its_application() -> None:
    """Each is in the applications' folder under a name of its own."""
    assert len({peer.name for peer in PEERS}) == len(PEERS)
    for peer in PEERS:
        suffix = ".py" if peer.is_python else ".mjs"
        assert (APPS / f"{peer.app}{suffix}").is_file()
        assert peer.command(5) is not None
        assert peer.packages


def test_each_application_is_measured_for_logins_once() -> None:
    """Two set-ups of one peer hash alike: one of them is enough."""
    apps = [peer.app for peer in PEERS if peer.logs_in]
    assert sorted(apps) == sorted({peer.app for peer in PEERS})


def test_each_peer_runs_one_worker() -> None:
    """It is configured for one worker, or can have only one."""
    for peer in PEERS:
        command = peer.command(8765)
        if peer.server == "gunicorn":
            assert command[command.index("--workers") + 1] == "1"
        else:
            assert "--workers" not in command
        assert peer.server == "node" or "8765" in " ".join(command)


def test_login_is_sent_in_the_peers_format() -> None:
    """Forms and JSON carry both secrets, whole, under their names."""
    form = Login(field="username")
    assert parse_qs(form.body("a@b.c", "c d&e")) == {
        "username": ["a@b.c"],
        "password": ["c d&e"],
    }
    as_json = Login(as_json=True, headers=(("X-Token", "1"),))
    assert as_json.body("a@b.c", 'c"d') == (
        '{"email": "a@b.c", "password": "c\\"d"}'
    )
    assert as_json.all_headers() == {
        "Content-Type": "application/json",
        "X-Token": "1",
    }


def test_all_cookies_are_sent_back() -> None:
    """A session of two cookies is sent as both."""
    assert header_of([("a", "1"), ("b", "2=3")]) == "a=1; b=2=3"


@pytest.mark.parametrize(
    ("stored", "name"),
    [
        (
            "$argon2id$v=19$m=65536,t=3,p=4$c2FsdA$a2V5",
            "argon2id m=64 MiB t=3 p=4",
        ),
        ("scrypt:32768:8:1$salt$key", "scrypt N=2^15 r=8 p=1"),
        ("pbkdf2_sha256$1000000$salt$key", "PBKDF2-SHA256, 1,000,000 rounds"),
    ],
)
def test_hash_is_shown_with_its_cost(stored: str, name: str) -> None:
    """The table says by what and how expensively passwords are kept."""
    assert hashes.name_of(stored) == name


def test_unknown_hash_is_an_error() -> None:
    """An unknown form of hash is not shown under a wrong name."""
    with pytest.raises(ValueError, match="unknown"):
        hashes.name_of("secret")


def test_peers_are_installed_outside_the_tree() -> None:
    """Libraries for logins are installed anywhere but in the tree."""
    for inside in (ROOT, ROOT / "bench" / "installed"):
        with pytest.raises(ValueError, match="inside the tree"):
            Installation(inside)


def test_peer_requirements_are_pinned_by_hash() -> None:
    """Each list has one version and hashes a package, and no address."""
    for file in {*LISTS, *OWN}:
        text = file.read_text().replace("\\\n", " ")
        lines = [line for line in text.splitlines() if line[:1] not in "# "]
        assert lines
        assert "://" not in text
        for line in lines:
            assert re.match(
                r"[\w.-]+==\S+ .*--hash=sha256:[0-9a-f]{64}\b", line
            ), line
    manifest = (HERE / "package.json").read_text()
    assert re.search(r'"better-auth": "\d+\.\d+\.\d+"', manifest)
    assert "://" not in manifest


def test_our_requirements_have_no_peer() -> None:
    """No other login library gets into `.venv`."""
    theirs = re.compile(
        r"^(flask-(login|session|security)\S*|fastapi-users\S*)==", re.M
    )
    assert theirs.search(LISTS[0].read_text())
    for file in (*OWN, ROOT / "requirements-dev.txt"):
        assert theirs.search(file.read_text()) is None


def test_changed_requirements_are_installed_again() -> None:
    """What was installed by other lists is installed anew."""
    assert stamp_of(LISTS) != stamp_of(OWN)
    assert stamp_of(LISTS) == stamp_of(list(LISTS))
