#!/usr/bin/env python3
"""Views that lead to the pages of Vestibule, and their URL patterns.

A project includes this module in its URLs, before the patterns of the
admin, and names the view in its settings:
`LOGIN_URL = "vestibule:sign-in"`.
"""

from django.contrib.auth import REDIRECT_FIELD_NAME
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import path
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.safestring import SafeString, mark_safe
from django.views.decorators.cache import never_cache

from vestibule.protect.django.configuration import sign_in_pages
from vestibule.protect.sign_in import Target

app_name = "vestibule"


@never_cache  # type: ignore[untyped-decorator]
def sign_in(request: HttpRequest) -> HttpResponse:
    """Redirect to the sign-in page, which leads back to `next`.

    A signed-in user comes here for a page that they may not see, such as
    the admin: signing in again would not help.
    """
    if request.user.is_authenticated:
        raise PermissionDenied
    back = request.GET.get(REDIRECT_FIELD_NAME, "")
    target = None
    if back.startswith("/") and url_has_allowed_host_and_scheme(back, None):
        way, _, query = back.partition("?")
        target = Target(request.scheme, request.get_host(), way, query)
    return HttpResponseRedirect(sign_in_pages().sign_in_url(target))


def sign_out_form(request: HttpRequest, label: str = "Sign out") -> SafeString:
    """Return an HTML form with a button that signs the user out."""
    here = Target(request.scheme, request.get_host(), request.path)
    return mark_safe(sign_in_pages().sign_out_form(here, label))


def template_variables(request: HttpRequest) -> dict[str, SafeString]:
    """Return `vestibule_sign_out`, as a context processor of templates."""
    return {"vestibule_sign_out": sign_out_form(request)}


urlpatterns = [
    path("vestibule/sign-in", sign_in, name="sign-in"),
    # The admin has a login form of its own, for passwords of the project.
    path("admin/login/", sign_in),
]
