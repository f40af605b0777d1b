#!/usr/bin/env python3
"""The rules of the repository that concern each file by itself."""

import ast
import re
from pathlib import Path

import pytest

from tests.repo.repository import documented, python_files, tracked
from tests.serving import ROOT

FIRST_LINE = "#!/usr/bin/env python3"
MOST_LINES = 400
MOST_LINES_OF_A_FUNCTION = 50
#: Names that do not describe the contents.
EMPTY_NAMES = {"utils", "util", "helpers", "common", "misc", "manager"}
#: First words of a label instead of a sentence about the purpose.
ARTICLES = {"The", "This", "It", "Its", "Function", "Method", "Class"}

#: Where the rule about prose holds.
PROSE_FOLDERS = ("vestibule/", "api/", "models/", "docs/")
PROSE_ENDINGS = (".py", ".html", ".js", ".md")
#: Words that hide the subject of a sentence; a field term is clearer.
OBSCURE_WORDS = re.compile(
    r"\b(its law|it is law|whoever|nobody|somebody|everybody"
    r"|tell whether|tell so|who asks|what is meant)\b",
    re.IGNORECASE,
)


def test_python_files_are_executable() -> None:
    """A Python file has the first line, the run bit and a final newline."""
    for file in python_files():
        assert file.mode == "100755", file.path
        assert file.text.split("\n", 1)[0] == FIRST_LINE, file.path
        assert file.text.endswith("\n"), file.path
        assert not file.text.endswith("\n\n"), file.path


def test_python_files_have_docstrings() -> None:
    """A module, class or function has a sentence about its purpose."""
    for file in python_files():
        for node in documented(ast.parse(file.text)):
            name = getattr(node, "name", "the module")
            fault = docstring_fault(node)
            assert fault is None, f"{file.path}: {name}: {fault}"


def test_python_files_are_short() -> None:
    """A module and each of its functions are short."""
    for file in python_files():
        assert file.text.count("\n") <= MOST_LINES, file.path
        for node in documented(ast.parse(file.text)):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                lines = (node.end_lineno or 0) - node.lineno + 1
                where = f"{file.path}: {node.name}"
                assert lines <= MOST_LINES_OF_A_FUNCTION, where


def test_lint_covers_every_python_folder() -> None:
    """`make lint` checks all folders with Python files, at 79 columns."""
    makefile = (ROOT / "Makefile").read_text()
    found = re.search(r"^CODE := (.*)$", makefile, re.MULTILINE)
    assert found is not None
    folders = {file.path.split("/")[0] for file in python_files()}
    assert folders <= set(found[1].split())
    for line in (
        "$(BIN)/ruff check $(CODE)",
        "$(BIN)/pycodestyle --max-line-length=79 $(CODE)",
    ):
        assert f"\n\t{line}\n" in makefile


def test_file_names_are_specific() -> None:
    """A file or folder is named after its contents."""
    for file in tracked():
        parts = {part.partition(".")[0] for part in Path(file.path).parts}
        assert not parts & EMPTY_NAMES, file.path


def test_prose_is_plain() -> None:
    """Code and documents name the subject of a sentence in plain words."""
    found = [
        f"{file.path}:{number}: {line.strip()}"
        for file in tracked()
        if file.path.endswith(PROSE_ENDINGS)
        and file.path.startswith(PROSE_FOLDERS)
        for number, line in enumerate(file.text.splitlines(), 1)
        if OBSCURE_WORDS.search(line)
    ]
    assert found == []


def test_obscure_words_are_found() -> None:
    """The rule about prose finds the words that it forbids."""
    assert OBSCURE_WORDS.search("# Nobody may open it")
    assert OBSCURE_WORDS.search("Its law: it is short")
    assert not OBSCURE_WORDS.search("Return the body of a response")


def test_root_has_expected_documents() -> None:
    """The documents that readers expect in a repository exist."""
    assert {
        "README.md",
        "LICENSE",
        "SECURITY.md",
        "CONTRIBUTING.md",
        "CHANGELOG.md",
        "ARCHITECTURE.md",
        "docs/settings.md",
    } <= {file.path for file in tracked()}


@pytest.mark.parametrize("name", ["requirements.txt", "requirements-dev.txt"])
def test_requirements_are_pinned_by_hash(name: str) -> None:
    """Each requirement has one version and hashes, and no address."""
    text = (ROOT / name).read_text().replace("\\\n", " ")
    lines = [line for line in text.splitlines() if line[:1] not in "# "]
    assert lines
    for line in lines:
        assert re.match(
            r"[\w.\[\]-]+==\S+ .*--hash=sha256:[0-9a-f]{64}\b", line
        ), line


@pytest.mark.parametrize(
    "name",
    [file.path for file in tracked() if file.path.startswith("requirements")],
)
def test_requirements_name_no_index(name: str) -> None:
    """The user chooses the package index."""
    text = (ROOT / name).read_text()
    for address in ("index-url", "find-links", "trusted-host", "://"):
        assert address not in text


@pytest.mark.parametrize(
    "code",
    [
        "def f():\n    pass\n",
        'def f():\n    """return the thing."""\n',
        'def f():\n    """Return the thing"""\n',
        'def f():\n    """Thing."""\n',
        'def f():\n    """The thing of it."""\n',
        'def get_the_user():\n    """Get the user."""\n',
        'class A:\n    """Something."""\n',
        "x = 1\n",
    ],
)
def test_lazy_docstring_is_found(code: str) -> None:
    """The rule about docstrings refuses text that is no sentence."""
    found = list(documented(ast.parse(code)))
    assert docstring_fault(found[-1])


def docstring_fault(node: ast.AST) -> str | None:
    """Return what is wrong with the docstring of `node`, or `None`.

    It begins with a capital letter or with code in backticks, its first
    paragraph has a sentence that ends with a full stop (a colon may follow
    where a list does), and it adds to the name.
    """
    text = ast.get_docstring(node)  # type: ignore[arg-type]
    if not text:
        return "has none"
    first = text.split("\n\n", 1)[0]
    words = re.findall(r"[\w'-]+", first)
    if not (text[0].isupper() or text[0] == "`"):
        return "does not begin as a sentence"
    if not re.search(r"[\w)\"'`*\]}>?!]\.(\s|$)", first):
        return "has no full stop"
    if len(words) < 2:
        return "is too short for a sentence"
    if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
        return None
    if words[0] in ARTICLES and not node.name.startswith("test_"):
        return "does not begin with what the function does"
    if {word.lower() for word in words} <= set(node.name.split("_")):
        return "says nothing that the name does not say"
    return None
