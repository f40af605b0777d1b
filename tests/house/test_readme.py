#!/usr/bin/env python3
"""The README's transcript and the snippet for Flask, done as they stand.
"""

import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from flask import Flask

from models.user import User
from tests.backends import missing
from tests.house.transcript import Player, Step, masked, steps_of
from tests.serving import COOKIE, ROOT

README = (ROOT / "README.md").read_text()
FLASK_PAGE = (ROOT / "docs/flask.md").read_text()


@pytest.fixture
def player(tmp_path: Path) -> Iterator[Player]:
    """Return a terminal to type the transcript into."""
    for program in ("make", "bash", "curl"):
        if shutil.which(program) is None:
            missing(program)
    player = Player(tmp_path)
    yield player
    player.stop()


def test_the_transcript_replays(player: Player) -> None:
    """Whoever types the README's commands sees what it shows."""
    steps = steps_of(README)
    typed = " ".join(step.command for step in steps)
    for needed in ("make run", "users add", "auth_session/login",
                   "users/me", "-X DELETE"):
        assert needed in typed
    for command, printed in steps:
        assert player.play(command) == masked(printed), command


def test_the_snippet_works(monkeypatch: pytest.MonkeyPatch) -> None:
    """The application of docs/flask.md knows who is logged in."""
    monkeypatch.setenv("SESSION_NAME", COOKIE)
    snippet = re.search(r"^```python\n(.*?)^```$", FLASK_PAGE,
                        re.MULTILINE | re.DOTALL)
    assert snippet
    names: dict[str, Any] = {"__name__": "snippet"}
    exec(compile(snippet[1], "flask.md", "exec"), names)
    app: Flask = names["app"]
    user = User(email="you@example.com")
    user.password = "correct horse battery"
    user.save()
    visitor = app.test_client()
    form = {"email": "you@example.com", "password": "wrong"}
    assert visitor.get("/me").status_code == 401
    assert visitor.post("/login", data=form).status_code == 401
    form["password"] = "correct horse battery"
    assert visitor.post("/login", data=form).status_code == 200
    assert visitor.get("/me").json == user.to_json()


def test_steps_are_read_as_a_terminal_shows_them() -> None:
    """Commands may go on over lines; what follows is what they print."""
    block = "```console\n$ one \\\n> two\na\nb\n$ three\n```\n"
    assert steps_of(block) == [Step("one two", "a\nb\n"), Step("three", "")]


def test_masks_hide_no_more_than_they_should() -> None:
    """Two answers that differ in more than ids and times stay different.
    """
    one = "id 33ca0894-f8bd-4b54-8775-b41c18caa828 2026-11-23 23:12:47"
    other = "id 43ca0894-f8bd-4b54-8775-b41c18caa829 2026-11-24 00:12:47"
    assert masked(one) == masked(other) == "id ID TIME"
    assert masked("HTTP/1.1 200 OK") != masked("HTTP/1.1 403 Forbidden")
