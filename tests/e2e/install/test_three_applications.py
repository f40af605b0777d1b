#!/usr/bin/env python3
"""Applications in Flask, FastAPI and Django, on the installed wheel.

Their own tests run without a server. Then each is served, and a browser's
requests sign in at a real Vestibule and come back.
"""

import re
import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import requests

from tests.e2e.forward_auth.proxies import is_open
from tests.e2e.install.bare import Bare, required_by
from tests.e2e.install.wheels import alone
from tests.e2e.server.waiting import wait_until
from tests.ports import free_port
from tests.serving import COOKIE, LOGOUT, Server

#: The fixtures create an environment and start servers.
pytestmark = pytest.mark.timeout(400)
SOURCES = Path(__file__).parent / "applications"
#: Another order than elsewhere, so that this environment is its own.
EXTRAS = "django,fastapi,flask,server"
#: What the applications and their tests need beside the wheel.
NEEDS = [
    "djangorestframework",
    "httpx2",
    "pytest",
    "uvicorn",
    "websockets",
]
#: The command that runs an application's own tests, and what it prints.
OWN_TESTS = {
    "flask_notes": (("pytest", "-q"), "1 passed"),
    "fastapi_notes": (("pytest", "-q"), "3 passed"),
    "django_notes": (("manage", "test"), "OK"),
}
GRANIAN = ("granian", "--interface", "wsgi", "--no-ws", "--host")
#: The server of each application, and the application in its module.
SERVERS = {
    "flask_notes": (GRANIAN, "app:app"),
    "fastapi_notes": (("uvicorn", "--host"), "app:app"),
    "django_notes": (GRANIAN, "site_of_ours.wsgi:app"),
}
PASSWORD = "correct horse battery"
ADD_USERS = f"""
from vestibule.db.models.user import User
for name, role in (("Bob", "member"), ("Ada", "admin")):
    user = User(email=name + "@example.com", first_name=name)
    user.password, user.role = {PASSWORD!r}, role
    user.save()
"""
PAGE_LOAD = {"Sec-Fetch-Mode": "navigate", "Accept": "text/html"}
SCRIPT = {"Sec-Fetch-Mode": "cors", "Accept": "application/json"}
each_application = pytest.mark.parametrize("name", sorted(SERVERS))


class Place(NamedTuple):
    """The environment, the folders of the applications, and the server."""

    bare: Bare
    folder: Path
    vestibule: Server
    ports: dict[str, int]

    def env(self, name: str) -> dict[str, str]:
        """Return the environment variables of an application."""
        return alone(self.folder / name, VESTIBULE_URL=self.vestibule.url)

    def url(self, name: str) -> str:
        """Return the address of an application."""
        return f"http://127.0.0.1:{self.ports[name]}"


@contextmanager
def installed(
    environments: Callable[[str], Bare], folder: Path, **settings: str
) -> Iterator[Place]:
    """Copy the applications, and start a Vestibule from the wheel.

    A `%s` in the settings is its port.
    """
    (folder / "applications").mkdir()
    shutil.copytree(SOURCES, folder / "applications", dirs_exist_ok=True)
    bare = environments(EXTRAS)
    bare.link_missing(required_by(NEEDS))
    ports = {name: free_port() for name in SERVERS}
    home = folder / "vestibule"
    home.mkdir()
    bare.run(home, alone(home), "python", "-c", ADD_USERS)
    server = Server(
        home,
        AUTH_TYPE="session_db_auth",
        SESSION_NAME=COOKIE,
        WEB_PAGES="on",
        ALLOWED_RETURN_HOSTS=",".join(
            f"127.0.0.1:{port}" for port in ports.values()
        ),
    )
    server.env |= {
        name: value.replace("%s", str(server.port))
        for name, value in settings.items()
    }
    server.interpreter = str(bare.programs / "python")
    server.program = ("-m", "vestibule", "serve")
    server.env["PYTHONPATH"] = ""
    server.start()
    try:
        yield Place(bare, folder / "applications", server, ports)
    finally:
        server.stop()


@pytest.fixture(scope="module")
def place(
    environments: Callable[[str], Bare],
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Place]:
    """Install the applications beside a Vestibule that knows their hosts."""
    with installed(environments, tmp_path_factory.mktemp("place")) as found:
        yield found


