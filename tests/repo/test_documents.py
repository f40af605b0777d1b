#!/usr/bin/env python3
"""Settings, make targets and links in documents are correct."""

import os
import re
import subprocess
import sys
import tomllib
from typing import NamedTuple

import pytest

from tests.repo.repository import Tracked, tracked
from tests.serving import ROOT
from vestibule.core import (
    access_settings,
    mail_settings,
    page_settings,
    settings,
)

DOCUMENTS = [file for file in tracked() if file.path.endswith(".md")]
#: Lines of the README that a screen shows.
LINES_OF_SCREEN = 50


class Row(NamedTuple):
    """A setting in the page's table: name, defaults by profile, meaning."""

    name: str
    default: str
    standard: str
    hardened: str
    meaning: str


def table_of(page: str) -> list[Row]:
    """Return the rows about settings of a page's table."""
    text = (ROOT / page).read_text()
    return [
        Row(*(cell.strip() for cell in line.strip("|").split(" | ")))
        for line in text.splitlines()
        if line.startswith("| `")
    ]


def as_default(value: str | None) -> str:
    """Return a default in the page's notation."""
    return "unset" if value is None else f"`{value}`" if value else "empty"


def own_default(value: str | None) -> str:
    """Return the default of a profile in the page's notation."""
    return "same" if value is None else as_default(value)


def targets() -> set[str]:
    """Return the targets of the Makefile."""
    text = (ROOT / "Makefile").read_text()
    found = re.search(r"^\.PHONY: (.*)$", text, re.MULTILINE)
    assert found
    return set(found[1].split())


def test_settings_page_matches_code() -> None:
    """The page has exactly the settings with their defaults and meanings."""
    assert table_of("docs/settings.md") == [
        Row(
            f"`{setting.name}`",
            as_default(setting.default),
            own_default(setting.standard),
            own_default(setting.hardened),
            setting.meaning,
        )
        for setting in settings.ALL
    ]


def test_settings_all_is_complete() -> None:
    """`settings.ALL` lists every setting of each module."""
    defined = [
        value
        for module in (
            settings,
            access_settings,
            page_settings,
            mail_settings,
        )
        for value in vars(module).values()
        if isinstance(value, settings.Setting)
    ]
    assert list(settings.ALL) == defined


def test_readme_shows_real_settings() -> None:
    """The settings in the README have the values of `make run`."""
    text = (ROOT / "README.md").read_text()
    short = text.partition("\n## Settings\n")[2].partition("\n## ")[0]
    shown = re.findall(r"^\| `(\w+)` \| (\S+) \|", short, re.MULTILINE)
    known = {
        row.name: row.default if row.standard == "same" else row.standard
        for row in table_of("docs/settings.md")
    }
    makefile = (ROOT / "Makefile").read_text()
    given = dict(re.findall(r"(\w+)=\$\$\{\1:-(\S+)\}", makefile))
    assert shown
    for name, value in shown:
        expected = f"`{given[name]}`" if name in given else known[f"`{name}`"]
        assert expected == value


def test_settings_page_shows_values_of_make_run() -> None:
    """The page has the values that the Makefile sets."""
    makefile = (ROOT / "Makefile").read_text()
    page = (ROOT / "docs/settings.md").read_text()
    given = re.findall(r"(\w+)=\$\$\{\1:-(\S+)\}", makefile)
    assert len(given) == 7
    for name, value in given:
        assert f"`{name}={value}`" in page


def test_make_help_lists_all_targets() -> None:
    """`make help` has a line for each target."""
    said = subprocess.run(
        ["make", "help"],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    listed = re.findall(r"^  make (\S+) +\S", said, re.MULTILINE)
    assert set(listed) == targets()
    assert len(listed) == len(targets())


@pytest.mark.parametrize(
    "document", DOCUMENTS, ids=lambda document: document.path
)
def test_make_targets_of_document_exist(document: Tracked) -> None:
    """Each target in a document is in the Makefile."""
    named = re.findall(
        r"`make ([a-z-]+)|^\$ make ([a-z-]+)", document.text, re.MULTILINE
    )
    assert {first or second for first, second in named} <= targets()


@pytest.mark.parametrize(
    "document", DOCUMENTS, ids=lambda document: document.path
)
def test_links_of_document_exist(document: Tracked) -> None:
    """A link within the repository names an existing file."""
    folder = (ROOT / document.path).parent
    for link in re.findall(r"\]\(([^)#:]+)(?:#[\w-]*)?\)", document.text):
        assert (folder / link).exists(), link


def test_readme_is_short() -> None:
    """The README is short and names both commands."""
    text = (ROOT / "README.md").read_text()
    assert text.count("\n") < 170
    assert "make run" in text
    assert "make test" in text


def test_readme_begins_with_what_one_gets() -> None:
    """Two screens have it, an admin page, nginx and Flask, then more."""
    lines = (ROOT / "README.md").read_text().splitlines()
    screen, screens = (
        "\n".join(lines[: number * LINES_OF_SCREEN]) for number in (1, 2)
    )
    assert "What you get:\n\n- " in screen
    pictures = re.findall(r"!\[[^\]]+\]\((docs/screenshots/\S+)\)", screen)
    assert any(name.startswith("docs/screenshots/admin") for name in pictures)
    assert all((ROOT / name).stat().st_size > 1000 for name in pictures)
    for needed in (
        "$ make run",
        "API_PORT=5001",
        "auth_request /_verify",
        "import Vestibule, current_user, login_required",
    ):
        assert needed in screens, needed


def classifiers(prefix: str) -> list[str]:
    """Return the ends of the package's classifiers with this prefix."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    return [
        line.rpartition(" :: ")[2]
        for line in project["classifiers"]
        if line.startswith(prefix)
    ]


def test_documents_name_the_systems_of_the_classifiers() -> None:
    """A reader learns before the installation what the service runs on."""
    systems = classifiers("Operating System :: ")
    names = ["macOS" if name.startswith("Mac") else name for name in systems]
    assert sorted(names) == ["Linux", "macOS"]
    for page, text in {
        "README.md": "You need Linux or macOS",
        "docs/limits.md": "| Windows | Linux and macOS,",
        "CONTRIBUTING.md": "on Linux and\nmacOS",
    }.items():
        assert text in (ROOT / page).read_text(), page


def test_contributing_names_the_python_versions() -> None:
    """Those of the classifiers, and the one that CI has tried."""
    text = (ROOT / "CONTRIBUTING.md").read_text()
    versions = classifiers("Programming Language :: Python :: 3.")
    assert f"written for {versions[0]} to {versions[-1]}" in text
    found = re.search(r"CI runs Linux with Python (3\.\d+) only", text)
    assert found and found[1] in versions
    if os.environ.get("CI"):
        assert found[1] == f"3.{sys.version_info.minor}"


def test_installation_leaves_the_test_tools_out() -> None:
    """`make install` installs what the service needs, and nothing else."""
    made = subprocess.run(
        ["make", "--dry-run", "--always-make", "install"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    assert "-r requirements.txt" in made.stdout
    assert "requirements-dev" not in made.stdout
    pinned = {
        line.partition("==")[0].lower()
        for line in (ROOT / "requirements.txt").read_text().splitlines()
        if "==" in line and line[0].isalpha()
    }
    tools = {"pytest", "hypothesis", "playwright", "mypy", "ruff", "sphinx"}
    assert "granian" in pinned and not pinned & tools
