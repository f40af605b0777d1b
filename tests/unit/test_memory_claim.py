#!/usr/bin/env python3
"""One worker of a server may have sessions in its memory."""

import sys

import pytest

from vestibule.core.errors import ConfigurationError
from vestibule.sessions import memory


@pytest.mark.skipif(
    not sys.platform.startswith("linux"),
    reason="the claim is an abstract socket, which only Linux has",
)
def test_second_worker_is_refused_until_the_first_ends(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The first worker has the claim as long as it runs."""
    monkeypatch.setattr(memory, "_claims", [])
    monkeypatch.setattr(memory, "MAX_CLAIM_WAIT_SECONDS", 0.1)
    memory.claim_process()
    assert memory._claims == []
    monkeypatch.setattr(memory, "_is_forked_worker", lambda: True)
    memory.claim_process()
    (claim,) = memory._claims
    with pytest.raises(ConfigurationError, match="run one worker"):
        memory.claim_process()
    claim.close()
    memory.claim_process()
    memory._claims[-1].close()
