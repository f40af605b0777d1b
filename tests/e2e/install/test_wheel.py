#!/usr/bin/env python3
"""The wheel: it has one package, and each extra brings what it needs."""

import json
import re
import subprocess
import sys
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from packaging.utils import canonicalize_name

from tests.e2e.install.bare import Bare, required_by, size_of
from tests.e2e.install.wheels import (
    CLIENT,
    PACKAGE,
    SERVICE,
    alone,
    pip,
    shipped,
)
from tests.repo.repository import product_modules
from tests.repo.test_quiet_imports import NEEDS_DJANGO, PROGRAMS
from tests.serving import COOKIE, ROOT, Server, environment
from vestibule import __version__

#: The first test of each environment creates it.
pytestmark = pytest.mark.timeout(400)
#: The modules that only an application of a framework imports.
ADAPTERS = {
    "vestibule.protect.fastapi": "fastapi",
    "vestibule.protect.starlette": "fastapi",
    "vestibule.protect.django.configuration": "django",
    "vestibule.protect.django.middleware": "django",
    "vestibule.protect.django.rest_framework": "django",
    "vestibule.protect.django.views": "django",
    "vestibule.protect.async_http_client": "fastapi",
    "vestibule.protect.flask": "flask",
}
#: Limits for a client and the package itself, in bytes without .pyc files,
#: which add 4 MB.
MAX_CLIENT_PACKAGES = 6
MAX_CLIENT_BYTES = 20_000_000
#: The modules that are imported only to decide in process.
IN_PROCESS = {"vestibule.protect.in_process"}
#: Imports the modules in its arguments; prints the path of the last one.
IMPORT = """
import sys
from importlib import import_module

for name in sys.argv[1:]:
    found = import_module(name)
print(found.__file__)
"""
MISSING = 'install it with: pip install "vestibule[server]"\n'
#: Sources of the translations; the wheel has the compiled files.
SOURCES = ".po"


@pytest.fixture(scope="module")
def installed(wheel: Path) -> Path:
    """Install the wheel alone into a folder of its own."""
    target = wheel.parent / "installed"
    pip(
        wheel.parent,
        "install",
        "--no-deps",
        "--no-compile",
        "--target",
        str(target),
        f"./{wheel.name}",
    )
    return target


@pytest.fixture
def bare(environments: Callable[[str], Bare]) -> Bare:
    """Return an environment with the server."""
    return environments("server")


@pytest.fixture
def client(environments: Callable[[str], Bare]) -> Bare:
    """Return an environment with the wheel without any extra."""
    return environments("")


def shipped_modules() -> set[str]:
    """Return the modules in the wheel that any program can import."""
    return {
        name
        for name in product_modules()
        if name.partition(".")[0] == PACKAGE
        and name not in PROGRAMS | NEEDS_DJANGO
    }


@pytest.fixture
def server(installed: Path, tmp_path: Path) -> Iterator[Server]:
    """Start the installed server in a folder without our source."""
    server = Server(
        tmp_path,
        AUTH_TYPE="session_db_auth",
        SESSION_NAME=COOKIE,
        WEB_PAGES="on",
    )
    server.program = (str(installed / "bin" / "vestibule"), "serve")
    server.env["PYTHONPATH"] = str(installed)
    yield server.start()
    server.stop()


def test_wheel_has_every_file(wheel: Path) -> None:
    """It has code, migrations, templates, assets and texts, and no more."""
    with zipfile.ZipFile(wheel) as archive:
        packed = {
            name for name in archive.namelist() if ".dist-info/" not in name
        }
    assert packed == {name for name in shipped() if not name.endswith(SOURCES)}


