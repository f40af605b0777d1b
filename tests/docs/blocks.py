#!/usr/bin/env python3
"""How each kind of block in a document is tried.

Its law: a block is run where it can be, read by the program that it is
for where it cannot, and a kind that nobody knows is a failure.
"""

import re
import shutil
import subprocess
import textwrap
from collections.abc import Callable, Iterable
from pathlib import Path

from sybil import Document, Example, Region
from sybil.parsers.markdown import CodeBlockParser, PythonCodeBlockParser
from sybil.parsers.markdown.lexers import FencedCodeBlockLexer

from tests.backends import missing
from tests.docs.expectation import fault_of
from tests.docs.terminal import Step, Terminal, steps_of
from tests.e2e.forward_auth.certificates import write_certificate
from tests.e2e.forward_auth.proxies import Caddy, Nginx, Proxy
from vestibule.checks.startup import check_settings
from vestibule.core import settings
from vestibule.mechanisms import mechanism_for

#: Blocks in a language of ours, and the tests that hold the code to them.
READ_ELSEWHERE = {
    "authorization": "tests/e2e/server/matrix.py",
    "authentication": "tests/asvs/test_v6_1_documentation.py",
    "context-words": "tests/asvs/test_v6_1_documentation.py",
    "throttling": "tests/asvs/test_v6_1_documentation.py",
    "timeouts": "tests/asvs/test_v7_1_documentation.py",
    "concurrent-sessions": "tests/asvs/test_v7_1_documentation.py",
}
#: What stands before a block that no test can run, for all to see.
NOT_RUN = "*Not run by a test:"
#: What stands before a block that a reader is to save, and the block.
_SAVED = re.compile(
    r"[Ss]ave it\s+as\s+`([\w.-]+)`[^`]*:\n\n```\w+\n(.*?)^```$",
    re.MULTILINE | re.DOTALL,
)
_DIRECTIVE = re.compile(r"\{[\w-]+\}.*")


def console(example: Example) -> str | None:
    """Type the commands of a block; return what is not as it says."""
    terminal: Terminal = example.namespace["terminal"]
    steps = steps_of(example.parsed)
    if not steps:
        return "a console block without a command"
    for step in steps:
        fault = fault_of(terminal.type(step), step.printed)
        if fault is not None:
            return f"$ {step.command}\n{fault}"
    return None


def indented(document: Document) -> Iterable[Region]:
    """Yield the blocks that stand indented, and not in a fence."""
    bare = re.sub(
        r"^```.*?^```$",
        lambda fence: "." * len(fence[0]),
        document.text,
        flags=re.MULTILINE | re.DOTALL,
    )
    for block in re.finditer(r"(?<=\n\n)(?: {4}.*\n)+", bare):
        yield Region(
            block.start(), block.end(), textwrap.dedent(block[0]), briefly
        )


def briefly(example: Example) -> str | None:
    """Type the commands of an indented block, which may show no output.

    Then each has to succeed, all programs of a pipe too, unless the block
    shows how it fails.
    """
    terminal: Terminal = example.namespace["terminal"]
    steps = steps_of(example.parsed)
    if not steps:
        return "an indented block is not a command"
    for step in steps:
        printed = terminal.type(step)
        code = terminal.type(Step("echo $?", "")).strip()
        fault = step.printed and fault_of(printed, step.printed)
        if fault or code != ("1" if _fails(step) else "0"):
            return f"$ {step.command}\n{fault or printed}\nexit {code}"
    return None


def _fails(step: Step) -> bool:
    """Tell whether the last line that is shown says why it failed."""
    return (
        step.printed.rpartition("\n")[0]
        .rpartition("\n")[2]
        .startswith("vestibule: ")
    )


