#!/usr/bin/env python3
"""What there is, is in the guide, and what the guide names is there.

Settings are compared in tests/repo, the command line in tests/unit/cli.
"""

import ast
import re
from pathlib import Path

import pytest

from tests.docs.terminal import steps_of
from tests.repo.repository import product_files
from tests.serving import ROOT
from vestibule.api.app import create_app
from vestibule.core import settings
from vestibule.http.verify import PATH
from vestibule.mechanisms.session_db_auth import SessionDBAuth
from vestibule.sessions.session import EndReason

GUIDE = sorted((ROOT / "docs").glob("*.md"))
#: The pages that have a section for each route of the API.
CONTRACT = "".join(
    (ROOT / "docs" / page).read_text()
    for page in ("contract.md", "admin-pages.md")
)
#: Answers that need another server than that of the page, and where they
#: are tried.
SEEN_ELSEWHERE = {
    ("POST /api/v1/auth_session/login", 500): "tests/app/api/test_login.py",
    ("GET /api/v1/users/me", 404): "tests/e2e/server/test_authorization.py",
    ("PUT /api/v1/users/me/email", 403): "docs/sessions.md",
    ("DELETE /api/v1/auth_session/logout", 404): "tests/app/api/test_login.py",
    ("GET /api/v1/sessions", 404): "tests/app/api/test_desk.py",
}

#: Variables of other programs that the guide speaks of.
OF_OTHERS = {"INSTALLED_APPS", "NODE_ENV", "NO_COLOR", "PEERS_DIR"}


def normal(route: str) -> str:
    """Return a route without the names of what varies in its path."""
    return re.sub(r"<[^>]*>", "<>", route)


@pytest.fixture
def routes(monkeypatch: pytest.MonkeyPatch) -> set[str]:
    """Return each method and path that the service can have."""
    for name in ("WEB_PAGES", "IDENTITY_HEADER"):
        monkeypatch.setenv(name, "on")
    monkeypatch.setenv("REGISTRATION", "open")
    rules = create_app(SessionDBAuth()).url_map.iter_rules()
    # The gate answers before Flask and is no route of it.
    return {f"GET {PATH}"} | {
        normal(f"{method} {rule.rule}")
        for rule in rules
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}
    }


def sections() -> dict[str, str]:
    """Return what the contract says of each route."""
    parts = re.split(r"^### `([^`]+)`\n", CONTRACT, flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


def test_each_route_is_in_the_guide(routes: set[str]) -> None:
    """No route is left out: a path alone stands for GET."""
    text = "".join(page.read_text() for page in GUIDE)
    told = set(map(normal, re.findall(r"`([A-Z]+ /[^`?]*)`", text)))
    told |= {
        f"GET {path}"
        for path in re.findall(r"^\| `(/[^`]*)`", text, re.MULTILINE)
    }
    assert routes - told == set()


@pytest.mark.parametrize("page", GUIDE, ids=lambda page: page.stem)
def test_each_route_in_the_guide_is_one(page: Path, routes: set[str]) -> None:
    """What a page calls by method and path is there."""
    told = re.findall(
        r"`((?:GET|POST|PUT|DELETE) /[^`?\s]*)`", page.read_text()
    )
    assert set(map(normal, told)) <= routes


def test_the_contract_has_each_route_of_the_api(routes: set[str]) -> None:
    """Each has a section of its own, and there is no other section."""
    told = set(map(normal, sections()))
    assert (
        {route for route in routes if " /api/v1/" in route} <= told <= routes
    )
    assert len(told) == len(sections())


def test_the_contract_shows_each_answer() -> None:
    """A status that a section names is printed by a command of it."""
    for route, section in sections().items():
        named = set(
            map(int, re.findall(r"^- (\d{3})\b", section, re.MULTILINE))
        )
        assert named, route
        printed = {
            int(status)
            for block in re.findall(
                r"```console\n(.*?)```", section, re.DOTALL
            )
            for step in steps_of(block)
            for status in re.findall(
                r"^(?:HTTP/1.1 )?(\d{3})\b", step.printed, re.MULTILINE
            )
        }
        elsewhere = {
            status for known, status in SEEN_ELSEWHERE if known == route
        }
        assert named == (named & printed) | elsewhere, route
        assert not elsewhere & printed, route


def test_what_is_seen_elsewhere_is_there() -> None:
    """The file that tries an answer in the page's place exists."""
    for file in SEEN_ELSEWHERE.values():
        assert (ROOT / file).is_file()


@pytest.mark.parametrize(
    "page", [ROOT / "README.md", *GUIDE], ids=lambda page: page.stem
)
def test_each_setting_in_the_guide_is_one(page: Path) -> None:
    """What a page tells to set can be set, in this service or another."""
    named = set(
        re.findall(r"`([A-Z]+(?:_[A-Z]+)+)(?:=[^`]*)?`", page.read_text())
    )
    assert named <= {setting.name for setting in settings.ALL} | OF_OTHERS


def test_each_reason_is_told() -> None:
    """The page of sessions has each reason for an end, and no other."""
    page = (ROOT / "docs/sessions.md").read_text()
    table = page.partition("| reason |")[2]
    assert re.findall(r"^\| `(\w+)` \|", table, re.MULTILINE) == [
        str(reason) for reason in EndReason
    ]


def test_each_metric_is_told() -> None:
    """A metric that the code counts is in the guide, and no other is."""
    counted = {
        node.value
        for file in product_files()
        # Cookies of the pages have such names, too.
        if not file.path.startswith("vestibule/web/")
        for node in ast.walk(ast.parse(file.text))
        if isinstance(node, ast.Constant)
        and isinstance(node.value, str)
        and re.fullmatch(r"vestibule_[a-z_]+", node.value)
    }
    told = {
        name
        for page in GUIDE
        for name in re.findall(r"`(vestibule_[a-z_]+)", page.read_text())
    }
    assert told == counted
