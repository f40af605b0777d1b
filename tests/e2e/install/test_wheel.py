#!/usr/bin/env python3
"""The package that is built: it has all it needs, and runs anywhere."""

import json
import re
import shutil
import subprocess
import sys
import tomllib
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from packaging.utils import canonicalize_name

from tests.e2e.install.bare import Bare, needed_by
from tests.repo.repository import PRODUCT, product_modules, tracked
from tests.repo.test_quiet_imports import PROGRAMS
from tests.serving import COOKIE, ROOT, Server, environment
from vestibule import __version__

#: Beside the packages, what a build reads.
READ = ("pyproject.toml", "README.md", "LICENSE")
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
#: What an extra is asked for by whoever imports it.
OF_EXTRAS = "vestibule.protect."
#: Where translators write; the programs read what is compiled of it.
SOURCES = ".po"


def shipped() -> set[str]:
    """Return the files of the packages, as git knows them."""
    return {
        file.path
        for file in tracked()
        if file.path.partition("/")[0] in PRODUCT
    }


def pip(folder: Path, *arguments: str) -> None:
    """Run pip on what lies in `folder`."""
    subprocess.run(
        [
            sys.executable,
            "-m",
            "pip",
            "--quiet",
            "--disable-pip-version-check",
            *arguments,
        ],
        cwd=folder,
        check=True,
        timeout=110,
    )


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the package from what git tracks; return the wheel's path.

    A build leaves files beside what it reads, so it reads a copy.
    """
    folder = tmp_path_factory.mktemp("build")
    for name in {*shipped(), *READ}:
        copy = folder / "tree" / name
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, copy)
    # The builder is among the pinned requirements: no index is asked.
    pip(folder, "wheel", "--no-deps", "--no-build-isolation", "./tree")
    (built,) = folder.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def installed(wheel: Path) -> Path:
    """Install the wheel into a folder of its own, and nothing else."""
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


@pytest.fixture(scope="module")
def bare(wheel: Path) -> Bare:
    """Install the wheel where only what it declares to need is.

    pip itself sees that nothing is missing, for no index is asked.
    """
    bare = Bare(wheel.parent / "bare")
    for name in needed_by(PROJECT["dependencies"]):
        bare.put(name)
    bare.pip("install", "--no-index", "--no-compile", str(wheel))
    return bare


def alone(folder: Path) -> dict[str, str]:
    """Return an environment that leads to no code but what is installed."""
    return environment(folder, PYTHONPATH="")


@pytest.fixture
def server(installed: Path, tmp_path: Path) -> Iterator[Server]:
    """Start the installed service in a folder that knows no other."""
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


def test_the_wheel_has_every_file(wheel: Path) -> None:
    """Code, migrations, templates, assets and texts are in it, no more."""
    with zipfile.ZipFile(wheel) as archive:
        packed = {
            name for name in archive.namelist() if ".dist-info/" not in name
        }
    assert packed == {name for name in shipped() if not name.endswith(SOURCES)}


def test_the_installed_command(installed: Path, tmp_path: Path) -> None:
    """It is called by its name alone, and tells the one version."""
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


def test_the_installed_service(server: Server) -> None:
    """It makes its database and its pages of what was installed."""
    page = server.request("GET", "/setup", headers={"Accept-Language": "fr"})
    assert page.status_code == 200
    assert "mot de passe" in page.text.lower()
    sheet = re.search(r'href="(/vestibule/assets/[^"]+\.css)"', page.text)
    assert sheet is not None
    assert server.request("GET", sheet[1]).status_code == 200
    assert server.request("GET", "/api/v1/stats").status_code == 401
    assert server.request("GET", "/api/v1/status").status_code == 200


def test_pip_misses_nothing(bare: Bare) -> None:
    """There are the package and what it declares to need, no more."""
    assert bare.pip("check") == "No broken requirements found.\n"
    listed = json.loads(bare.pip("list", "--format=json"))
    assert {canonicalize_name(each["name"]) for each in listed} == {
        "vestibule",
        *needed_by(PROJECT["dependencies"]),
    }


def test_the_declared_needs_are_enough(bare: Bare, tmp_path: Path) -> None:
    """Each module but those of extras can be imported there."""
    modules = [
        name
        for name in product_modules()
        if not name.startswith(OF_EXTRAS) and name not in PROGRAMS
    ]
    assert "api.v1.app" in modules
    script = (
        "import sys\nfrom importlib import import_module\n"
        "for name in sys.argv[1:]: import_module(name)\n"
        "import api.v1.app\nprint(api.v1.app.__file__)"
    )
    place = bare.run(
        tmp_path, alone(tmp_path), "python", "-c", script, *modules
    )
    assert Path(place).is_relative_to(bare.programs.parent)


def test_the_command_with_the_declared_needs(
    bare: Bare, tmp_path: Path
) -> None:
    """It makes a database there, and finds nobody in it."""
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


def test_all_that_is_needed_is_pinned() -> None:
    """Whatever the declared needs lead to has its line in the list."""
    pinned = re.findall(
        r"^([\w.-]+)==", (ROOT / "requirements.txt").read_text(), re.MULTILINE
    )
    assert needed_by(PROJECT["dependencies"]) <= set(pinned)


def test_what_is_needed_is_what_is_pinned() -> None:
    """The package asks for what `requirements.in` names, in ranges."""
    asked = [
        re.sub(r">=[\d.]+", "", need).replace("'", '"')
        for need in PROJECT["dependencies"]
    ]
    wanted = (ROOT / "requirements.in").read_text().splitlines()
    assert asked == [line for line in wanted if not line.startswith("#")]
    for need in PROJECT["dependencies"]:
        assert re.search(r">=\d", need), need