def environment_file(example: Example) -> str | None:
    """Read a file of settings; return what the start would refuse."""
    known = {setting.name for setting in settings.ALL}
    patch = example.namespace["monkeypatch"]
    with patch.context() as given:
        for line in example.parsed.splitlines():
            if not line or line.startswith("#"):
                continue
            name, _, value = line.partition("=")
            if name not in known:
                return f"{name} is no setting"
            given.setenv(name, value)
        check_settings(mechanism_for(settings.AUTH_TYPE.read()))
    return None


def unit(example: Example) -> str | None:
    """Let systemd read a unit, its programs and folders being ours."""
    program = shutil.which("systemd-analyze")
    if program is None:
        missing("systemd")
    name = re.match(r"# /etc/systemd/system/(\S+)\n", example.parsed)
    if name is None:
        return "a unit begins with the path of its file"
    folder: Path = example.namespace["terminal"].folder
    file = folder / name[1]
    file.write_text(
        re.sub(
            r"^(Exec\w+=)\S+",
            r"\1/bin/true",
            example.parsed,
            flags=re.MULTILINE,
        )
    )
    done = subprocess.run(
        [str(program), "verify", "--man=no", str(file)],
        capture_output=True,
        text=True,
        timeout=60,
    )
    # It also tells of what is wrong with the machine's own units.
    told = [line for line in done.stderr.splitlines() if name[1] in line]
    return "\n".join(told) or None


def site(kind: type[Proxy], *command: str) -> Callable[[Example], str | None]:
    """Return what lets a proxy read a configuration of its own."""

    def read(example: Example) -> str | None:
        """Let the proxy read the block; return what it refuses."""
        folder = example.namespace["terminal"].folder / kind.program
        folder.mkdir(exist_ok=True)
        proxy = kind(folder)
        certificate, key = map(str, write_certificate(folder))
        text = re.sub(r"/etc/ssl/\w+\.pem", certificate, example.parsed)
        proxy.write(re.sub(r"/etc/ssl/\w+\.key", key, text))
        done = subprocess.run(
            [proxy.found, *(word.format(folder) for word in command)],
            cwd=folder,
            env=proxy.environment(),
            capture_output=True,
            text=True,
            timeout=60,
        )
        return done.stderr if done.returncode else None

    return read


def saved_in(text: str) -> dict[str, str]:
    """Return the files that a document tells to save, by their names."""
    return dict(_SAVED.findall(text))


def unknown(document: Document) -> Iterable[Region]:
    """Yield the blocks that nothing here would try."""
    known = {"python", *TRIED, *READ_ELSEWHERE}
    fences = FencedCodeBlockLexer(
        "[^\n]*", {"language": "language", "source": "source"}
    )
    for region in fences(document):
        language = region.lexemes["language"].strip()
        if language in known or _DIRECTIVE.fullmatch(language):
            continue
        before = document.text[: region.start].rstrip().rpartition("\n\n")[2]
        if language == "text" and before.startswith(NOT_RUN):
            continue
        region.parsed = language
        region.evaluator = _refuse
        yield region


def not_run(text: str) -> int:
    """Return how many blocks of a document say that they are not run."""
    return text.count(f"\n{NOT_RUN}")


def _refuse(example: Example) -> str:
    """Return that nobody tries a block of this language."""
    return f"nothing tries a block of {example.parsed!r}"


#: What tries a block, by its language.
TRIED: dict[str, Callable[[Example], str | None]] = {
    "console": console,
    "env": environment_file,
    "ini": unit,
    "nginx": site(
        Nginx, "-t", "-q", "-e", "stderr", "-p", "{0}", "-c", "{0}/main.conf"
    ),
    "caddyfile": site(
        Caddy,
        "validate",
        "--adapter",
        "caddyfile",
        "--config",
        "{0}/Caddyfile",
    ),
}

PARSERS: tuple[Callable[[Document], Iterable[Region]], ...] = (
    PythonCodeBlockParser(),
    unknown,
    indented,
    *(CodeBlockParser(language, tried) for language, tried in TRIED.items()),
)
