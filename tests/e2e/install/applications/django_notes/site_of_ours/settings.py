#!/usr/bin/env python3
"""The settings of the project."""

import os
from pathlib import Path

BASE = Path(__file__).resolve().parent.parent
SECRET_KEY = "of tests only"
ALLOWED_HOSTS = ["*"]
ROOT_URLCONF = "site_of_ours.urls"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
AUTH_USER_MODEL = "api.Person"
INSTALLED_APPS = [
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.messages",
    "django.contrib.sessions",
    "rest_framework",
    "api",
]
MIDDLEWARE = [
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
]
TEMPLATES = [
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
]
DATABASES = {
    "default": {
        "ENGINE": "django.db.backends.sqlite3",
        "NAME": BASE / "db.sqlite3",
    }
}
MIGRATION_MODULES = {"api": None}

MIDDLEWARE += ["vestibule.protect.django.middleware.VestibuleMiddleware"]
AUTHENTICATION_BACKENDS = ["api.backend.Backend"]
LOGIN_URL = "vestibule:sign-in"
VESTIBULE_URL = os.environ["VESTIBULE_URL"]
VESTIBULE_PAGES = os.environ.get("PAGES_URL", VESTIBULE_URL)
VESTIBULE_ID_FIELD = "vestibule_id"
VESTIBULE_SUPERUSER_ROLES = ["admin"]
REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": [
        "vestibule.protect.django.rest_framework.VestibuleAuthentication"
    ],
    "DEFAULT_PERMISSION_CLASSES": [
        "rest_framework.permissions.IsAuthenticated"
    ],
}