@contextmanager
def served(place: Place, name: str, **variables: str) -> Iterator[str]:
    """Serve an application with more variables; yield its address."""
    (module, *options), application = SERVERS[name]
    if name == "django_notes":
        migrate(place)
    process = subprocess.Popen(
        [
            str(place.bare.programs / "python"),
            "-m",
            module,
            *options,
            "127.0.0.1",
            "--port",
            str(place.ports[name]),
            application,
        ],
        cwd=place.folder / name,
        env=place.env(name) | variables,
        stdin=subprocess.DEVNULL,
    )
    try:
        assert wait_until(60, lambda: is_open(place.ports[name]))
        yield place.url(name)
    finally:
        process.terminate()
        process.wait(60)


def migrate(place: Place) -> None:
    """Create the tables of the Django project."""
    place.bare.run(
        place.folder / "django_notes",
        place.env("django_notes"),
        "python",
        "manage.py",
        "migrate",
        "--run-syncdb",
        "--verbosity=0",
    )


@each_application
def test_own_tests_of_application_pass(place: Place, name: str) -> None:
    """They sign users in without a server."""
    (program, *arguments), expected = OWN_TESTS[name]
    words = ["-m", program, *arguments, "-p", "no:cacheprovider"]
    if program == "manage":
        words = ["manage.py", *arguments]
    done = subprocess.run(
        [str(place.bare.programs / "python"), *words],
        cwd=place.folder / name,
        env=place.env(name) | {"VESTIBULE_URL": "http://127.0.0.1:9"},
        capture_output=True,
        text=True,
        timeout=110,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert expected in done.stdout + done.stderr


def signed_in(place: Place, address: str, email: str) -> requests.Session:
    """Return a browser that signed in by the page that `address` leads to."""
    browser = requests.Session()
    browser.headers.update(PAGE_LOAD)
    page = browser.get(address, timeout=60)
    assert page.url.startswith(f"{place.vestibule.url}/sign-in")
    back = re.search(r'name="return_to" value="([^"]+)"', page.text)
    form: dict[str, Any] = {"email": email, "password": PASSWORD}
    if back is not None:
        form["return_to"] = back[1].replace("&amp;", "&")
    page = browser.post(f"{place.vestibule.url}/sign-in", form, timeout=60)
    if back is not None:
        assert page.url == address
    assert page.status_code == 200
    return browser


@each_application
def test_user_signs_in_at_vestibule_and_comes_back(
    place: Place, name: str
) -> None:
    """The pages, the interface and the admin pages know the user."""
    with served(place, name) as url:
        api = requests.get(f"{url}/api/notes", timeout=60)
        assert api.status_code == 401
        forged = {"Remote-User": "ada", "Remote-Groups": "admin"}
        api = requests.get(f"{url}/api/notes", headers=forged, timeout=60)
        assert api.status_code == 401
        start = f"{url}/notes?page=2&sort=new"
        if name == "fastapi_notes":
            start = f"{place.vestibule.url}/sign-in"
        bob = signed_in(place, start, "bob@example.com")
        assert "Hello Bob" in bob.get(url, timeout=60).text
        api = bob.get(f"{url}/api/notes", headers=SCRIPT, timeout=60)
        assert api.json() == {"notes": []}
        assert bob.get(f"{url}/admin/", timeout=60).status_code == 403
        ada = signed_in(place, start, "ada@example.com")
        assert ada.get(f"{url}/admin/", timeout=60).status_code == 200
        out = place.vestibule.request(
            "DELETE", LOGOUT, bob.cookies.get(COOKIE)
        )
        assert out.status_code == 200
        api = bob.get(f"{url}/api/notes", headers=SCRIPT, timeout=60)
        assert api.status_code == 401
        assert ada.get(f"{url}/admin/", timeout=60).status_code == 200


def test_applications_share_one_sign_in(place: Place) -> None:
    """A user who signed in at one is signed in at the others."""
    with (
        served(place, "flask_notes") as flask,
        served(place, "django_notes") as django,
    ):
        bob = signed_in(place, f"{flask}/notes", "bob@example.com")
        page = bob.get(f"{django}/notes", timeout=60)
        assert page.url == f"{django}/notes"
        assert "Hello Bob" in page.text
        assert bob.get(f"{flask}/export", timeout=60).json() == {}
