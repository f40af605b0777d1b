#!/usr/bin/env python3
"""An application whose modules are named like ours, on the installed wheel.

It has a `models.py`, a package `api` from `manage.py startapp`, and a
`manage.py`. None of them may disturb Vestibule, however it is used.
"""

import json
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from tests.e2e.install.bare import Bare
from tests.e2e.install.wheels import alone
from tests.serving import COOKIE, Server

#: The fixture creates an environment and starts a server, which takes
#: minutes on a busy machine.
pytestmark = pytest.mark.timeout(400)
EXTRAS = "server,flask,fastapi,django"
PASSWORD = "a long enough phrase"
EMAIL = "bob@example.com"
SETTINGS = {"AUTH_TYPE": "session_db_auth", "SESSION_NAME": COOKIE}
HEADER = "X-Vestibule-Identity"
#: Prints how an application of each framework responds to a request.
APPLICATION = '''
import asyncio, json, sys

import api, models

framework, how, url, name, *values = sys.argv[1:]
from vestibule.protect.backends import SETTINGS

audience = url.partition("//")[2] if how == "signed" else None
url = SETTINGS if how == "in process" else url
more = {"audience": audience, "timeout": 30.0}


def wsgi(app, headers):
    """Return the status and body of the response of a WSGI application."""
    environ = {
        "REQUEST_METHOD": "GET", "PATH_INFO": "/me", "SCRIPT_NAME": "",
        "SERVER_NAME": "a", "SERVER_PORT": "80", "wsgi.url_scheme": "http",
        "wsgi.input": sys.stdin.buffer, "wsgi.errors": sys.stderr,
        "SERVER_PROTOCOL": "HTTP/1.1",
    } | {"HTTP_" + k.upper().replace("-", "_"): v for k, v in headers.items()}
    begun = []
    body = b"".join(app(environ, lambda *start: begun.append(start)))
    return int(begun[0][0][:3]), body


def asgi(app, headers):
    """Return the status and body of the response of an ASGI application."""
    scope = {
        "type": "http", "path": "/me", "raw_path": b"/me", "method": "GET",
        "query_string": b"", "root_path": "", "scheme": "http",
        "http_version": "1.1", "client": None, "server": ("a", 80),
        "headers": [
            (k.lower().encode(), v.encode()) for k, v in headers.items()
        ],
    }
    sent = []
    asked = []

    async def receive():
        if asked:
            await asyncio.Event().wait()
        asked.append(1)
        return {"type": "http.request"}

    async def send(message):
        sent.append(message)

    async def answer():
        await app(scope, receive, send)
        close = getattr(app, "close_vestibule", None)
        if close is not None:
            await close()

    asyncio.run(answer())
    return sent[0]["status"], b"".join(m.get("body", b"") for m in sent[1:])


def flask_app():
    from flask import Flask
    from vestibule.protect.flask import Vestibule, current_user, login_required

    app = Flask("guarded")
    Vestibule(app, url, **more)

    @app.get("/me")
    @login_required
    def me():
        return {"email": current_user.email}

    return app


def fastapi_app():
    from fastapi import Depends, FastAPI
    from vestibule.protect.fastapi import Vestibule

    vestibule = Vestibule(url, **more)
    app = FastAPI()
    app.close_vestibule = vestibule.close

    @app.get("/me")
    async def me(user=Depends(vestibule.current_user)):
        return {"email": user.email}

    return app


def django_app(kind):
    import django, os
    from django.core.handlers.asgi import ASGIHandler
    from django.core.handlers.wsgi import WSGIHandler
    from vestibule.protect import asgi, wsgi

    os.environ["DJANGO_SETTINGS_MODULE"] = "site_of_ours.settings"
    django.setup()
    if kind == "wsgi":
        return wsgi.Protection(WSGIHandler(), url, **more)
    return asgi.Protection(ASGIHandler(), url, **more)


if framework == "flask":
    client, app = wsgi, flask_app()
elif framework == "fastapi":
    client, app = asgi, fastapi_app()
elif framework == "django wsgi":
    client, app = wsgi, django_app("wsgi")
else:
    client, app = asgi, django_app("asgi")
answers = [client(app, {name: value} if value else {}) for value in values]
shown = [[status, body.decode()] for status, body in answers]
print(json.dumps([shown, models.WHOSE, api.__file__]))
'''
URLS = """
from django.http import JsonResponse
from django.urls import path


def me(request):
    place = getattr(request, "scope", None) or request.environ
    return JsonResponse({"email": place["vestibule.principal"].email})


urlpatterns = [path("me", me)]
"""
USER = (
    "from vestibule.db.models.user import User\n"
    f"bob = User(email={EMAIL!r})\nbob.password = {PASSWORD!r}\nbob.save()\n"
)


