#!/usr/bin/env python3
"""Each page of the guide is executed from top to bottom."""

import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from sybil import Document

from tests.backends import PostgreSQL, missing
from tests.docs.blocks import PARSERS, READ_ELSEWHERE, not_run, saved_in
from tests.docs.expectation import fault_of, masked
from tests.docs.prepared import PREPARED
from tests.docs.terminal import APPLICATION, Step, Terminal, steps_of
from tests.serving import ROOT
from vestibule.core.errors import VestibuleError

PAGES = sorted(
    {"README.md"}
    | {f"docs/{page.name}" for page in (ROOT / "docs").glob("*.md")}
)
#: The address of PostgreSQL databases in the documents.
AT_SERVER = "vestibule:PASSWORD@db.example.com/"
#: Maximum number of blocks in the guide that no test runs.
MAX_NOT_RUN = 4


@pytest.fixture
def terminal(tmp_path: Path) -> Iterator[Terminal]:
    """Return a reader's terminal."""
    for program in ("make", "bash", "curl"):
        if shutil.which(program) is None:
            missing(program)
    terminal = Terminal(tmp_path)
    yield terminal
    terminal.close()


@pytest.fixture
def kept_environment() -> Iterator[None]:
    """Undo what a snippet changes in the environment."""
    before = dict(os.environ)
    yield
    for name in os.environ.keys() - before.keys():
        del os.environ[name]
    os.environ.update(before)


@pytest.mark.timeout(300)
@pytest.mark.usefixtures("kept_environment")
@pytest.mark.parametrize("page", PAGES)
def test_page_shows_real_output(
    page: str,
    terminal: Terminal,
    monkeypatch: pytest.MonkeyPatch,
    request: pytest.FixtureRequest,
) -> None:
    """A reader who follows the page sees the documented output."""
    monkeypatch.chdir(terminal.folder)
    # Programs of the page import files that the reader saves.
    monkeypatch.syspath_prepend(terminal.folder)
    document = Document.parse(str(ROOT / page), *PARSERS)
    for name in sorted(set(re.findall(f"{AT_SERVER}(\\w+)", document.text))):
        server: PostgreSQL = request.getfixturevalue("postgresql")
        terminal.elsewhere[f"{AT_SERVER}{name}"] = (
            server.fresh_url().partition("://")[2]
        )
    document.namespace.update(
        __name__="snippet", terminal=terminal, monkeypatch=monkeypatch
    )
    for name, content in saved_in(document.text).items():
        (terminal.folder / name).write_text(terminal.placed(content))
    if page in PREPARED:
        PREPARED[page](terminal)
    for example in document:
        example.evaluate()


def test_few_blocks_are_not_run() -> None:
    """The number of blocks that no test runs is bounded."""
    counted = sum(not_run((ROOT / page).read_text()) for page in PAGES)
    assert counted <= MAX_NOT_RUN


def test_own_languages_are_read_by_their_tests() -> None:
    """The test that reads a kind of block names it."""
    for language, test in READ_ELSEWHERE.items():
        assert language in (ROOT / test).read_text()


def test_readme_shows_first_login() -> None:
    """The README starts the service, logs in, and logs out."""
    text = (ROOT / "README.md").read_text()
    typed = " ".join(step.command for step in steps_of(text))
    for needed in (
        "make run",
        "users add",
        "auth_session/login",
        "users/me",
        "-X DELETE",
    ):
        assert needed in typed


def test_steps_have_command_and_output() -> None:
    """Commands may span lines; the following lines are their output."""
    block = "$ one \\\n> two\na\nb\n$ three\n"
    assert steps_of(block) == [
        Step("one \\\ntwo", "a\nb\n"),
        Step("three", ""),
    ]


