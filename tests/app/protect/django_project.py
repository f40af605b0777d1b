#!/usr/bin/env python3
"""The configuration of the Django project that is tested, by the environment.

Django has one configuration in each process, so `test_django.py` runs the
files with the cases in other processes: with Django's user model, and with
one of the project's own.
"""

import os
from collections.abc import Iterator
from typing import Any

import django
import pytest
from django.conf import settings

IS_CUSTOM = os.environ["CASES"] == "custom"
URL = "http://127.0.0.1:9"

settings.configure(
    ROOT_URLCONF="tests.app.protect.django_urls",
    ALLOWED_HOSTS=["*"],
    SECRET_KEY="of tests only",
    INSTALLED_APPS=[
        "django.contrib.admin",
        "django.contrib.auth",
        "django.contrib.contenttypes",
        "django.contrib.messages",
        "django.contrib.sessions",
        "rest_framework",
        *(["tests.app.protect.django_people"] if IS_CUSTOM else []),
    ],
    MIDDLEWARE=[
        "django.contrib.sessions.middleware.SessionMiddleware",
        "django.middleware.csrf.CsrfViewMiddleware",
        "django.contrib.auth.middleware.AuthenticationMiddleware",
        "vestibule.protect.django.middleware.VestibuleMiddleware",
        "django.contrib.messages.middleware.MessageMiddleware",
    ],
    AUTHENTICATION_BACKENDS=[
        "tests.app.protect.django_people.backend.OwnBackend"
        if IS_CUSTOM
        else "vestibule.protect.django.backends.VestibuleBackend",
        "django.contrib.auth.backends.ModelBackend",
    ],
    TEMPLATES=[
        {
            "BACKEND": "django.template.backends.django.DjangoTemplates",
            "APP_DIRS": True,
            "OPTIONS": {
                "context_processors": [
                    "django.template.context_processors.request",
                    "django.contrib.auth.context_processors.auth",
                    "django.contrib.messages.context_processors.messages",
                    "vestibule.protect.django.views.template_variables",
                ]
            },
        }
    ],
    DATABASES={
        "default": {
            "ENGINE": "django.db.backends.sqlite3",
            "NAME": os.environ["CASES_DATABASE"],
            "OPTIONS": {"timeout": 20},
        }
    },
    # Real migrations and hashes would take most of the time.
    MIGRATION_MODULES=dict.fromkeys(
        ("admin", "auth", "contenttypes", "sessions")
    ),
    PASSWORD_HASHERS=["django.contrib.auth.hashers.MD5PasswordHasher"],
    DEFAULT_AUTO_FIELD="django.db.models.BigAutoField",
    AUTH_USER_MODEL="django_people.Person" if IS_CUSTOM else "auth.User",
    LOGIN_URL="vestibule:sign-in",
    VESTIBULE_URL=URL,
    **({"VESTIBULE_ID_FIELD": "vestibule_id"} if IS_CUSTOM else {}),
)
django.setup()

from django.contrib.auth import get_user_model  # noqa: E402
from django.contrib.auth.models import Group  # noqa: E402
from django.core.management import call_command  # noqa: E402

from vestibule.protect.django import configuration  # noqa: E402
from vestibule.protect.testing import (  # noqa: E402
    FakeVestibule,
    fake_vestibule,
)

User: Any = get_user_model()
ID_FIELD = "vestibule_id" if IS_CUSTOM else "username"


@pytest.fixture(scope="session", autouse=True)
def _database() -> None:
    """Create the tables."""
    call_command("migrate", verbosity=0, run_syncdb=True)


@pytest.fixture(autouse=True)
def fake() -> Iterator[FakeVestibule]:
    """Use a fake Vestibule, and an empty project."""
    configuration.sync_backend.cache_clear()
    configuration.async_backend.cache_clear()
    with fake_vestibule() as there:
        yield there
    User.objects.all().delete()
    Group.objects.all().delete()


def stored(user: Any) -> Any:
    """Return the project's user for a principal."""
    return User.objects.get(**{ID_FIELD: user.id})


def local(email: str = "local@example.com", **fields: Any) -> Any:
    """Create a user of the project's own, with a password."""
    if not IS_CUSTOM:
        fields.setdefault("username", "local")
    user = User(email=email, **fields)
    user.set_password("correct horse battery")
    user.save()
    return user