class Place(NamedTuple):
    """The folder of the application, its environment and its server."""

    folder: Path
    bare: Bare
    server: Server
    session_id: str

    def ask(self, framework: str, how: str, *values: str) -> list[Any]:
        """Return the application's responses to the values of a header."""
        name = HEADER if how == "signed" else "Cookie"
        said = self.bare.run(
            self.folder,
            alone(self.folder, **SETTINGS),
            "python",
            "application.py",
            framework,
            how,
            self.server.url,
            name,
            *values,
        )
        answered: list[Any] = json.loads(said)
        return answered


def make_application(folder: Path, bare: Bare) -> None:
    """Create a Django project and add the application to it."""
    (folder / "models.py").write_text('WHOSE = "the application\'s"\n')
    (folder / "application.py").write_text(APPLICATION)
    env = alone(folder)
    django = ("python", "-m", "django")
    bare.run(folder, env, *django, "startproject", "site_of_ours", ".")
    # startapp refuses a name that can already be imported.
    bare.run(folder, env, "python", "manage.py", "startapp", "api")
    (folder / "site_of_ours" / "urls.py").write_text(URLS)
    settings = folder / "site_of_ours" / "settings.py"
    settings.write_text(settings.read_text() + "\nALLOWED_HOSTS = ['*']\n")


@pytest.fixture(scope="module")
def place(
    environments: Callable[[str], Bare],
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Place]:
    """Create the application, and start the server in its folder."""
    folder = tmp_path_factory.mktemp("application")
    bare = environments(EXTRAS)
    make_application(folder, bare)
    bare.run(folder, alone(folder), "python", "-c", USER)
    server = Server(
        folder,
        IDENTITY_HEADER="on",
        IDENTITY_HOSTS="localhost,127.0.0.1:*",
        **SETTINGS,
    )
    server.interpreter = str(bare.programs / "python")
    server.program = ("-m", "vestibule", "serve")
    server.env["PYTHONPATH"] = ""
    server.start()
    try:
        yield Place(folder, bare, server, server.login(EMAIL, PASSWORD))
    finally:
        server.stop()


@pytest.mark.parametrize("how", ["http", "signed", "in process"])
@pytest.mark.parametrize(
    "framework", ["flask", "fastapi", "django wsgi", "django asgi"]
)
def test_application_identifies_its_user(
    place: Place, framework: str, how: str
) -> None:
    """It names the signed-in user and refuses an anonymous request."""
    value = f"{COOKIE}={place.session_id}"
    if how == "signed":
        verified = place.server.request(
            "GET", "/api/v1/auth_session/verify", cookie=place.session_id
        )
        value = verified.headers[HEADER]
    answers, whose, api = place.ask(framework, how, value, "")
    (status, body), (refused, _) = answers
    assert (status, json.loads(body)) == (200, {"email": EMAIL})
    assert refused == 401
    assert whose == "the application's"
    assert Path(api).parent == place.folder / "api"


def test_command_works_beside_application_modules(place: Place) -> None:
    """`python -m vestibule` works in the folder of the application."""
    env = alone(place.folder)
    listed = place.bare.run(
        place.folder,
        env,
        "python",
        "-m",
        "vestibule",
        "users",
        "list",
        "--json",
    )
    assert [user["email"] for user in json.loads(listed)] == [EMAIL]


@pytest.mark.parametrize("name", ["api.v1.app", "models.user"])
def test_names_of_the_repository_are_not_installed(
    environments: Callable[[str], Bare], tmp_path: Path, name: str
) -> None:
    """Outside the repository `api` and `models` belong to the application."""
    done = subprocess.run(
        [environments(EXTRAS).programs / "python", "-c", f"import {name}"],
        cwd=tmp_path,
        env=alone(tmp_path),
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 1
    assert "ModuleNotFoundError: No module named" in done.stderr