def test_masks_hide_ids_and_times_only() -> None:
    """Outputs with other differences stay different."""
    one = "id 33ca0894-f8bd-4b54-8775-b41c18caa828 2026-11-23 23:12:47"
    other = "id 43ca0894-f8bd-4b54-8775-b41c18caa829 2026-11-24 00:12:47"
    assert masked(one) == masked(other) == "id ID TIME"
    assert masked("HTTP/1.1 200 OK") != masked("HTTP/1.1 403 Forbidden")


@pytest.mark.parametrize(
    ("printed", "expected", "is_so"),
    [
        ("a\nb\nc\n", "a\n...\nc\n", True),
        ("a\nc\n", "a\n...\nc\n", True),
        ("a b c\n", "a ... c\n", True),
        ("a b d\n", "a ... c\n", False),
        ("a\nb\nc\n", "a\nc\n", False),
        ("a\n", "", False),
        ("", "", True),
        ("a", "a\n", True),
    ],
)
def test_dots_match_omitted_text(
    printed: str, expected: str, is_so: bool
) -> None:
    """Three dots match any text; other text must be equal."""
    assert (fault_of(printed, expected) is None) is is_so


def test_shell_keeps_variables_and_exit_code(terminal: Terminal) -> None:
    """The next command sees a variable and the exit code."""
    assert terminal.type(Step("one=1; (exit 3)", "")) == ""
    assert terminal.type(Step("echo $? $one", "")) == "3 1\n"
    assert os.listdir(terminal.folder)


def test_saved_files_are_found() -> None:
    """A block is a file only after a sentence that says so."""
    text = (
        "Then save it as\n`a.py`:\n\n```python\na = 1\n```\n\n"
        "Save it as `b`. And `c`:\n\n```python\nb = 2\n```\n"
    )
    assert saved_in(text) == {"a.py": "a = 1\n"}


def test_new_server_replaces_previous_one(terminal: Terminal) -> None:
    """Two programs listen on one port one after the other."""
    address = f"http://127.0.0.1:{APPLICATION}/"
    for name in ("one", "two"):
        (terminal.folder / f"{name}.py").write_text(
            "from flask import Flask\napp = Flask(__name__)\n"
            f"app.get('/')(lambda: '{name}')\n"
        )
        terminal.type(
            Step(f".venv/bin/flask --app {name} run --port {APPLICATION}", "")
        )
        assert terminal.type(Step(f"curl {address}", "")) == name


@pytest.mark.parametrize(
    "block",
    [
        "```console\n$ echo one\ntwo\n```\n",
        "```console\nno command\n```\n",
        "```python\nassert False\n```\n",
        "```python\n>>> 1 + 1\n3\n```\n",
        "```env\nAPI_PORT=none\n```\n",
        "```env\nAPI_PROT=5000\n```\n",
        "```ini\n# /etc/systemd/system/v.service\n"
        "[Service]\nExecStrat=x\n```\n",
        "```nginx\nserver { lisen 80; }\n```\n",
        "```caddyfile\na.example {\n\treverse_prox b\n}\n```\n",
        "```text\n$ shutdown now\n```\n",
        "```\n$ shutdown now\n```\n",
        "```yaml\na: b\n```\n",
        "```console\n$ nginx -e stderr -p . -c none.conf\n```\n",
        "Indented:\n\n    no command\n",
        "Indented:\n\n    $ no_such_command\n",
        "Indented:\n\n    $ exit_with() { return $1; }\n    $ exit_with 1\n",
        "Indented:\n\n    $ no_such_command | cat\n",
        "Indented:\n\n    $ echo vestibule: no\n    vestibule: no\n",
    ],
)
def test_wrong_block_fails(
    block: str, terminal: Terminal, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each kind of block can fail."""
    page = terminal.folder / "page.md"
    page.write_text(f"# Page\n\n{block}")
    document = Document.parse(str(page), *PARSERS)
    document.namespace.update(terminal=terminal, monkeypatch=monkeypatch)
    with pytest.raises((AssertionError, VestibuleError)):
        for example in document:
            example.evaluate()
