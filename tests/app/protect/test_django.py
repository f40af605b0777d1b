#!/usr/bin/env python3
"""Django under ASGI: its views find the user in the scope."""

from pathlib import Path

from tests.app.protect.fake_server import GOOD, NAMING, answer, fake_server
from tests.serving import ROOT, run_python

#: In a process of its own, because Django has one configuration for each.
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
        said = run_python(
            PROGRAM, tmp_path, {"PYTHONPATH": str(ROOT)}, there.url
        )
    assert said == '401 {"error":"Unauthorized"}\n200 Bob\n'
