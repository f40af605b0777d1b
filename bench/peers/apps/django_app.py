#!/usr/bin/env python3
"""Django's own users and sessions: in the database, or cached in Redis.

Middleware as `startproject` lists it, no debugging, connections that are
kept, as Django's documents advise for production.
"""

import sys

import django
import peer_settings
from django.conf import settings

settings.configure(
    DEBUG=False,
    SECRET_KEY=peer_settings.SECRET,
    ALLOWED_HOSTS=["127.0.0.1"],
    ROOT_URLCONF=__name__,
    INSTALLED_APPS=[
        "django.contrib.auth",
        "django.contrib.contenttypes",
        "django.contrib.sessions",
        "django.contrib.messages",
    ],
    MIDDLEWARE=[
        "django.middleware.security.SecurityMiddleware",
        "django.contrib.sessions.middleware.SessionMiddleware",
        "django.middleware.common.CommonMiddleware",
        "django.middleware.csrf.CsrfViewMiddleware",
        "django.contrib.auth.middleware.AuthenticationMiddleware",
        "django.contrib.messages.middleware.MessageMiddleware",
        "django.middleware.clickjacking.XFrameOptionsMiddleware",
    ],
    SESSION_ENGINE=f"django.contrib.sessions.backends.{peer_settings.VARIANT}",
    DATABASES={
        "default": {
            "ENGINE": "django.db.backends.sqlite3",
            "NAME": peer_settings.sqlite("django"),
            "CONN_MAX_AGE": None,
        },
    },
    CACHES={
        "default": {
            "BACKEND": "django.core.cache.backends.redis.RedisCache",
            "LOCATION": peer_settings.REDIS,
        },
    },
    USE_TZ=True,
)
django.setup()

from django.contrib.auth import authenticate, login  # noqa: E402
from django.contrib.auth.decorators import login_required  # noqa: E402
from django.contrib.auth.models import User  # noqa: E402
from django.core.handlers.wsgi import WSGIHandler  # noqa: E402
from django.core.management import call_command  # noqa: E402
from django.http import HttpRequest, JsonResponse  # noqa: E402
from django.urls import path  # noqa: E402


def begin(request: HttpRequest) -> JsonResponse:
    """Begin a session for who knows the password."""
    user = authenticate(
        request,
        username=request.POST["email"],
        password=request.POST["password"],
    )
    if user is None:
        return JsonResponse({"error": "no"}, status=401)
    login(request, user)
    return JsonResponse({"id": user.pk, "email": user.email})


@login_required
def whoami(request: HttpRequest) -> JsonResponse:
    """Return the email of the authenticated user."""
    return JsonResponse({"id": request.user.pk, "email": request.user.email})


urlpatterns = [path("login", begin), path("whoami", whoami)]
app = WSGIHandler()


def prepare() -> None:
    """Make the tables and the users."""
    call_command("migrate", verbosity=0)
    for email in peer_settings.EMAILS:
        user = User.objects.create_user(email, email, peer_settings.PASSWORD)
    print("$".join(user.password.split("$")[:2]))


if __name__ == "__main__" and sys.argv[1:] == ["prepare"]:
    prepare()