def test_installed_command_prints_its_version(
    installed: Path, tmp_path: Path
) -> None:
    """The command is on the path under its own name."""
    done = subprocess.run(
        [sys.executable, str(installed / "bin" / "vestibule"), "--version"],
        cwd=tmp_path,
        env=environment(tmp_path, PYTHONPATH=str(installed)),
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert (done.stdout, done.stderr) == (f"vestibule {__version__}\n", "")
    assert (installed / f"vestibule-{__version__}.dist-info").is_dir()


def test_installed_server_has_pages_and_database(server: Server) -> None:
    """It uses only files of the installed package."""
    page = server.request("GET", "/setup", headers={"Accept-Language": "fr"})
    assert page.status_code == 200
    assert "mot de passe" in page.text.lower()
    sheet = re.search(r'href="(/vestibule/assets/[^"]+\.css)"', page.text)
    assert sheet is not None
    assert server.request("GET", sheet[1]).status_code == 200
    assert server.request("GET", "/api/v1/stats").status_code == 401
    assert server.request("GET", "/api/v1/status").status_code == 200


def test_pip_finds_no_missing_requirement(bare: Bare) -> None:
    """The environment has only the package and its requirements."""
    assert bare.pip("check") == "No broken requirements found.\n"
    listed = json.loads(bare.pip("list", "--format=json"))
    assert {canonicalize_name(each["name"]) for each in listed} == {
        PACKAGE,
        *required_by(SERVICE),
    }


def test_declared_requirements_are_enough(bare: Bare, tmp_path: Path) -> None:
    """Every module except the adapters can be imported."""
    modules = shipped_modules() - set(ADAPTERS)
    assert "vestibule.api.app" in modules
    place = bare.run(
        tmp_path, alone(tmp_path), "python", "-c", IMPORT, *sorted(modules)
    )
    assert Path(place).is_relative_to(bare.programs.parent)


def test_client_is_small(client: Bare) -> None:
    """It installs few packages and few megabytes."""
    assert client.pip("check") == "No broken requirements found.\n"
    listed = json.loads(client.pip("list", "--format=json"))
    assert len(listed) <= MAX_CLIENT_PACKAGES, listed
    own = sum((ROOT / name).stat().st_size for name in shipped())
    assert own + size_of(required_by(CLIENT)) <= MAX_CLIENT_BYTES


@pytest.mark.parametrize("extra", sorted({"", *ADAPTERS.values(), "django"}))
def test_extra_is_enough_for_its_adapters(
    environments: Callable[[str], Bare], tmp_path: Path, extra: str
) -> None:
    """The adapters and the client modules can be imported."""
    modules = {
        name
        for name in shipped_modules()
        if name.startswith("vestibule.protect") and name not in IN_PROCESS
    }
    modules -= {name for name, other in ADAPTERS.items() if other != extra}
    if extra == "django":
        modules.add("vestibule.protect.async_http_client")
    there = environments(extra)
    there.run(
        tmp_path, alone(tmp_path), "python", "-c", IMPORT, *sorted(modules)
    )
    names = {
        each["name"] for each in json.loads(there.pip("list", "--format=json"))
    }
    assert not names & {"SQLAlchemy", "sqlalchemy", "granian", "rich"}


@pytest.mark.parametrize("extra", ["", "flask"])
@pytest.mark.parametrize(
    "command", [("vestibule",), ("python", "-m", "vestibule")]
)
def test_command_without_the_server_names_the_extra(
    environments: Callable[[str], Bare],
    tmp_path: Path,
    extra: str,
    command: tuple[str, ...],
) -> None:
    """It prints one line with the extra to install, and exits with 1.

    The extra for Flask brings click, so the command line itself loads there.
    """
    there = environments(extra)
    done = subprocess.run(
        [str(there.programs / command[0]), *command[1:], "users", "list"],
        cwd=tmp_path,
        env=alone(tmp_path),
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("vestibule: the Python package ")
    assert done.stderr.endswith(MISSING)
    assert done.stderr.count("\n") == 1


def test_in_process_without_the_server_names_the_extra(
    client: Bare, tmp_path: Path
) -> None:
    """The ImportError names the extra to install."""
    said = client.run(
        tmp_path,
        alone(tmp_path),
        "python",
        "-c",
        "from vestibule.protect.wsgi import Protection\n"
        "try: Protection(lambda environ, start: [])\n"
        "except ImportError as error: print(error)",
    )
    assert said.endswith(MISSING)


def test_command_works_with_the_declared_requirements(
    bare: Bare, tmp_path: Path
) -> None:
    """It creates a database, which has no users."""
    told = [
        bare.run(tmp_path, alone(tmp_path), "vestibule", *words)
        for words in (
            ("--version",),
            ("db", "upgrade"),
            ("users", "list", "--json"),
        )
    ]
    assert told[0] == f"vestibule {__version__}\n"
    assert "the schema went from no schema to revision" in told[1]
    assert json.loads(told[2]) == []


def test_every_requirement_is_pinned() -> None:
    """Indirect requirements are pinned too."""
    pinned = re.findall(
        r"^([\w.-]+)==", (ROOT / "requirements.txt").read_text(), re.MULTILINE
    )
    assert required_by(SERVICE) <= set(pinned)


def test_declared_requirements_match_the_pinned_ones() -> None:
    """Both pyproject.toml and `requirements.in` list them, one with ranges."""
    asked = [
        re.sub(r">=[\d.]+", "", need).replace("'", '"') for need in SERVICE
    ]
    wanted = (ROOT / "requirements.in").read_text().splitlines()
    assert sorted(asked) == [
        line for line in wanted if not line.startswith("#")
    ]
    for need in SERVICE:
        assert re.search(r">=\d", need), need
