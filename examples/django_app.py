#!/usr/bin/env python3
"""A Django application whose users sign in at a Vestibule.

Run it by `granian --interface wsgi --port 8000 examples.django_app:app`.
"""

import os

from django.conf import settings
from django.core.exceptions import PermissionDenied
from django.core.wsgi import get_wsgi_application
from django.http import HttpRequest, JsonResponse
from django.urls import path

from vestibule.protect.wsgi import Protection

settings.configure(ROOT_URLCONF=__name__, ALLOWED_HOSTS=["127.0.0.1"])


def me(request: HttpRequest) -> JsonResponse:
    """Greet the signed-in user."""
    return JsonResponse({"name": request.META["vestibule.principal"].name})


def admin(request: HttpRequest) -> JsonResponse:
    """Answer admins only."""
    user = request.META["vestibule.principal"]
    if user.role != "admin":
        raise PermissionDenied
    return JsonResponse({"role": user.role})


urlpatterns = [path("me", me), path("admin", admin)]
url = os.environ.get("VESTIBULE_URL", "http://127.0.0.1:5000")
app = Protection(get_wsgi_application(), url)
