#!/usr/bin/env python3
"""The guide is complete, and all that it names exists.

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
from vestibule.core import setting_types, settings
from vestibule.http.verify import PATH
from vestibule.mechanisms.session_db_auth import SessionDBAuth
from vestibule.sessions.session import EndReason

GUIDE = sorted((ROOT / "docs").glob("*.md"))
#: The pages that have a section for each route of the API.
CONTRACT = "".join(
    (ROOT / "docs" / page).read_text()
    for page in ("contract.md", "admin-pages.md")
)
#: The lines of an application that the guide shows first, by framework:
#: the page, and where its lines are. A blank line counts as none.
FIRST_APPLICATIONS = {
    "Flask": ("protect.md", r"as `flask_app.py`:\n\n```python\n(.*?)^```$"),
    "FastAPI": (
        "protect.md",
        r"as `fastapi_app.py`:\n\n```python\n(.*?)^```$",
    ),
    "Django": (
        "django.md",
        r"^\$ cat >> site_of_ours/\w+\.py <<'END'\n(.*?)^> END$",
    ),
}
MAX_APPLICATION_LINES = 15
#: Responses that need another server than the page's, and their tests.
SEEN_ELSEWHERE = {
    (
        "POST /api/v1/auth_session/passkey/options",
        200,
    ): "tests/app/api/test_passkeys.py",
    (
        "POST /api/v1/auth_session/passkey",
        200,
    ): "tests/app/api/test_passkeys.py",
    (
        "POST /api/v1/auth_session/passkey",
        401,
    ): "tests/app/api/test_passkeys.py",
    (
        "POST /api/v1/auth_session/second-factor/options",
        200,
    ): "tests/app/api/test_passkeys.py",
    (
        "POST /api/v1/auth_session/second-factor/options",
        401,
    ): "tests/app/api/test_passkeys.py",
    (
        "POST /api/v1/auth_session/factors/proof/options",
        200,
    ): "tests/app/api/test_passkeys.py",
    (
        "POST /api/v1/auth_session/factors/passkey/options",
        200,
    ): "tests/app/api/test_passkeys.py",
    (
        "POST /api/v1/auth_session/factors/passkey/options",
        400,
    ): "tests/app/api/test_passkeys.py",
    (
        "POST /api/v1/auth_session/factors/passkey",
        201,
    ): "tests/app/api/test_passkeys.py",
    (
        "POST /api/v1/auth_session/factors/passkey",
        400,
    ): "tests/app/api/test_passkeys.py",
    (
        "DELETE /api/v1/users/me/password",
        200,
    ): "tests/app/api/test_passkeys.py",
    (
        "DELETE /api/v1/users/me/password",
        400,
    ): "tests/app/api/test_passkeys.py",
    (
        "GET /.well-known/webauthn",
        200,
    ): "tests/app/api/test_passkey_origins.py",
    (
        "GET /.well-known/webauthn",
        404,
    ): "tests/app/api/test_passkey_origins.py",
    ("POST /api/v1/auth_session/login", 500): "tests/app/api/test_filter.py",
    ("GET /api/v1/users/me", 404): "tests/app/api/test_filter.py",
    ("GET /api/v1/users/me/access", 404): "tests/app/api/test_directory.py",
    ("DELETE /api/v1/users/me", 404): "tests/app/api/test_account.py",
    ("PUT /api/v1/users/me/email", 403): "docs/sessions.md",
    ("DELETE /api/v1/auth_session/logout", 404): "tests/app/api/test_login.py",
    ("GET /api/v1/sessions", 404): "tests/app/api/test_admin_lists.py",
    (
        "GET /api/v1/admin/invitations",
        200,
    ): "tests/app/api/test_invitations.py",
    (
        "DELETE /api/v1/admin/invitations/<user_id>",
        200,
    ): "tests/app/api/test_invitations.py",
    (
        "DELETE /api/v1/admin/invitations/<user_id>",
        404,
    ): "tests/app/api/test_invitations.py",
    (
        "POST /api/v1/auth_session/second-factor",
        200,
    ): "tests/app/api/test_second_factor.py",
    (
        "POST /api/v1/auth_session/second-factor",
        400,
    ): "tests/app/api/test_second_factor.py",
    (
        "POST /api/v1/auth_session/second-factor",
        401,
    ): "tests/app/api/test_second_factor.py",
    (
        "POST /api/v1/auth_session/second-factor",
        403,
    ): "tests/app/api/test_second_factor.py",
    **{
        (route, status): "tests/app/api/test_factor_reset.py"
        for route, statuses in (
            ("POST /api/v1/auth_session/factor-reset", (200, 400, 401)),
            ("GET /api/v1/users/<user_id>/factors", (200, 404)),
            ("POST /api/v1/users/<user_id>/factor-reset", (200, 403, 404)),
        )
        for status in statuses
    },
    **{
        (f"{method} /api/v1/auth_session/{path}", status): (
            "tests/app/api/test_factor_enrolment.py"
        )
        for method, path, statuses in (
            ("GET", "factors", (200,)),
            ("POST", "factors", (201, 400)),
            ("POST", "factors/<factor_id>/confirm", (200, 401, 404)),
            ("POST", "factors/proof", (200, 401)),
            ("PUT", "factors/<factor_id>", (200, 400, 404)),
            ("DELETE", "factors/<factor_id>", (200, 404)),
            ("POST", "recovery-codes", (200, 404)),
        )
        for status in statuses
    },
    **{
        (f"{method} /api/v1/{path}", status): (
            "tests/app/api/test_trusted_browser_list.py"
        )
        for method, path, statuses in (
            ("GET", "auth_session/trusted-browsers", (200,)),
            (
                "DELETE",
                "auth_session/trusted-browsers/<browser_id>",
                (200, 404),
            ),
            ("GET", "users/<user_id>/trusted-browsers", (200, 404)),
            (
                "DELETE",
                "users/<user_id>/trusted-browsers/<browser_id>",
                (200, 404),
            ),
        )
        for status in statuses
    },
    ("POST /api/v1/auth_session/forgot", 202): "tests/app/api/test_mail.py",
    ("POST /api/v1/auth_session/forgot", 400): "tests/app/api/test_mail.py",
    ("POST /api/v1/auth_session/confirm", 200): "tests/app/api/test_mail.py",
    ("POST /api/v1/auth_session/confirm", 400): "tests/app/api/test_mail.py",
    ("POST /api/v1/auth_session/confirm", 409): "tests/app/api/test_mail.py",
    ("POST /api/v1/auth_session/undo", 200): "tests/app/api/test_mail.py",
    ("POST /api/v1/auth_session/undo", 400): "tests/app/api/test_mail.py",
    ("POST /api/v1/auth_session/undo", 409): "tests/app/api/test_mail.py",
    (
        "POST /api/v1/users/me/email/confirmation",
        202,
    ): "tests/app/api/test_mail.py",
}

#: Variables of other programs that the guide mentions.
OF_OTHERS = {
    "SCRIPT_NAME",
    "INSTALLED_APPS",
    "AUTHENTICATION_BACKENDS",
    "DEFAULT_AUTHENTICATION_CLASSES",
    "USERNAME_FIELD",
    "VESTIBULE_AUDIENCE",
    "VESTIBULE_ID_FIELD",
    "VESTIBULE_IN_PROCESS",
    "VESTIBULE_PAGES",
    "VESTIBULE_STAFF_ROLES",
    "VESTIBULE_SUPERUSER_ROLES",
    "VESTIBULE_TIMEOUT",
    "VESTIBULE_URL",
    "NODE_ENV",
    "NO_COLOR",
    "PEERS_DIR",
}


def normal(route: str) -> str:
    """Return a route without the names of its path parameters."""
    return re.sub(r"<[^>]*>", "<>", route)


@pytest.fixture
def routes(monkeypatch: pytest.MonkeyPatch) -> set[str]:
    """Return each method and path that the service can have."""
    for name in ("WEB_PAGES", "IDENTITY_HEADER"):
        monkeypatch.setenv(name, "on")
    monkeypatch.setenv("REGISTRATION", "open")
    monkeypatch.setenv("AUTHZ_POLICY", "self")
    rules = create_app(SessionDBAuth()).url_map.iter_rules()
    # The verify endpoint responds before Flask and is not a route.
    return {f"GET {PATH}"} | {
        normal(f"{method} {rule.rule}")
        for rule in rules
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}
    }


def sections() -> dict[str, str]:
    """Return the contract's section about each route."""
    parts = re.split(r"^### `([^`]+)`\n", CONTRACT, flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


def test_guide_has_each_route(routes: set[str]) -> None:
    """A path without a method means GET."""
    text = "".join(page.read_text() for page in GUIDE)
    told = set(map(normal, re.findall(r"`([A-Z]+ /[^`?]*)`", text)))
    told |= {
        f"GET {path}"
        for path in re.findall(r"^\| `(/[^`]*)`", text, re.MULTILINE)
    }
    assert routes - told == set()


@pytest.mark.parametrize("page", GUIDE, ids=lambda page: page.stem)
def test_each_route_of_a_page_exists(page: Path, routes: set[str]) -> None:
    """A method and path on a page are a route of the service."""
    told = re.findall(
        r"`((?:GET|POST|PUT|DELETE) /[^`?\s]*)`", page.read_text()
    )
    assert set(map(normal, told)) <= routes


def test_contract_has_section_for_each_api_route(routes: set[str]) -> None:
    """Each route has one section, and there are no others."""
    told = set(map(normal, sections()))
    assert (
        {route for route in routes if " /api/v1/" in route} <= told <= routes
    )
    assert len(told) == len(sections())


def test_contract_shows_each_status() -> None:
    """A command of the section prints each status that it names."""
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


def test_files_of_other_tests_exist() -> None:
    """The files that test the other responses exist."""
    for file in SEEN_ELSEWHERE.values():
        assert (ROOT / file).is_file()


@pytest.mark.parametrize(
    "page", [ROOT / "README.md", *GUIDE], ids=lambda page: page.stem
)
def test_each_setting_of_a_page_exists(page: Path) -> None:
    """A variable on a page is a setting of this service or another."""
    named = set(
        re.findall(r"`([A-Z]+(?:_[A-Z]+)+)(?:=[^`]*)?`", page.read_text())
    )
    known = {setting.name for setting in settings.ALL}
    # Each setting may also have the prefix.
    known |= {f"{setting_types.PREFIX}{name}" for name in known}
    assert named <= known | OF_OTHERS


def test_sessions_page_has_each_end_reason() -> None:
    """The page lists exactly the reasons of the code."""
    page = (ROOT / "docs/sessions.md").read_text()
    table = page.partition("| reason |")[2]
    assert re.findall(r"^\| `(\w+)` \|", table, re.MULTILINE) == [
        str(reason) for reason in EndReason
    ]


def test_guide_has_each_metric() -> None:
    """The guide names exactly the metrics of the code."""
    counted = {
        node.value
        for file in product_files()
        # Cookies of the pages have such names too.
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


@pytest.mark.parametrize("framework", FIRST_APPLICATIONS)
def test_first_application_is_short(framework: str) -> None:
    """Its lines are counted with imports and docstrings.

    The page is executed, so these lines are all that a reader writes.
    """
    page, pattern = FIRST_APPLICATIONS[framework]
    found = re.findall(
        pattern, (ROOT / "docs" / page).read_text(), re.MULTILINE | re.DOTALL
    )
    lines = [line for part in found for line in part.splitlines() if line]
    assert any("vestibule.protect" in line for line in lines)
    assert len(lines) <= MAX_APPLICATION_LINES
