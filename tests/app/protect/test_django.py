#!/usr/bin/env python3
"""Django: its views find the user, by the middlewares of both kinds."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.app.protect.fake_server import GOOD, NAMING, answer, fake_server
from tests.serving import ROOT, environment, run_python

pytestmark = pytest.mark.slow

#: In a separate process, because Django has one configuration in each.
PROGRAM = """
import asyncio
import sys

from django.conf import settings
from django.core.asgi import get_asgi_application
from django.http import HttpResponse
from django.urls import path

from tests.app.protect.adapters import messages
from vestibule.protect.asgi import Protection

settings.configure(ROOT_URLCONF=__name__, ALLOWED_HOSTS=["app.example"])


def hello(request):
    assert "Remote-User" not in request.headers
    return HttpResponse(request.scope["vestibule.principal"].name)


urlpatterns = [path("", hello)]
app = Protection(get_asgi_application(), sys.argv[1], timeout=30)


async def ask():
    for cookie in ("", "sid=1"):
        sent = await messages(app, "http", "/", {
            "Host": "app.example", "Cookie": cookie, "Remote-User": "ada",
        })
        print(sent[0]["status"], sent[1]["body"].decode())
    await app._backend.close()

asyncio.run(ask())
"""


def test_django_view_gets_signed_in_user(tmp_path: Path) -> None:
    """Anonymous requests do not reach the view."""
    with fake_server(answer(GOOD, *NAMING)) as there:
        output = run_python(
            PROGRAM, tmp_path, {"PYTHONPATH": str(ROOT)}, there.url
        )
    assert output == '401 {"error":"Unauthorized"}\n200 Bob\n'


@pytest.mark.parametrize("model", ["default", "custom"])
def test_django_adapter_with_user_model(model: str, tmp_path: Path) -> None:
    """The cases pass with Django's user model and with another one."""
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "pytest",
            "-p",
            "no:xdist",
            "-p",
            "no:cacheprovider",
            "--confcutdir=tests/app/protect/django_people",
            "tests/app/protect/django_user_cases.py",
            "tests/app/protect/django_cases.py",
        ],
        cwd=ROOT,
        env=environment(
            tmp_path, CASES=model, CASES_DATABASE=str(tmp_path / "cases.db")
        ),
        capture_output=True,
        text=True,
        timeout=110,
    )
    assert done.returncode == 0, done.stdout[-5000:] + done.stderr
    assert " passed" in done.stdout
    assert "failed" not in done.stdout
