#!/usr/bin/env python3
"""The load generator of the benchmark counts only good responses."""

import shutil
from pathlib import Path

import pytest

from bench.load import BadAnswers, Generator, get
from tests.e2e.server.conftest import EMAIL, SharedServers
from tests.serving import ME


@pytest.fixture(params=["wrk", "own"])
def generator(request: pytest.FixtureRequest, tmp_path: Path) -> Generator:
    """Return a load generator that uses one of the two tools."""
    if request.param == "wrk" and shutil.which("wrk") is None:
        pytest.skip("wrk is not installed on this machine")
    return Generator(tmp_path, request.param)


def test_good_responses_are_counted(
    servers: SharedServers, generator: Generator
) -> None:
    """Both tools report a rate and consistent times."""
    requests = generator.file([get(ME, servers.session_id)] * 3)
    seen = generator.run(servers.session.port, requests, 2, 1)
    assert seen.rate > 10
    assert 0 < seen.p50 <= seen.p99 < 1000


def test_refused_response_fails_the_run(
    servers: SharedServers, generator: Generator
) -> None:
    """A server that refuses quickly must not count as a fast one."""
    requests = generator.file(
        [
            get(ME, servers.session_id),
            get(ME, "unknown"),
        ]
    )
    with pytest.raises(BadAnswers, match="refused"):
        generator.run(servers.session.port, requests, 2, 1)


def test_response_without_expected_text_fails_the_run(
    servers: SharedServers, generator: Generator
) -> None:
    """A 200 without the expected text does not count as throughput."""
    port = servers.session.port
    named = generator.file([get(ME, servers.session_id)])
    generator.run(port, named, 2, 1, EMAIL)
    other = generator.file(
        [
            get(ME, servers.session_id),
            get("/api/v1/status", "unknown"),
        ]
    )
    generator.run(port, other, 2, 1)
    with pytest.raises(BadAnswers, match="refused"):
        generator.run(port, other, 2, 1, EMAIL)
