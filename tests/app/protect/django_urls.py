#!/usr/bin/env python3
"""The views of the Django project that is tested."""

from typing import Any

from django.contrib import admin
from django.contrib.auth.decorators import login_required, permission_required
from django.contrib.auth.mixins import LoginRequiredMixin
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.template import engines
from django.urls import include, path
from django.utils.decorators import method_decorator
from django.views import View
from rest_framework.permissions import IsAuthenticated
from rest_framework.response import Response
from rest_framework.views import APIView

from tests.app.protect.adapters import is_name
from vestibule.protect.django.rest_framework import VestibuleAuthentication
from vestibule.protect.django.views import assurance_required


def email_of(user: Any) -> str | None:
    """Return the email of a user, `None` if anonymous."""
    return user.email if user.is_authenticated else None


def whoami(request: HttpRequest) -> JsonResponse:
    """Show who the request's user is."""
    principal = request.vestibule
    return JsonResponse(
        {
            "user": email_of(request.user),
            "id": request.user.pk,
            "principal": principal and principal.id,
            "headers": [*filter(is_name, request.headers)],
        }
    )


@login_required  # type: ignore[untyped-decorator]
def decorated(request: HttpRequest) -> HttpResponse:
    """Answer signed-in users only."""
    return HttpResponse("decorated")


@permission_required(  # type: ignore[untyped-decorator]
    "auth.add_group", raise_exception=True
)
def permitted(request: HttpRequest) -> HttpResponse:
    """Answer users with a permission only."""
    return HttpResponse("permitted")


class Mixin(LoginRequiredMixin, View):  # type: ignore[misc]
    """A view for signed-in users only."""

    def get(self, request: HttpRequest) -> HttpResponse:
        """Answer the signed-in user."""
        return HttpResponse("mixin")


class Rest(APIView):  # type: ignore[misc]
    """A view of Django REST framework."""

    authentication_classes = (VestibuleAuthentication,)
    permission_classes = (IsAuthenticated,)

    def get(self, request: Any) -> Response:
        """Return the user's id at Vestibule."""
        return Response({"id": request.auth.id})

    post = get


@method_decorator(assurance_required(level=2), "dispatch")
class CarefulRest(Rest):
    """A view of Django REST framework that demands two factors."""


def template(request: HttpRequest) -> HttpResponse:
    """Render the user and the form."""
    text = "{{ user.email }}{{ vestibule_sign_out }}"
    return HttpResponse(
        engines["django"].from_string(text).render({}, request)
    )


async def by_async(request: HttpRequest) -> JsonResponse:
    """Show who the request's user is, from the event loop."""
    headers = [name.decode() for name, _ in request.scope["headers"]]
    return JsonResponse(
        {
            "user": email_of(request.user)
            if request.vestibule is not None
            else None,
            "auser": email_of(await request.auser()),
            "headers": [*filter(is_name, [*request.headers, *headers])],
        }
    )


@login_required  # type: ignore[untyped-decorator]
async def async_guarded(request: HttpRequest) -> HttpResponse:
    """Answer signed-in users only."""
    return HttpResponse("guarded")


@assurance_required(level=2, fresh=300)
def careful(request: HttpRequest) -> HttpResponse:
    """Answer users who proved much."""
    return HttpResponse(f"level {request.vestibule.level}")


@assurance_required(level=2, fresh=300)
async def async_careful(request: HttpRequest) -> HttpResponse:
    """Answer users who proved much, from the event loop."""
    return HttpResponse(f"level {request.vestibule.level}")


urlpatterns = [
    path("", include("vestibule.protect.django.views")),
    path("admin/", admin.site.urls),
    path("whoami", whoami),
    path("decorated", decorated),
    path("permitted", permitted),
    path("mixin", Mixin.as_view()),
    path("rest", Rest.as_view()),
    path("template", template),
    path("careful", careful),
    path("async-careful", async_careful),
    path("rest-careful", CarefulRest.as_view()),
    path("async", by_async),
    path("async-guarded", async_guarded),
]
