#!/usr/bin/env python3
"""The check of each kind of block in a document.

A block is run if possible, otherwise the program that it is for parses it; an
unknown kind is a failure.
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

#: Languages of our own blocks, and the tests that read them.
READ_ELSEWHERE = {
    "authorization": "tests/app/api/matrix.py",
    "authentication": "tests/asvs/test_v6_1_documentation.py",
    "code-lifetimes": "tests/asvs/test_v6_5_factors.py",
    "context-words": "tests/asvs/test_v6_1_documentation.py",
    "throttling": "tests/asvs/test_v6_1_documentation.py",
    "timeouts": "tests/asvs/test_v7_1_documentation.py",
    "concurrent-sessions": "tests/asvs/test_v7_1_documentation.py",
    "nginx-part": "tests/e2e/forward_auth/test_proxy_additions.py",
    "caddyfile-part": "tests/e2e/forward_auth/test_proxy_additions.py",
    "directory": "tests/app/api/test_directory.py",
    "toml": "tests/unit/test_gate_rules.py",
    "sql": "tests/stores/test_schema_beside_application.py",
    "nginx-paths": "tests/e2e/forward_auth/test_paths.py",
    "caddyfile-paths": "tests/e2e/forward_auth/test_paths.py",
}
#: The marker before a block that no test can run.
NOT_RUN = "*Not run by a test:"
#: The sentence before a block that a reader saves to a file, and the block.
_SAVED = re.compile(
    r"[Ss]ave it\s+as\s+`([\w.-]+)`[^`]*:\n\n```\w+\n(.*?)^```$",
    re.MULTILINE | re.DOTALL,
)
_DIRECTIVE = re.compile(r"\{[\w-]+\}.*")


def console(example: Example) -> str | None:
    """Run the commands of a block; return the first difference."""
    terminal: Terminal = example.namespace["terminal"]
    steps = steps_of(example.parsed)
    if not steps:
        return "a console block without a command"
    for step in steps:
        fault = fault_of(terminal.type(step), step.printed)
        fault = fault or "\n".join(terminal.exposed()) or None
        if fault is not None:
            return f"$ {step.command}\n{fault}"
    return None


def indented(document: Document) -> Iterable[Region]:
    """Yield the indented blocks outside of fences."""
    bare = re.sub(
        r"^```.*?^```$",
        lambda fence: "." * len(fence[0]),
        document.text,
        flags=re.MULTILINE | re.DOTALL,
    )
    for block in re.finditer(r"(?<=\n\n)(?: {4}.*\n)+", bare):
        yield Region(
            block.start(), block.end(), textwrap.dedent(block[0]), run_indented
        )


def run_indented(example: Example) -> str | None:
    """Run the commands of an indented block, which may show no output.

    Each command has to succeed, all programs of a pipe too, unless the block
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
    """Return True if the last line that is shown is an error."""
    return (
        step.printed.rpartition("\n")[0]
        .rpartition("\n")[2]
        .startswith("vestibule: ")
    )


def environment_file(example: Example) -> str | None:
    """Read a file of settings; return what a start would refuse."""
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
    """Let systemd verify a unit, with local programs and folders."""
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
    # The output also covers the machine's own units.
    told = [line for line in done.stderr.splitlines() if name[1] in line]
    return "\n".join(told) or None


def proxy_check(
    kind: type[Proxy], *command: str
) -> Callable[[Example], str | None]:
    """Return a function that lets a proxy check a configuration."""

    def read(example: Example) -> str | None:
        """Let the proxy read the block; return its error."""
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
    """Return the files that a document tells readers to save, by name."""
    return dict(_SAVED.findall(text))


def unknown(document: Document) -> Iterable[Region]:
    """Yield the blocks that no function here checks."""
    known = {"python", *CHECKS, *READ_ELSEWHERE}
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
    """Return how many blocks of a document are marked as not run."""
    return text.count(f"\n{NOT_RUN}")


def _refuse(example: Example) -> str:
    """Return an error: no function checks blocks of this language."""
    return f"no function checks a block of {example.parsed!r}"


#: The function that checks a block, by language.
CHECKS: dict[str, Callable[[Example], str | None]] = {
    "console": console,
    "env": environment_file,
    "ini": unit,
    "nginx": proxy_check(
        Nginx, "-t", "-q", "-e", "stderr", "-p", "{0}", "-c", "{0}/main.conf"
    ),
    "caddyfile": proxy_check(
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
    *(CodeBlockParser(language, tried) for language, tried in CHECKS.items()),
)
