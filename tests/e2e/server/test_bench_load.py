#!/usr/bin/env python3
"""The benchmark's load: good answers are counted, others are an error."""

import shutil
from pathlib import Path

import pytest

from bench.load import BadAnswers, Generator, get
from tests.e2e.server.conftest import EMAIL, SharedServers

ME = "/api/v1/users/me"


@pytest.fixture(params=["wrk", "own"])
def generator(request: pytest.FixtureRequest, tmp_path: Path) -> Generator:
    """Return a generator that uses one of the tools."""
    if request.param == "wrk" and shutil.which("wrk") is None:
        pytest.skip("wrk is not installed on this machine")
    return Generator(tmp_path, request.param)


def test_good_answers_are_counted(
    house: SharedServers, generator: Generator
) -> None:
    """Both tools give a rate and times that belong to one another."""
    requests = generator.file([get(ME, house.session_id)] * 3)
    seen = generator.run(house.sessions.port, requests, 2, 1)
    assert seen.rate > 10
    assert 0 < seen.p50 <= seen.p99 < 1000


def test_one_refused_answer_spoils_the_run(
    house: SharedServers, generator: Generator
) -> None:
    """A server that refuses quickly is not taken for a fast one."""
    requests = generator.file(
        [
            get(ME, house.session_id),
            get(ME, "nobody's"),
        ]
    )
    with pytest.raises(BadAnswers, match="refused"):
        generator.run(house.sessions.port, requests, 2, 1)


def test_an_answer_that_names_nobody_spoils_the_run(
    house: SharedServers, generator: Generator
) -> None:
    """A 200 of another kind is no throughput where a text is wanted."""
    port = house.sessions.port
    named = generator.file([get(ME, house.session_id)])
    generator.run(port, named, 2, 1, EMAIL)
    other = generator.file(
        [
            get(ME, house.session_id),
            get("/api/v1/status", "nobody's"),
        ]
    )
    generator.run(port, other, 2, 1)
    with pytest.raises(BadAnswers, match="refused"):
        generator.run(port, other, 2, 1, EMAIL)
