#!/usr/bin/env python3
"""Django in process: the database and the cookie that the project names.

They come from the project's settings or from the environment, whose
`DATABASE_URL` is the project's own.
"""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.app.api.service import stored_user
from tests.app.protect.test_session_rules import cookie_of, start_service
from tests.serving import COOKIE, ROOT, environment
from vestibule.core import setting_types
from vestibule.db.engine import close
from vestibule.db.models.user import User

pytestmark = pytest.mark.slow

#: In a process of its own, because Django has one configuration in each.
PROGRAM = """
import asyncio
import json
import sys

import django
from django.conf import settings
from django.http import JsonResponse
from django.urls import path

cookie, own, given = sys.argv[1], sys.argv[2], json.loads(sys.argv[3])
settings.configure(
    ROOT_URLCONF=__name__,
    ALLOWED_HOSTS=["*"],
    SECRET_KEY="of tests only",
    INSTALLED_APPS=[
        "django.contrib.auth",
        "django.contrib.contenttypes",
        "django.contrib.sessions",
    ],
    MIDDLEWARE=[
        "django.contrib.sessions.middleware.SessionMiddleware",
        "django.contrib.auth.middleware.AuthenticationMiddleware",
        "vestibule.protect.django.middleware.VestibuleMiddleware",
    ],
    AUTHENTICATION_BACKENDS=[
        "vestibule.protect.django.backends.VestibuleBackend",
    ],
    DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3",
                           "NAME": own, "OPTIONS": {"timeout": 20}}},
    MIGRATION_MODULES=dict.fromkeys(("auth", "contenttypes", "sessions")),
    DEFAULT_AUTO_FIELD="django.db.models.BigAutoField",
    VESTIBULE_IN_PROCESS=True,
    **given,
)
django.setup()
from django.core.management import call_command
from django.test import AsyncClient, Client

call_command("migrate", verbosity=0, run_syncdb=True)


def me(request):
    found = request.vestibule
    return JsonResponse({"email": found and found.email})


async def me_too(request):
    return me(request)


urlpatterns = [path("me", me), path("me-too", me_too)]
seen = []
name, _, value = cookie.partition("=")
for sent in ({}, {name: value}):
    for client in (Client(), AsyncClient()):
        client.cookies.load(sent)
        answer = client.get("/me" if type(client) is Client else "/me-too")
        if not hasattr(answer, "json"):
            answer = asyncio.run(answer)
        seen.append(answer.json()["email"])
print(json.dumps(seen))
"""


@pytest.fixture
def user(on_sqlite: str, monkeypatch: pytest.MonkeyPatch) -> User:
    """Store a user at a service whose settings this process lacks."""
    monkeypatch.setattr(setting_types, "_given", {})
    for name in ("AUTH_TYPE", "SESSION_NAME"):
        monkeypatch.delenv(name, raising=False)
    return stored_user()


def ask(
    folder: Path, cookie: str, env: dict[str, str], settings: dict[str, Any]
) -> subprocess.CompletedProcess[str]:
    """Run a project with these settings, and ask it four times."""
    close()
    own = folder / "application.db"
    assert not own.exists()
    return subprocess.run(
        [
            sys.executable,
            "-c",
            PROGRAM,
            cookie,
            str(folder / "project.db"),
            json.dumps(settings),
        ],
        cwd=folder,
        env={
            name: value
            for name, value in environment(
                folder,
                PYTHONPATH=str(ROOT),
                **{"DATABASE_URL": f"sqlite:///{own}"} | env,
            ).items()
            if name not in ("AUTH_TYPE", "SESSION_NAME")
        },
        capture_output=True,
        text=True,
        timeout=100,
    )


@pytest.mark.parametrize("way", ["settings", "environment"])
@pytest.mark.parametrize("has_rules", [True, False])
def test_project_names_database_and_cookie(
    way: str, has_rules: bool, user: User, on_sqlite: str, tmp_path: Path
) -> None:
    """The `DATABASE_URL` of the project is neither read nor made.

    A service that has stored its rules names the cookie and the mechanism
    itself; those of the project are the same, or missing.
    """
    env: dict[str, str] = {}
    settings: dict[str, str] = {}
    given = {"VESTIBULE_DATABASE_URL": on_sqlite}
    if has_rules:
        start_service()
    else:
        given["VESTIBULE_SESSION_NAME"] = COOKIE
        env["VESTIBULE_AUTH_TYPE"] = "session_db_auth"
    if way == "settings":
        settings = given
        # The project's settings count before the environment.
        env["VESTIBULE_DATABASE_URL"] = f"sqlite:///{tmp_path}/other.db"
    else:
        env |= given
    cookie = cookie_of(user)
    done = ask(tmp_path, cookie, env, settings)
    assert done.returncode == 0, done.stderr[-3000:]
    assert json.loads(done.stdout) == [None, None, user.email, user.email]
    for name in ("application.db", "other.db"):
        assert not os.path.exists(tmp_path / name)


@pytest.mark.parametrize("way", ["settings", "environment"])
def test_project_with_another_name_of_the_cookie_does_not_start(
    way: str, user: User, on_sqlite: str, tmp_path: Path
) -> None:
    """No user could be known; the error names the setting."""
    start_service()
    env: dict[str, str] = {"VESTIBULE_DATABASE_URL": on_sqlite}
    settings: dict[str, str] = {}
    (env if way == "environment" else settings)["VESTIBULE_SESSION_NAME"] = (
        "another"
    )
    done = ask(tmp_path, cookie_of(user), env, settings)
    assert done.returncode == 1
    assert "ImproperlyConfigured: Vestibule: SESSION_NAME: must be" in (
        done.stderr
    )


def test_database_of_the_project_alone_ends_the_start(
    user: User, tmp_path: Path
) -> None:
    """Without a name for Vestibule's database, no file is made."""
    env = {
        "VESTIBULE_AUTH_TYPE": "session_db_auth",
        "VESTIBULE_SESSION_NAME": COOKIE,
    }
    done = ask(tmp_path, cookie_of(user), env, {})
    assert done.returncode == 1
    assert "there are no tables of Vestibule" in done.stderr
    assert not os.path.exists(tmp_path / "application.db")
